#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The master key: where it may come from, a server that waits for it, and a new one while the
# server is busy or dies.
here=${BASH_SOURCE[0]%/*}
# shellcheck source=server_common.sh
. "$here/server_common.sh"

new_store_with() {
	rm -rf "$1"
	expect 0 "$tacit_server" init --dir "$1" --url https://127.0.0.1:8443 "${@:2}"
}

# serve_sealed DIR [ARG]...: as serve_dir, but it waits for the key.
serve_sealed() {
	: >server.log
	"$tacit_server" serve --dir "$1" --listen 127.0.0.1:0 --sealed "${@:2}" >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 grep -q '^sealed:' server.log || failed "it does not start: $(<server.err)"
}

unsealed() {
	wait_until 20 server_listens || failed "it does not listen: $(<server.err)"
	url=$(sed -n 's/^listening on //p' server.log)
	export TACIT_SERVER=$url TACIT_IDENTITY=$1/admin.pem
}

phrases() {
	printf 'correct horse\n' >phrase
	printf 'battery staple\n' >wrong
	chmod 0600 phrase wrong
}

checks() { expect 0 "$tacit_server" check --dir "$@"; }

test_keys_by_descriptor_open_each_command() {
	phrases
	head -c 32 /dev/urandom >key
	expect 0 "$tacit_server" init --dir by_fd --url https://127.0.0.1:8443 --key-fd 3 3<key
	[[ ! -e by_fd/master.key ]] || failed 'the key was kept'
	checks by_fd --key-fd 7 7<key
	server_refuses 1 'master key: it came by descriptor' check --dir by_fd
	server_refuses 1 'descriptor 9: Bad file descriptor' check --dir by_fd --key-fd 9
	serve_dir by_fd --key-fd 3 3<key
	"$tacit" put a <<<"$(date)" >/dev/null
	stop_server
	expect 0 "$tacit_server" init --dir by_phrase --url https://127.0.0.1:8443 --passphrase-fd 0 <phrase
	checks by_phrase --passphrase-fd 0 < <(cat phrase)
	server_refuses 2 'one of them, not more' check --dir by_phrase --passphrase-fd 3 --key-fd 4
}

test_a_sealed_server_waits_for_its_passphrase() {
	phrases
	new_store_with s --passphrase-file phrase
	serve_sealed s
	[[ $(stat -c '%A' s/control.sock) == srw------- ]] || failed 'mode of the socket'
	! server_listens || failed 'it listens without a key'
	local begun=$SECONDS
	server_refuses 1 'seal.json: the master key does not open this store' \
		unseal --dir s --passphrase-file wrong
	server_refuses 1 'the master key does not open this store' unseal --dir s --passphrase-fd 3 3<wrong
	((SECONDS - begun >= 2)) || failed 'guessing is not slowed down'
	server_refuses 1 's: the store is sealed' rekey --dir s --passphrase-file phrase \
		--new-passphrase-file wrong
	server_refuses 1 'in use by another process' serve --dir s --passphrase-file phrase
	expect 0 "$tacit_server" unseal --dir s --passphrase-file phrase
	out_is 'The store in s is open.'
	unsealed s
	run put a <<<value
	server_refuses 6 's: it is not sealed' unseal --dir s --passphrase-file phrase
	grep -q '"event":"store.unsealed","subject":"after 2 attempts with another key"' s/audit.log ||
		failed 'not audited'
	! grep -qE 'horse|staple' s/audit.log server.log server.err || failed 'shows a passphrase'
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
	[[ ! -e s/control.sock ]] || failed 'leaves the socket'
	checks s --passphrase-file phrase
}

test_unsealing_asks_on_a_terminal_without_echo() {
	phrases
	new_store_with s --passphrase-file phrase
	serve_sealed s
	expect 0 "$cli_pty" 'Passphrase of the store: ' $'correct horse\n' -- "$tacit_server" unseal --dir s
	says_nowhere horse
	grep -qx 'echo is on' err || failed 'the terminal was left without echo'
	unsealed s
	stop_server
}

test_monitoring_can_tell_sealed_from_well() {
	new_store_with s
	cp s/master.key monitor.key
	serve_sealed s --metrics-listen 127.0.0.1:0
	local metrics
	metrics=$(sed -n 's,^metrics on \(.*\)/metrics$,\1,p' server.log)
	curl -si --max-time 10 "$metrics/v1/health" | tr -d '\r' >body
	grep -q '^HTTP/1.1 503 ' body || failed "says $(<body)"
	grep -qi '^Retry-After: [0-9]' body || failed 'no Retry-After'
	grep -q '"code":"sealed"' body || failed "says $(<body)"
	server_refuses 1 's: the store is sealed' health --dir s
	expect 0 "$tacit_server" unseal --dir s --key-file monitor.key
	unsealed s
	curl -si --max-time 10 "$metrics/v1/health" | grep -q '"status":"ok"' || failed 'not well'
	expect 0 "$tacit_server" health --dir s
	stop_server
}

test_a_sealed_server_can_be_stopped() {
	new_store_with s
	serve_sealed s
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
	checks s
	server_refuses 1 's: no server runs on it' unseal --dir s
}

test_unsealing_a_damaged_store_says_so_on_both_sides() {
	new_store_with s
	head -c 4096 /dev/urandom | dd of=s/store.db conv=notrunc bs=1 seek=5000 2>dd.log
	serve_sealed s
	expect 1 "$tacit_server" unseal --dir s
	wait "$server_pid" && failed 'it goes on'
	[[ -s err && -s server.err ]] || failed 'says nothing'
	[[ $(<err) == "$(<server.err)" ]] || failed "says $(<err) and $(<server.err)"
}

test_other_users_are_not_listened_to() {
	[[ $(id -u) == 0 ]] || exit 0
	cp "$tacit_server" server_copy
	new_store_with s
	cp s/master.key key
	chmod 0755 "$work"
	serve_sealed s
	# Even if somebody opens the doors.
	chmod 0755 s server_copy
	chmod 0666 s/control.sock
	chmod 0644 s/seal.json
	chmod 0400 key
	chown nobody key
	setpriv --reuid nobody --clear-groups "$work/server_copy" unseal --dir "$work/s" \
		--key-file "$work/key" >out 2>err && failed 'nobody unseals'
	grep -q 'control.sock: connection closed' err || failed "says $(<err)"
	chmod 0700 s "$work"
	! server_listens || failed 'it listens'
	stop_server
}

test_a_new_master_key_while_everybody_is_busy() {
	local number readers=()
	new_store_with s
	cp s/master.key old.key
	cp s/seal.json old.json
	serve_dir s
	for number in {1..80}; do printf 'k%d=value %d\n' "$number" "$number"; done >many.env
	run import many.env --prefix k/
	(for number in {1..40}; do "$tacit" put busy <<<"value $number" >/dev/null || exit 1; done) &
	readers+=($!)
	(for number in {1..40}; do [[ $("$tacit" get --raw "k/k$number") == "value $number" ]] || exit 1; done) &
	readers+=($!)
	for number in 1 2 3; do expect 0 "$tacit_server" rekey --dir s; done
	wait "${readers[0]}" || failed 'a writer failed'
	wait "${readers[1]}" || failed 'a reader failed'
	[[ $("$tacit" get --raw k/k80) == 'value 80' ]] || failed 'a value is lost'
	server_refuses 1 'the master key does not open this store' check --dir s --key-file old.key
	server_refuses 1 'the master key does not open this store' rekey --dir s --key-file old.key
	grep -q '"event":"store.rekey","status":403' s/audit.log || failed 'the refusal is not audited'
	checks s
	cp s/seal.json new.json
	stop_server
	checks s
	# What was sealed for the old key does open the root key: the reason to keep them apart.
	cp old.json s/seal.json
	checks s --key-file old.key
}

test_the_master_key_changes_its_kind_without_a_server() {
	phrases
	new_store_with s
	expect 0 "$tacit_server" rekey --dir s --new-passphrase-file phrase
	[[ ! -e s/master.key ]] || failed 'the old key is still there'
	checks s --passphrase-file phrase
	server_refuses 6 'new master key: it is the one in use already' \
		rekey --dir s --passphrase-file phrase --new-passphrase-file phrase
	expect 0 "$tacit_server" rekey --dir s --passphrase-file phrase --new-key-file "$PWD/outside.key"
	checks s
	server_refuses 2 'new master key: say where' rekey --dir s
	(umask 077 && head -c 32 /dev/urandom >third.key)
	expect 0 "$tacit_server" rekey --dir s --new-key-fd 4 4<third.key
	checks s --key-fd 5 5<third.key
	grep -c '"event":"store.rekey","status":200' s/audit.log >count
	[[ $(<count) == 3 ]] || failed "$(<count) lines in the log"
}

# As with systemd-creds: nothing of the key is in the directory any more.
test_a_key_that_was_moved_into_a_credential_stays_out_of_the_directory() {
	new_store_with s
	mkdir -m 0700 credentials
	mv s/master.key credentials/tacit-master-key
	cp credentials/tacit-master-key old.key
	export CREDENTIALS_DIRECTORY=$PWD/credentials
	serve_dir s
	server_refuses 2 'new master key: say where' rekey --dir s
	expect 0 "$tacit_server" backup --dir s --force s.backup
	! grep -qF master.key out || failed 'a file that is not there is named'
	expect 0 "$tacit_server" rekey --dir s --new-key-file "$PWD/new.key"
	out_has "^It is in $PWD/new.key"
	stop_server
	[[ ! -e s/master.key ]] || failed 'a key is in the directory'
	server_refuses 1 'seal.json: the credential tacit-master-key does not open' serve --dir s
	ln -sf tacit-master-key credentials/tacit-master-key
	server_refuses 1 'credentials/tacit-master-key: Too many levels' serve --dir s --listen 127.0.0.1:0
	unset CREDENTIALS_DIRECTORY
	checks s
}

test_a_descriptor_is_read_once_without_a_server() {
	phrases
	(umask 077 && head -c 32 /dev/urandom >by.key)
	new_store_with s --key-fd 3 3<by.key
	expect 0 "$tacit_server" rekey --dir s --key-fd 3 --new-passphrase-fd 4 3<by.key 4<phrase
	expect 0 "$tacit_server" rekey --dir s --passphrase-fd 3 --new-passphrase-fd 4 3<phrase 4<wrong
	checks s --passphrase-file wrong
}

# The server dies at any step; whatever it was, the store opens with the key that lies there.
test_a_server_that_is_killed_while_it_rekeys_loses_nothing() {
	local number round
	new_store_with s
	for number in {1..60}; do printf 'k%d=value %d\n' "$number" "$number"; done >many.env
	serve_dir s
	run import many.env --prefix k/
	for round in {1..10}; do
		"$tacit_server" rekey --dir s >rekey.log 2>&1 &
		sleep "0.0$((RANDOM % 6))$((RANDOM % 10))"
		stop_server_by KILL 2>killed.log
		wait $! || true
		checks s
		serve_dir s
	done
	for number in {1..60..7}; do
		[[ $("$tacit" get --raw "k/k$number") == "value $number" ]] || failed "k$number is lost"
	done
	expect 0 "$tacit_server" rekey --dir s
	stop_server
	checks s
	[[ -z $(find s -name '.tacit-*' -o -name '*.new') ]] || failed 'leaves something'
}

run_tests "$0"

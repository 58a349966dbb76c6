#!/bin/bash
# SPDX-License-Identifier: MIT
# What happens to a store when its files, its disk or its keys go wrong: a one-line error, and
# nothing is lost.
# shellcheck source=server_common.sh
. "${BASH_SOURCE[0]%/*}/server_common.sh"

# A store with something in it, to be copied: good/, whose admin is good/admin.pem.
make_good() {
	new_store good
	serve_dir good
	"$tacit" put web/a <<<'the first value' >put.log
	"$tacit" put web/a <<<'the second value' >put.log
	"$tacit" put other <<<'another value' >put.log
	stop_server
	cp -a good pristine
}
make_good

# good/ is as it was: it checks, serves, and has its values.
still_good() {
	expect 0 "$tacit_server" check --dir "${1:-good}"
	serve_dir "${1:-good}"
	expect 0 "$tacit" get web/a
	out_is 'the second value'
	expect 0 "$tacit" get web/a --version 1
	out_is 'the first value'
	stop_server
}

fresh() {
	rm -rf good
	cp -a pristine good
}

# store_hit OFFSET: 16 bytes of the database become others.
store_hit() {
	printf 'XXXXXXXXXXXXXXXX' | dd of=good/store.db bs=1 seek="$1" conv=notrunc status=none
}

test_usage_errors_exit_2() {
	server_refuses 2 'url: ' init --dir new
	server_refuses 1 'http://x: not a valid URL' init --dir new --url http://x
	server_refuses 2 'nonsense' serve --nonsense
	server_refuses 2 'one of them, not more' init --dir new --url https://x --key-file a --passphrase-file b
	server_refuses 2 'extra' check --dir good extra
	server_refuses 2 '.' frobnicate
	[[ ! -e new ]] || failed 'left something behind'
}

test_init_touches_no_directory_that_holds_something() {
	mkdir full
	echo precious >full/file
	server_refuses 1 'full: not empty' init --dir full --url https://127.0.0.1:8443
	[[ $(ls -A full) == file && $(<full/file) == precious ]] || failed 'touched'
	server_refuses 1 'good: not empty' init --dir good --url https://127.0.0.1:8443
	still_good
}

test_init_that_fails_leaves_nothing() {
	server_refuses 1 '--san a b: ' init --dir new --url https://127.0.0.1:8443 --san 'a b'
	[[ ! -e new ]] || failed 'left a directory'
	mkdir -m 0700 empty
	server_refuses 1 'passphrase file nowhere: No such file' \
		init --dir empty --url https://127.0.0.1:8443 --passphrase-file nowhere
	[[ -z $(ls -A empty) ]] || failed "left $(ls -A empty)"
	server_refuses 1 'no/such/dir: No such file' init --dir no/such/dir --url https://127.0.0.1:8443
}

test_what_is_no_store_is_not_served() {
	mkdir -m 0700 plain
	server_refuses 1 'seal.json: not a Tacit store' serve --dir plain
	server_refuses 1 'seal.json: not a Tacit store' check --dir plain
	server_refuses 1 'nowhere: No such file' serve --dir nowhere
	server_refuses 1 'good/store.db: Not a directory' serve --dir good/store.db
}

test_a_directory_that_others_reach_is_refused() {
	chmod 0750 good
	server_refuses 1 'other users can reach into it' serve --dir good
	server_refuses 1 'other users can reach into it' check --dir good
	chmod 0700 good
	still_good
}

test_a_second_server_is_locked_out_and_the_first_goes_on() {
	serve_dir good
	server_refuses 1 'good/lock: in use by another process' serve --dir good --listen 127.0.0.1:0
	expect 0 "$tacit" get web/a
	out_is 'the second value'
	expect 0 "$tacit_server" check --dir good
	stop_server
	((server_status == 0)) || failed "the first one ends with $server_status"
	still_good
}

test_check_beside_writers_never_cries_wolf() {
	local number
	serve_dir good
	for ((number = 0; number < 60; number++)); do
		"$tacit" put busy <<<"value $number" >/dev/null
	done &
	at_exit stop_process $!
	for ((number = 0; number < 15; number++)); do
		expect 0 "$tacit_server" check --dir good
	done
	wait $!
	stop_server
	fresh
}

test_another_master_key_does_not_open() {
	head -c 32 /dev/urandom >other.key
	server_refuses 1 'master key other.key: others can read it; chmod 0400 it' \
		serve --dir good --key-file other.key
	chmod 0400 other.key
	server_refuses 1 'seal.json: the master key does not open this store' \
		serve --dir good --key-file other.key
	server_refuses 1 'seal.json: the master key does not open this store' \
		check --dir good --key-file other.key
	head -c 31 other.key >short.key
	chmod 0400 short.key
	server_refuses 1 'short.key: a master key is exactly 32 bytes' check --dir good --key-file short.key
	mv good/master.key saved.key
	server_refuses 1 'master key master.key: No such file' serve --dir good
	mv saved.key good/master.key
	still_good
}

test_a_key_on_another_file_system_is_made_and_used() {
	local dir=/dev/shm/tacit-key-$$
	mkdir -m 0700 "$dir"
	at_exit rm -rf "$dir"
	expect 0 "$tacit_server" init --dir keyed --url https://127.0.0.1:8443 --key-file "$dir/key"
	[[ $(stat -c '%a %s' "$dir/key") == '400 32' ]] || failed 'key file'
	[[ ! -e keyed/master.key ]] || failed 'a key beside the data'
	expect 0 "$tacit_server" check --dir keyed
}

test_a_wrong_passphrase_does_not_open() {
	printf 'correct horse\n' >pass
	printf 'battery staple\n' >wrong
	server_refuses 1 'passphrase file pass: others can read it' \
		init --dir phrased --url https://127.0.0.1:8443 --passphrase-file pass
	chmod 0600 pass wrong
	expect 0 "$tacit_server" init --dir phrased --url https://127.0.0.1:8443 --passphrase-file pass
	server_refuses 1 'the master key does not open this store' check --dir phrased --passphrase-file wrong
	expect 0 "$tacit_server" check --dir phrased --passphrase-file pass
	expect 1 setsid --wait "$tacit_server" check --dir phrased
	grep -q 'passphrase: no terminal to ask on' err || failed "says $(<err)"
	! grep -rqE 'horse|staple' out err || failed 'shows a passphrase'
}

test_an_altered_seal_does_not_open() {
	sed -i 's/"root":"\(.\)./"root":"\1z/' good/seal.json
	server_refuses 1 'seal.json: not a Tacit store' serve --dir good
	head -c 100 pristine/seal.json >good/seal.json
	server_refuses 1 'seal.json: not a Tacit store' serve --dir good
	fresh
	still_good
}

test_a_foreign_database_is_told_from_a_damaged_one() {
	echo 'a letter, not a database' >good/store.db
	server_refuses 1 'store.db: not a Tacit store' serve --dir good
	: >good/store.db
	server_refuses 1 'store.db: not a Tacit store' check --dir good
	rm good/store.db
	server_refuses 1 'store.db: No such file' serve --dir good
	fresh
}

# Wherever sixteen bytes of the records are changed, the check finds it, and serving too unless it
# is the body of a value.
test_altered_bytes_of_the_database_are_found() {
	local size offset found=0 tried=0
	size=$(stat -c %s pristine/store.db)
	for ((offset = 4096 + 7; offset < size; offset += 311)); do
		fresh
		# Pages have free space, where nothing lives and nothing is to be found.
		[[ $(dd if=good/store.db bs=1 skip="$offset" count=16 status=none | tr -d '\0' | wc -c) -ge 12 ]] ||
			continue
		store_hit "$offset"
		: $((++tried))
		expect 1 "$tacit_server" check --dir good
		(($(wc -l <err) == 1)) || failed "offset $offset: not one line: $(<err)"
		: $((++found))
	done
	((tried >= 10)) || failed "only $tried places"
	fresh
}

test_a_value_from_an_older_database_is_found() {
	# Everything from before, but the records of today: as when one file is restored.
	serve_dir good
	"$tacit" put web/a <<<'the third value' >put.log
	stop_server
	cp pristine/audit.log good/audit.log
	server_refuses 1 'audit.log.*(missing|breaks)' check --dir good
	fresh
}

test_a_read_only_directory_can_be_checked_and_not_served() {
	need_mounts
	mkdir -p readonly
	mount --bind good readonly
	mount -o remount,ro,bind readonly
	server_refuses 1 'readonly/lock: the store is read-only' serve --dir readonly
	expect 0 "$tacit_server" check --dir readonly
	umount readonly
	still_good
}

test_a_full_disk_under_the_store_loses_nothing() {
	local number
	need_mounts
	mkdir -p small
	mount -t tmpfs -o size=1m,mode=0700 tmpfs small
	at_exit umount -l small
	cp -a pristine/. small/
	serve_dir "$work/small"
	head -c 200000 /dev/urandom >large
	for ((number = 1; number <= 8; number++)); do
		"$tacit" put "large/$number" --from-file large >out 2>err || break
	done
	((number > 1 && number <= 8)) || failed "$number writes"
	# What failed says so, and is not there; what was acknowledged is.
	grep -qE '^tacit: large/[0-9]: no space left for the store' err || failed "says $(<err)"
	refuse 4 'not found' get "large/$number"
	expect 0 "$tacit" get web/a
	out_is 'the second value'
	expect 0 "$tacit" get "large/$((number - 1))" --raw
	same out large
	refuse 1 'no space left for the store' put "large/$number" --from-file large
	expect 0 "$tacit_server" check --dir "$work/small"

	# It goes on by itself once there is room.
	mount -o remount,size=8m small
	run put "large/$number" --from-file large
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
	still_good "$work/small"
	umount small
}

test_without_room_for_the_audit_log_no_value_leaves() {
	need_mounts
	fresh
	mkdir -p logs
	mount -t tmpfs -o size=32k,mode=0700 tmpfs logs
	at_exit umount -l logs
	cp -a good/audit.log logs/audit.log
	mount --bind logs/audit.log good/audit.log
	at_exit umount -l good/audit.log
	serve_dir good
	ca_of good/admin.pem >ca.pem
	dd if=/dev/zero of=logs/filler bs=1k status=none 2>dd.err || true
	# The page that is begun still has room for some lines.
	while [[ $(call /v1/secrets/other) != 503 ]]; do :; done
	code_is audit_unavailable
	! grep -q 'another value' body || failed 'the value leaves'
	refuse 1 'the audit log cannot be written' get web/a
	refuse 1 'the audit log cannot be written' put web/a --from-file pass
	refuse 1 'the audit log cannot be written' ls
	[[ $(call /v1/ca) == 200 ]] || failed 'what needs no audit is not answered'
	[[ $(call /v1/health) == 503 ]] || failed 'health does not tell'

	rm logs/filler
	expect 0 "$tacit" get web/a
	out_is 'the second value'
	stop_server
	expect 0 "$tacit_server" check --dir good
	umount good/audit.log logs
	fresh
}

test_an_audit_log_deleted_under_the_server_is_noticed() {
	serve_dir good
	rm good/audit.log
	refuse 1 'the audit log cannot be written' get web/a
	stop_server
	server_refuses 1 'audit.log: No such file' check --dir good
	serve_dir good
	grep -qE '^tacit-server: audit.log: lines 1 to [0-9]+ are missing' server.err || failed "$(<server.err)"
	head -n 1 good/audit.log | grep -q '"event":"audit.restarted","subject":"lines 1 to ' || failed 'not logged'
	expect 0 "$tacit" get web/a
	stop_server
	expect 0 "$tacit_server" check --dir good
	out_has 'note: lines of the audit log were lost'
	fresh
}

test_an_audit_log_cut_at_its_end_is_noticed() {
	sed -i '$d' good/audit.log
	server_refuses 1 'audit.log behind line [0-9]+: lines are missing' check --dir good
	serve_dir good
	grep -q 'are missing' server.err || failed 'not said'
	stop_server
	expect 0 "$tacit_server" check --dir good
	expect 0 "$tacit_server" check --dir good --json
	json_is .audit_gaps 1
	fresh
}

test_an_altered_audit_line_is_named() {
	sed -i '2s/"status":201/"status":403/' good/audit.log
	server_refuses 1 'audit.log line 2: the chain breaks here' check --dir good
	cp pristine/audit.log good/audit.log
	sed -i 2d good/audit.log
	server_refuses 1 'audit.log line 2: the chain breaks here' check --dir good
	cp pristine/audit.log good/audit.log
	sed -i '$s/"status":20./"status":404/' good/audit.log
	server_refuses 1 'last line of audit.log: does not authenticate' serve --dir good
	fresh
}

test_a_torn_last_line_is_mended() {
	printf '{"seq":99,"time":"20' >>good/audit.log
	expect 0 "$tacit_server" check --dir good
	serve_dir good
	grep -q 'the last line was cut off by a crash; removed 20 bytes' server.err || failed "$(<server.err)"
	stop_server
	still_good
	fresh
}

test_a_port_in_use_is_said() {
	serve_dir good
	cp -a pristine second
	server_refuses 1 'Address already in use' serve --dir second --listen "${url#https://}"
	stop_server
	server_refuses 1 'want ADDRESS:PORT' serve --dir good --listen nonsense
	server_refuses 1 '127.0.0.1:65536: want ADDRESS:PORT' serve --dir good --listen 127.0.0.1:65536
	rm -rf second
}

test_sigterm_lets_a_request_under_way_finish() {
	local curl_pid
	serve_dir good
	ca_of good/admin.pem >ca.pem
	head -c 400000 /dev/urandom >large
	call /v1/secrets/slow -T large --limit-rate 200k >status &
	curl_pid=$!
	sleep 0.7
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
	wait "$curl_pid"
	[[ $(<status) == 201 ]] || failed "status $(<status)"
	serve_dir good
	expect 0 "$tacit" get slow --raw
	same out large
	stop_server
	fresh
}

test_signals_do_what_they_should() {
	serve_dir good
	kill -HUP "$server_pid"
	expect 0 "$tacit" get web/a
	kill -PIPE "$server_pid"
	expect 0 "$tacit" get web/a
	stop_server_by INT
	((server_status == 0)) || failed "SIGINT: $server_status"
}

# The whole point of a sealed store, on the files as they lie there.
test_no_file_of_the_store_shows_a_value_or_a_name() {
	local text
	for text in 'the first value' 'the second value' 'another value' web/a; do
		! grep -rqaF -- "$text" pristine/store.db pristine/seal.json || failed "shows $text"
	done
	for text in 'the first value' 'the second value' 'another value'; do
		! grep -rqaF -- "$text" pristine || failed "shows $text"
	done
	[[ $(stat -c %a pristine pristine/master.key pristine/admin.pem pristine/audit.log pristine/seal.json |
		tr '\n' ' ') == '700 400 400 600 600 ' ]] || failed "$(stat -c '%a %n' pristine/*)"
}

run_tests "$script"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A new identity of an admin, for who has the master key and has lost the old one: without a server
# and beside one, the old ones left as they are or voided.
here=${BASH_SOURCE[0]%/*}
# shellcheck source=server_common.sh
. "$here/server_common.sh"

new_store store
cp store/master.key key
cp store/admin.pem first.pem

# works FILE, is_void FILE: what a server says to it.
works() { TACIT_IDENTITY=$1 "$tacit" client ls >out 2>err || failed "$1: $(<err)"; }
is_void() {
	local code=0
	TACIT_IDENTITY=$1 "$tacit" client ls >out 2>err || code=$?
	((code == 5)) || failed "$1 is good, or $code: $(<err)"
}

issued() { grep -c '"event":"admin.issue"' "$1/audit.log" || true; }

test_without_a_server_it_goes_where_the_old_one_was() {
	rm -f store/admin.pem
	expect 0 "$tacit_server" admin --dir store
	out_has '^A new identity of admin, an admin, is store/admin.pem\.$'
	out_has 'Older ones of admin stay good'
	[[ $(stat -c %a store/admin.pem) == 400 ]] || failed "mode $(stat -c %a store/admin.pem)"
	tail -n 1 store/audit.log | grep -q '"event":"admin.issue","subject":"admin","status":201' ||
		failed "$(tail -n 1 store/audit.log)"
	expect 0 "$tacit_server" check --dir store
	serve_dir "$PWD/store"
	works store/admin.pem
	works first.pem
	stop_server
}

test_a_file_that_is_there_stays_unless_told_otherwise() {
	local before count
	before=$(<store/admin.pem)
	count=$(issued store)
	server_refuses 1 'store/admin.pem: is there already; --force' admin --dir store
	server_refuses 1 'nowhere/file.*No such file' admin --dir store --out nowhere/file --revoke-old
	[[ $(<store/admin.pem) == "$before" ]] || failed 'another one'
	(($(issued store) == count)) || failed 'issued all the same'
	expect 0 "$tacit_server" admin --dir store --force
	[[ $(<store/admin.pem) != "$before" ]] || failed 'the same one'
	[[ ! -e store/admin.pem.part ]] || failed 'leaves something'
	(($(issued store) == count + 1)) || failed 'not recorded'
}

test_to_stdout_nothing_else() {
	"$tacit_server" admin --dir store --out - >piped.pem 2>err || failed "$(<err)"
	(($(grep -c BEGIN piped.pem) == 3)) || failed "$(grep -v '^[A-Za-z0-9+/=]*$' piped.pem)"
	chmod 0400 piped.pem
	serve_dir "$PWD/store"
	works piped.pem
	stop_server
}

test_beside_a_server_by_who_has_the_key() {
	local count
	serve_dir "$PWD/store"
	expect 0 "$tacit_server" admin --dir store --out beside.pem
	[[ $(stat -c %a beside.pem) == 400 ]] || failed "mode $(stat -c %a beside.pem)"
	works beside.pem
	run audit
	out_has 'admin\.issue'
	count=$(issued store)
	(umask 077 && head -c 32 /dev/urandom >wrong.key)
	server_refuses 1 'seal.json: the master key does not open this store' \
		admin --dir store --out never.pem --revoke-old --key-file wrong.key
	[[ ! -e never.pem && ! -e never.pem.part ]] || failed 'leaves something'
	(($(issued store) == count + 1)) || failed 'the attempt is not recorded'
	tail -n 1 store/audit.log | grep -q '"event":"admin.issue","status":403' ||
		failed "$(tail -n 1 store/audit.log)"
	works beside.pem
	stop_server
}

test_old_ones_are_void_when_that_is_asked_for() {
	local before
	serve_dir "$PWD/store"
	expect 0 "$tacit" client add other --role admin --out other.pem
	expect 0 "$tacit_server" admin --dir store --out newest.pem --revoke-old
	out_has 'No older one of admin is good any more'
	works newest.pem
	works other.pem
	for before in first.pem store/admin.pem piped.pem beside.pem; do is_void "$before"; done
	grep -A 1 '"event":"client.revoke","subject":"admin","status":204' store/audit.log >lines
	[[ $(sed -n 2p lines) == *'"event":"admin.issue","subject":"admin","status":201'* ]] || failed "$(<lines)"
	stop_server
	expect 0 "$tacit_server" admin --dir store --force --revoke-old
	expect 0 "$tacit_server" check --dir store
	serve_dir "$PWD/store"
	works store/admin.pem
	is_void newest.pem
	stop_server
}

# It is the identity of somebody who is an admin, whatever others are called.
test_it_is_that_of_an_admin() {
	serve_dir "$PWD/store"
	export TACIT_IDENTITY=other.pem
	expect 0 "$tacit" client revoke admin
	curl -sS --cacert first.pem --cert other.pem --key other.pem -o out -X DELETE "$url/v1/clients/admin"
	expect 0 "$tacit" client add admin --out plain.pem
	expect 0 "$tacit_server" admin --dir store --out again.pem --revoke-old
	out_has 'A new identity of other, an admin'
	works again.pem
	is_void other.pem
	TACIT_IDENTITY=plain.pem "$tacit" ls >out 2>err || failed "$(<err)"
	stop_server
}

test_a_sealed_server_has_to_be_unsealed_first() {
	"$tacit_server" serve --dir "$PWD/store" --listen 127.0.0.1:0 --sealed >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 grep -q '^sealed:' server.log || failed "$(<server.err)"
	server_refuses 1 'store: the store is sealed' admin --dir store --out never.pem
	[[ ! -e never.pem ]] || failed 'leaves something'
	stop_server
}

test_nobody_writes_beside_the_one_who_has_the_lock() {
	flock -o store/lock sleep 30 &
	local holder=$!
	wait_until 5 lock_is_held
	server_refuses 1 'store/lock: in use by another process' admin --dir store --out never.pem
	kill "$holder"
	[[ ! -e never.pem ]] || failed 'leaves something'
}
lock_is_held() { ! flock -n store/lock true; }

# For root: what lies in the directory is its owner's.
test_the_directory_stays_its_owners() {
	[[ $(id -u) == 0 ]] || return 0
	chmod 0711 .
	cp -r store theirs
	rm -f theirs/lock theirs/store.db-* theirs/admin.pem
	chown -R 12345:12346 theirs
	expect 0 "$tacit_server" admin --dir theirs
	[[ -e theirs/admin.pem && -z $(find theirs ! -uid 12345 -o ! -gid 12346) ]] || failed "$(ls -ln theirs)"
	expect 0 "$tacit_server" admin --dir theirs --out ours.pem
	[[ $(stat -c '%u %a' ours.pem) == '0 400' ]] || failed "$(stat -c '%u %a' ours.pem)"
	[[ -z $(find theirs ! -uid 12345 -o ! -gid 12346) ]] || failed "$(ls -ln theirs)"
}

run_tests "$0"

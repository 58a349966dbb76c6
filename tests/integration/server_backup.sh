#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Backups: made while everybody is busy, restored by one command, and refused when they are not
# what they were.
here=${BASH_SOURCE[0]%/*}
# shellcheck source=server_common.sh
. "$here/server_common.sh"

backup() { expect 0 "$tacit_server" backup --dir "$@"; }

# A store with something of everything in it, served; backed up as ./good, its key as ./key.
begin() {
	local number
	expect 0 "$tacit_server" init --dir store --url https://127.0.0.1:8443
	cp store/master.key key
	serve_dir "$PWD/store"
	for number in {1..40}; do printf 'k%d=value %d\n' "$number" "$number"; done >many.env
	run import many.env --prefix k/
	head -c 400000 /dev/urandom >big
	run put big --from-file big
	run put twice <<<first
	run put twice <<<second
	run client add app --out app.pem
	run grant app 'k/*'
	backup store good
	stop_server
}
begin

restored() {
	rm -rf new
	expect 0 "$tacit_server" restore --dir new --key-file key "$1"
	expect 0 "$tacit_server" check --dir new
}

test_a_restored_store_has_everything() {
	[[ $(stat -c %a good) == 600 ]] || failed "mode $(stat -c %a good)"
	restored good
	out_has '^ok: '
	[[ $(stat -c %a new new/master.key new/store.db new/admin.pem | tr '\n' ' ') == '700 400 600 400 ' ]] ||
		failed 'modes'
	serve_dir "$PWD/new"
	run get big
	cmp -s out big || failed 'another value'
	[[ $("$tacit" get --version 1 twice) == first ]] || failed 'a version is lost'
	# Identities from before are good, and so are grants.
	[[ $(TACIT_IDENTITY=app.pem "$tacit" get k/k7) == 'value 7' ]] || failed 'a client is shut out'
	[[ $(TACIT_IDENTITY=store/admin.pem "$tacit" get k/k8) == 'value 8' ]] || failed 'the admin is shut out'
	grep -q '"event":"store.restored"' new/audit.log || failed 'not in the log'
	stop_server
}

test_nothing_readable_is_in_it() {
	local word
	for word in 'value 17' 'k/k17' secret.put 127.0.0.1 'PRIVATE KEY' BEGIN "\"client\""; do
		! grep -qaF -- "$word" good || failed "shows $word"
	done
	# The search would find it, and the key is looked for by its bytes.
	grep -qaF argon2_salt good || failed 'the search finds nothing'
	! grep -qF "$(od -An -tx1 -v key | tr -d ' \n')" <(od -An -tx1 -v good | tr -d ' \n') ||
		failed 'the master key is in it'
}

test_a_backup_while_everybody_writes_is_consistent() {
	serve_dir "$PWD/store"
	(for number in {1..60}; do "$tacit" put "busy/$((number % 9))" <<<"$number" >/dev/null || exit 1; done) &
	local writer=$! number
	for number in 1 2 3 4; do
		rm -f "busy$number"
		backup store "busy$number"
	done
	wait "$writer" || failed 'a writer failed'
	backup store - >out 2>err
	stop_server
	for number in 1 2 3 4; do restored "busy$number"; done
}

test_to_stdout_and_without_a_server() {
	"$tacit_server" backup --dir store - >piped 2>err || failed "$(<err)"
	backup store --force offline
	grep -q 'The master key is NOT in it' out || failed 'does not say where the key is'
	restored piped
	restored offline
}

backups_recorded() { grep -c '"event":"store.backup"' "$1/audit.log"; }

# As one that a server makes: the line is in the log, and in the copy of the log.
test_without_a_server_it_is_recorded_too() {
	local before
	before=$(backups_recorded store)
	backup store recorded
	(($(backups_recorded store) == before + 1)) || failed 'no line, or more than one'
	tail -n 1 store/audit.log | grep -q '"event":"store.backup"' || failed "$(tail -n 1 store/audit.log)"
	restored recorded
	(($(backups_recorded new) == before + 1)) || failed 'not in the backup'
	expect 0 "$tacit_server" check --dir store
	# A log that is shortened after that is noticed, as after a run of the server.
	cp -r store shortened
	sed -i '$d' shortened/audit.log
	expect 1 "$tacit_server" check --dir shortened
	backup store by-descriptor --key-fd 3 3<key
	restored by-descriptor
}

# Nobody writes beside the one who has the lock.
test_one_who_holds_the_lock_is_waited_for() {
	local before
	before=$(backups_recorded store)
	flock -o store/lock sleep 30 &
	local holder=$!
	wait_until 5 lock_is_held
	server_refuses 1 'store/lock: .*another process' backup --dir store locked
	kill "$holder"
	[[ ! -e locked && ! -e locked.part ]] || failed 'leaves something'
	(($(backups_recorded store) == before)) || failed 'wrote to the log all the same'
	flock -o store/lock sleep 1 &
	wait_until 5 lock_is_held
	backup store locked
	restored locked
}
lock_is_held() { ! flock -n store/lock true; }

# For root: whatever is made in the directory is its owner's.
test_the_directory_stays_its_owners() {
	[[ $(id -u) == 0 ]] || return 0
	chmod 0711 .
	cp -r store theirs
	mv theirs/audit.log theirs/audit.log.1
	rm -f theirs/lock theirs/store.db-*
	chown -R 12345:12346 theirs
	backup theirs theirs.backup
	[[ -z $(find theirs ! -uid 12345 -o ! -gid 12346) ]] || failed "$(ls -ln theirs)"
	[[ -e theirs/audit.log && -e theirs/lock ]] || failed "$(ls -ln theirs)"
	[[ $(stat -c '%u %a' theirs.backup) == '0 600' ]] || failed "$(stat -c '%u %a' theirs.backup)"
	restored theirs.backup
}

test_what_cannot_be_recorded_is_not_made() {
	need_mounts
	mkdir fixed
	mount --bind store fixed
	at_exit umount "$PWD/fixed"
	mount -o remount,bind,ro fixed
	server_refuses 1 'fixed: nothing can be written here, and a backup is recorded' backup --dir fixed never
	[[ ! -e never && ! -e never.part ]] || failed 'leaves something'
}

test_a_file_that_is_there_is_not_overwritten() {
	printf precious >there
	server_refuses 1 'there: is there already' backup --dir store there
	[[ $(<there) == precious ]] || failed 'overwritten'
	backup store --force there
	restored there
	ln -s precious link
	server_refuses 1 'link: is there already' backup --dir store link
	[[ ! -e precious && ! -e there.part ]] || failed 'leaves something'
	server_refuses 1 'No such file' backup --dir store nowhere/file
	server_refuses 2 'FILE: give one' backup --dir store
	server_refuses 2 'unexpected argument' backup --dir store a b
}

test_a_directory_that_is_not_empty_is_refused() {
	mkdir -p full
	: >full/file
	server_refuses 1 'full: not empty' restore --dir full --key-file key good
	[[ $(ls full) == file ]] || failed 'writes there'
	mkdir -m 0755 open
	server_refuses 1 'open: other users can reach into it' restore --dir open --key-file key good
	[[ -z $(ls open) ]] || failed 'leaves something'
	mkdir -m 0700 empty
	expect 0 "$tacit_server" restore --dir empty --key-file key good
}

refused() {
	rm -rf new
	server_refuses 1 "$1" restore --dir new "${@:3}" "$2"
	[[ ! -e new ]] || failed 'leaves something'
}

# A bit of each region: the head, each part's, and the end's sums.
test_an_altered_backup_is_refused() {
	local size offset byte
	size=$(stat -c %s good)
	for offset in 0 11 12 13 17 40 200 450 600 5000 "$((size / 2))" "$((size - 500))" \
		"$((size - 77))" "$((size - 76))" "$((size - 70))" "$((size - 64))" "$((size - 40))"; do
		cp good bad
		byte=$(od -An -tu1 -j "$offset" -N 1 good)
		printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of=bad bs=1 seek="$offset" conv=notrunc 2>dd.log
		refused 'bad: (not a Tacit backup|damaged or altered|its end is missing)' bad --key-file key
		server_refuses 1 'bad: (not a Tacit backup|damaged or altered|its end is missing)' restore --verify bad
	done
	# Only who has the key can tell that the mac is another one.
	cp good bad
	printf xxxx | dd of=bad bs=1 seek=$((size - 20)) conv=notrunc 2>dd.log
	refused 'bad: not made by this store, or altered' bad --key-file key
	expect 0 "$tacit_server" restore --verify bad
}

test_a_cut_or_lengthened_backup_is_refused() {
	local size length
	size=$(stat -c %s good)
	for length in 0 1 11 12 13 100 5000 $((size / 2)) $((size - 77)) $((size - 1)); do
		head -c "$length" good >bad
		refused 'bad: (not a Tacit backup|damaged or altered|its end is missing)' bad --key-file key
	done
	(cat good && printf x) >bad
	refused 'bad: damaged or altered' bad --key-file key
	cat good good >bad
	refused 'bad: damaged or altered' bad --key-file key
	refused 'not a file; it is read more than once' <(cat good) --key-file key
}

test_the_key_is_taken_from_where_it_was_or_asked_for() {
	(umask 077 && head -c 32 /dev/urandom >wrong.key)
	refused 'good: the master key does not open it' good --key-file wrong.key
	rm -rf new
	expect 0 "$tacit_server" restore --dir new good
	expect 0 "$tacit_server" check --dir new
	expect 0 "$tacit_server" restore --verify good
	out_has 'good is whole, by its checksum'
	mv store/master.key store/moved
	refused 'master key: not in the backup, nor where it was; give your copy with --key-file' good
	cp wrong.key store/master.key
	refused 'good: the master key does not open it' good
	mv -f store/moved store/master.key
}

test_a_store_with_a_passphrase() {
	(umask 077 && echo 'correct horse' >phrase)
	expect 0 "$tacit_server" init --dir phrased --url https://127.0.0.1:8443 --passphrase-file phrase
	# The server has the key already: a backup asks for nothing.
	serve_dir "$PWD/phrased" --passphrase-file phrase
	run put a <<<value
	backup phrased phrased.backup
	out_has 'opens with the passphrase'
	stop_server
	rm -rf new
	expect 0 "$tacit_server" restore --dir new --passphrase-file phrase phrased.backup
	expect 0 "$tacit_server" check --dir new --passphrase-file phrase
	rm -rf new
	expect 1 setsid --wait "$tacit_server" restore --dir new phrased.backup
	grep -q 'no terminal to ask on' err || failed "says $(<err)"
}

test_a_key_that_has_moved_is_remembered() {
	expect 0 "$tacit_server" init --dir keyed --url https://127.0.0.1:8443 --key-file "$PWD/first.key"
	backup keyed keyed.backup
	mv first.key second.key
	rm -rf new
	expect 0 "$tacit_server" restore --dir new --key-file second.key keyed.backup
	expect 0 "$tacit_server" check --dir new
	[[ ! -e new/master.key ]] || failed 'the key lies beside the data'
}

test_a_log_that_was_moved_away_comes_along() {
	cp -r store logged
	head -n 3 store/audit.log >logged/audit.log.1
	gzip -c logged/audit.log >logged/audit.log.2.gz
	tail -n +4 store/audit.log >logged/audit.log
	printf half >>logged/audit.log
	: >logged/other
	backup logged logged.backup
	rm -rf new
	expect 0 "$tacit_server" restore --dir new logged.backup
	cmp -s new/audit.log.1 logged/audit.log.1 || failed 'the moved log'
	cmp -s new/audit.log.2.gz logged/audit.log.2.gz || failed 'the compressed log'
	cmp -s <(cat new/audit.log.1 new/audit.log | head -n "$(wc -l <store/audit.log)") store/audit.log ||
		failed 'the log'
	[[ ! -e new/other ]] || failed 'takes whatever lies there'
}

small_again() { (($(stat -c %s store/store.db) < 3000000)); }

# 20 MB come and go; in between somebody reads, and never waits for long.
test_the_database_shrinks_by_itself() {
	local number begun longest=0 took
	serve_dir "$PWD/store"
	head -c 370000 /dev/urandom | base64 -w 0 >half
	for number in {1..40}; do printf 'v%d=%s\n' "$number" "$(<half)"; done >large.env
	head -n 20 large.env >half.env
	expect 0 "$tacit" import half.env --prefix large/
	tail -n 20 large.env >half.env
	expect 0 "$tacit" import half.env --prefix large/
	# The rest is in the write-ahead log still.
	(($(stat -c %s store/store.db) > 15000000)) || failed "only $(stat -c %s store/store.db) bytes"
	for number in {1..40}; do run destroy "large/v$number"; done
	for number in {1..300}; do
		begun=${EPOCHREALTIME/./}
		run get twice
		took=$((${EPOCHREALTIME/./} - begun))
		((took <= longest)) || longest=$took
		! small_again || break
	done
	small_again || failed "still $(stat -c %s store/store.db) bytes"
	((longest < 1000000)) || failed "a read took $longest microseconds"
	stop_server
	expect 0 "$tacit_server" check --dir store
}

test_a_full_disk_is_an_error_and_leaves_nothing() {
	need_mounts
	mkdir small
	mount -t tmpfs -o size=200k,mode=0700 tmpfs small
	at_exit umount "$PWD/small"
	server_refuses 1 'small/file.*No space left' backup --dir store small/file
	[[ -z $(ls small) ]] || failed 'leaves something'
	server_refuses 1 'no space left|No space left' restore --dir small/new --key-file key good
	[[ -z $(ls small) ]] || failed "leaves $(ls small)"
	serve_dir "$PWD/store"
	server_refuses 1 'small/file.*No space left' backup --dir store small/file
	run get big
	stop_server
}

run_tests "$0"

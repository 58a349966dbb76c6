#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the server has given up once it runs, looked at in the process that runs.
here=${BASH_SOURCE[0]%/*}
# shellcheck source=server_common.sh
. "$here/server_common.sh"

inject=${cli_pty%/*}/inject
probe=${cli_pty%/*}/agent_probe

# A sanitizer build has no sandbox, and shadows of values everywhere.
need_root() {
	[[ $(id -u) == 0 && -z ${SERVER_TEST_SANITIZED:-} ]] || {
		printf 'skipped: needs root, and no sanitizers\n'
		exit 0
	}
}

# Whoever the server becomes has to get at its directory, and at nothing else here.
serve_as_nobody() {
	chmod 0711 "$work"
	expect 0 "$tacit_server" init --dir "$1" --user nobody --url https://127.0.0.1:8443
	serve_dir "$@"
}

# each_thread FIELD VALUE: what /proc says of every thread of the server.
each_thread() {
	local found
	found=$(sed -n "s/^$1:[[:space:]]*//p" "/proc/$server_pid"/task/*/status | sort -u)
	[[ $found == "$2" ]] || failed "$1: $found and not $2"
}

# gives CALL RESULT
gives() {
	local result
	result=$("$inject" "$server_pid" "$1" 2>&1) || failed "$1: $result"
	[[ $result == "$2" || $result == 'not here' ]] || failed "$1: $result and not $2"
}

test_root_becomes_the_owner_of_the_directory() {
	local uid gid
	need_root
	serve_as_nobody owned --metrics-listen :0
	uid=$(id -u nobody) gid=$(id -g nobody)
	each_thread Uid "$uid"$'\t'"$uid"$'\t'"$uid"$'\t'"$uid"
	each_thread Gid "$gid"$'\t'"$gid"$'\t'"$gid"$'\t'"$gid"
	each_thread Groups "$gid "
	[[ -z $(find owned ! -user nobody) ]] || failed "not nobody's: $(find owned ! -user nobody)"
	cp owned/admin.pem admin.pem
	export TACIT_IDENTITY=admin.pem
	run put a <<<value
	expect 0 "$tacit_server" rekey --dir owned
	kill -HUP "$server_pid"
	run get a
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
	[[ -z $(find owned ! -user nobody) ]] || failed "not nobody's: $(find owned ! -user nobody)"
	server_refuses 1 'owned: belongs to another user' serve --dir owned --user daemon
	server_refuses 2 'no such user' serve --dir owned --user no-such-user
	# The same when it is named.
	serve_dir owned --user nobody
}

# all_nobodys DIR: everything in it.
all_nobodys() {
	[[ -z $(find "$1" ! -user nobody) ]] || failed "not nobody's: $(find "$1" ! -user nobody)"
}

test_what_root_does_in_anothers_directory_is_its_owners() {
	need_root
	chmod 0711 "$work"
	mkdir -m 0700 theirs again
	chown nobody theirs again
	expect 0 "$tacit_server" init --dir theirs --url https://127.0.0.1:8443
	all_nobodys theirs
	cp theirs/master.key old.key
	expect 0 "$tacit_server" rekey --dir theirs
	all_nobodys theirs
	! cmp -s theirs/master.key old.key || failed 'the same key'
	expect 0 "$tacit_server" backup --dir theirs theirs.backup
	cp theirs/master.key new.key
	expect 0 "$tacit_server" restore --dir again --key-file new.key theirs.backup
	all_nobodys again
	expect 0 "$tacit_server" restore --dir third --user nobody --key-file new.key theirs.backup
	all_nobodys third
	serve_dir third
	each_thread CapEff 0000000000000000
	cp third/admin.pem admin.pem
	export TACIT_IDENTITY=admin.pem
	run ls
	stop_server
	all_nobodys third
}

# As a user who has just been made, with nothing in his home.
test_the_default_directory_is_made_with_those_above_it() {
	need_root
	chmod 0711 "$work"
	mkdir newcomer
	chown nobody newcomer
	cp "$tacit_server" server_for_all
	HOME=$work/newcomer expect 0 setpriv --reuid nobody --regid nogroup --clear-groups \
		./server_for_all init --url https://127.0.0.1:8443
	[[ $(stat -c '%U %a' newcomer/.local newcomer/.local/share/tacit | sort -u) == 'nobody 700' ]] ||
		failed 'owner and mode'
	server_refuses 1 'a/b: No such file' init --dir a/b --url https://127.0.0.1:8443
}

test_every_thread_has_given_up_its_privileges() {
	need_root
	serve_as_nobody powerless --metrics-listen :0 --enroll-listen 127.0.0.1:0
	(($(find "/proc/$server_pid/task" -mindepth 1 -maxdepth 1 | wc -l) >= 6)) || failed 'few threads'
	local field
	for field in CapInh CapPrm CapEff CapBnd CapAmb; do
		each_thread "$field" 0000000000000000
	done
	each_thread NoNewPrivs 1
	each_thread Seccomp 2
}

# Also when nobody can be told apart from root: the directory is root's.
test_as_root_it_has_no_capability_either() {
	need_root
	new_store roots
	serve_dir roots
	each_thread CapEff 0000000000000000
	each_thread CapBnd 0000000000000000
	each_thread Seccomp 2
	run put a <<<value
	run get a
}

test_memory_is_neither_dumped_nor_read_nor_swapped() {
	need_root
	serve_as_nobody closed
	grep -qE '^Max core file size +0 +0 ' "/proc/$server_pid/limits" || failed 'cores'
	# What belongs to root in there, although the process is nobody's, is not dumpable.
	[[ $(stat -c %U "/proc/$server_pid/mem") == root ]] || failed 'dumpable'
	cp "$(command -v cat)" cat
	chmod 0755 cat
	! setpriv --reuid nobody --clear-groups ./cat "/proc/$server_pid/environ" 2>/dev/null ||
		failed 'its own user reads its environment'
	# All of it where there is no limit, and what holds values anywhere.
	awk '/^Max locked memory/ { unlimited = $4 == "unlimited" }
		/^VmLck:/ { locked = $2 } /^VmRSS:/ { resident = $2 }
		END { exit !(unlimited ? locked >= resident : locked > 0) }' \
		"/proc/$server_pid/limits" "/proc/$server_pid/status" ||
		failed "$(grep -E 'VmLck|VmRSS' "/proc/$server_pid/status")"
}

test_files_outside_of_its_directory_are_out_of_reach() {
	need_root
	new_store jailed
	serve_dir jailed # as root, whom permissions would not stop
	gives getpid "done"
	gives open-passwd EACCES
	gives open-proc EACCES
	gives list-root EACCES
	gives create-tmp EACCES
	run put a <<<value
}

test_what_leads_outwards_is_refused() {
	need_root
	new_store closed_in
	serve_dir closed_in
	gives socket EACCES
	gives unix-socket EACCES
	gives connect EACCES
	gives map-code ENOSYS
	gives kill-others ENOSYS
	gives set-dumpable ENOSYS
	run put a <<<value
}

test_what_only_an_intruder_would_call_ends_it() {
	local call
	need_root
	new_store taken
	for call in execve ptrace fork setuid io_uring bpf unshare; do
		serve_dir taken
		gives "$call" 'killed by SIGSYS'
		wait "$server_pid" || true
	done
	# That loses nothing.
	serve_dir taken
	expect 0 "$tacit_server" check --dir taken
}

test_without_a_sandbox_it_says_so() {
	need_root
	new_store loose
	serve_dir loose --no-sandbox
	grep -qx 'tacit-server: sandbox: OFF, since --no-sandbox was given; not for real secrets' server.err ||
		failed "says $(<server.err)"
	each_thread Seccomp 0
	# The checks above can fail.
	gives open-passwd "done"
	gives socket "done"
}

test_on_a_kernel_without_landlock_one_line_says_so_and_the_rest_holds() {
	need_root
	new_store old_kernel
	: >server.log
	"${cli_pty%/*}/without_landlock" "$tacit_server" serve --dir old_kernel --listen 127.0.0.1:0 \
		>server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 server_listens || failed "it does not start: $(<server.err)"
	url=$(sed -n 's/^listening on //p' server.log)
	export TACIT_SERVER=$url TACIT_IDENTITY=old_kernel/admin.pem
	[[ $(<server.err) == 'tacit-server: sandbox: this kernel has no Landlock, so '* ]] ||
		failed "says $(<server.err)"
	(($(wc -l <server.err) == 1)) || failed "says $(<server.err)"
	each_thread CapEff 0000000000000000
	each_thread Seccomp 2
	gives socket EACCES
	gives open-passwd "done"
	run put a <<<value
}

# values NUMBER: so many values that are long enough to be found.
values() {
	local number
	for ((number = 1; number <= $1; number++)); do
		printf 'SECRET_%d=marker-%d-%s\n' "$number" "$number" "$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')"
	done
}

# nowhere VALUE...: neither as it is nor as it stands in JSON is it in the server's memory.
nowhere() {
	local value
	for value; do
		printf %s "$value" >needle
		(($("$probe" search "$server_pid" needle) == 0)) || failed "in memory: ${value:0:12}"
		base64 -w 0 needle | head -c 24 >encoded
		(($("$probe" search "$server_pid" encoded) == 0)) || failed "in memory: $(<encoded)"
	done
}

test_a_second_after_an_answer_no_value_is_in_memory() {
	local some
	need_root
	unset MALLOC_PERTURB_ # meson's; the C library would wipe in our place
	new_store wiped
	serve_dir wiped
	ca_of wiped/admin.pem >ca.pem
	values 40 >many.env
	mapfile -t some < <(sed 's/.*=//' many.env | awk 'NR % 8 == 1')
	head -c 400000 /dev/zero | tr '\0' 'm' | sed 's/^/large-value-of-4/' >large
	run client add web --out web.pem
	run grant web 'web/**'
	run import many.env --prefix web/
	run put large --from-file large
	printf 'single-value-0123456789' | run put single
	sleep 1
	nowhere "${some[@]}" single-value-0123456789 large-value-of-4mmmmmmmm
	run get web/SECRET_1
	called 200 '/v1/secrets/web%2FSECRET_9?version=1'
	run get single
	sleep 1
	nowhere "${some[@]}" single-value-0123456789
	run get large --raw
	run rollback web/SECRET_3 1
	expect 0 "$tacit_server" rekey --dir wiped
	identity=web.pem called 200 /v1/bundle
	sleep 1
	nowhere "${some[@]}" large-value-of-4mmmmmmmm
	# The search does find what is there.
	printf 'SECRET_7' >needle
	(($("$probe" search "$server_pid" needle) > 0)) || failed 'nothing is ever found'
}

run_tests "$script"

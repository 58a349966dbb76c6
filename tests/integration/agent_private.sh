#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `tacit-agent run --private`: files in namespaces of the command's own, as an ordinary user.
# shellcheck disable=SC2016 # what stands in quotes is for the shell under the agent
if [[ -z ${PRIVATE_TEST_INSIDE:-} ]]; then
	if [[ $(id -u) != 0 ]] || ! unshare --mount true 2>/dev/null; then
		echo '1..0 # SKIP needs root and mount namespaces'
		exit 77
	fi
	PRIVATE_TEST_INSIDE=1 exec unshare --mount --propagation private "$BASH" "$0" "$@"
fi
mount -t tmpfs -o mode=0755 tmpfs /run || exit 1
mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=watch_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/watch_common.sh"
chmod 0755 "$work"
unset XDG_RUNTIME_DIR

# Where it was built may be out of the reach of other users.
cp "$probe" "$work/probe"
probe=$work/probe

# A user without root's rights, as on a laptop. No function, so that `&` gives the PID of the command.
as_user=(env -u TACIT_IDENTITY -u TACIT_SERVER setpriv --reuid 1001 --regid 1001 --clear-groups
	--inh-caps=-all)

# private OPTION... -- COMMAND...: the secret KEY, whose value is `hunter2-value`
private() { "${as_user[@]}" "$tacit_agent" run --private --env-file "$work/app.env" "$@"; }

# hold OPTION...: a command under --private that stays; sets agent, and command, who holds the files
hold() {
	: >agent.out
	"${as_user[@]}" "$tacit_agent" run --private --env-file "$work/app.env" "$@" -- \
		sh -c 'echo ready; exec sleep 60' >agent.out 2>agent.err &
	agent=$!
	at_exit end_agent "$agent"
	wait_until 10 grep -q ready agent.out || failed "not started: $(<agent.err)"
	sleep 0.1
	command=$(pgrep -P "$agent") || command=$agent
}

# refused PATTERN COMMAND...: one line that matches, and nothing is started.
refused() {
	local pattern=$1
	shift
	rm -f started
	expect 125 "$@" -- touch "$work/started"
	grep -qE -- "$pattern" err || failed "does not say $pattern: $*"
	[[ ! -e started && $(wc -l <err) == 1 ]] || failed "started, or not one line: $(<err)"
	says_nowhere hunter2
}

test_the_command_sees_run_secrets_and_nobody_else_does() {
	hold
	[[ ! -e /run/secrets ]] || failed 'it is there outside'
	[[ -z $(find /dev/shm -user 1001) ]] || failed 'files in /dev/shm'
	! "${as_user[@]}" cat /run/secrets/KEY 2>/dev/null || failed 'another process reads it'
	expect 0 private -- sh -c 'cat "$KEY_FILE"; echo " $KEY_FILE"; stat -f -c %T /run/secrets; stat -c "%a %u" /run/secrets /run/secrets/KEY'
	out_is 'hunter2-value /run/secrets/KEY
ramfs
700 1001
400 1001'
}

# The manual page says so: what keeps others out is that nobody looks, no wall.
test_the_same_user_finds_it_through_proc_as_is_documented() {
	hold
	[[ $("${as_user[@]}" cat "/proc/$command/root/run/secrets/KEY") == hunter2-value ]] ||
		failed 'then say so in the manual page and the threat model'
	! setpriv --reuid 1002 --regid 1002 --clear-groups --inh-caps=-all \
		cat "/proc/$command/root/run/secrets/KEY" 2>/dev/null || failed 'another user reads it'
	hold --init
	[[ -e /proc/$agent/root/run/secrets/KEY ]] || failed 'not even root finds it'
	! "${as_user[@]}" cat "/proc/$agent/root/run/secrets/KEY" 2>/dev/null || failed 'the agent is open'
}

test_nothing_is_gained() {
	hold
	[[ $(awk '/^(Uid|Gid):/ { print $2, $3, $4, $5 }' "/proc/$command/status") == '1001 1001 1001 1001
1001 1001 1001 1001' ]] || failed 'another user'
	[[ $(awk '/^Cap(Inh|Prm|Eff|Amb):/ { print $2 }' "/proc/$command/status" | sort -u) == 0000000000000000 ]] ||
		failed 'capabilities'
	grep -q '^NoNewPrivs:.1$' "/proc/$command/status" || failed 'new privileges'
	expect 0 private -- sh -c 'id -u; id -g; umount /run/secrets 2>/dev/null || echo no; mount -t tmpfs x /mnt 2>/dev/null || echo no; touch /run/x 2>/dev/null || echo no'
	out_is $'1001\n1001\nno\nno\nno'
}

test_the_rest_of_run_is_still_there() {
	mkdir -p /run/dir/sub /run/mount
	echo in-a-file >/run/dir/sub/file
	echo plain >/run/plain
	ln -s dir/sub/file /run/link
	mount -t tmpfs tmpfs /run/mount
	echo below >/run/mount/file
	mkdir -p /run/dir/deep
	mount -t tmpfs tmpfs /run/dir/deep
	echo deep >/run/dir/deep/file
	install -d -o 1001 -m 0700 /run/user-1001
	"$probe" listen /run/socket >listen.out &
	at_exit kill $!
	wait_until 5 grep -q ready listen.out
	expect 0 private -- sh -c 'cat /run/dir/sub/file /run/plain /run/link /run/mount/file /run/dir/deep/file; readlink /run/link; echo new >/run/user-1001/file; "$0" connect /run/socket; ls /run | tr "\n" " "' "$probe"
	out_is "in-a-file
plain
in-a-file
below
deep
dir/sub/file
connected
dir link mount plain secrets socket user-1001 "
	[[ $(</run/user-1001/file) == new ]] || failed 'what is written to /run/user-1001 does not get out'
	umount /run/mount /run/dir/deep
	rm -r /run/dir /run/mount /run/plain /run/link /run/socket /run/user-1001
}

test_the_working_directory_stays() {
	install -d -o 1001 /run/mine
	echo hello >/run/mine/file
	(cd "$work" && private -- sh -c 'pwd; cat app.env >/dev/null') >out
	(cd /run/mine && private -- sh -c 'pwd; /bin/pwd; cat file ../mine/file ../secrets/KEY') >>out
	(cd /run && private -- sh -c 'pwd; cat secrets/KEY') >>out
	rm -r /run/mine
	out_is "$work
/run/mine
/run/mine
hello
hello
hunter2-value/run
hunter2-value"
}

test_a_directory_that_exists_is_hidden() {
	install -d -m 0700 /run/secrets
	echo old >/run/secrets/old
	expect 0 private -- ls /run/secrets
	out_is KEY
	[[ $(</run/secrets/old) == old && ! -e /run/secrets/KEY ]] || failed 'it got out'
	rm -r /run/secrets
	install -d "$work/place"
	expect 0 private --dir "$work/place" -- sh -c 'cat "$KEY_FILE"; echo " $KEY_FILE"'
	out_is "hunter2-value $work/place/KEY"
	[[ -z $(ls place) ]] || failed 'it got out'
	refused "--private: $work/absent: no such directory" private --dir "$work/absent"
}

test_the_files_go_with_the_last_process() {
	hold --init
	kill -KILL "$agent" "$command"
	wait "$agent" 2>/dev/null || true
	[[ ! -e /run/secrets && -z $(find /dev/shm -user 1001) ]] || failed 'something is left'
	expect 7 private --init -- sh -c 'exit 7'
	expect 7 private --exec -- sh -c 'exit 7'
}

test_variables_and_a_server_do_as_well() {
	KEY=hunter2-value expect 0 "${as_user[@]}" "$tacit_agent" run --private --from-env KEY -- \
		sh -c 'cat /run/secrets/KEY; echo "${KEY-gone}"'
	out_is hunter2-valuegone
	put web/password first
	install -o 1001 -m 0400 web.pem user.pem
	: >agent.out
	"${as_user[@]}" "$tacit_agent" run --private --watch --signal HUP --identity "$work/user.pem" -- \
		"$probe" signals >agent.out 2>agent.err &
	agent=$!
	at_exit end_agent "$agent"
	wait_until 10 grep -q ready agent.out || failed "not started: $(<agent.err)"
	wait_until 5 find_children
	put web/password second
	wait_until 5 grep -qx 1 agent.out || failed 'no signal'
	[[ $(<"/proc/$command/root/run/secrets/password") == second ]] || failed 'not renewed'
}

test_root_needs_no_user_namespace() {
	expect 0 "$tacit_agent" run --private --env-file app.env -- sh -c 'cat /run/secrets/KEY; readlink /proc/self/ns/user; grep CapEff /proc/self/status'
	[[ $(<out) == "hunter2-value$(readlink /proc/self/ns/user)
$(grep CapEff /proc/self/status)" ]] || failed 'it lost something'
	[[ ! -e /run/secrets ]] || failed 'it got out'
	refused '--private and --user: only one' "$tacit_agent" run --private --user 1001 --env-file app.env
}

test_what_forbids_it_is_told() {
	# A user namespace of the test's own, in which none may be made; the host's limit stays.
	refused 'raise user.max_user_namespaces' unshare --user --map-root-user sh -c \
		'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all --inh-caps=-all "$@"' sh \
		"$tacit_agent" run --private --env-file app.env
}

printf 'KEY=hunter2-value\n' >app.env
start_server_for_web
run_tests "$script"

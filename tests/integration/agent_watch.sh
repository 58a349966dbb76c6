#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Renewing files while a command runs: `tacit-agent run --watch` against the real server.
# shellcheck disable=SC2016 # what stands in quotes is for the shell under the agent
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=watch_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/watch_common.sh"

test_wrong_usage() {
	usage_error '--signal: only with --watch' --identity web.pem --signal HUP
	usage_error '--restart: only with --watch' --identity web.pem --restart
	usage_error '--restart and --exec: only one' --identity web.pem --watch --restart --exec
	usage_error '--restart and --exec: only one' --identity web.pem --restart --exec
	usage_error '--watch and --exec: only one' --identity web.pem --watch --exec
	usage_error '--signal and --restart: only one' --identity web.pem --watch --restart --signal HUP
	usage_error '--signal NOISE: no such signal' --identity web.pem --watch --signal NOISE
	usage_error '--signal 0: no such signal' --identity web.pem --watch --signal 0
	echo A=1 >app.env
	usage_error 'only a server can be watched' --env-file app.env --watch
	usage_error 'only a server can be watched' --from-env HOME --watch
}

test_a_new_version_arrives_and_one_signal_says_so() {
	put web/password first
	start --signal sighup -- "$probe" signals
	file_is password first || failed 'not delivered'
	put web/password second
	becomes password second
	wait_until 5 grep -qx 1 agent.out || failed 'no signal'
	sleep 0.5
	(($(grep -cx 1 agent.out) == 1)) || failed 'more than one signal'
	[[ $(stat -c %a "$memory/files/password") == 400 ]] || failed mode
	put elsewhere/password other
	sleep 0.5
	(($(grep -cx 1 agent.out) == 1)) || failed 'a signal for what is not ours'
}

test_without_a_signal_only_the_file_changes() {
	put web/password first
	start -- "$probe" signals
	put web/password second
	becomes password second
	sleep 0.3
	[[ $(<agent.out) == ready ]] || failed "a signal: $(<agent.out)"
}

test_every_signal_goes_to_the_command_and_its_code_comes_back() {
	local number status=0
	start --signal USR1 -- "$probe" signals
	for number in 1 2 12 34; do
		kill "-$number" "$agent"
		wait_until 5 grep -qx "$number" agent.out || failed "signal $number"
	done
	kill -TERM "$agent"
	wait "$agent" || status=$?
	((status == 0)) || failed "exit code $status"
	file_gone . || failed 'files are left'
	process_gone "$watcher" || failed 'the watcher is left'
	start -- "$probe" hold
	kill -KILL "$command"
	wait "$agent" || status=$?
	((status == 137)) || failed "exit code $status"
	process_gone "$watcher" || failed 'the watcher is left'
}

test_a_reader_sees_whole_values_only() {
	local i reader status=0 seen length=50000
	local letters=abcdefghijklmnopqrstuvwxyz
	value() { head -c "$length" /dev/zero | tr '\0' "${letters:$(($1 % 26)):1}"; }
	value 0 | "$tacit" put web/password >/dev/null
	start -- "$probe" hold
	"$probe" reader "$memory/files/password" "$length" >reader.out &
	reader=$!
	wait_until 5 grep -q ready reader.out
	for ((i = 1; i <= 60; i++)); do
		value "$i" | "$tacit" put web/password >/dev/null
		value "$i" >expected
		wait_until 5 cmp -s expected "$memory/files/password" || failed "rotation $i: $(<agent.err)"
	done
	kill -TERM "$reader"
	wait "$reader" || status=$?
	((status == 0)) || failed "$(<reader.out)"
	seen=$(tail -n 1 reader.out)
	((seen >= 40)) || failed "the reader saw $seen contents only"
	[[ ! -s agent.err ]] || failed "says: $(<agent.err)"
	"$tacit" rm web/password >/dev/null
}

test_several_secrets_are_told_of_in_one_sweep_each() {
	put web/one 1
	put web/two 2
	start --signal HUP -- "$probe" signals
	put web/three 3
	becomes three 3
	"$tacit" rm web/one >/dev/null
	wait_until 5 file_gone one || failed 'still there'
	says 1 'web/one: deleted or no longer granted; its file is removed'
	file_is two 2 || failed 'another one is gone'
	put other/four 4
	"$tacit" grant web other/four >/dev/null
	becomes four 4
	"$tacit" ungrant web other/four >/dev/null
	wait_until 5 file_gone four || failed 'no longer granted, still there'
	says 1 'other/four: deleted or no longer granted; its file is removed'
	sleep 0.3
	(($(grep -cx 1 agent.out) == 4)) || failed "not four signals: $(<agent.out)"
	(($(wc -l <agent.err) == 2)) || failed "not two lines: $(<agent.err)"
	"$tacit" rm web/two >/dev/null
	"$tacit" rm web/three >/dev/null
	wait_until 5 file_gone three || failed 'the last one is still there'
}

test_what_is_selected_may_be_deleted_later() {
	put web/password first
	put web/other x
	start --secret web/password=pass.txt,env=PASS_PATH -- "$probe" hold
	put web/password second
	becomes pass.txt second
	put web/other y
	sleep 0.3
	file_gone other || failed 'not selected, but there'
	"$tacit" rm web/password >/dev/null
	wait_until 5 file_gone pass.txt || failed 'still there'
	says 1 'web/password: deleted or no longer granted'
	"$tacit" rm web/other >/dev/null
}

started() { (($(grep -c . starts) == $1)); }

test_restart_gives_the_same_environment_and_what_is_new() {
	local status=0
	put web/password first
	rm -f starts env.*
	OTHER=visible SOME_SECRET=first-not start --restart -- \
		sh -c 'env | sort >env.$$; echo $$ >>starts; echo ready; trap "exit 3" TERM; while :; do sleep 0.1; done'
	wait_until 5 started 1
	put web/fresh new-value
	wait_until 10 started 2 || failed "not started again: $(<agent.err)"
	wait_until 5 grep -q FRESH_FILE "env.$(sed -n 2p starts)" || failed 'no FRESH_FILE'
	grep -v -e FRESH_FILE "env.$(sed -n 2p starts)" >second
	cmp -s "env.$(sed -n 1p starts)" second || failed "$(diff "env.$(sed -n 1p starts)" second)"
	grep -q '^OTHER=visible$' second || failed 'OTHER is gone'
	grep -q "^PASSWORD_FILE=$memory/files/password$" second || failed 'no PASSWORD_FILE'
	"$tacit" rm web/fresh >/dev/null
	wait_until 10 started 3 || failed 'not started a third time'
	wait_until 5 test -s "env.$(sed -n 3p starts)"
	! grep -q FRESH "env.$(sed -n 3p starts)" || failed 'FRESH_FILE is still there'
	kill -TERM "$agent"
	wait "$agent" || status=$?
	((status == 3)) || failed "exit code $status"
	started 3 || failed 'started again after TERM'
	file_gone . || failed 'files are left'
}

test_restart_kills_what_does_not_end() {
	local began
	put web/password first
	rm -f starts
	start --restart -- sh -c 'trap "" TERM; echo $$ >>starts; echo ready; while :; do sleep 0.2; done'
	began=$(now_ms)
	put web/password second
	wait_until 15 started 2 || failed 'not started again'
	(($(now_ms) - began >= 9500)) || failed 'no grace period'
	find_children
	kill -KILL "$command"
}

test_who_asks_for_the_end_while_it_restarts_gets_it() {
	local status=0
	put web/password first
	rm -f starts
	start --restart -- sh -c 'n=0; trap "n=\$((n + 1)); [ \$n = 1 ] || exit 4" TERM
		echo $$ >>starts; echo ready; while :; do sleep 0.1; done'
	put web/password second
	becomes password second
	sleep 0.5
	kill -TERM "$agent"
	wait_until 5 process_gone "$agent" || failed 'it does not end'
	wait "$agent" || status=$?
	((status == 4)) || failed "exit code $status"
	started 1 || failed 'started again'
}

test_restart_with_env_value_gives_the_new_value() {
	put web/password first-value
	rm -f starts
	start --restart --env value -- sh -c 'echo "$PASSWORD" >>starts; echo ready; exec sleep 100'
	put web/password second-value
	wait_until 10 started 2 || failed "not started again: $(<agent.err)"
	[[ $(tr '\n' ' ' <starts) == 'first-value second-value ' ]] || failed "$(<starts)"
}

test_the_server_may_go_and_come_back() {
	put web/password first
	start --signal HUP -- "$probe" signals
	server_goes
	says 1 '; the last good files stay'
	sleep 2
	file_is password first || failed 'the last good file is gone'
	(($(wc -l <agent.err) == 1)) || failed "not one line: $(<agent.err)"
	server_comes
	says 1 'files are renewed again' 15
	put web/password second
	becomes password second
	wait_until 5 grep -qx 1 agent.out || failed 'no signal'
	(($(wc -l <agent.err) == 2)) || failed "more lines: $(<agent.err)"
}

test_what_changed_while_the_server_was_away_arrives() {
	put web/password first
	start -- "$probe" hold
	kill -STOP "$watcher"
	put web/password missed
	server_goes
	kill -CONT "$watcher"
	sleep 0.5
	server_comes
	becomes password missed
}

test_a_watcher_that_dies_is_started_again() {
	local first i
	put web/password first
	start --signal HUP -- "$probe" signals
	first=$watcher
	kill -KILL "$watcher"
	says 1 'watcher: ended unexpectedly (signal 9)'
	wait_until 5 find_children || failed 'not started again'
	[[ $watcher != "$first" ]] || failed 'still the old one'
	put web/password second
	becomes password second
	wait_until 5 grep -qx 1 agent.out || failed 'no signal'
	sleep 0.3
	(($(grep -cx 1 agent.out) == 1)) || failed 'more than one signal'
	[[ -z $(ps -o stat= --ppid "$agent" | grep Z) ]] || failed 'a zombie'
	for i in 2 3 4 5 6; do
		wait_until 5 find_children || failed "not started again: $i"
		kill -KILL "$watcher"
		says "$i" 'watcher: ended unexpectedly (signal 9)'
	done
	says 1 'SECRETS ARE NOT RENEWED ANY MORE'
	kill -0 "$agent" || failed 'the agent has ended'
	file_is password second || failed 'the last good file is gone'
}

test_a_watcher_dies_with_its_parent() {
	start -- "$probe" hold
	kill -KILL "$agent"
	wait_until 5 process_gone "$watcher" || failed 'it lives on'
	kill -KILL "$command"
}

test_neither_keeps_a_value() {
	local pid text
	[[ $(id -u) == 0 ]] || return 0
	printf %s old-correct-horse-battery-staple >old
	printf %s new-correct-horse-battery-staple >new
	base64 -w0 new | head -c 28 >new64
	put web/password "$(<old)"
	DB_OTHER=$(<old) start -- "$probe" hold
	put web/password "$(<new)"
	becomes password "$(<new)"
	sleep 0.3
	# First, since to search memory is to bring back pages that were dropped.
	printf 'resident: parent %s KiB, watcher %s KiB\n' "$(rss "$agent")" "$(rss "$watcher")" >figures
	for pid in "$agent" "$watcher"; do
		[[ -n ${AGENT_TEST_SANITIZED:-} ]] || (($(rss "$pid") <= 4096)) || failed "$(<figures)"
	done
	for pid in "$agent" "$watcher"; do
		[[ $(tr -d '\0' <"/proc/$pid/environ") == '' ]] || failed 'an environment is left'
		[[ -z ${AGENT_TEST_SANITIZED:-} ]] || continue
		for text in old new new64; do
			(($("$probe" search "$pid" "$text") == 0)) || failed "$text is in $(<"/proc/$pid/comm")"
		done
		(($(awk '/^VmLck/ { print $2 }' "/proc/$pid/status") > 0)) || failed 'nothing is locked'
	done
	[[ -z ${AGENT_TEST_SANITIZED:-} ]] || return 0
	printf ready >control
	(($("$probe" search "$command" control) > 0)) || failed 'the search finds nothing'
}

test_as_pid_1() {
	local status=0 outer
	[[ $(id -u) == 0 ]] || return 0
	put web/password first
	rm -rf "$memory/files"
	: >agent.out
	unshare --pid --fork --mount-proc --kill-child "$tacit_agent" run --watch --signal HUP \
		--dir "$memory/files" --identity web.pem -- "$probe" signals >agent.out 2>agent.err &
	outer=$!
	at_exit stop_process "$outer"
	wait_until 5 grep -q ready agent.out
	agent=$(pgrep -P "$outer")
	wait_until 5 find_children
	put web/password second
	becomes password second
	wait_until 5 grep -qx 1 agent.out || failed 'no signal'
	kill -KILL "$watcher"
	says 1 'ended unexpectedly'
	put web/password third
	becomes password third
	kill -TERM "$agent"
	wait "$outer" || status=$?
	((status == 0)) || failed "exit code $status"
	file_gone . || failed 'files are left'
}

pty() { "$probe" pty "$@" 2>&1; }
job=("$tacit_agent" run --watch --dir "$memory/files" --identity web.pem --)

test_job_control_works_above_and_below() {
	put web/password first
	rm -rf "$memory/files"
	unset TACIT_IDENTITY
	# The shell above stops it and continues it as one job, and ^C ends it once.
	pty "send:PS1=P; ${job[*]} $probe hold^M" expect:ready pause:100 'send:^Z' expect:Stopped \
		'send:echo A$((1+1))B^M' expect:A2B 'send:fg^M' expect:hold pause:200 'send:^C' pause:200 \
		'send:echo code-$?^M' expect:code-130 'send:exit^M' -- bash --norc -i >shown ||
		failed "a shell above: $(<shown)"
	file_gone . || failed 'files are left'
	# A shell below has the terminal, and jobs of its own.
	pty 'send:PS1=P; echo A$((1+1))B^M' expect:A2B 'send:sleep 100^M' pause:200 'send:^Z' \
		expect:Stopped 'send:jobs^M' 'expect:sleep 100' 'send:fg^M' 'expect:sleep 100' pause:200 \
		'send:^C' pause:200 'send:cat $PASSWORD_FILE^M' expect:first 'send:exit 0^M' \
		-- "${job[@]}" bash --norc -i >shown || failed "a shell below: $(<shown)"
	file_gone . || failed 'files are left after a shell'
}

test_a_stopped_job_is_renewed_all_the_same() {
	local shown
	put web/password first
	rm -rf "$memory/files"
	: >shown.log
	pty "send:PS1=P; ${job[*]} $probe hold^M" expect:ready pause:100 'send:^Z' \
		expect:Stopped pause:1500 'send:fg^M' expect:hold pause:200 'send:^C' pause:100 \
		'send:exit 0^M' -- bash --norc -i >shown.log &
	shown=$!
	wait_until 5 test -e "$memory/files/password"
	sleep 0.6
	put web/password second
	becomes password second
	wait "$shown" || failed "$(<shown.log)"
}

# Root reads the identity, and becomes somebody who could not: watcher and command are that user.
test_another_user_is_watched_for_as_well() {
	local pid
	[[ $(id -u) == 0 ]] || return 0
	chmod 0711 "$memory" "$work"
	cp "$probe" probe # where it was built may be out of the reach of other users
	put web/password first
	install -d -m 0700 root
	install -m 0400 web.pem root/web.pem
	who=(--identity root/web.pem)
	start --user 1001:1002 --signal HUP -- "$work/probe" signals
	for pid in "$agent" "$watcher" "$command"; do
		[[ $(awk '/^(Uid|Gid)/ { print $2, $3, $4 }' "/proc/$pid/status" | tr '\n' ' ') == \
			'1001 1001 1001 1002 1002 1002 ' ]] || failed "who is $(<"/proc/$pid/comm")"
		grep -qE '^CapEff:\s+0+$' "/proc/$pid/status" || failed 'it has capabilities'
	done
	put web/password second
	becomes password second
	wait_until 5 grep -qx 1 agent.out || failed 'no signal'
	[[ $(stat -c '%u %g %a' "$memory/files/password") == '1001 1002 400' ]] || failed 'owner or mode'
	kill -KILL "$watcher"
	says 1 'ended unexpectedly'
	wait_until 5 find_children || failed 'not started again'
	put web/password third
	becomes password third
	kill -TERM "$agent"
	wait "$agent" || failed "exit code $?"
	file_gone password || failed 'files are left'
}

test_what_could_not_be_had_at_the_start_comes_later() {
	server_goes
	start --signal HUP --timeout 300ms --on-failure start -- "$probe" signals
	grep -q 'STARTING WITHOUT SECRETS' agent.err || failed 'not said'
	server_comes
	put web/password late
	becomes password late
	wait_until 5 grep -qx 1 agent.out || failed 'no signal'
}

test_a_rotation_takes_at_most_50_ms() {
	local i began changed
	put web/password 0
	start -- "$probe" hold
	: >latencies
	for ((i = 1; i <= 60; i++)); do
		began=$(date +%s%N)
		put web/password "$i"
		becomes password "$i"
		changed=$(stat -c %.9Z "$memory/files/password")
		printf '%d\n' $(((${changed/./} - began) / 1000)) >>latencies
	done
	sort -n latencies >sorted
	median_us=$(sed -n 30p sorted)
	printf 'from the start of `tacit put` to the file: median %s us, 90%% %s us\n' \
		"$median_us" "$(sed -n 54p sorted)" >>figures
	[[ -n ${AGENT_TEST_SANITIZED:-} ]] || ((median_us <= 50000)) || failed "median $median_us us"
}

start_server_for_web
status=0
run_tests "$script" || status=$?
[[ ! -s figures ]] || sed 's/^/# /' figures
exit "$status"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The agent as parent: exit codes, signals, orphans, terminals, and what it leaves behind.
# shellcheck source=agent_common.sh disable=SC2016
. "${BASH_SOURCE[0]%/*}/agent_common.sh"

printf 'DB_PASSWORD=%s\n' 'correct-horse-battery-staple' >app.env
printf '%s' 'correct-horse-battery-staple' >needle
run=("$AGENT" run --init --env-file app.env --)

# --- exit codes ------------------------------------------------------------------------------
wrong=
for code in $(seq 0 255); do
	"${run[@]}" "$PROBE" exit "$code"
	[[ $? == "$code" ]] || wrong+=" $code"
done
equal 'all 256 exit codes' '' "$wrong"

wrong=
for number in 1 2 3 6 9 11 13 14 15 24 34 64; do
	"${run[@]}" "$PROBE" kill "$number" 2>/dev/null
	[[ $? == $((128 + number)) ]] || wrong+=" $number"
done
equal '128+N when signal N ended the command' '' "$wrong"
check 'nothing is left behind' nothing_left

# --- signals ---------------------------------------------------------------------------------
# start_agent COMMAND...: in the background; waits until the command is ready; sets `agent`
# and `command`, their PIDs.
start_agent() {
	: >out
	"${run[@]}" "$@" >out 2>stderr </dev/null &
	agent=$!
	wait_for 5 grep -q ready out
	command=$(pgrep -o -P "$agent")
}

end_agent() {
	kill -KILL "$agent" 2>/dev/null
	wait "$agent" 2>/dev/null
}

check 'a command starts' start_agent "$PROBE" signals
expected=
for number in 1 2 3 10 12 13 14 16 18 20 23 24 25 26 27 28 29 30 34 35 50 64; do
	kill -"$number" "$agent"
	expected+="$number"$'\n'
	wait_for 5 grep -qx "$number" out || break
done
for number in 17 21 22; do kill -"$number" "$agent"; done
kill -TERM "$agent"
wait "$agent"
equal 'the agent ends as the command does' 0 $?
equal 'every signal is passed on once, but CHLD, TTIN and TTOU' $'ready\n'"${expected}15" "$(cat out)"

start_agent "$PROBE" hold
kill -TERM "$agent"
wait "$agent"
equal 'a command that TERM ends: 143' 143 $?
check 'a command that TERM ends: the files are gone' nothing_left

start_agent "$PROBE" hold
kill -KILL "$command"
wait "$agent"
equal 'a command that KILL ends: 137' 137 $?
check 'a command that KILL ends: the files are gone' nothing_left

# --- as PID 1 --------------------------------------------------------------------------------
unshare --pid --fork --mount-proc --kill-child "${run[@]}" "$PROBE" hold >out 2>&1 &
outer=$!
wait_for 5 grep -q ready out
kill -TERM "$(pgrep -P "$outer")"
wait "$outer"
equal 'PID 1 passes TERM on' 143 $?
equal 'PID 1 reaps and ends with the command' 3 \
	"$(unshare --pid --fork --mount-proc "${run[@]}" sh -c "$PROBE exit 3"; echo $?)"
check 'PID 1: the files are gone' nothing_left

# TERM while the secrets are still awaited: PID 1 has no default action to end it.
mkfifo slow
exec 9<>slow
unshare --pid --fork --mount-proc --kill-child "$AGENT" run --env-file slow -- true &
outer=$!
wait_for 5 pgrep -P "$outer" >/dev/null
sleep 0.2
kill -TERM "$(pgrep -P "$outer")"
wait "$outer"
equal 'PID 1 that still waits for secrets ends at once on TERM' 143 $?
exec 9>&-

# --- orphans ---------------------------------------------------------------------------------
start_agent "$PROBE" orphans 50
reaped() { [[ $("$PROBE" children "$agent") == 0 ]]; }
check 'orphans are reaped' wait_for 5 reaped
equal 'one that lives is adopted' 2 "$(pgrep -c -P "$agent")"
end_agent
kill -KILL "$command"
wait_for 5 bash -c "! kill -0 $command 2>/dev/null"
check 'a later run sweeps what KILL left behind' "${run[@]}" true
check 'all of it' nothing_left

start_agent "$PROBE" hold
end_agent
dir=$(find /dev/shm -maxdepth 1 -name 'tacit-*')
"${run[@]}" true
check 'while the command of a killed agent lives, its files stay' test -e "$dir/DB_PASSWORD"
kill -KILL "$command"
wait_for 5 bash -c "! kill -0 $command 2>/dev/null"
"${run[@]}" true
check 'and go with it' nothing_left
(trap '' CHLD; "${run[@]}" "$PROBE" exit 9)
equal 'an inherited SIGCHLD that is ignored does no harm' 9 $?

# --- what the parent keeps -------------------------------------------------------------------
DB_PASSWORD=$(cat needle) TACIT_X=1 OTHER=visible start_agent "$PROBE" hold
sleep 0.2
# Under a sanitizer the memory is terabytes of shadow.
if [[ -z ${AGENT_TEST_SANITIZED:-} ]]; then
	rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$agent/status")
	check "resident memory of the parent is at most 4 MiB ($rss KiB)" test "$rss" -le 4096
	equal 'no value is found in the memory of the parent' 0 "$("$PROBE" search "$agent" needle)"
	printf 'ready' >control
	check 'the search finds what is there' test "$("$PROBE" search "$command" control)" -gt 0
fi
equal 'its own environment is overwritten' '' "$(tr -d '\0' <"/proc/$agent/environ")"
check 'its arguments are not' grep -qz -- --init "/proc/$agent/cmdline"
check 'the environment of the command has no value' bash -c "! grep -qF -f needle /proc/$command/environ"
kill -TERM "$agent"
wait "$agent"

# --- terminals -------------------------------------------------------------------------------
pty() { "$PROBE" pty "$@" 2>&1; }
equal 'a shell with job control works under it' '' \
	"$(pty 'send:PS1=P; echo A$((1+1))B^M' expect:A2B \
		'send:sleep 100^M' pause:300 'send:^Z' 'expect:Stopped' 'send:jobs^M' 'expect:sleep 100' \
		'send:fg^M' 'expect:sleep 100' pause:300 'send:^C' pause:300 'send:echo C$((2+2))D^M' expect:C4D 'send:exit 7^M' \
		-- "${run[@]}" bash --norc -i; [[ $? == 7 ]] || echo "exit code $?")"
equal '^C reaches the command once, and ends both' '' \
	"$(pty expect:ready 'send:^C' expect:got-INT 'send:x^M' expect:end-1 -- "${run[@]}" \
		bash -c 'n=0; trap "n=\$((n+1)); echo got-INT" INT; echo ready; read -r _; sleep 0.3; echo "end-$n"')"
equal 'the terminal belongs to the command' same \
	"$(pty 'expect:same' -- "${run[@]}" sh -c 'ps -o pgid=,tpgid= -p $$ | { read -r a b; [ "$a" = "$b" ] && echo same; }' && echo same)"
# A shell above: the job stops as one and continues as one.
equal 'the shell above can stop it and continue it' '' \
	"$(pty "send:PS1=P; ${run[*]} $PROBE hold^M" expect:ready pause:100 'send:^Z' expect:Stopped \
		'send:echo A$((1+1))B^M' expect:A2B 'send:fg^M' 'expect:hold' pause:300 'send:^C' pause:300 \
		'send:echo code-$?^M' 'expect:code-130' 'send:exit^M' -- bash --norc -i)"
equal 'a pipeline behind it reads from the terminal' '' \
	"$(pty "send:PS1=P; ${run[*]} echo h\$((1+1))llo | { cat; read -r x </dev/tty; echo got-\$x; }^M" \
		expect:h2llo pause:100 'send:word^M' expect:got-word 'send:exit^M' -- bash --norc -i)"
finish

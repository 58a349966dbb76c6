#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tacit status with real agents: who holds which version, and a rotation as it spreads.
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=watch_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/watch_common.sh"

# watch_agent NUMBER: an agent that watches, as instance HOST.PID; its PID goes to agent.NUMBER. It
# lives on after the test.
watch_agent() {
	: >"agent.$1.out"
	env -u TACIT_IDENTITY "$tacit_agent" run --watch --dir "$memory/w$1" --identity web.pem -- \
		sh -c 'echo ready; exec sleep 600' >"agent.$1.out" 2>"agent.$1.err" &
	printf '%s\n' $! >"agent.$1"
	wait_until 10 grep -q ready "agent.$1.out" || failed "not started: $(<"agent.$1.err")"
}

pid_of() { cat "agent.$1"; }
end_agents() {
	local file
	for file in agent.[0-9]; do stop_process "$(<"$file")" 3; done
}

# row NUMBER SECRET: HOLDS CURRENT STATE, as the table has it.
row() {
	"$tacit" status | awk -v instance="\\.$(pid_of "$1")$" -v secret="$2" \
		'$2 ~ instance && $4 == secret { print $5, $6, $7 }'
}
row_is() { [[ $(row "$1" "$2") == "$3" ]]; }

# shows NUMBER SECRET HOLDS-CURRENT-STATE: soon.
shows() { wait_until 10 row_is "$@" || failed "instance $1: $(row "$1" "$2") and not $3"; }

test_nobody_has_fetched_anything_yet() {
	run status
	(($(wc -l <out) == 1)) || failed 'not just titles'
	run status --json
	json_is '.instances | length' 0
	run status --watch
	out_is '0 of 0 instances are current'
}

test_an_agent_that_watches_has_what_it_asks_no_more_for() {
	watch_agent 1
	shows 1 web/password '1 1 current'
	run status --json
	json_is '.instances[0].mode' watch
	json_is '.instances[0].address' 127.0.0.1
	run status --secret elsewhere
	(($(wc -l <out) == 1)) || failed 'not just titles'
	run status --client web --secret 'web/*'
	(($(wc -l <out) == 2)) || failed 'not one row'
	put web/password second
	shows 1 web/password '2 2 current'
}

test_a_new_secret_and_one_that_is_gone() {
	put web/other x
	shows 1 web/other '1 1 current'
	run rm web/other
	wait_until 10 row_is 1 web/other '' || failed 'still there'
	stop_process "$(pid_of 1)"
}

test_an_agent_that_fetches_once_keeps_the_old_one() {
	env -u TACIT_IDENTITY "$tacit_agent" run --dir "$memory/once" --identity web.pem -- true &
	printf '%s\n' $! >agent.once
	wait $! || failed 'the agent fails'
	shows once web/password '2 2 current'
	put web/password third
	shows once web/password '2 3 old'
}

test_a_client_without_an_agent_goes_by_its_address() {
	awk '/BEGIN CERT/ { n++ } n == 2' web.pem >ca.pem
	curl -s --cacert ca.pem --cert web.pem --key web.pem -o bundle "$url/v1/bundle"
	run status
	out_has '^web +127\.0\.0\.1 +[0-9]+s +web/password +3 +3 +current$'
}

test_what_is_no_name_is_refused() {
	local name
	for name in 'a b' 'a;watch' 'a; watch; watch' ';watch' '../x' "$(printf 'x%.0s' {1..65})"; do
		[[ $(curl -s --cacert ca.pem --cert web.pem --key web.pem -o body -w '%{http_code}' \
			-H "Tacit-Instance: $name" "$url/v1/bundle") == 400 ]] || failed "$name"
	done
}

# From here on a client of its own, which nobody has fetched once with.
test_a_rotation_is_seen_to_spread() {
	local number
	"$tacit" client add fleet --out fleet.pem >/dev/null
	"$tacit" grant fleet 'web/*' >/dev/null
	cp fleet.pem web.pem -f
	for number in 1 2 3; do watch_agent "$number"; done
	for number in 1 2 3; do shows "$number" web/password '3 3 current'; done
	put web/password fourth
	run status --watch --client fleet
	[[ $(tail -n 1 out) == '3 of 3 instances are current' ]] || failed "$(<out)"
}

test_an_agent_that_hangs_is_behind_until_it_goes_on() {
	local watcher
	watcher=$(pgrep -P "$(pid_of 2)" tacit-watcher)
	kill -STOP "$watcher"
	put web/password fifth
	shows 1 web/password '5 5 current'
	shows 3 web/password '5 5 current'
	shows 2 web/password '4 5 behind'
	"$tacit" status --watch --client fleet >watch.out 2>watch.err &
	local watching=$!
	at_exit stop_process "$watching"
	wait_until 5 grep -q '^2 of 3 instances are current; not yet: fleet/.* (behind)$' watch.out ||
		failed "$(<watch.out)"
	kill -CONT "$watcher"
	wait "$watching" || failed "$(<watch.err)"
	[[ $(tail -n 1 watch.out) == '3 of 3 instances are current' ]] || failed "$(<watch.out)"
	[[ ! -s watch.err ]] || failed "$(<watch.err)"
}

test_what_will_not_get_it_by_itself_is_said() {
	env -u TACIT_IDENTITY "$tacit_agent" run --dir "$memory/once" --identity web.pem -- true
	put web/password sixth
	shows 1 web/password '6 6 current'
	shows 2 web/password '6 6 current'
	shows 3 web/password '6 6 current'
	expect 1 "$tacit" status --watch --client fleet
	[[ $(tail -n 1 out) == '3 of 4 instances are current; not yet: fleet/'*' (old)' ]] || failed "$(<out)"
	grep -q '^tacit: status: 1 of 4 instances: do not get it by themselves' err || failed "$(<err)"
}

# In containers each agent is process 1, and their hosts may be called the same.
test_two_of_one_name_are_two() {
	local number
	for number in a b; do
		: >"twin.$number.out"
		env -u TACIT_IDENTITY unshare -r --fork --pid --kill-child "$tacit_agent" run --watch \
			--dir "$memory/t$number" --identity web.pem -- sh -c 'echo ready; exec sleep 600' \
			>"twin.$number.out" 2>"twin.$number.err" &
		at_exit stop_process $! 3
		printf '%s\n' $! >"twin.$number.pid"
		wait_until 10 grep -q ready "twin.$number.out" || failed "$(<"twin.$number.err")"
	done
	run status --client fleet --json
	json_is '[.instances[] | select(.instance | endswith(".1"))] | length' 2
	json_is '[.instances[] | select(.instance | endswith(".1")) | .id] | unique | length' 2
	json_is '[.instances[] | .id | test("^[0-9a-f]{12}$")] | all' true
	json_is '.pushed_out' 0
	run status --client fleet
	(($(grep -cE '^fleet +[^ ]+\.1#[0-9a-f]{12} ' out) == 2)) || failed "$(<out)"
	(($(grep -cE '^fleet +[^ ]+\.[0-9]+ ' out) >= 3)) || failed "$(<out)"
	for number in a b; do kill -TERM "$(pgrep -P "$(<"twin.$number.pid")")"; done
	wait_until 5 fleet_is 4 || failed 'they have not taken leave'
}

# fleet_is COUNT: so many instances of `fleet` are known.
fleet_is() { (($("$tacit" status --client fleet --json | jq '.instances | length') == $1)); }

# ends CODE COMMAND...: an agent that watches beside a command that ends by itself.
ends() {
	local code=$1
	shift
	expect "$code" env -u TACIT_IDENTITY "$tacit_agent" run --watch --dir "$memory/leaves" \
		--identity web.pem -- "$@"
}

test_who_ends_takes_leave() {
	ends 7 sh -c 'exit 7'
	fleet_is 4 || failed "$("$tacit" status --client fleet)"
	ends 127 no-such-command
	fleet_is 4 || failed "$("$tacit" status --client fleet)"
	watch_agent 4
	fleet_is 5 || failed 'not seen'
	put web/password sixth
	stop_process "$(pid_of 4)" 3
	rm agent.4
	fleet_is 4 || failed "$("$tacit" status --client fleet)"
	# Its last request was waiting at the server, and is answered now, to nobody.
	put web/password sixth
	shows 1 web/password '8 8 current'
	fleet_is 4 || failed "came back: $("$tacit" status --client fleet)"
	! "$tacit" audit | grep -q instance.leave || failed 'is recorded'
}

test_who_is_killed_does_not() {
	watch_agent 4
	kill -KILL "$(pid_of 4)"
	rm agent.4
	sleep 0.5
	fleet_is 5 || failed 'has taken leave'
}

# A bound of 300 ms, on a machine that may be busy.
test_a_server_that_hangs_holds_nobody_up() {
	local begun code=0
	watch_agent 4
	kill -STOP "$(<server.pid)"
	begun=$(date +%s%N)
	kill -TERM "$(pid_of 4)"
	wait "$(pid_of 4)" || code=$?
	kill -CONT "$(<server.pid)"
	rm agent.4
	((code == 143)) || failed "$code"
	(($(date +%s%N) - begun < 2000000000)) || failed "took $((($(date +%s%N) - begun) / 1000000)) ms"
	[[ ! -s agent.4.err ]] || failed "$(<agent.4.err)"
}

test_a_new_server_learns_it_from_those_who_watch() {
	server_goes
	server_comes
	shows 1 web/password '8 8 current'
	put web/password ninth
	shows 1 web/password '9 9 current'
	shows 2 web/password '9 9 current'
}

test_it_is_for_auditors_and_recorded_once() {
	"$tacit" client add eve --role auditor --out eve.pem >/dev/null
	refuse 5 denied status --identity web.pem
	run status --identity eve.pem
	run status --identity eve.pem
	run audit --client eve
	(($(grep -c 'status.read' out) == 1)) || failed 'not once'
}

start_server_for_web
at_exit end_agents
run_tests "$script"

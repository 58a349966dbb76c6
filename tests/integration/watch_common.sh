# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # used by those who source this
# What the tests of an agent with a real server share, on top of cli_common.sh: a server that goes
# and comes back, a client `web` that may read `web/*`, and an agent that stays beside its command.

# shellcheck source=cli_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/cli_common.sh"
tacit_agent=${tacit%/cli/tacit}/agent/tacit-agent
probe=${cli_pty%/*}/agent_probe

memory=$(TMPDIR=/dev/shm mktemp -d /dev/shm/tacit-XXXXXXXX) # where the files go
at_exit remove_tree "$memory"

who=(--identity web.pem) # what `start` tells the agent about who it is

# start OPTION... -- COMMAND...: the agent in the background; sets agent, watcher and command.
start() {
	rm -rf "$memory/files"
	: >agent.out
	env -u TACIT_IDENTITY "$tacit_agent" run --watch --dir "$memory/files" "${who[@]}" "$@" >agent.out 2>agent.err &
	agent=$!
	at_exit end_agent "$agent"
	wait_until 10 grep -q ready agent.out || failed "not started: $(<agent.err)"
	wait_until 5 find_children || failed 'no watcher'
}

end_agent() {
	stop_process "$1" 3
	wait "$1" 2>/dev/null || true
}

find_children() {
	local child name
	watcher='' command=''
	for child in $(pgrep -P "$agent"); do
		name=$(cat "/proc/$child/comm" 2>/dev/null) || continue
		if [[ $name == tacit-watcher ]]; then watcher=$child; else command=$child; fi
	done
	[[ -n $watcher && -n $command ]]
}

# A server that a test starts has to live on after the test.
server_port=
server_options=()
server_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$server_port") 2>/dev/null; }
server_silent() { ! server_answers && flock -n store/lock true; }
server_goes() {
	kill -TERM "$(<server.pid)"
	# It closes its port before it gives the store up.
	wait_until 10 server_silent && wait_until 10 process_gone "$(<server.pid)" ||
		failed 'the server stays'
}
server_comes() {
	"$tacit_server" serve --dir "$work/store" --listen "127.0.0.1:$server_port" \
		"${server_options[@]}" >server.log 2>server.err &
	printf '%s\n' $! >server.pid
	wait_until 10 server_answers || failed "no server: $(<server.err)"
}
server_end() { kill -TERM "$(<server.pid)" 2>/dev/null || true; }

# put NAME VALUE
put() { printf %s "$2" | "$tacit" put "$1" >/dev/null; }

# file_is FILE VALUE
file_is() { [[ -e $memory/files/$1 && $(<"$memory/files/$1") == "$2" ]]; }
file_gone() { [[ ! -e $memory/files/$1 ]]; }

# becomes FILE VALUE
becomes() { wait_until 10 file_is "$1" "$2" || failed "$1 is not $2: $(<agent.err)"; }

# said COUNT TEXT: on the agent's stderr.
said() { (($(grep -cF -- "$2" agent.err) == $1)); }
says() { wait_until "${3:-10}" said "$1" "$2" || failed "not said $1 times: $2: $(<agent.err)"; }

# usage_error PATTERN OPTION...
usage_error() {
	local pattern=$1
	shift
	rm -f started
	expect 125 "$tacit_agent" run "$@" -- touch started
	grep -qE -- "$pattern" err || failed "does not say $pattern: $*"
	[[ ! -e started && $(wc -l <err) == 1 ]] || failed "started, or not one line: $*"
}

rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# nowhere_in PID TEXT...: the process holds none of the texts in memory.
nowhere_in() {
	local pid=$1 text
	shift
	for text; do
		printf %s "$text" >needle
		(($("$probe" search "$pid" needle) == 0)) ||
			failed "in the memory of $(<"/proc/$pid/comm"): ${text:0:12}..."
	done
}

# The server anew, with a listener for who has a join token.
server_enrols() {
	server_goes
	enroll_port=$(random_port)
	server_options=(--enroll-listen "127.0.0.1:$enroll_port")
	server_comes
}

# token_make NAME OPTION...: a join token for the client `web`, in the file NAME.
token_make() {
	local name=$1
	shift
	"$tacit" token create web "$@" --json | jq -r .token >"$name"
	[[ $(<"$name") == tacit1.* ]] || failed 'no token'
}

# A store that is being served, and the client's identity in ./web.pem.
start_server_for_web() {
	start_server
	server_port=${url##*:}
	printf '%s\n' "$server_pid" >server.pid
	at_exit server_end
	put web/password first
	"$tacit" client add web --out web.pem >/dev/null
	"$tacit" grant web 'web/*' >/dev/null
}

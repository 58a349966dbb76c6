# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # used by those who source this
# What the tests of the command line share. Each is a function `test_...` of the script that
# sources this one; run_tests runs them in the order of the script and prints TAP.
#
# Wanted from the environment: TACIT_BUILD, the build directory.

# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${TACIT_BUILD:?the build directory}"
tacit=$TACIT_BUILD/cli/tacit
tacit_server=$TACIT_BUILD/server/tacit-server
cli_pty=$TACIT_BUILD/tests/integration/cli_pty
evil_server=$TACIT_BUILD/tests/integration/evil_server

for program in "$tacit" "$tacit_server" "$cli_pty" "$evil_server"; do
	[[ -x $program ]] || die "not built: $program"
done

# Nothing of the caller's own may reach into a test.
unset "${!TACIT_@}" NO_COLOR XDG_DATA_HOME
export TERM=xterm

work=
make_temp_dir work
export HOME=$work
cd "$work"

# The message of a failed check, and the end of the test.
failed() {
	printf 'failed: %s\n' "$*"
	[[ ! -s out ]] || printf 'stdout: %s\n' "$(head -c 2000 out | tr -d '\0')"
	[[ ! -s err ]] || printf 'stderr: %s\n' "$(head -c 2000 err)"
	exit 1
}

# expect CODE COMMAND [ARG]...: runs it and keeps its output in the files `out` and `err`.
expect() {
	local expected=$1 status=0
	shift
	"$@" >out 2>err || status=$?
	((status == expected)) || failed "exit code $status and not $expected: $*"
}

# run [ARG]...: tacit must succeed and say nothing on stderr.
run() {
	expect 0 "$tacit" "$@"
	[[ ! -s err ]] || failed "talks on stderr: $*"
}

# expect_full [ARG]...: tacit must fail since stdout, a full device, takes nothing.
expect_full() {
	local status=0
	"$tacit" "$@" >/dev/full 2>err || status=$?
	((status == 1)) || failed "exit code $status and not 1: $*"
	[[ $(<err) == 'tacit: stdout: No space left on device' ]] || failed "not said: $*"
}

# refuse CODE PATTERN [ARG]...: tacit must fail with one line that matches, and print nothing.
refuse() {
	local code=$1 pattern=$2
	shift 2
	expect "$code" "$tacit" "$@"
	(($(wc -l <err) == 1)) || failed "not one line on stderr: $*"
	[[ $(<err) =~ ^tacit:\ .*: ]] || failed "not \`tacit: what: why\`: $*"
	grep -qE -- "$pattern" err || failed "does not say $pattern: $*"
	[[ ! -s out ]] || failed "prints in spite of the failure: $*"
}

same() { cmp -s "$1" "$2" || failed "$1 and $2 differ"; }

# out_is TEXT
out_is() { [[ $(<out) == "$1" ]] || failed "stdout is not: $1"; }

out_has() { grep -qE -- "$1" out || failed "stdout does not have $1"; }

# says_nowhere TEXT: neither on stdout nor on stderr.
says_nowhere() { ! grep -qF -- "$1" out err || failed "shows $1"; }

# json_is FILTER TEXT: what jq finds in `out`.
json_is() {
	local found
	found=$(jq -er "$1" out) || failed "not in the JSON: $1"
	[[ $found == "$2" ]] || failed "$1 is $found and not $2"
}

random_port() { printf '%d\n' $((10000 + RANDOM % 20000)); }

server_listens() { grep -q '^listening on' server.log; }

# Makes a store in ./store, serves it, and becomes its administrator.
start_server() {
	local port
	port=$(random_port)
	url=https://127.0.0.1:$port
	"$tacit_server" init --dir "$work/store" --url "$url" >init.log
	serve "$port"
	export TACIT_IDENTITY=$work/store/admin.pem
}

# serve PORT [OPTION]...
serve() {
	: >server.log
	"$tacit_server" serve --dir "$work/store" --listen "127.0.0.1:$1" "${@:2}" \
		>server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 server_listens || die "the server does not start: $(<server.err)"
}

# start_evil MODE: a server that misbehaves; its identity is ./evil.pem. stop_evil ends it.
start_evil() {
	: >evil.log # the background shell might be late, and the last one's port be read
	"$evil_server" "$1" "$work/evil.pem" >evil.log 2>&1 &
	evil_pid=$!
	at_exit stop_process "$evil_pid"
	wait_until 20 grep -q '^https://' evil.log || failed "evil_server $1: $(<evil.log)"
}

# run_tests SCRIPT
run_tests() {
	local name number=0 bad=0 status
	local -a names
	mapfile -t names < <(grep -oE '^test_[a-z0-9_]+' "$1")
	printf '1..%d\n' "${#names[@]}"
	for name in "${names[@]}"; do
		: $((++number))
		# Not in a condition, where bash ignores `set -e`.
		set +e
		(
			exit_actions=()
			trap run_exit_actions EXIT
			set -e
			rm -f out err
			"$name"
		) </dev/null >test.log 2>&1
		status=$?
		set -e
		if ((status == 0)); then
			printf 'ok %d - %s\n' "$number" "${name#test_}"
		else
			printf 'not ok %d - %s\n' "$number" "${name#test_}"
			sed 's/^/# /' test.log
			bad=1
		fi
	done
	return "$bad"
}

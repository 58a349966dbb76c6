# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Starting an app under the agent, and what has to be true of it: as the app itself reports it,
# and as the host sees it through /proc.

report_count() { docker logs "$1" 2>/dev/null | grep -c '^ready$' || true; }
reported() { (($(report_count "$1") >= $2)) || container_stopped "$1"; }
container_state() { docker inspect -f "{{.State.$2}}" "$1"; }
container_stopped() { [[ $(container_state "$1" Running) == false ]]; }

# app_run NAME IDENTITY [DOCKER-OPTION]... -- IMAGE [ARG]...: a hardened container in the background.
app_run() {
	local name=$1 identity=$2 options=()
	shift 2
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	docker run -d --label "$engine_label" --name "$name" --network "$(network)" \
		"${hardened[@]}" "${options[@]}" \
		--mount "type=bind,src=$work/$identity.pem,dst=/run/tacit/identity.pem,readonly" \
		"$(image "$1")" "${@:2}" >/dev/null
}

# await_report NAME COUNT: the app's COUNTth report is in $report, a file.
await_report() {
	report=$work/report-$1
	if ! wait_until 30 reported "$1" "$2" || (($(report_count "$1") < $2)); then
		docker logs "$1" 2>&1
		fail "no report number $2; exit status $(container_state "$1" ExitCode)"
	fi
	docker logs "$1" 2>/dev/null | awk '/^begin$/ { text = "" } { text = text $0 "\n" }
		END { printf "%s", text }' >"$report"
}

# The app's own view of one secret: file VARIABLE PATH mode=... as probe.c prints it.
check_reported_file() {
	local variable=$1 value=$work/value/$2 path_pattern=$3 expected line
	expected="file $variable $path_pattern mode=400 owner=$user:$user fs=tmpfs"
	expected+=" crc32=$(/bin/busybox crc32 <"$value") bytes=$(stat -c %s "$value")"
	line=$(grep "^file $variable " "$report") || fail "no line for $variable"
	# shellcheck disable=SC2053 # a pattern is wanted
	[[ $line == $expected ]] || fail "expected: $expected" $'\n' "got:      $line"
}

# The host's view of the same: exact bytes, and nobody else can reach them.
check_file_from_host() {
	local pid=$1 variable=$2 value=$work/value/$3 path
	path=/proc/$pid/root$(awk -v variable="$variable" '$2 == variable { print $3 }' "$report")
	cmp "$path" "$value" || fail "$variable: other bytes than were put"
	[[ $(stat -c '%a %u' "$path") == "400 $user" ]] || fail "$path: $(stat -c '%a %u' "$path")"
	[[ $(stat -f -c %T "$path") == tmpfs ]] || fail "$path: on $(stat -f -c %T "$path")"
	[[ $(stat -c '%a %u' "${path%/*}") =~ ^[57]00\ $user$ ]] ||
		fail "${path%/*}: $(stat -c '%a %u' "${path%/*}")"
}

# Nothing of a value in the environment or the arguments of any process of the container.
check_processes() {
	local name=$1 pid part
	for pid in $(docker top "$name" -o pid | tail -n +2); do
		for part in environ cmdline; do
			cat "/proc/$pid/$part" >"$work/part" 2>/dev/null || continue
			! holds_value "$work/part" || fail "a value is in /proc/$pid/$part"
			! grep -aq 'TACIT_' "$work/part" || fail "TACIT_* is in /proc/$pid/$part"
		done
	done
}

# PID 1 is the app and has nothing open that it was not given.
check_first_process() {
	local pid=$1 program=$2 open
	[[ $(readlink "/proc/$pid/exe") == "$program" ]] || fail "PID 1: $(readlink "/proc/$pid/exe")"
	grep -qx "NSpid:.*[[:space:]]1" "/proc/$pid/status" || fail "not PID 1"
	open=$(find "/proc/$pid/fd" -printf '%l\n' | grep -E 'identity|tacit|memfd|deleted|/run/') &&
		fail "left open: $open"
	return 0
}

check_not_recorded() {
	docker logs "$1" >"$work/part" 2>&1
	! holds_value "$work/part" || fail 'a value is in docker logs'
	docker inspect "$1" >"$work/part"
	! holds_value "$work/part" || fail 'a value is in docker inspect'
	# Docker makes the places where something is mounted, and these are all that may show.
	! docker diff "$1" |
		grep -vE '^[AC] /((run|dev|proc|sys|etc)(/.*)?|usr(/local(/bin(/tacit-agent)?)?)?)$' ||
		fail "the container's layer was written to"
}

# check_delivery NAME PROGRAM PATH-PATTERN: everything that has to be true of a running app.
check_delivery() {
	local name=$1 program=$2 directory=$3 pid variable
	grep -qx 'pid 1' "$report" || fail "the app is $(grep '^pid' "$report")"
	grep -qx "user $user:$user" "$report" || fail "the app is $(grep '^user' "$report")"
	check_reported_file DB_PASSWORD_FILE db_password "$directory/db_password"
	check_reported_file BLOB_FILE blob "$directory/blob"
	check_reported_file PGPASSFILE pgpass "$directory/pgpass"
	check_reported_file EMPTY_FILE empty "$directory/empty"
	for variable in DB_PASSWORD BLOB PGPASS UNREADABLE_FILE; do
		! grep -qx "variable $variable" "$report" || fail "$variable is set"
	done
	pid=$(container_state "$name" Pid)
	check_file_from_host "$pid" DB_PASSWORD_FILE db_password
	check_file_from_host "$pid" BLOB_FILE blob
	check_processes "$name"
	check_first_process "$pid" "$program"
	check_not_recorded "$name"
}

# check_refused NAME STATUS PATTERN: the agent ended with STATUS and one line; no app was started.
check_refused() {
	local name=$1 status=$2 pattern=$3
	wait_until 20 container_stopped "$name" || fail 'still running'
	docker logs "$name" >"$work/part" 2>&1
	cat "$work/part"
	[[ $(container_state "$name" ExitCode) == "$status" ]] ||
		fail "exit status $(container_state "$name" ExitCode), expected $status"
	! grep -qx 'begin' "$work/part" || fail 'the app was started'
	[[ $(wc -l <"$work/part") == 1 ]] || fail 'not one line'
	grep -qE "^tacit-agent: .*$pattern" "$work/part" || fail "expected: $pattern"
	! holds_value "$work/part" || fail 'a value is in the log'
}

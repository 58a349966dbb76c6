# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # used by those who source this
# What the two benches share: waiting for a quiet moment, starting servers, medians, the table.

readonly server_cpu=0 client_cpu=1

# What a goal is missed by is no failure to measure.
die() {
	warn "bench: $*"
	exit 2
}

wants() {
	local part
	for part in "${parts[@]}"; do [[ $part != "$1" ]] || return 0; done
	return 1
}

build_programs() {
	[[ -f $build/build.ninja ]] || meson setup "$build" "$root" >/dev/null
	ninja -C "$build" all bench >"$work/build.log" 2>&1 ||
		die "the build fails: ninja -C $build all bench"
	agent=$build/agent/tacit-agent
	server=$build/server/tacit-server
	operator=$build/cli/tacit
	tools=$build/tests/bench
	(($(nproc) >= 2)) || die "server and client need a core each"
}

# --- how busy the machine is ---------------------------------------------------------------------

# Other work on these cores makes both sides slower, but not by the same factor: before each round
# a while is waited for a quiet moment, though never more than this in all.
quiet_budget_ms=60000
rounds_begun=0
rounds_busy=0

# Sets idle_percent over a fifth of a second. In the calling shell: a fork would be counted too.
look_at_idle() {
	local user nice system idle iowait irq softirq steal total
	read -r _ user nice system idle iowait irq softirq steal _ </proc/stat
	total=$((user + nice + system + idle + iowait + irq + softirq + steal))
	idle_percent=$((idle + iowait))
	sleep 0.2
	read -r _ user nice system idle iowait irq softirq steal _ </proc/stat
	total=$((user + nice + system + idle + iowait + irq + softirq + steal - total))
	idle_percent=$(((idle + iowait - idle_percent) * 100 / (total > 0 ? total : 1)))
}

settle() {
	local from
	from=$(now_ms)
	rounds_begun=$((rounds_begun + 1))
	look_at_idle
	while ((idle_percent < 85 && quiet_budget_ms > $(now_ms) - from)); do look_at_idle; done
	quiet_budget_ms=$((quiet_budget_ms - $(now_ms) + from))
	((idle_percent >= 85)) || rounds_busy=$((rounds_busy + 1))
}

# --- servers -------------------------------------------------------------------------------------

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Sets the variable named by $1 to a port on which nobody answers, another one each time.
next_port=$((20000 + $$ % 10000))
take_port() {
	local -n taken=$1 # the caller's variable
	while port_answers $next_port; do next_port=$((next_port + 1)); done
	# shellcheck disable=SC2034
	taken=$next_port
	next_port=$((next_port + 1))
}

# start_server PORT LOG COMMAND...: in the background until the script ends; sets server_pid.
start_server() {
	local port=$1 log=$2
	shift 2
	(exec taskset -c $server_cpu "$@" >"$log" 2>&1) &
	server_pid=$!
	at_exit stop_process "$server_pid" 5
	wait_until 10 port_answers "$port" || die "a server does not start: $(tail -n 3 "$log")"
}

random_text() { head -c $(($1 / 2)) /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# --- figures -------------------------------------------------------------------------------------

value_of() { # KEY LINE
	local word
	for word in $2; do
		[[ ${word%%=*} != "$1" ]] || echo "${word#*=}"
	done
}

median() {
	sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

column() { # KEY FILE
	local line
	while read -r line; do value_of "$1" "$line"; done <"$2"
}

# The median of the rounds' ratios of KEY between two files of rounds.
ratio_of() { # KEY FILE BASE [BASE_KEY]
	paste <(column "$1" "$2") <(column "${4:-$1}" "$3") | awk '{ print $1 / $2 }' | median
}

# --- the table -----------------------------------------------------------------------------------

row() {
	printf '%-44s %10s %10s %7s %8s  %-6s  %s\n' "$@" | sed 's/ *$//'
}

rounded() { # DIGITS [DIVISOR]: the number on standard input
	awk -v digits="$1" -v by="${2:-1}" '{ printf "%.*f", digits, $1 / by }'
}

# at-most and at-least goals; remembers a miss.
verdict() { # RATIO at-most|at-least GOAL
	if awk -v r="$1" -v how="$2" -v g="$3" \
		'BEGIN { exit !(how == "at-most" ? r <= g : r >= g) }'; then
		echo ok
	else
		echo MISSED
		touch "$work/missed"
	fi
}

goal_row() { # WHAT OURS PEER RATIO at-most|at-least GOAL NOTE
	local sign='<='
	[[ $5 == at-most ]] || sign='>='
	row "$1" "$2" "$3" "$(rounded 2 <<<"$4")" "$sign $6" "$(verdict "$4" "$5" "$6")" "$7"
}

limit_row() { # WHAT OURS LIMIT DIVISOR: both in the same unit, shown divided
	goal_row "$1" "$(rounded 2 "$4" <<<"$2")" "$(rounded 2 "$4" <<<"$3")" \
		"$(awk -v ours="$2" -v limit="$3" 'BEGIN { print ours / limit }')" at-most 1 \
		"the limit itself"
}

footer() { # PACKAGE...: whose versions are told
	local package versions=()
	for package; do
		versions+=("$package $(dpkg-query -W -f '${Version}' "$package")")
	done
	printf '%s; ' "${versions[@]}"
	echo "$(nproc) cores, load average $(cut -d ' ' -f 1-3 </proc/loadavg); other work was running before" \
		"$rounds_busy of $rounds_begun rounds"
	((rounds_busy * 4 < rounds_begun)) ||
		echo "The machine was busy: these figures scatter. Repeat them on a quiet one."
}

#!/bin/bash
# SPDX-License-Identifier: MIT
# Measures how the server bears what it is not asked for every day: a million secrets, writes that
# have to be on disk, five thousand agents that wait, connections that are resumed. Prints one table
# of ratios, as run.sh does, against the peer in the same run.
#
#   tests/bench/scale.sh [--build DIR] [--rounds N] [--secrets N] [--waiters N] [--only PART]...
#
# Parts: million, writes, waiters, resumed. Exits 0 if every goal is reached, 1 if one is missed, 2
# if something could not be measured. Takes about five minutes, most of them to fill the large store
# in memory (/dev/shm, 700 MiB); loopback only. Writes go to TMPDIR, which has to be a real disk.
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/common.sh
. "$root/tests/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/packages.sh
. "$root/tests/lib/packages.sh"
# shellcheck source-path=SCRIPTDIR source=bench.sh
. "$root/tests/bench/bench.sh"

build=$root/build
rounds=12
many=1000000
few=1000
waiters=5000
value_bytes=64
parts=()
work='' memory=''

parse_options() {
	while (($# > 0)); do
		case $1 in
		--build) mkdir -p "$2" && build=$(cd "$2" && pwd) && shift 2 ;;
		--rounds) rounds=$2 && shift 2 ;;
		--secrets) many=$2 && shift 2 ;;
		--waiters) waiters=$2 && shift 2 ;;
		--only) parts+=("$2") && shift 2 ;;
		*) die "unknown option $1; the head of this script lists them" ;;
		esac
	done
	((${#parts[@]} > 0)) || parts=(million writes waiters resumed)
}

# new_store DIR: takes a port for it.
new_store() {
	take_port port
	"$server" init --dir "$1" --url "https://127.0.0.1:$port" >"$work/init.log" 2>&1 ||
		die "tacit-server init: $(tail -n 3 "$work/init.log")"
}

# serve DIR: sets server_pid; the port is the one that new_store took.
serve() {
	start_server "$port" "$1.log" "$server" serve --dir "$1" --listen "127.0.0.1:$port" \
		--connections-per-address 8192 # all waiters have one address here
}

load() { # IDENTITY PATH OPTION...
	"$tools/load" --cpu $client_cpu --port "$port" --server-pid "$server_pid" --identity "$1" \
		--path "$2" "${@:3}" || die "operations failed: $2"
}

# --- a million secrets ---------------------------------------------------------------------------

encoded() { printf '%s' "${1//\//%2F}"; }

# The time until it says that it listens, median of three starts.
start_ms_of() { # DIR
	local from
	for _ in 1 2 3; do
		settle
		: >"$1.log"
		from=$(now_ms)
		"$server" serve --dir "$1" --listen "127.0.0.1:$port" >"$1.log" 2>&1 &
		server_pid=$!
		wait_until 60 grep -q listening "$1.log" || die "does not start: $(tail -n 3 "$1.log")"
		echo "$(($(now_ms) - from))"
		stop_process "$server_pid" 20
		wait "$server_pid" 2>/dev/null || true
	done | median
}

rss_kib() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"; }

# Both servers stand side by side; port and server_pid switch between them.
part_million() {
	local few_name many_name few_port few_pid many_port many_pid round
	new_store "$memory/few"
	few_port=$port
	few_name=$("$tools/fill" "$memory/few" "$few" "$value_bytes") || die 'fill'
	serve "$memory/few"
	few_pid=$server_pid
	new_store "$memory/many"
	many_port=$port
	many_name=$("$tools/fill" "$memory/many" "$many" "$value_bytes") || die 'fill'
	limit_row "$many secrets: start-up, s" "$(start_ms_of "$memory/many")" 2000 1000
	serve "$memory/many"
	many_pid=$server_pid
	limit_row "  memory, MiB" "$(rss_kib "$many_pid")" $((200 * 1024)) 1024
	for ((round = 0; round <= rounds; round++)); do
		((round != 1)) || rm "$work/few" "$work/many"
		settle
		port=$few_port server_pid=$few_pid
		load "$memory/few/admin.pem" "/v1/secrets/$(encoded "$few_name")" --mode keepalive \
			--operations 3000 >>"$work/few"
		port=$many_port server_pid=$many_pid
		load "$memory/many/admin.pem" "/v1/secrets/$(encoded "$many_name")" --mode keepalive \
			--operations 3000 >>"$work/many"
	done
	goal_row "  reading one, server CPU, us" \
		"$(column server_cpu_us "$work/many" | median | rounded 1)" \
		"$(column server_cpu_us "$work/few" | median | rounded 1)" \
		"$(ratio_of server_cpu_us "$work/many" "$work/few")" at-most 1.3 "$few secrets"
	stop_process "$many_pid" 20
	stop_process "$few_pid" 20
	rm -r "$memory/many" "$memory/few"
}

# --- writes --------------------------------------------------------------------------------------

# The row that a value of 64 bytes becomes is 188 bytes long; the loop writes as many.
part_writes() {
	local round
	new_store "$work/store"
	serve "$work/store"
	for ((round = 0; round <= rounds; round++)); do
		((round != 1)) || rm "$work/writes" "$work/alone" "$work/loop"
		settle
		load "$work/store/admin.pem" "/v1/secrets/written%2F$round" --mode writes \
			--body-bytes $value_bytes --operations 300 --connections 8 >>"$work/writes"
		load "$work/store/admin.pem" "/v1/secrets/alone%2F$round" --mode writes \
			--body-bytes $value_bytes --operations 300 --connections 1 >>"$work/alone"
		"$tools/sqlite_loop" "$work/loop.db" 300 188 >>"$work/loop" || die 'sqlite_loop'
		rm "$work/loop.db"*
	done
	goal_row "durable writes by 8 clients, per second" \
		"$(column ops_per_s "$work/writes" | median | rounded 0)" \
		"$(column ops_per_s "$work/loop" | median | rounded 0)" \
		"$(ratio_of ops_per_s "$work/writes" "$work/loop")" at-least 0.8 \
		"a bare SQLite loop on the same disk"
	row "  by one client, one after another" \
		"$(column ops_per_s "$work/alone" | median | rounded 0)" \
		"$(column ops_per_s "$work/loop" | median | rounded 0)" \
		"$(ratio_of ops_per_s "$work/alone" "$work/loop" | rounded 2)" "" "" \
		"the same; TLS, HTTP and the audit line are on top"
	stop_process "$server_pid" 20
	rm -r "$work/store"
}

# --- waiting -------------------------------------------------------------------------------------

web_client() { # STORE: a client that may read ten secrets, in STORE.pem
	local i
	export TACIT_IDENTITY=$1/admin.pem
	for ((i = 1; i <= 10; i++)); do
		random_text $value_bytes | "$operator" put "web/secret_$i" >/dev/null
	done
	"$operator" client add web --out "$1.pem" >/dev/null
	"$operator" grant web 'web/*' >/dev/null
}

part_waiters() {
	local round
	new_store "$memory/store"
	for round in 1 2 3; do
		settle
		serve "$memory/store"
		((round > 1)) || web_client "$memory/store"
		"$tools/waiters" "$port" "$memory/store.pem" "$server_pid" "$waiters" \
			/v1/secrets/web%2Fsecret_1 "echo changed-$round | '$operator' put web/secret_2 >/dev/null" \
			>>"$work/waiters" || die 'waiters'
		stop_process "$server_pid" 20
		wait "$server_pid" 2>/dev/null || true
	done
	unset TACIT_IDENTITY
	limit_row "$waiters waiters: memory for each, KiB" \
		"$(column kib_each "$work/waiters" | median)" 20 1
	goal_row "  all answered, server CPU, ms" \
		"$(column wake_cpu_ms "$work/waiters" | median | rounded 1)" \
		"$(column reads_cpu_ms "$work/waiters" | median | rounded 1)" \
		"$(ratio_of wake_cpu_ms "$work/waiters" "$work/waiters" reads_cpu_ms)" at-most 5 \
		"as many keep-alive reads"
	rm -r "$memory/store"*
}

# --- resuming ------------------------------------------------------------------------------------

part_resumed() {
	local round mode
	new_store "$memory/store"
	serve "$memory/store"
	web_client "$memory/store"
	unset TACIT_IDENTITY
	for ((round = 0; round <= rounds; round++)); do
		((round != 1)) || rm "$work"/mode.*
		settle
		for mode in handshakes resumed; do
			load "$memory/store.pem" /v1/health --mode $mode \
				--operations 300 >>"$work/mode.$mode"
		done
	done
	goal_row "resumed connections, server CPU, us" \
		"$(column server_cpu_us "$work/mode.resumed" | median | rounded 1)" \
		"$(column server_cpu_us "$work/mode.handshakes" | median | rounded 1)" \
		"$(ratio_of server_cpu_us "$work/mode.handshakes" "$work/mode.resumed")" at-least 2 \
		"new ones"
	row "  per second" "$(column ops_per_s "$work/mode.resumed" | median | rounded 0)" \
		"$(column ops_per_s "$work/mode.handshakes" | median | rounded 0)" \
		"$(ratio_of ops_per_s "$work/mode.resumed" "$work/mode.handshakes" | rounded 2)" "" "" ""
	stop_process "$server_pid" 20
	rm -r "$memory/store"*
}

main() {
	local part
	parse_options "$@"
	unset "${!TACIT_@}"
	make_temp_dir work
	TMPDIR=/dev/shm make_temp_dir memory
	ensure_packages "${packages_build[@]}" procps util-linux >&2 || die "packages are missing"
	build_programs
	row "the server under load" tacit peer ratio goal "" peer
	for part in million writes waiters resumed; do
		! wants "$part" || "part_$part"
	done
	footer libsqlite3-0 libmicrohttpd12 libgnutls30
	[[ ! -e $work/missed ]]
}

main "$@"

#!/bin/bash
# SPDX-License-Identifier: MIT
# Measures what Tacit must reach and prints one table. Every figure is a ratio against the named
# peer within this run: medians over interleaved rounds, so that a slow moment hits both.
#
#   tests/bench/run.sh [--build DIR] [--rounds N] [--only PART]... [--quick]
#
# Parts: agent, env-file, handshakes, keepalive. Exits 0 if every goal is reached, 1 if one is
# missed, 2 if something could not be measured. Takes about two minutes; loopback only.
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/common.sh
. "$root/tests/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/packages.sh
. "$root/tests/lib/packages.sh"

here=$root/tests/bench
build=$root/build
rounds=40
spawns=150
handshakes=100
requests=3000
parts=()
work='' files='' tacit_port='' nginx_port='' raw_port=''

readonly server_cpu=0 client_cpu=1
readonly secrets=10 secret_bytes=64

# What a goal is missed by is no failure to measure.
die() {
	warn "bench: $*"
	exit 2
}

parse_options() {
	while (($# > 0)); do
		case $1 in
		--build) mkdir -p "$2" && build=$(cd "$2" && pwd) && shift 2 ;;
		--rounds) rounds=$2 && shift 2 ;;
		--only) parts+=("$2") && shift 2 ;;
		--quick) rounds=8 spawns=30 && shift ;;
		*) die "unknown option $1; the head of this script lists them" ;;
		esac
	done
	((${#parts[@]} > 0)) || parts=(agent env-file handshakes keepalive)
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

# --- the servers, all on one core ----------------------------------------------------------------

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

# The same TLS as the listener's, session tickets included; else what a careful administrator would
# set for speed.
nginx_configuration() {
	cat <<CONF
$([[ $EUID != 0 ]] || echo "user root;")
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log $work/nginx.log warn;
events { worker_connections 4096; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	tcp_nodelay on;
	keepalive_timeout 65;
	keepalive_requests 1000000000;
	open_file_cache max=16 inactive=600s;
	default_type application/octet-stream;
	client_body_temp_path $work/t1;
	proxy_temp_path $work/t2;
	fastcgi_temp_path $work/t3;
	uwsgi_temp_path $work/t4;
	scgi_temp_path $work/t5;
	server {
		listen 127.0.0.1:$nginx_port ssl backlog=1024;
		root $work/www;
		ssl_protocols TLSv1.3;
		ssl_certificate $work/server.crt;
		ssl_certificate_key $work/server.key;
		ssl_client_certificate $work/ca.crt;
		ssl_verify_client on;
		ssl_verify_depth 1;
		ssl_session_tickets on;
		ssl_session_cache off;
	}
}
CONF
}

nginx_worker() { pgrep -P "$1" >"$work/nginx.worker"; }

start_nginx() { # BUNDLE_BYTES
	mkdir "$work/www"
	head -c "$1" /dev/zero | tr '\0' x >"$work/www/bundle"
	head -c $secret_bytes /dev/zero | tr '\0' x >"$work/www/secret"
	take_port nginx_port
	nginx_configuration >"$work/nginx.conf"
	start_server "$nginx_port" "$work/nginx.log" \
		nginx -e "$work/nginx.log" -p "$work" -c "$work/nginx.conf"
	# The port answers from before the one worker is forked.
	wait_until 5 nginx_worker "$server_pid" || die "nginx has no worker"
	nginx_pid=$(<"$work/nginx.worker")
}

start_raw() {
	take_port raw_port
	start_server "$raw_port" "$work/raw.log" "$tools/raw_mhd" "$raw_port" "$work" one-record
	raw_pid=$server_pid
}

start_tacit() {
	take_port tacit_port
	"$server" init --dir "$work/store" --url "https://127.0.0.1:$tacit_port" \
		>"$work/init.log" 2>&1 || die "tacit-server init: $(tail -n 3 "$work/init.log")"
	start_server "$tacit_port" "$work/tacit.log" \
		"$server" serve --dir "$work/store" --listen "127.0.0.1:$tacit_port"
	tacit_pid=$server_pid
	fill_tacit "$work/store/admin.pem"
}

random_text() { head -c $(($1 / 2)) /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

fill_tacit() { # ADMIN_IDENTITY
	local i
	export TACIT_IDENTITY=$1
	for ((i = 1; i <= secrets; i++)); do
		random_text $secret_bytes | "$operator" put "web/secret_$i" >/dev/null
	done
	"$operator" client add web --out "$work/web.pem" >/dev/null
	"$operator" grant web 'web/*' >/dev/null
	unset TACIT_IDENTITY
}

# --- measuring -----------------------------------------------------------------------------------

value_of() { # KEY LINE
	local word
	for word in $2; do
		[[ ${word%%=*} != "$1" ]] || echo "${word#*=}"
	done
}

median() {
	sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

load() { # PORT PID IDENTITY PATH OPTION...
	"$tools/load" --cpu $client_cpu --port "$1" --server-pid "$2" --identity "$3" --path "$4" \
		"${@:5}" || die "operations failed against port $1: $4"
}

# One round against each peer, again and again; the first round only warms up.
measure_load() { # NAME TACIT_PATH NGINX_PATH BYTES OPTION...
	local name=$1 round
	for ((round = 0; round <= rounds; round++)); do
		((round != 1)) || rm "$work/$name".*
		settle
		load "$tacit_port" "$tacit_pid" "$work/web.pem" "$2" "${@:5}" >>"$work/$name.tacit"
		load "$nginx_port" "$nginx_pid" "$work/client.pem" "$3" "${@:5}" >>"$work/$name.nginx"
		load "$raw_port" "$raw_pid" "$work/client.pem" "/$4" "${@:5}" >>"$work/$name.raw"
	done
}

column() { # KEY FILE
	local line
	while read -r line; do value_of "$1" "$line"; done <"$2"
}

# The median of the rounds' ratios of KEY between two files of rounds.
ratio_of() { # KEY FILE BASE
	paste <(column "$1" "$2") <(column "$1" "$3") | awk '{ print $1 / $2 }' | median
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

# The goal is on CPU time, which other work disturbs less than the rate, and which is the rate
# where one core is kept busy. More is better, so the ratio is the peer's cost by ours.
load_rows() { # NAME WHAT GOAL
	local ours=$work/$1.tacit peer=$work/$1.nginx raw=$work/$1.raw
	goal_row "$2, server CPU, us" "$(column server_cpu_us "$ours" | median | rounded 1)" \
		"$(column server_cpu_us "$peer" | median | rounded 1)" \
		"$(ratio_of server_cpu_us "$peer" "$ours")" at-least "$3" \
		"nginx, static body, $(column cipher "$peer" | head -n 1)"
	row "  per second" "$(column ops_per_s "$ours" | median | rounded 0)" \
		"$(column ops_per_s "$peer" | median | rounded 0)" \
		"$(ratio_of ops_per_s "$ours" "$peer" | rounded 2)" "" "" \
		"nginx; client core $(column client_busy "$ours" | median) and $(column \
			client_busy "$peer" | median) busy"
	row "  nothing behind it, server CPU, us" \
		"$(column server_cpu_us "$raw" | median | rounded 1)" \
		"$(column server_cpu_us "$peer" | median | rounded 1)" \
		"$(ratio_of server_cpu_us "$peer" "$raw" | rounded 2)" "" "" \
		"raw libmicrohttpd against nginx"
}

part_handshakes() {
	measure_load handshakes /v1/bundle /bundle "$bundle_bytes" --mode handshakes \
		--operations "$handshakes" --connections 16
	load_rows handshakes "new mTLS connection + bundle" 1.2
}

part_keepalive() {
	measure_load keepalive /v1/secrets/web%2Fsecret_1 /secret $secret_bytes --mode keepalive \
		--operations "$requests" --connections 16
	load_rows keepalive "keep-alive read of one secret" 0.5
}

spawn() {
	settle
	taskset -c $client_cpu "$tools/spawn" "$spawns" "$@" || die "a command failed: $2"
}

line_of() { grep "^label=$1 " "$2"; }

time_row() { # KEY OURS PEER: no goal
	row "  $1, ms" "$(value_of "$1_us" "$2" | rounded 2 1000)" \
		"$(value_of "$1_us" "$3" | rounded 2 1000)" \
		"$(value_of "$1_ratio" "$2" | rounded 2)" "" "" "$4"
}

spawn_rows() { # FILE LABEL PEER WHAT GOAL NOTE
	local ours peer
	ours=$(line_of "$2" "$1")
	peer=$(line_of "$3" "$1")
	goal_row "$4, ms" "$(value_of wall_us "$ours" | rounded 2 1000)" \
		"$(value_of wall_us "$peer" | rounded 2 1000)" \
		"$(value_of wall_ratio "$ours")" at-most "$5" "$6"
	time_row cpu "$ours" "$peer" ""
}

part_agent() {
	local out=$work/agent.spawn floor=("$work/web.pem" "$tacit_port" /v1/bundle "$tools/nothing")
	spawn agent "$agent" run --identity "$work/web.pem" --dir "$files" --exec -- "$tools/nothing" \
		::: floor-pie "$tools/floor-pie" "${floor[@]}" \
		::: floor "$tools/floor" "${floor[@]}" >"$out" 2>"$work/agent.log"
	[[ $(find "$files" -type f -perm 0400 | wc -l) == "$secrets" ]] ||
		die "the agent has not delivered $secrets files"
	spawn_rows "$out" agent floor "agent, from exec to the app's exec" 1.25 \
		"minimal static OpenSSL client (as static-pie: $(value_of wall_ratio \
			"$(line_of floor-pie "$out")" | rounded 2))"
	limit_row "agent, peak RSS, MiB" \
		"$(value_of peak_rss_kib "$(line_of agent "$out")")" $((8 * 1024)) 1024
	limit_row "agent, size of the file, MiB" "$(stat -c %s "$agent")" $((6 << 20)) $((1 << 20))
}

part_env_file() {
	local out=$work/env_file.spawn i
	for ((i = 1; i <= secrets; i++)); do
		printf 'SECRET_%d=%s\n' "$i" "$(random_text $secret_bytes)"
	done >"$work/app.env"
	spawn agent "$agent" run --env-file "$work/app.env" --dir "$files" --exec -- true \
		::: tini tini -- true >"$out" 2>"$work/env_file.log"
	spawn_rows "$out" agent tini "agent --env-file, to the end of true" 1.5 "tini -- true"
}

footer() {
	local package versions=()
	for package in nginx libssl3 libmicrohttpd12 libgnutls30; do
		versions+=("$package $(dpkg-query -W -f '${Version}' "$package")")
	done
	printf '%s; ' "${versions[@]}"
	echo "$(nproc) cores, load average $(cut -d ' ' -f 1-3 </proc/loadavg); other work was running before" \
		"$rounds_busy of $rounds_begun rounds"
	((rounds_busy * 4 < rounds_begun)) ||
		echo "The machine was busy: these figures scatter. Repeat them on a quiet one."
}

main() {
	parse_options "$@"
	unset "${!TACIT_@}"
	make_temp_dir work
	TMPDIR=/dev/shm make_temp_dir files
	ensure_packages "${packages_build[@]}" nginx-light tini openssl procps util-linux >&2 ||
		die "packages are missing"
	build_programs

	"$here/certs.sh" "$work"
	start_tacit
	bundle_bytes=$(load "$tacit_port" "$tacit_pid" "$work/web.pem" /v1/bundle --operations 1)
	bundle_bytes=$(value_of body_bytes "$bundle_bytes")
	start_nginx "$bundle_bytes"
	start_raw

	row "$secrets secrets of $secret_bytes bytes, bundle $bundle_bytes" \
		tacit peer ratio goal "" peer
	! wants agent || part_agent
	! wants env-file || part_env_file
	! wants handshakes || part_handshakes
	! wants keepalive || part_keepalive
	footer
	[[ ! -e $work/missed ]]
}

main "$@"

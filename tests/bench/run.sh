#!/bin/bash
# SPDX-License-Identifier: MIT
# Measures what Tacit must reach and prints one table. Every figure is a ratio against the named
# peer within this run: medians over interleaved rounds, so that a slow moment hits both.
#
#   tests/bench/run.sh [--build DIR] [--rounds N] [--only PART]... [--quick]
#
# Parts: agent, env-file, parent, rotation, handshakes, keepalive. Exits 0 if every goal is reached, 1 if one is
# missed, 2 if something could not be measured. Takes about two minutes; loopback only.
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/common.sh
. "$root/tests/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/packages.sh
. "$root/tests/lib/packages.sh"
# shellcheck source-path=SCRIPTDIR source=bench.sh
. "$root/tests/bench/bench.sh"

here=$root/tests/bench
build=$root/build
rounds=40
spawns=150
rotations=60
handshakes=100
requests=3000
parts=()
work='' files='' tacit_port='' nginx_port='' raw_port=''

readonly secrets=10 secret_bytes=64

parse_options() {
	while (($# > 0)); do
		case $1 in
		--build) mkdir -p "$2" && build=$(cd "$2" && pwd) && shift 2 ;;
		--rounds) rounds=$2 && shift 2 ;;
		--only) parts+=("$2") && shift 2 ;;
		--quick) rounds=8 spawns=30 rotations=20 && shift ;;
		*) die "unknown option $1; the head of this script lists them" ;;
		esac
	done
	((${#parts[@]} > 0)) || parts=(agent env-file parent rotation handshakes keepalive)
}

# --- the servers, all on one core ----------------------------------------------------------------

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

# --- the table -----------------------------------------------------------------------------------

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

env_file_make() {
	local i
	for ((i = 1; i <= secrets; i++)); do
		printf 'SECRET_%d=%s\n' "$i" "$(random_text $secret_bytes)"
	done >"$work/app.env"
}

part_env_file() {
	local out=$work/env_file.spawn
	env_file_make
	spawn agent "$agent" run --env-file "$work/app.env" --dir "$files" --exec -- true \
		::: tini tini -- true >"$out" 2>"$work/env_file.log"
	spawn_rows "$out" agent tini "agent --env-file, to the end of true" 1.5 "tini -- true"
}

over_row() { # WHAT KEY OURS PEER: what the first takes more than the second, at most 1 ms
	goal_row "$1, ms" "$(value_of "$2_us" "$3" | rounded 2 1000)" \
		"$(value_of "$2_us" "$4" | rounded 2 1000)" \
		"$(value_of "$2_over_us" "$3" | awk '{ print $1 / 1000 }')" at-most 1 \
		"run --exec; the ratio column is the difference in ms"
}

# Staying as parent, and the files removed at the end, beside becoming the command.
part_parent() {
	local out=$work/parent.spawn ours peer how=(run --env-file "$work/app.env" --dir)
	env_file_make
	spawn init "$agent" "${how[@]}" "$files/init" --init -- "$tools/nothing" \
		::: exec "$agent" "${how[@]}" "$files/exec" --exec -- "$tools/nothing" \
		>"$out" 2>"$work/parent.log"
	ours=$(line_of init "$out") peer=$(line_of exec "$out")
	over_row "agent --init, to the end of the command" wall "$ours" "$peer"
	over_row "  user and system time" cpu "$ours" "$peer"
}

holds() { [[ -e $1 && $(<"$1") == "$2" ]]; }

# From the start of `tacit put` until the file of an agent that waits has the value.
part_rotation() {
	local i began changed file=$files/watched/secret_1
	start_watching
	for ((i = 1; i <= rotations; i++)); do
		((i % 10 != 1)) || settle
		began=$(date +%s%N)
		printf 'value %d' "$i" | TACIT_IDENTITY=$work/store/admin.pem \
			taskset -c $client_cpu "$operator" put web/secret_1 >/dev/null
		wait_until 5 holds "$file" "value $i" || die "rotation $i does not arrive"
		changed=$(stat -c %.9Z "$file")
		printf '%d\n' $(((${changed/./} - began) / 1000))
	done >"$work/rotation.us"
	stop_process "$watching_pid"
	limit_row "rotation, tacit put to the file, median, ms" "$(median <"$work/rotation.us")" \
		50000 1000
}

start_watching() {
	taskset -c $client_cpu "$agent" run --watch --identity "$work/web.pem" --dir "$files/watched" \
		-- sleep 1000 2>"$work/rotation.log" &
	watching_pid=$!
	at_exit stop_process "$watching_pid"
	wait_until 5 test -e "$files/watched/secret_1" || die "no agent: $(<"$work/rotation.log")"
	sleep 0.3 # until it waits at the server
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
	! wants parent || part_parent
	! wants rotation || part_rotation
	! wants handshakes || part_handshakes
	! wants keepalive || part_keepalive
	footer nginx libssl3 libmicrohttpd12 libgnutls30
	[[ ! -e $work/missed ]]
}

main "$@"

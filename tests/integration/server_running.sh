#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Running the server: what a service manager, an operator and Prometheus see of it.
here=${BASH_SOURCE[0]%/*}
exposition=$(cd "$here/../lib" && pwd)/exposition.awk
units=$(cd "$here/../../examples/systemd" && pwd)
# shellcheck source=server_common.sh
. "$here/server_common.sh"

service_manager=${cli_pty%/*}/service_manager

# managed STORE [SOCKET]... -- [ARG]...: serves under a service manager that logs to notify.log.
managed() {
	local store=$1 sockets=()
	shift
	while [[ $1 != -- ]]; do
		sockets+=("$1")
		shift
	done
	: >server.log
	: >notify.log
	"$service_manager" notify.log "${sockets[@]}" -- \
		"$tacit_server" serve --dir "$store" "${@:2}" >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
}

managed_listens() {
	wait_until 20 server_listens || failed "it does not start: $(<server.err)"
	url=$(sed -n 's/^listening on //p' server.log)
	export TACIT_SERVER=$url TACIT_IDENTITY=$1/admin.pem
}

told() { grep -qE -- "$1" notify.log; }
now_told() { wait_until 10 told "$1" || failed "not told $1: $(<notify.log)"; }
port_of() { sed -n "s/^socket $1 //p" server.log; }
logged() { grep -qE -- "$1" server.log; }

serial_shown() {
	openssl s_client -connect "${url#https://}" -cert "$TACIT_IDENTITY" -key "$TACIT_IDENTITY" \
		</dev/null 2>/dev/null | openssl x509 -noout -serial
}

shows_another_than() { [[ $(serial_shown) != "$1" ]]; }

test_the_service_manager_is_told_how_it_is() {
	new_store told
	WATCHDOG_USEC=900000 managed told -- --listen 127.0.0.1:0
	managed_listens told
	now_told "^READY=1 STATUS=Listening on $url \$"
	now_told '^WATCHDOG=1'
	kill -HUP "$server_pid"
	now_told '^RELOADING=1 MONOTONIC_USEC=[0-9]+ $'
	wait_until 10 eval '(($(grep -c ^READY=1 notify.log) == 2))' || failed 'not ready again'
	run put a <<<value
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
	[[ $(tail -n 1 notify.log) == 'STOPPING=1 STATUS=Stopping ' ]] || failed "last: $(<notify.log)"
	[[ $(sed 's/ .*//' notify.log | uniq | grep -v WATCHDOG | xargs) == \
		'READY=1 RELOADING=1 READY=1 STOPPING=1' ]] || failed "order: $(<notify.log)"
}

test_a_watchdog_that_is_not_ours_is_not_fed() {
	new_store unfed
	WATCHDOG_USEC=300000 WATCHDOG_PID=1 managed unfed -- --listen 127.0.0.1:0
	managed_listens unfed
	sleep 0.4
	! told WATCHDOG || failed 'fed'
}

test_without_a_service_manager_that_can_be_reached_it_says_so() {
	new_store alone
	NOTIFY_SOCKET=$PWD/nobody.sock server_refuses 1 'NOTIFY_SOCKET: No such file' \
		serve --dir alone --listen 127.0.0.1:0
	NOTIFY_SOCKET=relative server_refuses 1 'NOTIFY_SOCKET: ' serve --dir alone --listen 127.0.0.1:0
}

test_sockets_come_from_the_service_manager() {
	new_store passed
	managed passed metrics=tcp main=tcp --
	managed_listens passed
	[[ $url == "https://127.0.0.1:$(port_of main)" ]] || failed "listens on $url"
	run put a <<<value
	curl -fsS -o body "http://127.0.0.1:$(port_of metrics)/metrics"
	grep -qx 'tacit_secrets 1' body || failed 'no metrics'
	stop_server
	# One alone needs no name of ours.
	managed passed tacit.socket=tcp --
	managed_listens passed
	run get a
	stop_server
}

# not_passed PATTERN SOCKET...
not_passed() {
	local pattern=$1 status=0
	shift
	timeout 20 "$service_manager" notify.log "$@" -- \
		"$tacit_server" serve --dir unpassed >server.log 2>server.err || status=$?
	((status == 1 || status == 2)) || failed "exit code $status: $*"
	grep -qE "^tacit-server: LISTEN_FDS.*$pattern" server.err || failed "says $(<server.err)"
}

test_sockets_that_are_not_ours_are_refused() {
	new_store unpassed
	not_passed 'socket web: .*must be main, enroll or metrics' main=tcp web=tcp
	not_passed 'socket main: passed twice' main=tcp main=tcp
	not_passed 'socket main: not a listening TCP socket' main=udp
	# Meant for a process that we descend from: not looked at.
	LISTEN_PID=1 managed unpassed web=udp more=udp -- --listen 127.0.0.1:0
	managed_listens unpassed
}

# Asks without a pause until the file `enough` is there; the number of good answers is in FILE.
ask_until_enough() {
	local count=0
	while [[ ! -e enough ]]; do
		[[ $("$tacit" get --raw a) == value ]] || exit 1
		: $((++count))
	done
	printf '%d\n' "$count" >"$1"
}

test_a_reload_shows_a_new_certificate_and_drops_nothing() {
	local serial begun kept round
	new_store reload
	serve_dir reload
	ca_of reload/admin.pem >ca.pem
	run put a <<<value
	rm -f enough
	ask_until_enough first &
	begun=($!)
	ask_until_enough second &
	begun+=($!)
	# A connection that is there before and stays.
	mkfifo questions
	raw_seconds=30 raw <questions >answers &
	kept=$!
	exec 9>questions
	printf 'GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n' >&9
	wait_until 10 grep -q '"ok"' answers || failed 'no connection'
	serial=$(serial_shown)
	for round in {1..12}; do
		kill -HUP "$server_pid"
		sleep 0.1
	done
	wait_until 10 logged '^reloaded: the server.s certificate is valid until 20' || failed "$(<server.log)"
	wait_until 10 shows_another_than "$serial" || failed 'the same certificate'
	printf 'GET /v1/ca HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&9
	exec 9>&-
	wait "$kept"
	grep -q 'BEGIN CERTIFICATE' answers || failed 'the connection was dropped'
	: >enough
	wait "${begun[0]}" || failed 'a request failed'
	wait "${begun[1]}" || failed 'a request failed'
	(($(<first) + $(<second) > 20)) || failed "only $(<first) and $(<second) requests"
	stop_server
	[[ ! -s server.err ]] || failed "$(<server.err)"
}

test_its_own_certificate_is_renewed_while_it_runs() {
	local serial count
	new_store renew
	serve_dir renew --certificate-ttl 3s
	ca_of renew/admin.pem >ca.pem
	serial=$(serial_shown)
	run put a <<<value
	wait_until 10 logged '^renewed: ' || failed 'not renewed'
	shows_another_than "$serial" || failed 'the old one is shown'
	serial=$(serial_shown)
	wait_until 10 shows_another_than "$serial" || failed 'renewed once only'
	openssl s_client -connect "${url#https://}" -cert "$TACIT_IDENTITY" -key "$TACIT_IDENTITY" \
		</dev/null 2>/dev/null | openssl x509 -noout -checkend 0 >/dev/null || failed 'expired'
	run get a
	called 200 /metrics
	count=$(sed -n 's/^tacit_certificate_renewals_total //p' body)
	((count >= 2 && count < 20)) || failed "renewed $count times"
	stop_server
	# A longer life is given to the next one in time, not at once.
	serve_dir renew --certificate-ttl 90d
	run get a
}

test_the_options_come_from_a_file() {
	new_store conf
	printf '{"dir": "%s", "listen": "127.0.0.1:0", "metrics-listen": ":0",
		"connections-per-address": 9, "log-format": "json", "no-sandbox": false}\n' "$PWD/conf" >conf.json
	: >server.log
	"$tacit_server" serve --config conf.json >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 grep -q '"listening"' server.log || failed "$(<server.err)"
	grep -q '"message":"metrics on http://127.0.0.1:' server.log || failed "$(<server.log)"
	stop_server
	# The command line has the last word.
	: >server.log
	"$tacit_server" serve --config conf.json --log-format plain >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 server_listens || failed "$(<server.err)"
	server_refuses 1 'elsewhere: No such file' serve --config conf.json --dir elsewhere \
		--log-format plain
}

# config_refused PATTERN TEXT
config_refused() {
	printf '%s\n' "$2" >bad.json
	server_refuses 2 "bad.json.*$1" serve --config bad.json
}

test_a_file_that_it_does_not_understand_is_refused() {
	config_refused '"lisen": no such option' '{"dir": "conf", "lisen": ":8443"}'
	config_refused '"config": no such option' '{"config": "other.json"}'
	config_refused '"url": no such option' '{"url": "https://a:1"}'
	config_refused '"listen": want a text' '{"listen": ["a"]}'
	config_refused '"no-sandbox": want true or false' '{"no-sandbox": "yes"}'
	config_refused '"log-format": not a usable value' '{"log-format": "xml"}'
	config_refused '"connections-per-address": not a usable value' '{"connections-per-address": 0}'
	config_refused 'line 2: not JSON' $'{"dir": "conf",\n}'
	config_refused 'not a JSON object' '[]'
	config_refused 'line 1: not JSON' '{"dir": "a", "dir": "b"}'
	server_refuses 1 'nowhere.json: No such file' serve --config nowhere.json
	printf '{}\n' >open.json
	chmod 0666 open.json
	server_refuses 1 'open.json: others may write it' serve --config open.json
}

test_metrics_are_for_those_who_may_audit() {
	local role
	new_store metrics
	serve_dir metrics --metrics-listen :0
	ca_of metrics/admin.pem >ca.pem
	for role in client operator auditor; do
		run client add "some-$role" --role "$role" --out "$role.pem"
	done
	run put very/secret/name <<<marker-of-a-value
	run get very/secret/name
	refuse 4 . get not/there
	called 200 /metrics
	grep -qi '^content-type: text/plain; version=0.0.4' <(call /metrics -D - -o /dev/null) ||
		failed 'content type'
	identity=operator.pem called 200 /metrics
	identity=auditor.pem called 200 /metrics
	identity=client.pem called 403 /metrics
	code_is denied
	tail -n 1 metrics/audit.log >last.log
	grep -q '"event":"metrics.read".*"status":403' last.log || failed 'the refusal is not audited'
	called 405 /metrics -X DELETE
}

test_metrics_are_well_formed_and_name_nobody() {
	local metrics_url
	new_store exposed
	serve_dir exposed --metrics-listen :0
	ca_of exposed/admin.pem >ca.pem
	metrics_url=$(sed -n 's/^metrics on //p' server.log)
	[[ $metrics_url == http://127.0.0.1:*/metrics ]] || failed "on $metrics_url"
	run client add very-own-name
	run put very/secret/name <<<marker-of-a-value
	refuse 4 . get not/there
	curl -fsS -o body "$metrics_url"
	awk -f "$exposition" body >wrong
	[[ ! -s wrong ]] || failed "$(<wrong)"
	! grep -E 'very|marker|admin|not/there' body || failed 'it names somebody'
	grep -qx 'tacit_requests_total{method="PUT",route="/v1/secrets/{name}",status="2xx"} 1' body ||
		failed 'the put is not counted'
	grep -qx 'tacit_requests_total{method="GET",route="/v1/secrets/{name}",status="4xx"} 1' body ||
		failed 'the miss is not counted'
	grep -qx 'tacit_clients 2' body || failed 'clients are not counted'
	[[ $(curl -s -o body -w '%{http_code}' "${metrics_url%/metrics}/v1/health") == 200 ]] || failed 'health'
	[[ $(curl -s -o body -w '%{http_code}' "${metrics_url%/metrics}/v1/secrets") == 404 ]] || failed '404'
	[[ $(curl -s -o body -w '%{http_code}' -X POST "$metrics_url") == 405 ]] || failed '405'
	server_refuses 1 '--metrics-listen 192.0.2.1:1: ' serve --dir "$(new_store other && echo other)" \
		--listen 127.0.0.1:0 --metrics-listen 192.0.2.1:1
}

# The check is a program too.
test_the_check_of_the_format_finds_what_is_wrong() {
	local document
	local -a bad=(
		'' '# HELP a_total x.' $'# HELP a x.\n# TYPE a gauge\na 1\na 1' $'# HELP a x.\n# TYPE a gauge\na one'
		$'# HELP a x.\n# TYPE a counter\na 1' $'# HELP a x.\n# TYPE a gauge\nb 1' $'# TYPE a gauge\na 1'
		$'# HELP a x.\n# TYPE a gauge\na{b="c",b="d"} 1' $'# HELP a x.\n# TYPE a gauge\na{b="c"d"} 1'
		$'# HELP a x.\n# TYPE a gauge\na 1 1700000000' $'# HELP a x.\n# TYPE a gauge\n\na 1'
		$'# HELP a x.\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1'
		$'# HELP a x.\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1'
		$'# HELP a x.\n# TYPE a histogram\na_bucket{le="+Inf"} 2\na_sum 1\na_count 1'
	)
	for document in "${bad[@]}"; do
		[[ -n $(awk -f "$exposition" <<<"$document") ]] || failed "passes: $document"
	done
	document=$'# HELP a x.\n# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 2\na_sum 1.5\na_count 2'
	[[ -z $(awk -f "$exposition" <<<"$document") ]] || failed "does not pass: $document"
}

test_the_log_is_json_when_wanted() {
	new_store json
	serve_dir_json json
	run put a <<<marker-of-a-value
	kill -HUP "$server_pid"
	wait_until 10 grep -q '"event":"reloaded"' server.log || failed "$(<server.log)"
	stop_server
	jq -es 'map(.event) == ["listening", "reloaded", "stopped"]' server.log >/dev/null ||
		failed "$(<server.log)"
	jq -es 'all(.time | test("^20[0-9-]+T[0-9:]+\\.[0-9]{3}Z$"))' server.log >/dev/null || failed 'time'
	expect 1 "$tacit_server" serve --dir nowhere --log-format json
	[[ $(jq -r '.event + " " + .what + ": " + .why' err) == 'trouble nowhere: No such file or directory' ]] ||
		failed "$(<err)"
	! grep -q marker-of-a-value server.log server.err || failed 'shows a value'
	server_refuses 2 '--log-format: not a usable value' serve --dir json --log-format xml
}

serve_dir_json() {
	: >server.log
	"$tacit_server" serve --dir "$1" --listen 127.0.0.1:0 --log-format json >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 grep -q '"event":"listening"' server.log || failed "$(<server.err)"
	url=$(sed -n 's/.*"message":"listening on \(.*\)".*/\1/p' server.log)
	export TACIT_SERVER=$url TACIT_IDENTITY=$1/admin.pem
}

health_is() {
	[[ $(curl -s -o body -w '%{http_code}' "$1/v1/health") == "$2" ]] || failed "health: $(<body)"
	[[ $(jq -r '.status, .code' body) == *"$3"* ]] || failed "not $3: $(<body)"
}

test_health_tells_sealed_from_open() {
	local plain
	new_store sealed
	managed sealed main=tcp metrics=tcp -- --sealed
	wait_until 20 grep -q '^sealed:' server.log || failed "$(<server.err)"
	plain=http://127.0.0.1:$(port_of metrics)
	now_told '^READY=1 STATUS=Sealed'
	health_is "$plain" 503 sealed
	[[ $(curl -s -o body -w '%{http_code}' "$plain/metrics") == 503 ]] || failed 'metrics'
	refuse 1 'sealed: an operator must' ls --identity sealed/admin.pem \
		--server "https://127.0.0.1:$(port_of main)"
	kill -HUP "$server_pid"
	now_told '^RELOADING=1'
	expect 0 "$tacit_server" unseal --dir sealed
	managed_listens sealed
	now_told '^READY=1 STATUS=Listening'
	health_is "$plain" 200 ok
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
	server_refuses 2 '--sealed: give --listen too' serve --dir sealed --sealed
}

test_one_address_gets_its_share_of_the_connections() {
	local held=() one
	new_store share
	serve_dir share --connections-per-address 3
	ca_of share/admin.pem >ca.pem
	mkfifo silence
	for one in 1 2 3; do
		raw_seconds=30 raw -no_ign_eof <silence >/dev/null &
		held+=($!)
	done
	exec 9>silence
	wait_until 10 eval '(($(ss -Htn state established "sport = :${url##*:}" | wc -l) == 3))' ||
		failed 'the connections are not there'
	called 000 /v1/health
	# Another address is not concerned.
	called 200 /v1/health --interface 127.0.0.2
	exec 9>&-
	wait "${held[@]}"
	wait_until 10 eval '[[ $(call /v1/health) == 200 ]]' || failed 'not let in again'
	called 200 /metrics
	grep -qE '^tacit_connections_refused_total\{listener="main"\} [1-9]' body || failed 'not counted'
}

# As systemd reads them, without running it. The paths are those of a program that is installed.
test_the_units_are_sound_and_leave_little_exposed() {
	local start
	command -v systemd-analyze >/dev/null || {
		printf 'skipped: no systemd-analyze\n'
		exit 0
	}
	mkdir units
	sed "s:/usr/local/bin/tacit-server:$tacit_server:" "$units/tacit-server.service" >units/tacit-server.service
	cp "$units/tacit-server.socket" units
	expect 0 systemd-analyze verify --man=no units/tacit-server.service units/tacit-server.socket
	[[ ! -s out && ! -s err ]] || failed 'complaints'
	# In tenths: below 1.5.
	expect 0 systemd-analyze security --no-pager --offline=true --threshold=14 units/tacit-server.service
	expect 1 systemd-analyze security --no-pager --offline=true --threshold=5 units/tacit-server.service
	# A socket unit's connections are filtered by its own list; and `kill` is in no essential package.
	diff <(grep ^IPAddress "$units/tacit-server.service") <(grep ^IPAddress "$units/tacit-server.socket") ||
		failed 'the socket lets others in than the service'
	grep -q '^ExecReload=/bin/sh -c "kill ' "$units/tacit-server.service" || failed 'ExecReload='
	# Its options are options.
	start=$(sed -n 's:^ExecStart=/usr/local/bin/tacit-server serve --dir /var/lib/tacit ::p' \
		"$units/tacit-server.service")
	[[ $start == --* ]] || failed 'ExecStart= is not as expected'
	# shellcheck disable=SC2086 # words
	server_refuses 1 '^tacit-server: nowhere: No such file' serve --dir nowhere $start
}

run_tests "$script"

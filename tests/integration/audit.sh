#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The audit log of a server that runs: a disk that hangs, rotation, a copy for syslog.
# shellcheck source=server_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/server_common.sh"
datagrams=${cli_pty%/*}/datagrams
hanging_disk=${cli_pty%/*}/libhanging_disk.so

log=$work/store/audit.log

# audited EVENT COUNT: so many lines of the log say that.
audited() { (($(cat "$work/store"/audit.log* | grep -c "\"event\":\"$1\"") == $2)); }

log_is_new() { [[ -s $log ]] && (($(wc -l <"$log") <= 3)); }

# rotate NUMBER: as logrotate does it.
rotate() {
	mv "$log" "$log.$1"
	kill -HUP "$server_pid"
	wait_until 5 log_is_new || failed 'no new file'
}

# answers_in MS STATUS PATH [CURL-OPTION]...: counted from when the connection stands.
answers_in() {
	local limit=$1 expected=$2 status took_ms
	shift 2
	rm -f body
	read -r status took_ms < <(curl -s -o body --max-time 20 --cacert ca.pem --cert "$TACIT_IDENTITY" \
		-w '%{http_code} %{time_pretransfer} %{time_total}\n' "${@:2}" "$url$1" |
		awk '{ print $1, int(($3 - $2) * 1000) }')
	[[ $status == "$expected" ]] || failed "status $status and not $expected: $1"
	((took_ms < limit)) || failed "took $took_ms ms: $1"
}

test_a_disk_that_hangs_gives_503_within_a_second_and_holds_up_nothing_else() {
	touch hang
	at_exit rm -f hang
	answers_in 1000 503 /v1/secrets/web%2Fa
	code_is audit_unavailable
	answers_in 500 503 /v1/secrets/web%2Fa
	answers_in 500 503 /v1/secrets/web%2Fa -X PUT --data-binary new
	answers_in 500 200 /v1/ca
	answers_in 500 503 /v1/health
	[[ $(jq -r .status body) == audit_unavailable ]] || failed "health: $(<body)"
	rm hang
	wait_until 5 audited audit.resumed 1 || failed 'it does not recover'
	grep -q '^tacit-server: audit.log: the disk does not take a line; requests are refused' server.err ||
		failed "$(<server.err)"
	grep -q '^audit.log is written again' server.log || failed "$(<server.log)"
	answers_in 500 200 /v1/health
}

test_it_recovers_by_itself_and_says_what_was_refused() {
	touch hang
	called 503 /v1/secrets/web%2Fa
	called 503 /v1/secrets/web%2Fa
	rm hang
	wait_until 5 audited audit.resumed 2 || failed 'it does not recover'
	audited audit.late 2 || failed 'not said that a line came too late'
	grep -q '"audit.resumed","subject":"requests refused meanwhile: 2"' "$log" || failed "$(tail -n 5 "$log")"
	run get web/a
	out_is first
	expect 0 "$tacit_server" check --dir store
}

test_it_tells_who_read_a_secret() {
	run audit --secret web/a
	out_has '^2[^ ]+Z +admin +127.0.0.1:[0-9]+ +secret.read +200 +web/a v1$'
	run audit --secret web/b
	(($(wc -l <out) == 1)) || failed 'not just titles'
	run audit --secret 'web/*' --client admin --json
	grep -q secret.read out || failed 'no line'
	grep -vxFf "$log" out && failed 'not as in the log'
	run audit --since 2h
	out_has audit.started
	run audit --since 2999-01-01
	(($(wc -l <out) == 1)) || failed 'not just titles'
	refuse 1 'since is a time' audit --since soon
}

test_it_is_for_auditors() {
	"$tacit" client add web --out web.pem >/dev/null
	"$tacit" client add eve --role auditor --out eve.pem >/dev/null
	refuse 5 denied audit --identity web.pem
	refuse 5 denied audit --verify --identity web.pem
	run audit --identity eve.pem --client web
	out_has 'audit.read +403'
	run audit --identity eve.pem --client eve
	out_has 'eve +127.0.0.1:[0-9]+ +audit.read +200 +client=web$'
	refuse 5 denied get web/a --identity eve.pem
}

followed() { grep -q "$1" follow.out; }

test_it_is_followed() {
	: >follow.out
	"$tacit" audit --follow --identity eve.pem >follow.out 2>follow.err &
	local follower=$!
	at_exit stop_process "$follower"
	wait_until 5 followed 'eve .*audit.read' || failed "$(<follow.err)"
	printf second | run put web/followed
	wait_until 3 followed 'secret.put .*web/followed' || failed "$(<follow.out)"
	run get web/followed
	wait_until 3 followed 'secret.read .*web/followed v1' || failed "$(<follow.out)"
	(($(wc -l <follow.out) <= 14)) || failed "more than the end, and more than once: $(<follow.out)"
	[[ ! -s follow.err ]] || failed "$(<follow.err)"
}

test_following_costs_little() {
	local before
	"$tacit" audit --follow --identity eve.pem >follow.out &
	at_exit stop_process $!
	wait_until 5 followed audit.read || failed 'nothing'
	before=$(cpu_ticks "$server_pid")
	sleep 2
	(($(cpu_ticks "$server_pid") - before < 20)) || failed 'the server is busy'
}

# refused_once REASON [CLIENT]: one line says so.
refused_once() {
	(($(grep '"tls.refused"' "$log" | grep -c "${2:+\"client\":\"$2\".*}\"peer\":\"127.0.0.1\",\"subject\":\"$1\"") == 1))
}
refused_for() { wait_until 3 refused_once "$@" || failed "not once: $1: $(grep tls.refused "$log")"; }

test_refused_handshakes_are_recorded_and_a_flood_of_them_is_not() {
	local i
	new_store stranger
	"$tacit" client add short --ttl 1s --out short.pem >/dev/null
	sleep 2.1
	for i in 1 2 3 4 5 6 7 8; do
		called 000 /v1/health --cert stranger/admin.pem --key stranger/admin.pem
		called 000 /v1/health --cert short.pem --key short.pem
	done
	curl -s --max-time 5 --cacert ca.pem -o body "$url/v1/health" && failed 'without a certificate'
	called 000 /v1/health --tls-max 1.2
	(exec 3<>"/dev/tcp/127.0.0.1/${url##*:}")
	refused_for 'certificate not of a client of this store'
	refused_for 'certificate expired' short
	refused_for 'no certificate'
	refused_for 'no protocol in common'
	(($(grep -c tls.refused "$log") == 4)) || failed "$(grep tls.refused "$log")"
}

test_who_is_not_accepted_any_more_is_recorded_once_a_minute() {
	local i
	"$tacit" client add gone --out gone.pem >/dev/null
	"$tacit" client revoke gone >/dev/null
	for i in 1 2 3 4 5; do refuse 5 'not accepted' get web/a --identity gone.pem; done
	(($(grep -c '"client":"gone".*"status":401' "$log") == 1)) || failed "$(grep gone "$log")"
}

test_it_is_verified() {
	run audit --verify
	out_has '^whole: [0-9]+ lines in 1 file$'
	run audit --verify --json
	json_is '.whole' true
	refuse 2 'or none' audit --verify --follow
	cp "$log" saved
	# In place, and as long as it was: another way no line can be written any more.
	sed '3s/"status":20./"status":403/' saved >broken
	cat broken >"$log"
	refuse 1 '^tacit: audit.log line 3: the chain breaks here$' audit --verify
	expect 1 "$tacit" audit --verify --json
	json_is '.broken' 'audit.log line 3'
	tail -n +"$(($(wc -l <saved) + 1))" "$log" >"more"
	cat saved more >"$log"
	run audit --verify
}

test_a_log_that_was_moved_away_is_gone_on_from() {
	run get web/a
	rotate 1
	run get web/a
	grep -q '"audit.continued","previous":"' "$log" || failed "$(<"$log")"
	rotate 2
	run get web/a
	run audit --verify
	out_has '^whole: [0-9]+ lines in 3 files$'
	run audit --secret web/a
	(($(grep -c 'secret.read' out) >= 3)) || failed 'not from all files'
	expect 0 "$tacit_server" check --dir store --json
	json_is .audit_files 3
	json_is .audit_gaps 0
}

test_a_break_in_an_old_file_is_named() {
	cp "$log.1" saved
	sed -i '2s/"status":20./"status":403/' "$log.1"
	server_refuses 1 'audit.log.1 line 2: the chain breaks here' check --dir store
	refuse 1 'audit.log.1 line 2: the chain breaks here' audit --verify
	cp saved "$log.1"
	rm "$log.2"
	server_refuses 1 'audit.log line 1: the chain breaks here' check --dir store
	rm "$log.1" # those who remove old files remove the oldest first
	expect 0 "$tacit_server" check --dir store
}

test_a_log_that_was_deleted_is_gone_on_from_when_told() {
	rm "$log"
	called 503 /v1/secrets/web%2Fa
	wait_until 3 grep -q 'audit.log: deleted under the server; SIGHUP begins a new one' server.err ||
		failed "$(<server.err)"
	kill -HUP "$server_pid"
	wait_until 5 log_is_new || failed 'no new file'
	run get web/a
	grep -qE '"audit.restarted","subject":"lines [0-9]+ to [0-9]+ are missing"' "$log" || failed "$(<"$log")"
	expect 0 "$tacit_server" check --dir store
	out_has 'note: lines of the audit log were lost'
}

test_a_start_goes_on_from_a_log_that_was_moved_away() {
	new_store moved
	serve_dir moved
	stop_server
	mv moved/audit.log moved/audit.log.1
	serve_dir moved
	stop_server
	[[ ! -s server.err ]] || failed "$(<server.err)"
	grep -q audit.continued moved/audit.log || failed "$(<moved/audit.log)"
	expect 0 "$tacit_server" check --dir moved
}

copied() { grep -q '"event":"secret.put"' syslog.out; }

test_lines_are_copied_to_syslog() {
	"$datagrams" "$work/syslog" >syslog.out &
	at_exit stop_process $!
	wait_until 5 test -S syslog || failed 'no socket'
	new_store copied
	serve_dir copied --audit-syslog "$work/syslog"
	printf first | run put web/a
	wait_until 5 copied || failed "$(<syslog.out)"
	grep -qxF "<86>tacit-server[$server_pid]: $(grep secret.put copied/audit.log)" syslog.out ||
		failed "$(<syslog.out)"
	stop_server
}

test_a_syslog_that_was_started_anew_is_found_again() {
	local first
	"$datagrams" "$work/syslog2" >syslog.out &
	first=$!
	at_exit stop_process "$first"
	wait_until 5 test -S syslog2 || failed 'no socket'
	new_store anew
	serve_dir anew --audit-syslog "$work/syslog2"
	stop_process "$first"
	rm syslog2
	run ls
	"$datagrams" "$work/syslog2" >syslog.out &
	at_exit stop_process $!
	wait_until 5 test -S syslog2 || failed 'no socket'
	printf first | run put web/a
	wait_until 5 copied || failed "$(<syslog.out)"
	grep -q '{"event":"audit.copy_lost","lines":1}' syslog.out || failed "$(<syslog.out)"
	stop_server
}

test_a_syslog_that_is_not_there_is_said_at_once() {
	server_refuses 1 '/nowhere/log: No such file' serve --dir moved --audit-syslog /nowhere/log
}

HANG=$work/hang ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 LD_PRELOAD=$hanging_disk start_server
unset LD_PRELOAD HANG
ca_of "$work/store/admin.pem" >ca.pem
printf first | "$tacit" put web/a >/dev/null
run_tests "$script"

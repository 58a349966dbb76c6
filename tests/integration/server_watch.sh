#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Waiting for a change: `Prefer: wait` on the bundle, with curl as the client.
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=cli_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/cli_common.sh"

# split_identity FILE NAME: key, certificate and CA as curl wants them.
split_identity() {
	sed -n '/BEGIN.*PRIVATE/,/END.*PRIVATE/p' "$1" >"$2.key"
	awk '/BEGIN CERT/{n++} n==1' "$1" >"$2.crt"
	awk '/BEGIN CERT/{n++} n==2' "$1" >"$2.ca"
}

# bundle NAME [CURL-ARG]...: prints the status; the body goes to NAME.body, the head to NAME.head.
bundle() {
	local name=$1
	shift
	curl -sS --max-time 30 --cert "$name.crt" --key "$name.key" --cacert "$name.ca" \
		-D "$name.head" -o "$name.body" -w '%{http_code}' "$@" "$url/v1/bundle"
}

etag_of() { tr -d '\r' <"$1.head" | awk 'tolower($1) == "etag:" { print $2 }'; }

# wait_for_change NAME SECONDS: in the background; the status ends up in NAME.status.
wait_for_change() {
	bundle "$1" >/dev/null
	bundle "$1" -H "If-None-Match: $(etag_of "$1")" -H "Prefer: wait=$2" >"$1.status" &
	waiting=$!
	sleep 0.5 # until the request is there; if it is not, the test is easier, not wrong
}

has_answer() { ! kill -0 "$waiting" 2>/dev/null; }
still_waits() { kill -0 "$waiting" 2>/dev/null || failed 'was answered already'; }

# answered_with STATUS NAME: soon, and so.
answered_with() {
	wait_until 3 has_answer || failed 'not answered'
	[[ $(<"$2.status") == "$1" ]] || failed "answered with $(<"$2.status") and not $1"
}

test_it_is_held_until_the_time_is_up() {
	local started_ms
	bundle web >/dev/null
	started_ms=$(now_ms)
	[[ $(bundle web -H "If-None-Match: $(etag_of web)" -H 'Prefer: wait=2') == 304 ]] || failed status
	(($(now_ms) - started_ms >= 1900)) || failed 'not held'
	(($(now_ms) - started_ms < 6000)) || failed 'held too long'
}

test_news_are_answered_without_waiting() {
	[[ $(bundle web -H 'If-None-Match: "old"' -H 'Prefer: wait=20') == 200 ]] || failed status
}

test_a_new_version_wakes_its_reader() {
	wait_for_change web 20
	printf second | run put web/password
	answered_with 200 web
	jq -er '.secrets[0].value' web.body | base64 -d | grep -qx second || failed 'not the new value'
}

test_a_change_elsewhere_does_not() {
	wait_for_change web 20
	printf other | run put elsewhere/password
	sleep 1
	still_waits
	printf third | run put web/password
	answered_with 200 web
}

test_a_grant_wakes_its_client_and_so_does_an_ungrant() {
	wait_for_change web 20
	run grant web elsewhere/password
	answered_with 200 web
	[[ $(jq '.secrets | length' web.body) == 2 ]] || failed 'not both secrets'
	wait_for_change web 20
	run ungrant web elsewhere/password
	answered_with 200 web
	[[ $(jq '.secrets | length' web.body) == 1 ]] || failed 'not one secret'
}

test_a_deletion_wakes_its_reader() {
	printf x | run put web/other
	wait_for_change web 20
	run rm web/other
	answered_with 200 web
}

test_revoking_wakes_the_client_and_refuses_it() {
	wait_for_change doomed 20
	run client revoke doomed
	answered_with 401 doomed
}

test_fifty_wait_at_once_and_others_are_served() {
	local i pids=()
	bundle web >/dev/null
	for ((i = 0; i < 50; i++)); do
		curl -sS --max-time 30 --cert web.crt --key web.key --cacert web.ca -o /dev/null \
			-w '%{http_code}\n' -H "If-None-Match: $(etag_of web)" \
			-H 'Prefer: wait=25' "$url/v1/bundle" >"many.$i" &
		pids+=($!)
	done
	sleep 2
	run get web/password
	printf fourth | run put web/password
	wait "${pids[@]}"
	[[ $(cat many.* | sort | uniq -c | awk '{ print $1, $2 }') == '50 200' ]] || failed "$(sort many.* | uniq -c)"
}

test_stopping_the_server_ends_the_wait() {
	wait_for_change web 20
	kill -TERM "$server_pid"
	answered_with 304 web
	wait_until 5 process_gone "$server_pid" || failed 'the server still runs'
}

start_server
printf first | "$tacit" put web/password >/dev/null
for client in web doomed; do
	"$tacit" client add "$client" --out "$client.pem" >/dev/null
	"$tacit" grant "$client" 'web/*' >/dev/null
	split_identity "$client.pem" "$client"
done
run_tests "$script"

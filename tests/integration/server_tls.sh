#!/bin/bash
# SPDX-License-Identifier: MIT
# The main listener over real sockets, against clients that are not ours: who gets in, for how
# long, and what becomes of requests that nobody should send.
# shellcheck source=server_common.sh
. "${BASH_SOURCE[0]%/*}/server_common.sh"

new_store store
serve_dir "$work/store"
ca_of store/admin.pem >ca.pem
"$tacit" put web/a <<<'the value of a' >put.log
"$tacit" put web/b <<<'the value of b' >put.log
add() {
	"$tacit" client add "$1" --out "$1.pem" "${@:2}" >add.log
	"$tacit" grant "$1" 'web/**' >add.log
}
add web

# A trickle has to be cut off by age, which takes its time: started here, judged at the end.
trickle() {
	local started=$SECONDS
	{
		printf 'GET /v1/health HTTP/1.1\r\nHost: x\r\n'
		while printf 'X-%d: y\r\n' "$SECONDS" && ((SECONDS - started < 125)); do sleep 2; done
	} 2>/dev/null | raw_seconds=130 raw >trickle.out || true
	printf '%d\n' "$((SECONDS - started))" >trickle.seconds
}
trickle &
at_exit stop_process $!

alive() {
	called 200 /v1/secrets/web%2Fa
	grep -q 'the value of a' body || failed 'another value'
}

no_answer() { [[ $1 == 000 ]] || failed "an answer with status $1: $(head -c 200 body)"; }

test_a_good_certificate_gets_in() {
	called 200 /v1/secrets/web%2Fa
	[[ $(<body) == 'the value of a' ]] || failed 'another value'
	identity=web.pem called 200 /v1/bundle
	[[ $(jq -r '.secrets | length' body) == 2 ]] || failed "$(<body)"
}

test_without_a_certificate_there_is_no_connection() {
	no_answer "$(curl -s -o body -w '%{http_code}' --cacert ca.pem "$url/v1/health" || true)"
	! printf 'GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n' |
		timeout 5 openssl s_client -quiet -connect "${url#https://}" -CAfile ca.pem 2>raw.err |
		grep -q HTTP || failed 'an answer'
	alive
}

test_a_certificate_of_another_ca_is_refused() {
	new_store foreign
	no_answer "$(identity=foreign/admin.pem call /v1/health)"
	refuse 69 'not signed by the CA' ls --identity foreign/admin.pem
	alive
}

# Of our own CA, but made for servers.
test_the_servers_own_certificate_is_no_clients() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout self.key -out self.crt \
		-subj /CN=admin -addext 'subjectAltName=URI:tacit://127.0.0.1/client/admin' \
		-addext extendedKeyUsage=clientAuth 2>/dev/null
	cat self.key self.crt >self.pem
	no_answer "$(identity=self.pem call /v1/health)"
	alive
}

test_an_expired_certificate_is_refused_in_the_handshake() {
	add short --ttl 1s
	identity=short.pem called 200 /v1/bundle
	sleep 2.1
	no_answer "$(identity=short.pem call /v1/bundle)"
	alive
}

# request PATH: one that keeps the connection.
request() { printf 'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' "$1"; }

statuses() { tr -d '\0' <"$1" | { grep -aoE 'HTTP/1.1 [0-9]{3}' || true; } | cut -d' ' -f2 | tr '\n' ' '; }

test_a_certificate_that_expires_on_an_open_connection_is_refused() {
	add brief --ttl 3s
	{
		request /v1/bundle
		sleep 4.2
		request /v1/bundle
		request /v1/secrets/web%2Fa
		sleep 0.5
	} | identity=brief.pem raw_seconds=8 raw -no_ign_eof >out
	[[ $(statuses out) == '200 401 401 ' ]] || failed "$(statuses out)"
	(($(grep -ac 'the value of a' out) == 0)) || failed 'the value leaves'
}

test_an_expired_certificate_does_not_resume() {
	local answers
	add resumed --ttl 3s
	{ request /v1/bundle && sleep 1; } | identity=resumed.pem raw -no_ign_eof -sess_out session >out
	[[ $(statuses out) == '200 ' && -s session ]] || failed "$(statuses out)"
	{ request /v1/bundle && sleep 1; } | identity=resumed.pem raw -no_ign_eof -sess_in session >out
	[[ $(statuses out) == '200 ' ]] || failed "resumed while valid: $(statuses out)"
	sleep 2
	{ request /v1/bundle && sleep 1; } | identity=resumed.pem raw -no_ign_eof -sess_in session >out
	answers=$(statuses out)
	[[ $answers == '' || $answers == '401 ' ]] || failed "resumed when expired: $answers"
	! grep -aq 'revision' out || failed 'a bundle leaves'
}

test_revoking_counts_at_once_on_open_and_resumed_connections() {
	add fired
	{
		request /v1/bundle
		sleep 1
		"$tacit" client revoke fired >revoke.log
		request /v1/bundle
		request /v1/secrets/web%2Fa
		sleep 0.5
	} | identity=fired.pem raw -no_ign_eof -sess_out session >out
	[[ $(statuses out) == '200 401 401 ' ]] || failed "$(statuses out)"
	identity=fired.pem called 401 /v1/bundle
	code_is unauthenticated
	{ request /v1/bundle && sleep 1; } | identity=fired.pem raw -no_ign_eof -sess_in session >out
	[[ $(statuses out) == '401 ' ]] || failed "resumed: $(statuses out)"
	refuse 5 'certificate not accepted' ls --identity fired.pem

	# Nor do old certificates come back with the name.
	"$tacit" client add fired --out again.pem >add.log
	identity=fired.pem called 401 /v1/bundle
	identity=again.pem called 200 /v1/bundle
}

test_only_tls_1_3_is_spoken() {
	local version
	for version in 1.0 1.1 1.2; do
		no_answer "$(call /v1/health --tls-max "$version")"
	done
	{ request /v1/health && sleep 0.3; } | raw -no_ign_eof -tls1_2 >out
	[[ ! -s out ]] || failed 'an answer over TLS 1.2'
	no_answer "$(curl -s -o body -w '%{http_code}' --max-time 5 "http://${url#https://}/v1/health" ||
		true)"
	alive
}

test_a_client_checks_the_servers_name_and_ca() {
	local port=${url##*:}
	refuse 69 'certificate is for another host' ls --server "https://localhost:$port"
	ca_of foreign/admin.pem >foreign.pem
	expect 60 curl -s --cacert foreign.pem "$url"
}

# refused_raw STATUS TEXT: bytes as printf takes them; the answer has the status, or none came.
refused_raw() {
	local got
	# shellcheck disable=SC2059 # the text is a format
	printf "$2" | raw_seconds=5 raw >out
	# libmicrohttpd says it twice where it refuses by itself.
	got=$(statuses out | tr ' ' '\n' | sort -u | tr -d '\n')
	[[ $got == "$1" || (-z $got && $1 == 400) ]] || failed "$got and not $1: $2"
	! grep -aq 'the value of' out || failed "a value: $2"
}

# What a front end might read in another way than we do is not answered at all.
test_ambiguous_requests_are_refused() {
	local path='GET /v1/secrets/web%%2Fa HTTP/1.1\r\nConnection: close\r\n'
	refused_raw 400 "${path}Host: a\r\nHost: b\r\n\r\n"
	refused_raw 400 "${path}\r\n"
	refused_raw 400 "${path}Host: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"
	refused_raw 400 "${path}Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	refused_raw 400 "${path}Host: a\r\nTransfer-Encoding: identity\r\n\r\n"
	refused_raw 400 "${path}Host: a\r\nContent-Length : 0\r\n\r\n"
	refused_raw 400 "${path}Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	refused_raw 400 "${path}Host: a\r\nContent-Length: -1\r\n\r\n"
	refused_raw 400 "${path}Host: a\r\nContent-Length: 0x0\r\n\r\n"
	refused_raw 413 "${path}Host: a\r\nContent-Length: 99999999999999999999999\r\n\r\n"
	refused_raw 400 'GET /v1/secrets/web%%2Fa HTTP/1.0\r\nHost: a\r\n\r\n'
	refused_raw 505 'GET /v1/secrets/web%%2Fa HTTP/2.0\r\nHost: a\r\n\r\n'
	refused_raw 400 'GET /v1/secrets/web%%2Fa\r\nHost: a\r\n\r\n'
	refused_raw 400 'nonsense\r\n\r\n'
	refused_raw 400 '\0\0\0\0\r\n\r\n'
	alive
}

test_oversized_headers_are_refused() {
	called 431 /v1/health -H "X-Large: $(head -c 20000 /dev/zero | tr '\0' x)"
	no_answer_or 414 "/v1/$(head -c 30000 /dev/zero | tr '\0' x)"
	called 400 "/v1/secrets/$(head -c 2000 /dev/zero | tr '\0' x)"
	called 400 "/v1/secrets/$(head -c 300 /dev/zero | tr '\0' x)"
	code_is invalid_name
	called 400 "/v1/secrets?prefix=$(head -c 300 /dev/zero | tr '\0' x)"
	alive
}

no_answer_or() {
	local status
	status=$(call "$2")
	[[ $status == "$1" || $status == 000 || $status == 431 ]] || failed "status $status"
}

# Judged by what is announced, before any of it has come.
test_an_oversized_body_is_refused_before_it_is_read() {
	local started_ms
	started_ms=$(now_ms)
	refused_raw 413 'PUT /v1/secrets/large HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 512001\r\n\r\n'
	refused_raw 413 'PUT /v1/secrets/large HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n'
	refused_raw 413 'GET /v1/bundle HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n'
	refused_raw 413 'PUT /v1/clients/x HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n'
	(($(now_ms) - started_ms < 15000)) || failed 'waits for a body'
	head -c 600000 /dev/zero >large
	# Somebody who goes on sending may be cut off before he has read the answer.
	[[ $(call /v1/secrets/large -T large -H 'Expect:') =~ ^(413|000)$ ]] || failed 'it is taken'
	called 404 /v1/secrets/large
	head -c 512000 /dev/urandom >large
	called 201 /v1/secrets/large -T large
	called 200 /v1/secrets/large
	same body large
}

test_a_body_that_ends_early_is_not_stored() {
	printf 'PUT /v1/secrets/cut HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this' |
		raw_seconds=2 raw -no_ign_eof >out
	[[ -z $(statuses out) ]] || failed "$(statuses out)"
	called 404 /v1/secrets/cut
}

test_query_parameters_are_decoded_and_may_not_repeat() {
	called 200 '/v1/secrets?prefix=web%2F'
	[[ $(jq -r '[.secrets[].name] | join(" ")' body) == 'web/a web/b' ]] || failed "$(<body)"
	called 200 '/v1/secrets?prefix=web%2Fb'
	[[ $(jq -r '[.secrets[].name] | join(" ")' body) == 'web/b' ]] || failed "$(<body)"
	called 400 '/v1/secrets?prefix=a&prefix=web'
	called 400 '/v1/secrets?prefix=%zz'
	called 400 '/v1/secrets?prefix=%00'
	called 400 /v1/secrets/web%2Fa -H 'If-Match: "v1"' -H 'If-Match: "v2"'
	called 204 '/v1/clients/web/grants?pattern=web%2F**' -X DELETE
	called 200 /v1/clients/web/grants -X PUT --json '{"pattern":"web/**"}'
}

test_wrong_methods_and_paths_are_told_apart() {
	called 405 /v1/health -X POST -d x -D headers
	grep -qi '^allow: GET' headers || failed "$(<headers)"
	called 405 /v1/secrets/web%2Fa/versions -X DELETE
	called 404 /v1/nothing -X PUT -d x
	called 404 /
}

test_answers_are_not_to_be_cached() {
	called 200 /v1/bundle -D headers
	grep -qi '^cache-control: no-store' headers || failed "$(<headers)"
	grep -qi '^etag: "b' headers || failed 'no tag'
	called 304 /v1/bundle -H "$(sed -n 's/\r$//; s/^[Ee][Tt]ag/If-None-Match/p' headers)"
	[[ ! -s body ]] || failed 'a body'
}

test_peers_stand_in_the_log_as_they_are_called() {
	serve_second
	"$tacit" ls >out
	grep -aq '"peer":"127.0.0.1:[0-9]*"' second/audit.log || failed "$(tail -n 1 second/audit.log)"
	! grep -aq '::ffff' second/audit.log || failed 'a mapped address'
	"$tacit" ls --server "https://[::1]:${TACIT_SERVER##*:}" >out
	grep -aq '"peer":"\[::1\]:[0-9]*"' second/audit.log || failed "$(tail -n 1 second/audit.log)"
}

# One that listens on all addresses.
serve_second() {
	"$tacit_server" init --dir second --url https://127.0.0.1:8443 --san ::1 >init.log
	"$tacit_server" serve --dir second --listen :0 >second.log 2>&1 &
	at_exit stop_process $!
	wait_until 20 grep -q '^listening' second.log || failed "$(<second.log)"
	TACIT_IDENTITY=$work/second/admin.pem
	TACIT_SERVER=https://127.0.0.1:$(grep -o '[0-9]*$' second.log)
}

# Peers that connect and go no further must cost nothing and keep nobody out.
test_half_a_client_hello_burns_no_cpu() {
	local before fds=() fd index
	for ((index = 0; index < 50; index++)); do
		exec {fd}<>"/dev/tcp/127.0.0.1/${url##*:}"
		printf '\x16\x03\x01\x02\x00' >&"$fd"
		fds+=("$fd")
	done
	sleep 0.5
	before=$(cpu_ticks "$server_pid")
	sleep 3
	(($(cpu_ticks "$server_pid") - before < 60)) || failed "$(($(cpu_ticks "$server_pid") - before)) ticks in 3 s"
	alive
	for fd in "${fds[@]}"; do exec {fd}>&-; done
	alive
}

test_garbage_instead_of_a_handshake_is_harmless() {
	local index fd
	for ((index = 0; index < 40; index++)); do
		exec {fd}<>"/dev/tcp/127.0.0.1/${url##*:}"
		head -c $((index * 97)) /dev/urandom >&"$fd" || true
		exec {fd}>&-
	done 2>/dev/null
	alive
}

test_many_connections_are_served_beside_many_idle_ones() {
	local fds=() fd index
	for ((index = 0; index < 600; index++)); do
		exec {fd}<>"/dev/tcp/127.0.0.1/${url##*:}"
		fds+=("$fd")
	done
	curl -s -Z --parallel-max 50 -w '%{http_code}\n' -o /dev/null --cacert ca.pem \
		--cert store/admin.pem --key store/admin.pem "$url/v1/secrets/web%2F[a-b]?n=[1-100]" >out || true
	(($(grep -c '^200' out) == 200)) || failed "$(sort out | uniq -c)"
	for fd in "${fds[@]}"; do exec {fd}>&-; done
	alive
}

test_many_at_once_are_all_answered() {
	local index
	for ((index = 0; index < 120; index++)); do
		printf 'url = "%s/v1/secrets/web%%2Fa"\noutput = "/dev/null"\n' "$url"
	done >config
	curl -s -Z --parallel-max 120 --parallel-immediate -w '%{http_code}\n' --cacert ca.pem \
		--cert store/admin.pem --key store/admin.pem -K config >out
	[[ $(sort out | uniq -c | tr -s ' ') == ' 120 200' ]] || failed "$(sort out | uniq -c)"
}

test_trickled_headers_are_cut_off_by_age() {
	wait_until 130 test -s trickle.seconds || failed 'still trickling'
	[[ -z $(statuses trickle.out) ]] || failed 'an answer'
	(($(<trickle.seconds) >= 60 && $(<trickle.seconds) <= 105)) ||
		failed "after $(<trickle.seconds) s"
}

test_the_server_has_lived_through_all_that() {
	alive
	kill -TERM "$server_pid"
	wait_until 12 process_gone "$server_pid" || failed 'does not end'
	[[ ! -s server.err ]] || failed "$(<server.err)"
	expect 0 "$tacit_server" check --dir store
	! grep -aq 'the value of' store/audit.log || failed 'a value in the log'
}

run_tests "$script"

#!/bin/bash
# SPDX-License-Identifier: MIT
# Join tokens: made by the operator, spent on the enrolment listener, and what is wrong with those that
# are not good. All over real sockets, with curl and openssl in the place of the agent.
# shellcheck source=server_common.sh
. "${BASH_SOURCE[0]%/*}/server_common.sh"

probe=${cli_pty%/*}/agent_probe

# Serves a store with both listeners; sets url and enroll_url.
serve_both() {
	serve_dir "$1" --enroll-listen 127.0.0.1:0
	enroll_url=$(sed -n 's/^enrolment on //p' server.log)
}

new_store "$work/store"
ca_of store/admin.pem >ca.pem
serve_both "$work/store"
expect 0 "$tacit" put web/a <<<'the value of web/a'

openssl ecparam -name prime256v1 -genkey -noout -out key.pem
openssl req -new -key key.pem -subj /CN=anybody -out good.csr 2>req.log

# make [ARG]... CLIENT: a new token in `token`.
make() { token=$("$tacit" token create "$@" 2>make.log) || failed "$(<make.log)"; }

order() { jq -n --arg token "$1" --rawfile csr "${2:-good.csr}" '{$token, $csr}'; }

# enroll TOKEN [CSR-FILE] [CURL-OPTION]...: an HTTP status on stdout, the answer in `body`.
enroll() {
	local order
	order=$(order "$1" "${2:-good.csr}")
	rm -f body
	curl -s -o body -w '%{http_code}' --max-time 20 --cacert ca.pem -d @- "${@:3}" \
		"$enroll_url/v1/enroll" <<<"$order" || true
}

# enrolled STATUS [CODE] -- ENROLL-ARGUMENT...
enrolled() {
	local expected=$1 code='' status
	shift
	[[ $1 == -- ]] || { code=$1 && shift; }
	status=$(enroll "${@:2}")
	[[ $status == "$expected" ]] || failed "status $status and not $expected: $(head -c 300 body)"
	[[ -z $code ]] || code_is "$code"
}

# The certificate of the last answer, and the key with it, as an identity in FILE.
keep_identity() {
	{ cat key.pem && jq -r '.certificate, .ca' body; } >"$1"
}

ask_outside() { curl -s -o /dev/null -w '%{http_code}' --max-time 20 --cacert ca.pem "${@:2}" "$enroll_url$1" || true; }

log_has() { grep -qE -- "$1" store/audit.log || failed "the log does not have $1"; }

test_a_token_becomes_a_certificate() {
	make web
	enrolled 201 -- "$token"
	[[ $(jq -r '.client, .server' body) == web$'\n'https://127.0.0.1:8443 ]] || failed 'who and where'
	keep_identity web.pem
	openssl verify -CAfile ca.pem -purpose sslclient web.pem >verify.log 2>&1 || failed "$(<verify.log)"
	openssl x509 -in web.pem -noout -checkend 86000 >/dev/null || failed 'shorter than a day'
	! openssl x509 -in web.pem -noout -checkend 87000 >/dev/null || failed 'longer than a day'
	identity=web.pem called 403 /v1/secrets/web%2Fa
	run grant web 'web/*'
	identity=web.pem called 200 /v1/secrets/web%2Fa
}

test_a_certificate_renews_itself() {
	jq -n --rawfile csr good.csr '{$csr}' >renew.json
	identity=web.pem called 200 /v1/renew -d @renew.json
	keep_identity renewed.pem
	[[ $(jq -r 'keys | join(" ")' body) == 'ca certificate not_after' ]] || failed 'the answer'
	identity=renewed.pem called 200 /v1/secrets/web%2Fa
	identity=web.pem called 200 /v1/secrets/web%2Fa
}

test_the_token_alone_is_on_stdout() {
	refuse 1 'fresh: ttl_s is a number of seconds, a year' token create fresh --ttl 400d
	refuse 1 'fresh: certificate_ttl_s .*, ten years' token create fresh --certificate-ttl 4000d
	expect 0 "$tacit" token create fresh --uses 2 --from 127.0.0.0/8 --from ::1
	[[ $(wc -l <out) == 1 && $(<out) =~ ^tacit1\.[A-Za-z0-9_-]+$ ]] || failed 'stdout'
	grep -qE '^token [0-9a-f]{12}: good 2 times until 2.*Z at https://127.0.0.1:[0-9]+ from 127.0.0.0/8, ::1/128; shown only now$' err ||
		failed 'stderr'
	grep -q '^client fresh: new, and may read nothing yet; next: tacit grant fresh PATTERN$' err ||
		failed 'stderr'
	run token create fresh --json
	json_is '.new_client == false and .state == "active" and .uses == 1' true
	expect_full_token
}

expect_full_token() {
	local status=0
	"$tacit" token create fresh >/dev/full 2>err || status=$?
	((status == 1)) || failed "exit code $status and not 1"
	[[ $(<err) == 'tacit: stdout: No space left on device' ]] || failed 'not said'
}

test_tokens_are_listed_and_revoked() {
	local id
	make web --uses 2 --from 10.0.0.0/8 --from 127.0.0.1
	id=$(sed -n 's/^token \([0-9a-f]*\):.*/\1/p' make.log)
	run token ls
	out_has '^ID +CLIENT +STATE +USED +CREATED +EXPIRES +FROM$'
	out_has "^$id +web +active +0/2 .* 10.0.0.0/8, ...\$"
	enrolled 201 -- "$token"
	run token revoke "$id"
	out_is ''
	enrolled 403 token_revoked -- "$token"
	run token ls
	out_has "^$id +web +revoked +1/2 "
	! grep -q tacit1 out || failed 'a token is listed'
	refuse 4 '000000000000: not found' token revoke 000000000000
	log_has "\"event\":\"token.revoke\".*\"subject\":\"web: token $id\""
}

test_a_client_can_be_had_without_an_identity() {
	run client add watcher --role auditor --no-identity
	out_is 'watcher: added, without an identity; next: tacit token create watcher'
	make watcher
	enrolled 201 -- "$token"
	keep_identity watcher.pem
	run client ls --identity admin.pem --identity "$TACIT_IDENTITY"
	out_has '^watcher +auditor +active '
}

test_a_used_up_token_is_an_alarm() {
	make web
	enrolled 201 -- "$token"
	enrolled 403 token_used -- "$token"
	log_has '"event":"token.reused".*"subject":"web: token [0-9a-f]{12}: token_used","status":403'
}

test_a_token_expires() {
	make web --ttl 1s
	sleep 1.1
	enrolled 403 token_expired -- "$token"
}

test_a_token_may_be_for_some_addresses_only() {
	make web --from 127.0.0.2
	enrolled 403 token_source -- "$token" good.csr --interface 127.0.0.1
	log_has '"event":"client.enroll","peer":"127.0.0.1:.*token_source","status":403'
	enrolled 201 -- "$token" good.csr --interface 127.0.0.2
	refuse 1 'not an address range' token create web --from 10.1.0.0/8
}

test_a_token_of_another_store_is_not_known() {
	local ours=$enroll_url
	(
		trap run_exit_actions EXIT
		serve_both "$work/other"
		make web
		printf '%s' "$token" >foreign.token
		# Nor would anybody who knows our CA say anything to the other server.
		! curl -s --max-time 20 --cacert ca.pem "$enroll_url/v1/health" || failed 'another CA is taken'
	)
	enroll_url=$ours
	enrolled 403 token_unknown -- "$(<foreign.token)"
	enrolled 400 token -- "$(head -c 30 foreign.token)"
}

test_bad_requests_spend_no_use() {
	local kind
	make web
	openssl genrsa -traditional 1024 >rsa1024.key 2>/dev/null
	openssl genpkey -algorithm ed448 >ed448.key
	openssl ecparam -name secp256k1 -genkey -noout >secp256k1.key
	for kind in rsa1024 ed448 secp256k1; do
		openssl req -new -key "$kind.key" -subj /CN=x -out "$kind.csr" 2>req.log
		enrolled 400 invalid_csr -- "$token" "$kind.csr"
	done

	# One bit of the signature, its last.
	openssl req -in good.csr -outform DER -out good.der 2>req.log
	local size last
	size=$(stat -c %s good.der)
	last=$(od -An -tu1 -j $((size - 1)) good.der)
	# shellcheck disable=SC2059 # an octal escape is the format
	printf "$(printf '\\%03o' $((last ^ 1)))" | dd of=good.der bs=1 seek=$((size - 1)) conv=notrunc 2>dd.log
	openssl req -inform DER -in good.der -out altered.csr 2>req.log
	enrolled 400 invalid_csr -- "$token" altered.csr
	enrolled 400 invalid_csr -- "$token" ca.pem

	head -c 30000 /dev/zero | tr '\0' A >huge.csr
	enrolled 413 too_large -- "$token" huge.csr
	head -c 17000 /dev/zero | tr '\0' A >large.csr
	enrolled 400 invalid_csr -- "$token" large.csr
	enrolled 201 -- "$token"
}

# A request that is ready on a connection that is open, and goes out when `go` appears.
racer() {
	local body
	body=$(order "$token")
	{
		printf 'POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' "${#body}"
		printf '%s' "$body"
	} >"race.$1.request"
	{
		until [[ -e go ]]; do sleep 0.01; done
		cat "race.$1.request"
		sleep 0.7
	} | timeout 20 openssl s_client -quiet -no_ign_eof -connect "${enroll_url#https://}" -CAfile ca.pem \
		>"race.$1" 2>"race.$1.err" || true
}

handshaken() { (($(cat race.*.err 2>/dev/null | grep -c '^verify return') >= 16)); }

test_of_eight_that_race_for_one_use_one_gets_it() {
	local round racer
	for round in 1 2; do
		rm -f go race.*
		make web
		for racer in 1 2 3 4 5 6 7 8; do
			racer "$racer" &
		done
		wait_until 15 handshaken || failed "no eight handshakes: $(cat race.*.err)"
		touch go
		wait
		(($(grep -l '^HTTP/1.1 201 ' race.? | wc -l) == 1)) || failed "round $round: $(grep -h HTTP race.?)"
		# Refusals are limited in their turn: who comes fast enough is asked to wait.
		(($(grep -lE '"code":"(token_used|too_many_requests)"' race.? | wc -l) == 7)) ||
			failed "round $round: $(cat race.?)"
		grep -q '"code":"token_used"' race.? || failed "round $round: nobody is told why"
		(($(grep -l 'BEGIN CERTIFICATE' race.? | wc -l) == 1)) || failed 'certificates'
	done
}

test_what_was_spent_stays_spent_over_a_crash() {
	make web
	enrolled 201 -- "$token"
	stop_server_by KILL
	serve_both "$work/store"
	enrolled 403 token_used -- "$token"
	expect 0 "$tacit_server" check --dir "$work/store"
	# What follows talks to this server: it has to outlive the test.
	printf '%s %s %s\n' "$server_pid" "$url" "$enroll_url" >survivor
	exit_actions=()
	disown "$server_pid"
}

# The server that the last test has left behind.
adopt() {
	read -r server_pid url enroll_url <survivor
	export TACIT_SERVER=$url
}

test_there_are_three_paths_and_no_more() {
	adopt
	local path
	[[ $(ask_outside /v1/health) == 200 && $(ask_outside /v1/ca) == 200 ]] || failed 'open paths'
	[[ $(ask_outside /v1/enroll) == 405 ]] || failed 'GET /v1/enroll'
	for path in / /v1/bundle /v1/secrets /v1/secrets/web%2Fa /v1/clients /v1/clients/web \
		/v1/clients/web/grants /v1/tokens /v1/renew /v1/status /v1/audit /metrics; do
		[[ $(ask_outside "$path") == 404 ]] || failed "GET $path"
		[[ $(ask_outside "$path" -X POST -d '{}') == 404 ]] || failed "POST $path"
		# An admin's certificate opens nothing here either.
		[[ $(ask_outside "$path" --cert "$TACIT_IDENTITY" --key "$TACIT_IDENTITY") == 404 ]] ||
			failed "$path with a certificate"
	done
	called 404 /v1/enroll -d '{}'
}

# handshake URL: what openssl sees of it.
handshake() {
	timeout 10 openssl s_client -connect "${1#https://}" -CAfile ca.pem -showcerts -msg \
		-cert "$TACIT_IDENTITY" -key "$TACIT_IDENTITY" </dev/null 2>&1 || true
}

test_no_certificate_is_asked_for_and_the_authority_is_shown() {
	adopt
	handshake "$enroll_url" >outside
	handshake "$url" >inside
	grep -q 'CertificateRequest' inside || failed 'the main listener asks for none'
	! grep -q 'CertificateRequest' outside || failed 'it asks for one'
	(($(grep -c 'BEGIN CERTIFICATE' outside) == 2)) || failed 'not two certificates'
	grep -q 'Verify return code: 0 (ok)' outside || failed 'not certified'

	# The last one is the authority's, and its hash is what the token begins with.
	awk '/BEGIN CERT/ { n++ } n == 2' outside | openssl x509 -outform DER | sha256sum | cut -c 1-64 >shown
	make web
	printf '%s' "${token#tacit1.}" | tr -- '-_' '+/' | cut -c 1-44 | base64 -d | head -c 32 |
		od -An -v -tx1 | tr -d ' \n' >named
	[[ $(<shown) == "$(<named)" ]] || failed 'another hash'
	! timeout 10 openssl s_client -connect "${enroll_url#https://}" -tls1_2 </dev/null >tls12 2>&1 ||
		failed 'TLS 1.2'
}

# The statuses of all answers in a file; a body has no newline at its end.
statuses() { grep -aoE 'HTTP/1.1 [0-9]+' "$1" | cut -c 10- | xargs; }

test_revoking_a_client_cuts_off_everything_that_it_has() {
	adopt
	local spare etag
	make leaver --uses 3
	spare=$token
	enrolled 201 -- "$token"
	keep_identity leaver.pem
	identity=leaver.pem called 200 /v1/bundle -D headers
	etag=$(sed -n 's/^ETag: //Ip' headers | tr -d '\r')

	# One that waits for news, and one that was open before and is resumed after.
	identity=leaver.pem call /v1/bundle -H "If-None-Match: $etag" -H 'Prefer: wait=20' >waited &
	local waiter=$! started
	started=$(now_ms)
	{
		printf 'GET /v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n'
		sleep 1
		"$tacit" client revoke leaver
		printf 'GET /v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n'
		printf 'GET /v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n'
		sleep 0.5
	} | identity=leaver.pem raw -no_ign_eof -sess_out session >opened
	[[ $(statuses opened) == '200 401 401' ]] || failed "open: $(<opened)"
	wait "$waiter"
	[[ $(<waited) == 401 ]] || failed "the one that waits: $(<waited)"
	(($(now_ms) - started < 10000)) || failed 'it had to wait'
	{ printf 'GET /v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n' && sleep 0.5; } |
		identity=leaver.pem raw -no_ign_eof -sess_in session >resumed
	[[ $(statuses resumed) == 401 ]] || failed "resumed: $(<resumed)"
	identity=leaver.pem called 401 /v1/renew -d @renew.json
	enrolled 403 token_revoked -- "$spare"
	refuse 6 'leaver: .*add it again' token create leaver

	# Not even when it is taken back, but with a new token.
	run client add leaver --no-identity
	identity=leaver.pem called 401 /v1/bundle
	enrolled 403 token_revoked -- "$spare"
	make leaver
	enrolled 201 -- "$token"
}

test_no_token_is_written_anywhere() {
	adopt
	local file
	make web --uses 2
	enrolled 201 -- "$token"
	enrolled 400 invalid_csr -- "$token" ca.pem
	# The digits that hold nothing but the secret.
	printf '%s' "${token:51:20}" >needle
	for file in store/* server.log server.err; do
		[[ ! -f $file ]] || ! grep -aqFf needle "$file" || failed "in $file"
	done
	[[ -z ${SANITIZED:-} && $(id -u) == 0 ]] || return 0
	# The pages of a connection that has ended are given back when its thread gets round to it.
	sleep 1
	[[ $("$probe" search "$server_pid" needle) == 0 ]] || failed 'in the memory of the server'
	# The search does find what is there.
	printf '127.0.0.1:8443' >needle
	[[ $("$probe" search "$server_pid" needle) != 0 ]] || failed 'nothing is found'
}

test_the_url_of_tokens_can_be_said() {
	server_refuses 1 'not for that host' serve --dir "$work/other" --enroll-listen 127.0.0.1:0 \
		--enroll-url https://elsewhere:8444
	server_refuses 2 'of no use without --enroll-listen' serve --dir "$work/other" \
		--enroll-url https://127.0.0.1:8444
	serve_dir "$work/other" --enroll-listen 127.0.0.1:0 --enroll-url https://127.0.0.1:9999
	make web
	grep -q ' at https://127.0.0.1:9999;' make.log || failed "$(<make.log)"
	stop_server
	serve_dir "$work/other"
	refuse 1 'has no enrolment listener' token create web
}

healthy() { [[ $(ask_outside /v1/health --interface 127.0.0.1 --max-time 1) == 200 ]]; }

# Takes all the connections that one address may have and holds them; on a server of its own, beside
# the other tests, since it takes ten seconds.
hold_connections() {
	local i started
	cp ../ca_flooded.pem ca.pem
	serve_both "$work/flooded"
	for ((i = 0; i < 70; i++)); do
		exec {_}<>"/dev/tcp/127.0.0.1/${enroll_url##*:}"
	done
	started=$(now_ms)
	! healthy || failed 'one address may have more than 64'
	[[ $(ask_outside /v1/health --interface 127.0.0.2) == 200 ]] || failed 'others are kept out'
	wait_until 20 healthy || failed 'they are never closed'
	(($(now_ms) - started < 14000)) || failed 'they are kept for too long'
	: >held
}

test_whoever_takes_all_connections_has_them_for_seconds() {
	wait_until 30 test -s hold/result || failed 'no result'
	[[ -e hold/held ]] || failed "$(<hold/log)"
}

new_store "$work/other"
new_store "$work/flooded"
ca_of flooded/admin.pem >ca_flooded.pem
mkdir hold
(
	exit_actions=()
	trap run_exit_actions EXIT
	cd hold
	set +e
	(set -e && trap run_exit_actions EXIT && hold_connections) >log 2>&1
	echo "$?" >result
) &
run_tests "$script" && status=0 || status=$?
[[ ! -e survivor ]] || { adopt && stop_process "$server_pid"; }
exit "$status"

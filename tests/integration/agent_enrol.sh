#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Becoming a client by a join token: `tacit-agent run` with TACIT_TOKEN or --token-file, against
# enrolment listeners that misbehave and against the real one.
# shellcheck disable=SC2016 # what stands in quotes is for the shell under the agent
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=watch_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/watch_common.sh"
evil_join=${cli_pty%/*}/evil_join

# agent_run OPTION...: the agent, without what the operator's own environment says.
agent_run() { env -u TACIT_IDENTITY "$tacit_agent" run --exec --dir "$memory/files" "$@"; }

# refuses_to_start PATTERN COMMAND...: 125, one line that matches, no command, no token shown.
refuses_to_start() {
	local pattern=$1
	shift
	rm -f started
	expect 125 "$@" -- touch started
	[[ ! -e started && $(wc -l <err) == 1 ]] || failed "started, or not one line: $*"
	grep -qE -- "$pattern" err || failed "does not say $pattern"
	! grep -qE 'tacit1\.|hunter2' err || failed 'a token is shown'
}

# misbehave MODE: an enrolment listener; its token is in evil.token, what it was sent in evil.sent.
misbehave() {
	: >evil.url
	rm -f evil.sent
	"$evil_join" "$1" evil.token evil.sent >evil.url 2>evil.err &
	evil_pid=$!
	at_exit stop_process "$evil_pid"
	wait_until 10 grep -q '^https://' evil.url || failed "evil_join $1: $(<evil.err)"
}

behave() {
	stop_process "$evil_pid"
	wait "$evil_pid" 2>/dev/null || true
}

presented() { grep -ao 'POST /v1/enroll HTTP/1.1' evil.sent | wc -l; }

test_nothing_is_sent_to_who_is_not_certified_by_the_tokens_ca() {
	local mode
	local -A whys=(
		[other-ca]='not signed by the CA that the join token names'
		[mixed-chain]='not signed by the CA that the join token names'
		[without-ca]='not signed by the CA that the join token names'
		[other-host]='server certificate is for another host'
		[expired]='server certificate has expired'
		[of-client]='unsuitable certificate purpose'
		[tls12]='TLS handshake failed'
		[stall-handshake]='timed out'
	)
	for mode in "${!whys[@]}"; do
		misbehave "$mode"
		refuses_to_start "^tacit-agent: $(<evil.url): .*${whys[$mode]}" \
			agent_run --timeout 500ms --token-file evil.token
		[[ ! -s evil.sent ]] || failed "$mode: sent: $(head -n 1 evil.sent)"
		behave
	done
}

test_a_token_that_may_be_used_up_is_not_presented_again() {
	local mode
	local -A whys=(
		[stall]='timed out'
		[cut]='closed the connection without an answer'
		[cut-answer]='closed before the answer was complete'
		[redirect]='a redirect \(307\), which is not followed'
		[status-500]='the server answered 500'
		[huge]='too large'
		[garbage]='not a valid HTTP answer'
		[not-json]='answer is not a certificate'
		[no-certificate]='answer is not a certificate'
		[certificate-for-other-key]='does not belong to the private key'
		[certificate-of-other-ca]='certificate of another CA'
		[certificate-expired]='has expired or is not yet valid'
		[certificate-for-server]='the certificate is not for a client'
	)
	for mode in "${!whys[@]}"; do
		misbehave "$mode"
		refuses_to_start "${whys[$mode]}; the join token may be used up now" \
			agent_run --timeout 500ms --token-file evil.token
		(($(presented) == 1)) || failed "$mode: presented $(presented) times"
		behave
	done
}

test_what_a_server_has_against_a_token_is_said_clearly() {
	local mode
	local -A whys=(
		[token-unknown]='the server does not know this join token'
		[token-used]='has been used up; create another one'
		[token-expired]='the join token has expired'
		[token-revoked]='the join token has been revoked'
		[token-source]='may not be used from this address'
	)
	for mode in "${!whys[@]}"; do
		misbehave "$mode"
		refuses_to_start "^tacit-agent: evil.token: .*${whys[$mode]}" \
			agent_run --timeout 1s --token-file evil.token
		(($(presented) == 1)) || failed "$mode: presented $(presented) times"
		refuses_to_start "^tacit-agent: TACIT_TOKEN: .*${whys[$mode]}" \
			env -u TACIT_IDENTITY TACIT_TOKEN="$(<evil.token)" "$tacit_agent" run --timeout 1s
		behave
	done
}

# Refused for now, and not for what it is: then it is presented again.
test_a_server_that_is_sealed_is_waited_for() {
	misbehave sealed-first
	# Where the certificate's server is, nobody answers: the enrolment itself is what matters here.
	refuses_to_start '^tacit-agent: https://127.0.0.1:1: Connection refused' \
		agent_run --timeout 2s --token-file evil.token
	(($(presented) == 2)) || failed "presented $(presented) times"
	grep -q '"csr":"-----BEGIN CERTIFICATE REQUEST-----' evil.sent || failed 'no CSR'
}

test_a_server_that_is_away_is_named() {
	misbehave good
	behave
	refuses_to_start "^tacit-agent: $(<evil.url): Connection refused" \
		agent_run --timeout 1s --token-file evil.token
}

test_the_timeout_holds_while_it_enrols() {
	local mode began took
	for mode in stall stall-handshake; do
		misbehave "$mode"
		began=$(now_ms)
		refuses_to_start 'timed out' agent_run --timeout 300ms --token-file evil.token
		took=$(($(now_ms) - began))
		((took < 1500)) || failed "$mode: took $took ms"
		behave
	done
}

test_on_failure_start_is_heeded() {
	misbehave token-used
	expect 0 agent_run --on-failure start --token-file evil.token -- sh -c 'env >env'
	grep -q 'has been used up' err || failed 'not said why'
	grep -q 'STARTING WITHOUT SECRETS' err || failed 'not said'
	! grep -q '^TACIT_' env || failed 'a variable is left'
}

test_what_is_no_token_is_refused() {
	refuses_to_start '^tacit-agent: TACIT_TOKEN: not a join token' \
		env -u TACIT_IDENTITY TACIT_TOKEN=hunter2hunter2 "$tacit_agent" run
	printf 'hunter2hunter2\n' >no.token
	refuses_to_start '^tacit-agent: no.token: not a join token' agent_run --token-file no.token
	head -c 100000 /dev/zero >no.token
	refuses_to_start '^tacit-agent: no.token: not a join token' agent_run --token-file no.token
	: >no.token
	refuses_to_start '^tacit-agent: no.token: not a join token' agent_run --token-file no.token
	refuses_to_start '^tacit-agent: absent.token: No such file' agent_run --token-file absent.token
	refuses_to_start '^tacit-agent: .: Is a directory' agent_run --token-file .
}

test_only_one_source_can_be_had() {
	printf 'A=1\n' >app.env
	refuses_to_start '--identity and --token-file: only one' \
		agent_run --identity x.pem --token-file evil.token
	refuses_to_start 'only one can be had' agent_run --env-file app.env --token-file evil.token
	refuses_to_start 'only one can be had' agent_run --from-env HOME --token-file evil.token
	# A variable gives way to an option.
	expect 0 env TACIT_TOKEN=hunter2hunter2 "$tacit_agent" run --env-file app.env -- true
}

# --- the real one ---------------------------------------------------------------------------

# used NAME: how often the server has let the token be used.
used() {
	local id
	id=$("$tacit" token ls --json | jq -r '(.tokens // .)[-1].id')
	"$tacit" token ls --json | jq -r --arg id "$id" '(.tokens // .)[] | select(.id == $id) | .used'
}

test_a_token_delivers_once() {
	put web/password exact-value
	token_make web.token
	expect 0 env -u TACIT_IDENTITY TACIT_TOKEN="$(<web.token)" "$tacit_agent" run --exec \
		--dir "$memory/files" -- sh -c 'cat "$PASSWORD_FILE"; env >env'
	out_is exact-value
	! grep -qF -e TACIT_ -e "$(<web.token)" env || failed 'the token is in the environment'
	[[ $(<err) == 'tacit-agent: removed from the environment: TACIT_TOKEN' ]] || failed "$(<err)"
	refuses_to_start '^tacit-agent: web.token: the join token has been used up; create another one' \
		agent_run --token-file web.token
}

test_a_token_in_a_file_serves_as_well() {
	local file
	token_make web.token --uses 4
	printf '\r\n' >>web.token
	expect 0 agent_run --token-file web.token -- true
	expect 0 agent_run --token-file <(cat web.token) -- true
	rm -rf "$memory/files"
	mkdir -m 0700 "$memory/files"
	expect 0 env -u TACIT_IDENTITY "$tacit_agent" fetch --dir "$memory/files" --token-file web.token
	file_is password exact-value || failed 'not fetched'
	[[ $(id -u) == 0 ]] || return 0
	# Root opens the file, and the user that the command runs as enrols.
	chmod 0400 web.token
	rm -rf "$memory/files"
	chmod 0711 "$memory"
	expect 0 agent_run --user 1001 --token-file web.token -- sh -c 'cat "$PASSWORD_FILE"; id -u'
	out_is exact-value1001
}

test_an_expired_a_revoked_and_an_unknown_token() {
	token_make expired.token --ttl 1s
	token_make revoked.token
	"$tacit" token revoke "$("$tacit" token ls --json | jq -r '(.tokens // .)[] | select(.state == "active") | .id' | tail -n 1)" >/dev/null
	refuses_to_start '^tacit-agent: revoked.token: the join token has been revoked' \
		agent_run --token-file revoked.token
	forge revoked.token 40 >unknown.token
	refuses_to_start '^tacit-agent: unknown.token: the server does not know this join token' \
		agent_run --token-file unknown.token
	sleep 1
	refuses_to_start '^tacit-agent: expired.token: the join token has expired' \
		agent_run --token-file expired.token
}

# forge FILE OFFSET: the token with one byte of its payload changed.
forge() {
	local digits
	digits=$(sed 's/^tacit1\.//' "$1")
	while ((${#digits} % 4)); do digits+='='; done
	printf %s "$digits" | basenc --base64url -d >payload
	printf '%s' "$(od -An -tu1 -j "$2" -N1 payload | awk '{ printf "%c", ($1 + 1) % 128 }')" |
		dd of=payload bs=1 seek="$2" conv=notrunc status=none
	printf 'tacit1.%s\n' "$(basenc --base64url -w0 payload | tr -d =)"
}

test_a_token_of_another_ca_is_shown_to_nobody() {
	local before
	token_make web.token
	before=$(wc -l <store/audit.log)
	forge web.token 5 >foreign.token
	refuses_to_start "^tacit-agent: https://127.0.0.1:$enroll_port: .*the CA that the join token names" \
		agent_run --token-file foreign.token
	(($(wc -l <store/audit.log) == before)) || failed "the server saw it: $(tail -n 1 store/audit.log)"
	expect 0 agent_run --token-file web.token -- true
}

test_an_identity_goes_first_and_costs_no_use() {
	token_make web.token
	expect 0 env TACIT_TOKEN="$(<web.token)" TACIT_IDENTITY=web.pem "$tacit_agent" run --exec \
		--dir "$memory/files" -- true
	(($(used) == 0)) || failed 'a use was spent'
	# The operator's own, where one is looked for by default, does not.
	install -D -m 0400 store/admin.pem .config/tacit/identity.pem
	put other/thing operators-only
	expect 0 env -u TACIT_IDENTITY TACIT_TOKEN="$(<web.token)" "$tacit_agent" run --exec \
		--dir "$memory/files" -- sh -c 'env'
	rm -rf .config
	! grep -q THING_FILE out || failed 'it was the operator'
	(($(used) == 1)) || failed 'no use was spent'
}

test_neither_process_keeps_the_token() {
	local pid digits peak
	[[ $(id -u) == 0 && -z ${AGENT_TEST_SANITIZED:-} ]] || return 0
	token_make web.token --uses 2
	digits=$(sed 's/^tacit1\.//' web.token)
	: >agent.out
	env -u TACIT_IDENTITY TACIT_TOKEN="$(<web.token)" "$tacit_agent" run --init \
		--dir "$memory/files" -- "$probe" hold >agent.out 2>agent.err &
	agent=$!
	at_exit end_agent "$agent"
	wait_until 5 grep -q ready agent.out || failed "$(<agent.err)"
	sleep 0.2
	printf 'enrolled: parent %s KiB\n' "$(rss "$agent")" >>figures
	(($(rss "$agent") <= 4096)) || failed "resident: $(rss "$agent") KiB"
	peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$agent/status")
	((peak <= 8192)) || failed "peak: $peak KiB"
	nowhere_in "$agent" "$(<web.token)" "${digits:44:20}" 'BEGIN PRIVATE KEY' exact-value
	[[ $(tr -d '\0' <"/proc/$agent/environ") == '' ]] || failed 'an environment is left'
	end_agent "$agent"

	who=(--token-file web.token)
	start -- "$probe" hold
	sleep 0.2
	for pid in "$agent" "$watcher"; do
		(($(rss "$pid") <= 4096)) || failed "resident: $(<"/proc/$pid/comm") $(rss "$pid") KiB"
		nowhere_in "$pid" "$(<web.token)" "${digits:44:20}" exact-value
	done
	printf ready >control
	(($("$probe" search "$command" control) > 0)) || failed 'the search finds nothing'
}

test_a_watcher_that_takes_over_is_who_the_first_one_was() {
	put web/password first
	token_make web.token
	who=(--token-file web.token)
	start -- "$probe" hold
	kill -KILL "$watcher"
	says 1 'watcher: ended unexpectedly (signal 9)'
	wait_until 5 find_children || failed 'not started again'
	put web/password second
	becomes password second
	(($(used) == 1)) || failed 'enrolled again'
}

test_what_could_not_be_had_at_the_start_is_enrolled_for_later() {
	token_make web.token
	server_goes
	who=(--token-file web.token)
	start --timeout 300ms --on-failure start -- "$probe" hold
	grep -q 'STARTING WITHOUT SECRETS' agent.err || failed 'not said'
	server_comes
	put web/password late
	becomes password late
	kill -KILL "$watcher"
	says 1 'watcher: ended unexpectedly (signal 9)'
	wait_until 5 find_children || failed 'not started again'
	put web/password later
	becomes password later
	(($(used) == 1)) || failed 'enrolled again'
}

start_server_for_web
server_enrols
status=0
run_tests "$script" || status=$?
[[ ! -s figures ]] || sed 's/^/# /' figures
exit "$status"

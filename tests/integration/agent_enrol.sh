#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Becoming a client by a join token: `tacit-agent run` with TACIT_TOKEN or --token-file, against
# enrolment listeners that misbehave and against the real one.
# shellcheck disable=SC2016 # what stands in quotes is for the shell under the agent
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=cli_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/cli_common.sh"
tacit_agent=${tacit%/cli/tacit}/agent/tacit-agent
probe=${cli_pty%/*}/agent_probe
evil_join=${cli_pty%/*}/evil_join

memory=$(TMPDIR=/dev/shm mktemp -d /dev/shm/tacit-XXXXXXXX) # where the files go
at_exit rm -rf --one-file-system "$memory"

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
			env TACIT_TOKEN="$(<evil.token)" "$tacit_agent" run --timeout 1s
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
		env TACIT_TOKEN=hunter2hunter2 "$tacit_agent" run
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

run_tests "$script"

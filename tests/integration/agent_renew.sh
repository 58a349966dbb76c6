#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Certificates that end while a command runs: `tacit-agent run --watch` gets the next one in time.
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=watch_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/watch_common.sh"

ttl=4 # seconds; the next certificate is due after two thirds of them

# renewals CLIENT STATUS: how often it asked for a certificate and was answered that.
renewals() {
	jq -r --arg client "$1" --arg status "$2" 'select(.event == "client.renew" and
		.client == $client and (.status | tostring) == $status) | .seq' store/audit.log | wc -l
}

renewed() { (($(renewals "$1" 200) >= $2)); }

# identity_make CLIENT: a new client that may read web/*, and its identity in CLIENT.pem.
identity_make() {
	"$tacit" client add "$1" --ttl "${ttl}s" --out "$1.pem" >/dev/null
	"$tacit" grant "$1" 'web/*' >/dev/null
	install -m 0400 "$1.pem" "$1.before"
	who=(--identity "$1.pem")
}

test_an_agent_outlives_several_certificates() {
	put web/password first
	identity_make file
	start -- "$probe" hold
	# One that is dated back is due at once, and the others every three seconds or so.
	wait_until 20 renewed file 4 || failed "renewed $(renewals file 200) times"
	put web/password second
	becomes password second
	[[ ! -s agent.err ]] || failed "says: $(<agent.err)"
	same file.pem file.before
	end_agent "$agent"
	# Whoever has only the file is nobody by now.
	rm -f started
	expect 125 env -u TACIT_IDENTITY "$tacit_agent" run --identity file.pem -- touch started
	grep -q 'file.pem: the certificate has expired' err || failed 'still valid'
}

# The parent knows the first certificate only; what the dead watcher had got is what counts.
test_a_watcher_that_takes_over_has_the_newest_certificate() {
	token_make web.token --certificate-ttl "${ttl}s"
	put web/password first
	who=(--token-file web.token)
	start -- "$probe" hold
	wait_until 20 renewed web 2 || failed 'not renewed'
	kill -KILL "$watcher"
	says 1 'watcher: ended unexpectedly (signal 9)'
	wait_until 5 find_children || failed 'not started again'
	put web/password second
	becomes password second
	(($(wc -l <agent.err) == 1)) || failed "says more: $(<agent.err)"
}

test_a_file_that_somebody_renewed_is_taken() {
	local before
	put web/password first
	put other/thing others
	identity_make replaced
	start -- "$probe" hold
	wait_until 5 renewed replaced 1 || failed 'not renewed'
	sleep 1 # certificates count in seconds
	"$tacit" client add other --out other.pem >/dev/null
	"$tacit" grant other 'other/*' >/dev/null
	before=$(renewals replaced 200)
	mv -f other.pem replaced.pem
	wait_until 10 test -e "$memory/files/thing" || failed "not taken: $(<agent.err)"
	wait_until 5 file_gone password || failed 'still who it was'
	(($(renewals replaced 200) == before)) || failed 'renewed as well'
}

test_a_server_that_is_away_when_it_is_due() {
	put web/password first
	ttl=10 identity_make away
	start -- "$probe" hold
	wait_until 5 renewed away 1 || failed 'not renewed'
	sleep 6
	server_goes
	says 1 '; the last good files stay'
	sleep 1
	server_comes
	says 1 'files are renewed again' 15
	wait_until 10 renewed away 2 || failed 'not renewed after it came back'
	put web/password second
	becomes password second
	(($(wc -l <agent.err) == 2)) || failed "says more: $(<agent.err)"
}

# Whatever it asks for: its bundle, and a certificate. Soon it is expired and asks no more.
refused_twice() {
	(($(jq -c 'select(.client == "revoked" and .status == 401)' store/audit.log | wc -l) >= 2))
}

test_a_client_that_was_revoked_gets_no_next_one() {
	put web/password first
	identity_make revoked
	start -- "$probe" hold
	wait_until 5 renewed revoked 1 || failed 'not renewed'
	"$tacit" client revoke revoked >/dev/null
	says 1 'certificate not accepted; the last good files stay'
	says 1 'is not renewed yet' 10
	put web/password unseen
	wait_until 10 refused_twice || failed 'not tried again'
	file_is password first || failed 'delivered all the same'
	! renewed revoked 2 || failed 'renewed all the same'
	(($(wc -l <agent.err) == 2)) || failed "not two lines: $(<agent.err)"
	kill -0 "$agent" || failed 'the agent has ended'
	! grep -q 'BEGIN\|tacit1\.' agent.err || failed 'a key is shown'
}

start_server_for_web
server_enrols
run_tests "$script"

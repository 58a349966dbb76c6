#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A server without its key, seen from outside: what it says to whom, that nothing is told to it, and
# that nothing of that time is worth anything once it is unsealed.
here=${BASH_SOURCE[0]%/*}
# shellcheck source=server_common.sh
. "$here/server_common.sh"

tacit_agent=${tacit%/cli/tacit}/agent/tacit-agent
memory=$(TMPDIR=/dev/shm mktemp -d /dev/shm/tacit-XXXXXXXX) # where the agent's files go
at_exit remove_tree "$memory"

readonly usage=2.25.75866798898213085272932159115106805246
readonly why='sealed: an operator must run tacit-server unseal'

# A store with one secret, a client that may read it, and a join token for another one.
prepare() {
	new_store store
	ca_of store/admin.pem >ca.pem
	serve_dir "$work/store" --enroll-listen 127.0.0.1:0
	printf first | "$tacit" put web/password >put.log
	"$tacit" client add web --out web.pem >add.log
	"$tacit" client add joins --no-identity >add.log
	"$tacit" grant web 'web/*' >add.log
	"$tacit" grant joins 'web/*' >add.log
	port=${url##*:}
	enroll_port=$(sed -n 's/^enrolment on .*:\([0-9]*\)$/\1/p' server.log)
	"$tacit" token create joins --json | jq -r .token >token
	printf 'GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | raw -sess_out open.session >out
	stop_server
}

# Serves it on the same ports, without its key.
seal() {
	: >server.log
	"$tacit_server" serve --dir "$work/store" --listen "127.0.0.1:$port" \
		--enroll-listen "127.0.0.1:$enroll_port" --sealed >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 grep -q '^sealed: ' server.log || failed "it does not start: $(<server.err)"
}

unseal() {
	"$tacit_server" unseal --dir "$work/store" >unseal.log 2>&1 || failed "unseal: $(<unseal.log)"
}

prepare
new_store other
enrol=https://127.0.0.1:$enroll_port

# agent OPTION...: it fetches into a directory of its own.
agent() { env -u TACIT_IDENTITY "$tacit_agent" fetch --dir "$memory/files" "$@"; }

fetched() { [[ $(<"$memory/files/password") == first ]] || failed 'not fetched'; }

# insecure URL [CURL-OPTION]...: the status, for one who does not look at certificates; 000: none.
insecure() { curl -sk -o body -D headers -w '%{http_code}' --max-time 10 "$@" || true; }

says_sealed() {
	local status
	status=$(insecure "$@")
	[[ $status == 503 && $(jq -r .code body) == sealed ]] || failed "$status: $(cat body) for $*"
	grep -qi '^Retry-After: [1-9]' headers || failed "no Retry-After for $*"
	grep -qi '^Content-Type: application/problem+json' headers || failed "no problem for $*"
	grep -qi '^Connection: close' headers || failed "it goes on for $*"
}

# is_ours FILE: its certificate is whole and of our CA, apart from its two marks.
is_ours() {
	openssl verify -CAfile ca.pem -ignore_critical "$1" >verify.log 2>&1 || failed "$(<verify.log)"
}

says_nothing() {
	local status
	status=$(insecure "$@")
	[[ $status == 000 ]] || failed "status $status for $*"
}

test_what_it_shows_is_good_for_nothing_else() {
	[[ $(stat -c %a store/sealed.pem) == 400 ]] || failed 'its mode'
	openssl x509 -in store/sealed.pem -noout -ext extendedKeyUsage >usage
	[[ $(tr -d ' ' <usage | tail -n +2) == "$usage" ]] || failed "it is for $(<usage)"
	grep -q critical usage || failed 'to be passed over'
	is_ours store/sealed.pem
	# Whatever else somebody thinks that it is for, or without thinking of that.
	! openssl verify -CAfile ca.pem store/sealed.pem >verify.log 2>&1 || failed 'good without a purpose'
	local purpose
	for purpose in sslserver sslclient smimesign timestampsign ocsphelper any; do
		! openssl verify -CAfile ca.pem -purpose "$purpose" store/sealed.pem >verify.log 2>&1 ||
			failed "good for $purpose"
	done
	for purpose in sslserver sslclient smimesign timestampsign; do
		! openssl verify -CAfile ca.pem -ignore_critical -purpose "$purpose" store/sealed.pem \
			>verify.log 2>&1 || failed "good for $purpose but for the other mark"
	done
}

test_our_own_clients_say_it_in_one_line() {
	seal
	refuse 1 "^tacit: $url: $why\$" ls
	refuse 1 "^tacit: $url: $why\$" put web/other --generate 32
	refuse 1 "^tacit: $url: $why\$" ls --server "https://127.0.0.1:1,$url"
	refuse 1 "^tacit: $url: $why\$" ls --server "$url,https://127.0.0.1:1"
	expect 125 agent --identity web.pem --timeout 300ms
	[[ $(<err) == "tacit-agent: $url: $why" ]] || failed 'another line'
	expect 125 agent --token-file token --timeout 300ms
	[[ $(<err) == "tacit-agent: $enrol: $why" ]] || failed 'another line'
	[[ ! -e $memory/files/password ]] || failed 'a file'
	# Somebody who has another CA is not told.
	refuse 69 'not signed by the CA' ls --identity other/admin.pem
	refuse 69 'for another host' ls --server "https://localhost:$port"
	stop_server
}

# A last try that has too little time for any answer does not hide what was wrong.
test_the_end_of_time_does_not_hide_it() {
	local number pids=()
	seal
	for number in 1 2 3 4 5 6; do
		agent --identity web.pem --timeout 1500ms >"late.$number" 2>&1 &
		pids+=("$!")
	done
	sleep 1.05
	kill -STOP "$server_pid" # from here on no try ends by itself
	wait "${pids[@]}" || true
	kill -CONT "$server_pid"
	for number in 1 2 3 4 5 6; do
		[[ $(<"late.$number") == "tacit-agent: $url: $why" ]] || failed "says $(<"late.$number")"
	done
	stop_server
}

test_everybody_elses_clients_refuse_it() {
	seal
	local status=0
	curl -s --cacert ca.pem --cert web.pem --key web.pem "$url/v1/health" >body 2>err || status=$?
	[[ $status == 60 && ! -s body ]] || failed "curl ends with $status"
	status=0
	curl -s --cacert ca.pem "$enrol/v1/ca" >body 2>err || status=$?
	[[ $status == 60 && ! -s body ]] || failed "curl ends with $status at the other door"
	# GnuTLS's, as this one uses it, does not look at purposes.
	status=0
	wget -q -T 5 -t 1 -O body --ca-certificate=ca.pem --certificate=web.pem --private-key=web.pem \
		"$url/v1/health" 2>err || status=$?
	[[ $status == 5 && ! -s body ]] || failed "wget ends with $status"
	raw -verify_return_error </dev/null >out
	grep -q 'unhandled critical extension' raw.err || failed "openssl says $(<raw.err)"
	stop_server
}

test_who_goes_on_all_the_same_gets_503() {
	seal
	local client=(--cert web.pem --key web.pem) path
	for path in /v1/health /v1/bundle /v1/secrets/web%2Fpassword /metrics / /v1/enroll; do
		says_sealed "$url$path" "${client[@]}"
		says_sealed "$enrol$path"
	done
	says_sealed "$url/v1/secrets/a" "${client[@]}" -T store/store.db
	says_sealed "$url/v1/clients/web" "${client[@]}" -X DELETE
	says_sealed "$url/v1/tokens" "${client[@]}" --json '{}'
	says_sealed "$enrol/v1/enroll" --json '{"token":"x","csr":"y"}'
	# Whoever has no certificate of the CA's for a client is not even told that.
	says_nothing "$url/v1/health"
	says_nothing "$url/v1/health" --cert store/sealed.pem --key store/sealed.pem
	says_nothing "$url/v1/health" --cert other/admin.pem --key other/admin.pem
	says_nothing "$url/v1/health" "${client[@]}" --tls-max 1.2
	says_nothing "http://127.0.0.1:$port/v1/health"
	says_sealed "$url/v1/health" "${client[@]}"
	stop_server
}

# record PORT [OPTION]...: somebody who has taken sealed.pem, in the server's place; what is said to
# him goes to the file `heard`, and what he sees of the handshake to `seen`.
record() {
	local at=$1
	shift
	sed -n '/BEGIN PRIVATE/,/END PRIVATE/p' store/sealed.pem >thief.key
	: >heard
	[[ -p silence ]] || mkfifo silence
	openssl s_server -accept "127.0.0.1:$at" -key thief.key -cert store/sealed.pem \
		-cert_chain ca.pem -CAfile ca.pem -quiet -msg -msgfile seen "$@" <>silence >heard 2>thief.err &
	thief_pid=$!
	at_exit stop_process "$thief_pid"
	wait_until 10 eval '[[ -n $(ss -Htln "sport = :$at") ]]' || failed "no thief: $(<thief.err)"
}

heard_nothing() {
	stop_process "$thief_pid"
	wait "$thief_pid" 2>/dev/null || true
	[[ ! -s heard ]] || failed "he heard $(head -c 200 heard | tr -d '\0')"
	grep -q '<<<.*ClientHello' seen || failed 'he was not asked'
	! grep -qE '<<<.*(Certificate|ApplicationData)' seen || failed "he learned who asks: $(<seen)"
}

test_nothing_is_told_to_who_has_taken_the_disk() {
	local marker=never-to-be-sent-anywhere
	record "$port" -Verify 1
	refuse 1 "$why" put web/password <<<"$marker"
	heard_nothing
	record "$port"
	refuse 1 "$why" put web/password <<<"$marker"
	heard_nothing
	record "$port" -Verify 1
	expect 125 agent --identity web.pem --timeout 300ms
	heard_nothing
	record "$enroll_port"
	expect 125 agent --token-file token --timeout 300ms
	heard_nothing
	# To the real one, all of that would be said.
	grep -q "$why" err || failed "he is taken for another: $(<err)"
}

test_who_waits_is_served_once_it_is_unsealed() {
	seal
	agent --identity web.pem --timeout 20s >fetch.log 2>&1 &
	local waiting=$!
	sleep 0.7
	process_gone "$waiting" && failed "it does not wait: $(<fetch.log)"
	unseal
	run ls # at once: who has unsealed it need not wait for anything
	out_has 'web/password'
	wait "$waiting" || failed "it fails: $(<fetch.log)"
	fetched
	[[ ! -s fetch.log ]] || failed "talks: $(<fetch.log)"
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
}

test_a_token_waits_and_is_spent_once() {
	seal
	rm -rf "$memory/files"
	agent --token-file token --timeout 20s >fetch.log 2>&1 &
	local waiting=$!
	sleep 0.7
	unseal
	wait "$waiting" || failed "it fails: $(<fetch.log)"
	fetched
	grep -q '"event":"client.enroll"' store/audit.log || failed 'not enrolled'
	! grep -qE '"event":"(alarm|token\.reused)' store/audit.log || failed 'an alarm'
	expect 125 agent --token-file token --timeout 300ms
	grep -q 'used up' err || failed "not spent: $(<err)"
	stop_server
}

# Whatever is asked at any moment is answered: sealed before, a list after, and nothing in between.
test_no_connection_is_refused_meanwhile() {
	local status number
	seal
	for number in {1..40}; do
		status=0
		"$tacit" get --raw web/password >get.out 2>&1 || status=$?
		printf '%s %s\n' "$status" "$(<get.out)"
	done >answers &
	local asking=$!
	wait_until 10 eval '(($(wc -l <answers) >= 5))'
	unseal
	wait "$asking"
	grep -q "^1 tacit: $url: $why\$" answers || failed 'it was not sealed'
	! grep -vE "^(1 tacit: $url: $why|0 first)\$" answers || failed 'something else'
	[[ $(tail -n 1 answers) == '0 first' ]] || failed "$(tail -n 1 answers)"
	stop_server
}

request() { printf 'GET /v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n'; }
answers() { { grep -aoE 'HTTP/1.1 [0-9]{3}' "$1" || true; } | cut -d' ' -f2 | tr '\n' ' '; }

test_a_connection_of_the_sealed_time_ends_with_it() {
	seal
	{ { sleep 0.8 && request && sleep 0.3; } 2>/dev/null || true; } | identity=web.pem raw -no_ign_eof >held &
	local holding=$!
	wait_until 10 eval '[[ -n $(ss -Htn state established "sport = :$port") ]]'
	local begun
	begun=$(now_ms)
	unseal
	# Whoever is in the middle of something is given a moment.
	(($(now_ms) - begun >= 290)) || failed 'cut off at once'
	wait "$holding" || true
	[[ -z $(answers held) ]] || failed "an answer: $(answers held)"
	! grep -aq password held || failed 'a bundle'
	identity=web.pem called 200 /v1/bundle
	stop_server
}

# resumes SESSION: whether TLS goes on from there; the answers are in `resumed`.
resumes() {
	{ request && sleep 0.3; } | timeout 10 openssl s_client -connect "127.0.0.1:$port" -CAfile ca.pem \
		-cert web.pem -key web.pem -no_ign_eof -sess_in "$1" "${@:2}" >resumed 2>&1 || true
	grep -q '^Reused, TLSv1.3' resumed
}

test_no_ticket_goes_from_one_time_to_the_other() {
	[[ -s open.session ]] || failed 'no ticket to try it with'
	seal
	# Into the sealed one: neither of an earlier process of the store, nor is any given out.
	! resumes open.session -sess_out sealed.session || failed 'resumed while sealed'
	[[ $(answers resumed) == '503 ' ]] || failed "$(answers resumed)"
	[[ ! -s sealed.session ]] || failed 'a ticket of a sealed server'
	! grep -q 'New Session Ticket arrived' resumed || failed 'a ticket of a sealed server'
	unseal
	! resumes open.session || failed 'resumed from another process'
	[[ $(answers resumed) == '200 ' ]] || failed "$(answers resumed)"
	# While what the open one gives out does work.
	{ request && sleep 0.3; } | identity=web.pem raw -no_ign_eof -sess_out open.session >out
	resumes open.session || failed 'nothing is resumed at all'
	[[ $(answers resumed) == '200 ' ]] || failed "$(answers resumed)"
	stop_server
	seal
	! resumes open.session || failed 'resumed after it was sealed again'
	[[ $(answers resumed) == '503 ' ]] || failed "$(answers resumed)"
	stop_server
}

# without_tls TEXT: it starts sealed, says why TLS is silent, and is unsealed as ever.
without_tls() {
	seal
	[[ $(<server.err) == "tacit-server: sealed.pem: $1, so TLS cannot answer until the first unseal" ]] ||
		failed "says $(<server.err)"
	! grep -q '^sealed on' server.log || failed 'it answers'
	says_nothing "$url/v1/health" --cert web.pem --key web.pem --max-time 0.3
	unseal
	run ls
	stop_server
	is_ours store/sealed.pem
}

test_a_store_without_the_file_gets_it_with_the_first_key() {
	rm -f store/sealed.pem
	without_tls 'not made yet'
	rm -f store/sealed.pem
	printf 'nonsense\n' >store/sealed.pem
	without_tls 'does not authenticate'
	rm -f store/sealed.pem
	ln -s ../web.pem store/sealed.pem
	without_tls 'Too many levels of symbolic links'
	[[ -f store/sealed.pem && ! -L store/sealed.pem ]] || failed 'not replaced'
	seal
	says_sealed "$url/v1/health" --cert web.pem --key web.pem
	[[ ! -s server.err ]] || failed "says $(<server.err)"
	stop_server
}

test_it_is_renewed_with_the_servers_certificate() {
	local before
	serve_dir "$work/store"
	before=$(stat -c %i store/sealed.pem)
	kill -HUP "$server_pid"
	wait_until 10 grep -q '^reloaded' server.log || failed "$(<server.log)"
	[[ $(stat -c '%i %a' store/sealed.pem) != "$before"* ]] || failed 'the old one'
	is_ours store/sealed.pem
	# Where it cannot be written, that is said, and all else goes on.
	rm -f store/sealed.pem
	mkdir store/sealed.pem
	kill -HUP "$server_pid"
	wait_until 10 eval '(($(grep -c "^reloaded" server.log) == 2))' || failed "$(<server.log)"
	grep -q '^tacit-server: sealed.pem: ' server.err || failed "$(<server.err)"
	run ls
	rmdir store/sealed.pem
	stop_server
}

test_a_restored_store_has_one_of_its_own() {
	serve_dir "$work/store"
	stop_server
	expect 0 "$tacit_server" backup --dir store store.backup
	! grep -aq 'BEGIN ' store.backup || failed 'a certificate in a backup'
	expect 0 "$tacit_server" restore --dir again --key-file store/master.key store.backup
	[[ $(stat -c %a again/sealed.pem) == 400 ]] || failed 'its mode'
	! cmp -s store/sealed.pem again/sealed.pem || failed 'the same'
	is_ours again/sealed.pem
	expect 0 "$tacit_server" check --dir again
}

# Peers that connect and go no further keep nobody out, and cost nothing.
test_strangers_do_not_keep_it_silent() {
	local fds=() fd before
	seal
	for _ in {1..80}; do
		exec {fd}<>"/dev/tcp/127.0.0.1/$port"
		printf '\x16\x03\x01\x02\x00' >&"$fd" || true # refused by then, perhaps
		fds+=("$fd")
	done
	before=$(cpu_ticks "$server_pid")
	sleep 0.5
	(($(cpu_ticks "$server_pid") - before < 25)) || failed 'it spins'
	says_sealed "$enrol/v1/health"
	unseal
	for fd in "${fds[@]}"; do exec {fd}>&-; done
	run ls
	stop_server
}

has_file() { [[ $(cat "$memory/watched/password" 2>/dev/null) == "$1" ]]; }
watcher_said() { (($(grep -c "$1" watch.err) == 1)); }

test_a_watcher_goes_on_through_it() {
	seal
	unseal
	env -u TACIT_IDENTITY "$tacit_agent" run --watch --identity web.pem --dir "$memory/watched" -- \
		sleep 60 >watch.out 2>watch.err &
	local agent=$!
	at_exit stop_process "$agent"
	wait_until 10 has_file first || failed "not started: $(<watch.err)"
	stop_server
	seal
	wait_until 10 watcher_said "^tacit-agent: $url: $why; the last good files stay\$" ||
		failed "says $(<watch.err)"
	has_file first || failed 'the file is gone'
	unseal
	run put web/password <<<second
	wait_until 15 has_file second || failed "not renewed: $(<watch.err)"
	watcher_said "$why" || failed "says $(<watch.err)"
	wait_until 5 watcher_said 'files are renewed again' || failed "says $(<watch.err)"
	stop_server
}

run_tests "$script"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Starts while the server is away: `tacit-agent run --cache FILE`.
# shellcheck disable=SC2016 # what stands in quotes is for the shell under the agent
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=watch_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/watch_common.sh"

# cached OPTION... -- COMMAND...: a delivery to $memory/files, with ./cache
cached() {
	env -u TACIT_IDENTITY -u TACIT_SERVER "$tacit_agent" run --dir "$memory/files" --timeout 600ms \
		--identity web.pem --cache cache "$@"
}

show=(-- sh -c 'cat "$PASSWORD_FILE"')

# Has the server's answer in ./cache, and the server away. Tests that want no more stand side by
# side, since it takes a while to come and go.
away_with_cache() {
	rm -f cache
	if server_answers; then
		put web/password first-secret-value
		expect 0 cached "${show[@]}"
		[[ -f cache && ! -s err ]] || failed 'not stored'
		server_goes
		rm -f good
		cp cache good
	fi
	cp good cache
	chmod 0400 cache
}

server_is_back() { server_answers || server_comes; }

loud='SERVER AWAY: DELIVERING FROM THE CACHE cache, made 0 min ago, '

# refused PATTERN OPTION...: one line that matches, nothing started, no value
refused() {
	local pattern=$1
	shift
	rm -f started
	expect 125 cached "$@" -- touch started
	grep -qE -- "$pattern" err || failed "does not say $pattern: $*"
	[[ ! -e started && $(wc -l <err) == 1 ]] || failed "started, or not one line: $*"
	says_nowhere secret-value
}

test_a_start_without_the_server_gets_what_the_last_one_got() {
	away_with_cache
	[[ $(stat -c %a cache) == 400 ]] || failed mode
	! grep -qaE 'secret-value|web/password' cache || failed 'a value or a name is in the file'
	! grep -qaF "$(printf first-secret-value | base64 -w0 | head -c 20)" cache || failed 'base64'
	expect 0 cached "${show[@]}"
	out_is first-secret-value
	grep -qF "$loud" err || failed 'not loud'
	(($(wc -l <err) == 1)) || failed 'not one line'
	# The next start finds the same, and writes nothing.
	expect 0 cached --init "${show[@]}"
	out_is first-secret-value
}

test_what_is_not_as_the_server_made_it_is_refused() {
	local i
	away_with_cache
	for i in 3 60 400 -20 -90; do
		rm -f cache
		if ((i < 0)); then i=$(($(stat -c %s good) + i)); fi
		{ head -c "$i" good; tail -c +"$((i + 1))" good | head -c 1 | tr '\0-\377' '\1-\377\0'; tail -c +"$((i + 2))" good; } >cache
		refused 'Connection refused; --cache cache: ' --timeout 200ms
	done
	rm -f cache
	head -c 200 good >cache
	refused 'cut off, altered, or no sealed bundle' --timeout 200ms
	echo hello >cache
	refused 'cut off, altered, or no sealed bundle' --timeout 200ms
	rm cache
	mkfifo cache
	refused '--cache cache: Invalid argument' --timeout 200ms
	rm cache
	refused '^tacit-agent: https://[^ ]*: Connection refused$' --timeout 200ms
	cp good cache
	expect 0 cached "${show[@]}"
}

test_fetch_does_it_too() {
	away_with_cache
	rm -rf "$memory/files"
	mkdir -m 0700 "$memory/files"
	expect 0 env -u TACIT_IDENTITY "$tacit_agent" fetch --dir "$memory/files" --identity web.pem \
		--timeout 500ms --cache cache
	grep -qF "$loud" err || failed 'not loud'
	file_is password first-secret-value || failed 'not delivered'
}

# A proxy before a server that is gone accepts and closes; and one that says nothing at all.
test_a_connection_that_leads_nowhere_is_as_good_as_none() {
	local mode began
	away_with_cache
	for mode in reset-accept stall-accept stall-handshake; do
		start_evil "$mode"
		began=$(now_ms)
		expect 0 cached --timeout 1500ms --server "$(head -n 1 evil.log)" "${show[@]}"
		grep -qF "$loud" err || failed "not loud: $mode"
		(($(now_ms) - began < 1300)) || failed "not after half of the time: $mode"
		stop_process "$evil_pid"
	done
}

test_an_old_one_is_refused() {
	away_with_cache
	# In whole seconds; the tests above have taken longer.
	(($(date +%s) - $(stat -c %Y good) > 1)) || sleep 2
	refused 'too old; see --cache-max-age' --cache-max-age 1s --timeout 200ms
	expect 0 cached --cache-max-age 1h "${show[@]}"
}

test_a_selection_is_made_as_from_the_server() {
	server_is_back
	put web/other the-other-secret-value
	away_with_cache
	echo 'pw=${secret:web/other}' >app.tmpl
	expect 0 cached --secret web/other=x,env=Y_FILE,mode=0440 --secret web/nosuch,optional \
		--template app.tmpl=app.conf -- \
		sh -c 'ls "$0"; cat "$Y_FILE"; echo; stat -c %a "$Y_FILE"; cat "$APP_CONF_FILE"' "$memory/files"
	out_is 'app.conf
x
the-other-secret-value
440
pw=the-other-secret-value'
	expect 125 cached --secret web/nosuch "${show[@]}"
	[[ $(tail -n 1 err) == 'tacit-agent: web/nosuch: not found' ]] || failed 'not as from the server'
	server_comes
	"$tacit" rm web/other >/dev/null
}

test_nobody_can_use_that_of_another() {
	server_is_back
	"$tacit" client add web2 --out web2.pem >/dev/null
	"$tacit" grant web2 'web/*' >/dev/null
	"$tacit_server" init --dir foreign --url "$url" >/dev/null
	away_with_cache
	refused 'made for another client' --identity web2.pem --timeout 200ms
	refused "not made by a server of this identity's CA" --identity foreign/admin.pem --timeout 200ms
	rm -rf foreign web2.pem
}

# The server's files cannot grow any more, so its audit log takes no line.
test_a_server_that_can_serve_nobody_is_away() {
	away_with_cache
	(
		trap '' XFSZ
		exec "$tacit_server" serve --dir "$work/store" --listen "127.0.0.1:$server_port" >server.log 2>server.err
	) &
	printf '%s\n' $! >server.pid
	wait_until 10 server_answers || failed "no server: $(<server.err)"
	prlimit --pid "$(<server.pid)" --fsize="$(stat -c %s store/audit.log)"
	expect 0 cached "${show[@]}"
	grep -qE "$loud.*: /v1/bundle: the audit log cannot be written" err || failed 'not from the cache'
	out_is first-secret-value
	server_goes
}

test_only_a_server_that_is_away_is_replaced() {
	server_is_back
	put web/password first-secret-value
	expect 0 cached "${show[@]}"
	put web/password second-secret-value
	expect 0 cached "${show[@]}"
	out_is second-secret-value
	[[ ! -s err ]] || failed 'it talks'
	# One that somebody else runs.
	start_evil good
	refused 'not signed by the CA' --server "$(head -n 1 evil.log)"
	[[ -e cache ]] || failed 'the cache is gone'
}

test_who_is_revoked_gets_nothing_and_loses_the_cache() {
	"$tacit" client add gone --out gone.pem >/dev/null
	"$tacit" grant gone 'web/*' >/dev/null
	rm -f cache
	expect 0 cached --identity gone.pem "${show[@]}"
	[[ -f cache ]] || failed 'not stored'
	"$tacit" client revoke gone >/dev/null
	refused 'certificate not accepted; the cache is removed' --identity gone.pem
	[[ ! -e cache ]] || failed 'the cache is still there'
}

test_a_place_that_takes_no_file_is_a_warning() {
	put web/password first-secret-value
	expect 0 env -u TACIT_IDENTITY "$tacit_agent" run --dir "$memory/files" --identity web.pem \
		--cache "$work/absent/cache" "${show[@]}"
	out_is first-secret-value
	[[ $(<err) == "tacit-agent: --cache $work/absent/cache: not stored: No such file or directory" ]] ||
		failed 'not said'
	expect 0 env -u TACIT_IDENTITY "$tacit_agent" run --dir "$memory/files" --identity web.pem \
		--cache /proc/cache "${show[@]}"
	out_is first-secret-value
	(($(wc -l <err) == 1)) || failed 'not one line'
}

test_wrong_usage() {
	echo A=1 >app.env
	usage_error "--cache: only a server's secrets" --env-file app.env --cache cache
	usage_error '--cache-max-age: only with --cache' --identity web.pem --cache-max-age 1h
	usage_error '--cache-max-age soon: not a duration' --identity web.pem --cache c --cache-max-age soon
	usage_error '--cache-max-age 0: not a duration' --identity web.pem --cache c --cache-max-age 0
	usage_error '--cache and --token-file: only one can be had: the key' --token-file t --cache c
	TACIT_IDENTITY='' TACIT_TOKEN=tacit1.x usage_error '--cache and TACIT_TOKEN: only one' --cache c \
		--on-failure start
}

cache_is_newer() { [[ -e cache && -n $(find cache -newer mark) ]]; }

test_watching_keeps_it_fresh_though_nothing_changes() {
	server_is_back
	rm -f cache
	put web/password first-secret-value
	start --cache cache --cache-max-age 4s -- "$probe" hold
	touch mark
	sleep 0.4
	! cache_is_newer || failed 'too soon'
	wait_until 5 cache_is_newer || failed "not renewed: $(<agent.err)"
	touch mark
	put web/password second-secret-value
	becomes password second-secret-value
	wait_until 5 cache_is_newer || failed 'not renewed by a change'
	[[ ! -s agent.err ]] || failed "it talks: $(<agent.err)"
}

test_watching_goes_on_from_the_cache_to_the_server() {
	away_with_cache
	start --cache cache --timeout 500ms --signal HUP -- "$probe" signals
	file_is password first-secret-value || failed 'not from the cache'
	says 1 'SERVER AWAY: DELIVERING FROM THE CACHE'
	touch mark
	server_comes
	put web/password third-secret-value
	becomes password third-secret-value
	wait_until 5 grep -qx 1 agent.out || failed 'no signal'
	wait_until 5 cache_is_newer || failed 'not stored again'
	end_agent "$agent"
	server_goes
	expect 0 cached "${show[@]}"
	out_is third-secret-value
}

# The key of the renewed one is in memory alone; what a restart finds is the identity file.
test_a_renewed_certificate_leaves_the_cache_to_the_key_in_the_file() {
	server_is_back
	rm -f cache
	"$tacit" client add short --ttl 60s --out short.pem >/dev/null # due at once: it is dated back
	"$tacit" grant short 'web/*' >/dev/null
	start --identity short.pem --cache cache --cache-max-age 4s -- "$probe" hold
	wait_until 5 grep -q '"client.renew","client":"short"' store/audit.log || failed 'not renewed'
	touch mark
	wait_until 5 cache_is_newer || failed "not stored again: $(<agent.err)"
	end_agent "$agent"
	server_goes
	expect 0 cached --identity short.pem "${show[@]}"
	out_is third-secret-value
}

start_server_for_web
run_tests "$script"

#!/bin/bash
# SPDX-License-Identifier: MIT
# What the command line refuses before it talks to any server.
# shellcheck source=cli_common.sh
. "${BASH_SOURCE[0]%/*}/cli_common.sh"

script=${BASH_SOURCE[0]}
[[ $script == /* ]] || script=$OLDPWD/$script

# An identity that is good, of a server that is not asked: enough to get as far as a connection.
start_evil good
cp evil.pem good.pem
export TACIT_IDENTITY=$work/good.pem

commands=(put get ls rm versions rollback destroy import 'client add' 'client ls' 'client revoke'
	grant ungrant grants 'token create' 'token ls' 'token revoke' status audit)

test_help_names_every_command_and_no_other() {
	local command
	run --help
	for command in "${commands[@]}"; do
		out_has "^  $command( |\$)"
	done
	(($(grep -cE '^  [a-z]' out) == ${#commands[@]})) || failed 'help lists something else'
}

test_every_command_has_help_with_the_common_options() {
	local command option
	for command in "${commands[@]}"; do
		# shellcheck disable=SC2086 # two words
		run $command --help
		out_has "^Usage: tacit $command"
		for option in identity server timeout; do
			out_has "^  --$option [A-Z]"
		done
	done
}

test_every_table_can_be_json() {
	local command
	for command in ls versions import 'client ls' grants put get 'token create' 'token ls' status audit; do
		# shellcheck disable=SC2086 # two words
		run $command --help
		out_has '^  --json'
	done
}

test_version_is_one_line() {
	run --version
	out_has '^tacit [0-9]+\.[0-9]+\.[0-9]+$'
}

test_unknown_words_are_wrong_usage() {
	refuse 2 'no such command' frobnicate
	refuse 2 'no such command' client frobnicate
	refuse 2 'no such command' client
	refuse 2 'no such command' token frobnicate
	refuse 2 'no such command' token
	refuse 2 'no command'
	refuse 2 'option' ls --frobnicate
	refuse 2 'option' ls --json=yes
	refuse 2 'needs a value' ls --server
	refuse 2 'option' rm x --json
}

test_the_number_of_arguments_is_checked() {
	refuse 2 'too few arguments; usage: tacit get \[OPTIONS\] NAME' get
	refuse 2 'too few' put
	refuse 2 'too few' rollback x
	refuse 2 'too few' grant web
	refuse 2 'too many' get a b
	refuse 2 'too many' ls a b
	refuse 2 'too many' rm a b
	refuse 2 'too many' client ls x
	refuse 2 'too many' grants a b
	refuse 2 'too few' token create
	refuse 2 'too many' token ls x
	refuse 2 'too few' token revoke
}

test_a_value_as_argument_is_refused_and_not_shown() {
	refuse 2 'no value is taken from the command line' put web/db hunter2-value
	says_nowhere hunter2
	refuse 2 'no value is taken from the command line' put web/db -- hunter2-value
	says_nowhere hunter2
	refuse 2 'no value is taken from the command line' put web/db=hunter2-value
	says_nowhere hunter2
	refuse 2 option put web/db --value=hunter2-value
	says_nowhere hunter2
	refuse 2 option put web/db -hunter2-value
	says_nowhere hunter2
}

test_names_outside_the_grammar_are_refused() {
	local name long
	long=$(printf 'x%.0s' {1..256})
	for name in '' / /a a/ a//b . .. a/. a/../b .a -- -a 'a b' a:b 'a*' $'a\nb' ä "$long"; do
		refuse 1 'not a valid name' get -- "$name"
		refuse 1 'not a valid name' rm -- "$name"
		refuse 1 'not a valid name' put --generate 16 -- "$name"
	done
	for name in '' a/b .a "${long:0:65}"; do
		refuse 1 'not a valid name' client revoke -- "$name"
		refuse 1 'not a valid name' client add --out never.pem -- "$name"
		refuse 1 'not a valid name' grant -- "$name" 'a/*'
	done
	[[ ! -e never.pem ]] || failed 'a file is there'
}

test_a_name_cannot_steer_the_terminal() {
	refuse 1 'not a valid name' get $'a\033[2Jb'
	! grep -q $'\033' err || failed 'an escape sequence came through'
}

test_patterns_are_checked_before_they_are_sent() {
	local pattern
	for pattern in '' / /a 'a/' 'a//b' '../a' 'a b' '[a]' 'a?'; do
		refuse 1 'not a valid pattern' grant web "$pattern"
		refuse 1 'not a valid pattern' ungrant web "$pattern"
	done
}

test_options_of_put_are_checked_before_they_are_sent() {
	refuse 1 'not a valid file mode' put x --mode 0644 --generate 16
	refuse 1 'not a valid file mode' put x --mode rw --generate 16
	refuse 1 'not a valid name' put x --file a/b --generate 16
	refuse 1 'not a valid name' put x --file .. --generate 16
	refuse 1 'not a valid variable' put x --env 1A --generate 16
	refuse 1 'not a valid variable' put x --env A=B --generate 16
	refuse 2 'whole number' put x --if-version v3 --generate 16
	refuse 2 'whole number' put x --if-version -1 --generate 16
	refuse 2 'whole number from 8 to 384000' put x --generate 7
	refuse 2 'whole number' put x --generate 384001
	refuse 2 'whole number' put x --generate many
	refuse 2 'exclude each other' put x --generate 16 --from-file y
	refuse 2 'whole number' get x --version 0
	refuse 2 'whole number' rollback x 0
	refuse 2 'whole number' rollback x 4294967296
	refuse 2 'whole number' destroy x --version x
}

test_roles_and_times_are_checked_before_they_are_sent() {
	refuse 1 'not a role' client add x --role king --out never.pem
	refuse 2 'ttl' client add x --ttl 0 --out never.pem
	refuse 2 'ttl' client add x --ttl soon --out never.pem
	refuse 2 'timeout' ls --timeout 0
	refuse 2 'timeout' ls --timeout later
	[[ ! -e never.pem ]] || failed 'a file is there'
}

test_orders_of_tokens_are_checked_before_they_are_sent() {
	local number
	for number in 0 -1 1.5 x 1000001; do
		refuse 2 '--uses: ' token create web --uses "$number"
	done
	refuse 2 '--ttl: not a time' token create web --ttl 0
	refuse 2 '--certificate-ttl: not a time' token create web --certificate-ttl soon
	refuse 1 'a/b: not a valid name' token create a/b
	refuse 2 'no-identity: not with --out' client add web --no-identity --out web.pem
}

test_a_token_in_place_of_its_id_is_refused_and_not_shown() {
	refuse 2 'wants the id of a token' token revoke tacit1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYX
	says_nowhere AAECAwQFBg
}

test_a_file_that_is_not_there_is_named() {
	refuse 1 'nowhere.txt: No such file' put x --from-file nowhere.txt
	refuse 1 'nowhere.env: No such file' import nowhere.env
	mkdir -p directory
	refuse 1 'directory: Is a directory' put x --from-file directory
}

test_a_value_over_the_limit_is_refused_without_sending() {
	head -c 512001 /dev/zero >large
	refuse 1 'large: a value has at most 512,000 bytes' put x --from-file large
	expect 1 "$tacit" put x <large
	grep -q '^tacit: x: a value has at most 512,000 bytes$' err || failed 'not said'
	rm large
}

test_without_an_identity_that_is_said() {
	unset TACIT_IDENTITY
	[[ -e /run/tacit/identity.pem ]] || refuse 1 'no identity file' ls
	refuse 1 'nowhere.pem: no identity file found' ls --identity nowhere.pem
	TACIT_IDENTITY=nowhere.pem refuse 1 'nowhere.pem: no identity file found' ls
}

test_an_identity_that_others_may_read_is_refused() {
	cp good.pem open.pem
	chmod 0444 open.pem
	refuse 1 'open.pem: readable by others; chmod 0400 it' ls --identity open.pem
	rm -f open.pem
}

test_a_damaged_identity_is_refused() {
	local size lines
	size=$(stat -c %s good.pem)
	for lines in 0 1 100 $((size / 2)) $((size - 40)); do
		rm -f cut.pem
		head -c "$lines" good.pem >cut.pem
		chmod 0400 cut.pem
		refuse 1 'cut.pem: .' ls --identity cut.pem
	done
	rm -f cut.pem
	head -c 3000 /dev/urandom >cut.pem
	chmod 0400 cut.pem
	refuse 1 'cut.pem: .' ls --identity cut.pem
	rm -f cut.pem
}

test_a_server_url_must_be_https() {
	refuse 1 'not a valid URL' ls --server http://127.0.0.1:1
	refuse 1 'not a valid URL' ls --server https://user@127.0.0.1:1
	TACIT_SERVER=ftp://x refuse 1 'not a valid URL' ls
}

test_a_server_that_is_away_gives_69() {
	refuse 69 'https://127.0.0.1:1' ls --server https://127.0.0.1:1
	TACIT_SERVER=https://127.0.0.1:1 refuse 69 'https://127.0.0.1:1' ls
	refuse 69 'https://127.0.0.1:1' put x --generate 16 --server https://127.0.0.1:1
	refuse 69 'https://127.0.0.1:1' client add x --out never.pem --server https://127.0.0.1:1
	[[ ! -e never.pem ]] || failed 'a file is there'
}

test_a_server_of_another_ca_gives_69() {
	start_evil good
	refuse 69 'not signed by the CA' ls --server "$(<evil.log)" --identity good.pem
}

# What a server may do wrong, and the exit code that it makes.
test_a_server_that_misbehaves_gives_69_in_time() {
	local mode started_ms took_ms
	for mode in stall-accept stall-handshake reset-accept garbage-handshake plain-http tls12 \
		certificate-other-ca certificate-other-host certificate-expired \
		certificate-of-client stall-answer stall-head stall-body slow-body endless-head \
		close-answer cut-answer reset-answer close-body cut-body reset-body length-long \
		length-negative length-huge length-twice length-none chunked garbage http10; do
		start_evil "$mode"
		started_ms=$(now_ms)
		refuse 69 . get x --identity evil.pem --timeout 300ms
		took_ms=$(($(now_ms) - started_ms))
		says_nowhere correct-horse
		((took_ms < 2000)) || failed "$mode: took $took_ms ms"
		stop_process "$evil_pid"
	done
}

test_a_server_that_refuses_the_certificate_gives_5() {
	local mode
	for mode in refuse-bad refuse-expired refuse-revoked; do
		start_evil "$mode"
		refuse 5 'did not accept this certificate' get x --identity evil.pem
		stop_process "$evil_pid"
	done
}

test_an_answer_that_is_not_json_is_not_shown() {
	start_evil good
	refuse 69 'not what was asked for' ls --identity evil.pem
	says_nowhere correct-horse
	refuse 69 'not what was asked for' get x --json --identity evil.pem
	says_nowhere correct-horse
	refuse 69 'not what was asked for' client add x --out never.pem --identity evil.pem
	[[ ! -e never.pem ]] || failed 'a file is there'
}

test_the_process_keeps_values_to_itself() {
	local pid
	start_evil stall-answer
	"$tacit" get x --identity evil.pem --timeout 5s >out 2>err &
	pid=$!
	at_exit stop_process "$pid"
	wait_until 5 test -e "/proc/$pid/limits"
	sleep 0.2
	[[ $(awk '/^Max core file size/ { print $5 $6 }' "/proc/$pid/limits") == 00 ]] ||
		failed 'core dumps are allowed'
	# What is not dumpable belongs to root in /proc, whoever runs it; as root we look elsewhere.
	if ((EUID != 0)); then
		[[ $(stat -c %u "/proc/$pid/mem") == 0 ]] || failed 'dumpable'
	else
		run_as_nobody_is_not_dumpable
	fi
}

run_as_nobody_is_not_dumpable() {
	local pid
	install -o nobody -m 0400 evil.pem nobody.pem
	chmod 0711 "$work"
	setpriv --reuid=nobody --clear-groups \
		"$tacit" get x --identity "$work/nobody.pem" --timeout 5s >/dev/null 2>&1 &
	pid=$!
	at_exit stop_process "$pid"
	sleep 0.3
	[[ $(stat -c %U "/proc/$pid/mem") == root ]] || failed 'dumpable'
}

run_tests "$script"

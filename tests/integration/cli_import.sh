#!/bin/bash
# SPDX-License-Identifier: MIT
# import of .env files against a real server.
# shellcheck source=cli_common.sh
. "${BASH_SOURCE[0]%/*}/cli_common.sh"

script=${BASH_SOURCE[0]}
[[ $script == /* ]] || script=$OLDPWD/$script

start_server

cat >app.env <<'END'
# the application
export DB_PASSWORD='it''s $HOME'
API_KEY=abc#def # rotated in May
KEY="-----BEGIN-----
line
-----END-----
"
lower_case=x
EMPTY=
END
sed -i "s/'it''s/'its/" app.env

test_every_variable_becomes_a_secret() {
	run import app.env --prefix web
	out_has '^NAME +VERSION$'
	out_has '^web/DB_PASSWORD +1$'
	(($(wc -l <out) == 6)) || failed 'other rows'
	run get web/DB_PASSWORD
	# shellcheck disable=SC2016 # literally
	out_is 'its $HOME'
	run get web/API_KEY
	out_is 'abc#def'
	run get web/KEY
	printf -- '-----BEGIN-----\nline\n-----END-----\n' | cmp -s - out || failed 'KEY differs'
	run get web/EMPTY
	[[ ! -s out ]] || failed 'EMPTY is not empty'
}

test_it_is_delivered_in_place_of_the_same_variable() {
	run import app.env --prefix env/
	run ls env/ --json
	json_is '.secrets[] | select(.name == "env/DB_PASSWORD") | .env' DB_PASSWORD_FILE
	json_is '.secrets[] | select(.name == "env/DB_PASSWORD") | .file' DB_PASSWORD
	json_is '.secrets[] | select(.name == "env/lower_case") | .env' lower_case_FILE
}

test_without_a_prefix_names_are_the_variables() {
	run import app.env --json
	json_is '.imported | length' 5
	json_is '.imported[0].name' DB_PASSWORD
	json_is '.imported[0].version' 1
	run import app.env --json
	json_is '.imported[0].version' 2
}

# After a second, on a terminal; nobody waits for the end here.
test_a_long_import_shows_how_far_it_is() {
	seq -f 'long%g=x' 4000 >long.env
	expect 130 "$cli_pty" ' of 4000 secrets' $'\003' -- "$tacit" import long.env --prefix long
}

test_an_empty_file_imports_nothing() {
	: >empty.env
	run import empty.env --json
	out_is '{"imported":[]}'
}

test_a_broken_file_imports_nothing() {
	printf 'GOOD=hunter2-value\nhunter2-broken\n' >broken.env
	refuse 1 'broken.env, line 2: not a line of a .env file' import broken.env --prefix broken
	says_nowhere hunter2
	printf 'GOOD=x\n\n2BAD=hunter2-value\n' >broken.env
	refuse 1 'broken.env, line 3: not a valid variable name' import broken.env --prefix broken
	says_nowhere hunter2
	printf 'GOOD=x\nOPEN="hunter2-value\n' >broken.env
	refuse 1 'broken.env, line 2: ' import broken.env --prefix broken
	says_nowhere hunter2
	{
		printf 'GOOD=x\nLARGE='
		head -c 512001 /dev/zero | tr '\0' x
	} >broken.env
	refuse 1 'broken.env, line 2: a value over 512,000 bytes' import broken.env --prefix broken
	run ls broken
	(($(wc -l <out) == 1)) || failed 'something was imported'
}

test_a_wrong_prefix_imports_nothing() {
	local prefix
	for prefix in / /a a//b .. 'a b'; do
		refuse 1 'not a valid name' import app.env --prefix "$prefix"
	done
	# One name fits behind it and the next does not: the first must not be stored either.
	prefix=$(printf 'x%.0s' {1..250})
	printf 'A=x\nLONG_NAME=y\n' >long.env
	refuse 1 'not a valid name' import long.env --prefix "$prefix"
	run ls "$prefix" --json
	out_is '{"secrets":[]}'
}

test_what_was_stored_before_a_failure_is_said() {
	expect 0 "$tacit" client add half --out half.pem
	run grant half 'half/DB_PASSWORD' --write
	expect 5 "$tacit" import app.env --prefix half --identity half.pem
	out_has '^half/DB_PASSWORD +1$'
	grep -q '^tacit: half/API_KEY: ' err || failed 'the one that failed is not named'
}

run_tests "$script"

#!/bin/bash
# SPDX-License-Identifier: MIT
# Clients, grants, roles, and what each of them may do, against a real server.
# shellcheck source=cli_common.sh
. "${BASH_SOURCE[0]%/*}/cli_common.sh"

script=${BASH_SOURCE[0]}
[[ $script == /* ]] || script=$OLDPWD/$script

start_server
for name in web/a web/b web/deep/c other/d; do
	"$tacit" put "$name" <<<"value of $name" >/dev/null
done

add() { expect 0 "$tacit" client add "$1" --out "$1.pem" "${@:2}"; }

test_client_add_writes_an_identity_once() {
	add first
	out_has '^first: identity in first.pem, valid until 2[-0-9T:]+Z$'
	[[ $(stat -c %a first.pem) == 400 ]] || failed 'mode'
	[[ $(head -n 1 first.pem) == "# tacit-server: $url" ]] || failed 'the comment line'
	(($(grep -c 'BEGIN CERTIFICATE' first.pem) == 2)) || failed 'not two certificates'
	(($(grep -c 'BEGIN.* PRIVATE KEY' first.pem) == 1)) || failed 'not one key'
	openssl x509 -in first.pem -noout -ext subjectAltName | grep -q 'URI:tacit://.*/client/first$' ||
		failed 'the name'
	run ls --identity first.pem
}

test_an_existing_file_is_left_alone() {
	echo precious >precious.pem
	refuse 1 'precious.pem: File exists' client add second --out precious.pem
	[[ $(<precious.pem) == precious ]] || failed 'overwritten'
	ln -s nowhere link.pem
	refuse 1 'link.pem: File exists' client add second --out link.pem
	[[ ! -e nowhere ]] || failed 'written through a link'
	run client ls
	! grep -q '^second ' out || failed 'a client without an identity'
}

test_an_identity_that_cannot_be_written_makes_no_client() {
	refuse 1 'nowhere/x.pem: No such file' client add third --out nowhere/x.pem
	refuse 1 'store/: ' client add third --out store/
	refuse 1 'first.pem/x: Not a directory' client add third --out first.pem/x
	# Nothing of the kind can be known before the write.
	expect_full client add third
	run client ls
	! grep -q '^third ' out || failed 'a client without an identity'
	add third
}

test_client_add_prints_the_identity_into_a_pipe() {
	run client add piped
	(umask 077 && cp out piped.pem)
	grep -q PRIVATE piped.pem || failed 'no key'
	run ls --identity piped.pem
}

test_a_client_is_added_once_only() {
	add once
	refuse 6 'once: ' client add once --out once2.pem
	[[ ! -e once2.pem ]] || failed 'a file is there'
	run ls --identity once.pem
}

test_roles_and_times_are_kept() {
	add auditor --role auditor --ttl 2h
	run client ls --json
	json_is '.clients[] | select(.name == "auditor") | .role' auditor
	json_is '.clients[] | select(.name == "auditor") | .revoked == false' true
	local left
	left=$(($(date -d "$(jq -r '.clients[] | select(.name == "auditor") | .not_after' out)" +%s) -
		$(date +%s)))
	((left > 7000 && left <= 7200)) || failed "valid for $left s"
}

test_client_ls_is_a_table() {
	add tabled
	run client ls
	out_has '^NAME +ROLE +STATE +CREATED +VALID UNTIL +GRANTS$'
	out_has '^tabled +client +active +2[-0-9T:]+Z +2[-0-9T:]+Z +0$'
	out_has '^admin +admin +active '
}

test_nothing_is_granted_at_first() {
	add bare
	refuse 5 'web/a: ' get web/a --identity bare.pem
	refuse 5 'web/never: ' get web/never --identity bare.pem
	refuse 5 'web/a: ' rm web/a --identity bare.pem
	run ls --json --identity bare.pem
	out_is '{"secrets":[]}'
	expect 5 "$tacit" put web/a --identity bare.pem <<<'overwritten'
	run get web/a
	out_is 'value of web/a'
}

test_a_grant_is_as_wide_as_its_pattern() {
	add wide
	run grant wide 'web/*'
	out_is ''
	run get web/a --identity wide.pem
	out_is 'value of web/a'
	refuse 5 'web/deep/c: ' get web/deep/c --identity wide.pem
	run grant wide 'web/**'
	run get web/deep/c --identity wide.pem
	refuse 5 'other/d: ' get other/d --identity wide.pem
	run ls --json --identity wide.pem
	json_is '.secrets | length' 3
	refuse 4 'web/never: ' get web/never --identity wide.pem
}

test_reading_is_not_writing() {
	add writer
	run grant writer 'web/b'
	expect 5 "$tacit" put web/b --identity writer.pem <<<'by the client'
	run grant writer 'web/b' --write
	expect 0 "$tacit" put web/b --identity writer.pem <<<'by the client'
	run get web/b
	out_is 'by the client'
}

test_grants_are_listed() {
	add granted
	run grant granted 'web/*'
	run grant granted 'other/d' --write
	run grants granted
	out_has '^CLIENT +PATTERN +MAY$'
	out_has '^granted +web/\* +read$'
	out_has '^granted +other/d +read, write$'
	(($(wc -l <out) == 3)) || failed 'other rows'
	run grants
	out_has '^granted +web/\* +read$'
	run grants --json
	json_is '[.grants[] | select(.client == "granted")] | length' 2
	run grants granted --json
	json_is '.grants[] | select(.write) | .pattern' other/d
	run client ls
	out_has '^granted .* 2$'
}

test_ungrant_takes_it_back() {
	add ungranted
	run grant ungranted 'web/*'
	run get web/a --identity ungranted.pem
	run ungrant ungranted 'web/*'
	out_is ''
	refuse 5 'web/a: ' get web/a --identity ungranted.pem
	refuse 4 'ungranted: web/\*: not found' ungrant ungranted 'web/*'
}

test_what_is_not_there_is_not_found() {
	refuse 4 'never: ' grants never
	refuse 4 'never: ' grant never 'web/*'
	refuse 4 'never: ' ungrant never 'web/*'
	refuse 4 'never: ' client revoke never
}

test_a_revoked_client_is_out_at_once() {
	add revoked
	run grant revoked 'web/**'
	run get web/a --identity revoked.pem
	run client revoke revoked
	out_is ''
	refuse 5 . get web/a --identity revoked.pem
	refuse 5 . ls --identity revoked.pem
	run client ls
	out_has '^revoked +client +revoked '
}

test_a_client_manages_nobody() {
	add modest
	run grant modest '**' --write
	refuse 5 . client ls --identity modest.pem
	refuse 5 . client add friend --out friend.pem --identity modest.pem
	[[ ! -e friend.pem ]] || failed 'a file is there'
	refuse 5 . grant modest 'other/**' --identity modest.pem
	refuse 5 . grants --identity modest.pem
	refuse 5 . client revoke modest --identity modest.pem
}

test_an_operator_manages_but_does_not_read() {
	add operator --role operator
	run client ls --identity operator.pem
	expect 0 "$tacit" client add managed --out managed.pem --identity operator.pem
	run grant managed 'web/*' --identity operator.pem
	refuse 5 'web/a: ' get web/a --identity operator.pem
}

test_an_identity_of_another_store_is_refused() {
	"$tacit_server" init --dir "$work/foreign" --url "$url" >/dev/null
	refuse 69 'not signed by the CA' ls --identity foreign/admin.pem
}

run_tests "$script"

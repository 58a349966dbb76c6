#!/bin/bash
# SPDX-License-Identifier: MIT
# put, get, ls, rm, versions, rollback and destroy against a real server.
# shellcheck source=cli_common.sh
. "${BASH_SOURCE[0]%/*}/cli_common.sh"

script=${BASH_SOURCE[0]}
[[ $script == /* ]] || script=$OLDPWD/$script

start_server

put() { expect 0 "$tacit" put "$@"; }

test_a_value_goes_through_a_pipe_byte_for_byte() {
	local size
	for size in 0 1 63 4096 65536 511999 512000; do
		head -c "$size" /dev/urandom >value
		put "bytes/$size" <value
		out_is "bytes/$size: version 1"
		run get "bytes/$size"
		same out value
		run get "bytes/$size" --raw
		same out value
	done
}

test_nothing_is_added_or_trimmed() {
	local number=0 value
	for value in '\n' 'a\n' '\na' ' a ' 'a\r\n' '\0' 'a\0b' '\0\0\n' '\377\376'; do
		printf '%b' "$value" >value
		put "exact/$((++number))" <value
		run get "exact/$number"
		same out value
	done
}

test_a_value_comes_from_a_file() {
	head -c 1000 /dev/urandom >value
	put file --from-file value
	run get file
	same out value
	put file --from-file=value
	out_is 'file: version 2'
}

test_a_value_comes_from_a_here_document_and_a_device() {
	put here <<<'text'
	run get here
	out_is text
	put null </dev/null
	run get null
	[[ ! -s out ]] || failed 'not empty'
}

test_too_large_a_value_leaves_the_old_one() {
	put large <<<'old'
	head -c 512001 /dev/zero >value
	expect 1 "$tacit" put large <value
	grep -q 'tacit: large: a value has at most 512,000 bytes' err || failed 'not said'
	run get large
	out_is old
}

test_generate_stores_text_and_shows_nothing() {
	put generated --generate 32
	out_is 'generated: version 1'
	run get generated
	out_has '^[A-Za-z0-9_-]{43}$'
	cp out first
	put generated --generate 32
	run get generated
	! cmp -s out first || failed 'the same twice'
}

test_a_refused_value_shows_nowhere() {
	expect 0 "$tacit" client add stranger --out stranger.pem
	expect 5 "$tacit" put refused --identity stranger.pem <<<'hunter2-value'
	grep -q '^tacit: refused: ' err || failed 'not named'
	says_nowhere hunter2
	refuse 4 'not found' get refused
}

test_metadata_goes_along() {
	put web/meta --file pg.pass --env PGPASSFILE --mode 0440 <<<'x'
	run ls web/meta --json
	json_is '.secrets[0].file' pg.pass
	json_is '.secrets[0].env' PGPASSFILE
	json_is '.secrets[0].mode' 0440
	run get web/meta --json
	json_is .env PGPASSFILE
}

test_metadata_has_defaults() {
	put web/db-password <<<'x'
	run ls web/db-password --json
	json_is '.secrets[0].file' db-password
	json_is '.secrets[0].env' DB_PASSWORD_FILE
	json_is '.secrets[0].mode' 0400
	json_is '.secrets[0].size' 2
}

test_get_json_holds_the_value_in_base64() {
	printf '\0\377binary' >value
	put json <value
	run get json --json
	json_is .name json
	json_is .version 1
	jq -r .value out | base64 -d >decoded
	same value decoded
	run put json --json </dev/null
	json_is .version 2
}

test_old_versions_can_be_read() {
	put old <<<'one'
	put old <<<'two'
	run get old --version 1
	out_is one
	run get old --version=2
	out_is two
	run get old
	out_is two
	refuse 4 'old version 3: not found' get old --version 3
	refuse 4 'old version 3: not found' rollback old 3
	refuse 4 'old version 3: not found' destroy old --version 3
}

test_versions_are_listed() {
	put listed <<<'one'
	put listed <<<'two!'
	run versions listed
	out_has '^VERSION  CREATED +SIZE  STATE$'
	out_has '^ +1  2[-0-9T:]+Z +4  kept$'
	out_has '^ +2  2[-0-9T:]+Z +5  current$'
	run versions listed --json
	json_is '.versions | length' 2
	json_is '.versions[] | select(.state == "current") | .version' 2
	refuse 4 'not found' versions never
}

test_if_version_compares_and_sets() {
	put cas --if-version 0 <<<'one'
	expect 6 "$tacit" put cas --if-version 0 <<<'again'
	put cas --if-version 1 <<<'two'
	expect 6 "$tacit" put cas --if-version 1 <<<'stale'
	grep -q '^tacit: cas: ' err || failed 'not named'
	run get cas
	out_is two
	expect 6 "$tacit" put cas/new --if-version 4 <<<'none'
	refuse 4 'not found' get cas/new
}

test_of_ten_writers_exactly_one_wins() {
	local n wins=0
	local -a writers=()
	put race <<<'start'
	for n in {1..10}; do
		"$tacit" put race --if-version 1 <<<"$n" >"race.$n" 2>&1 &
		writers+=("$!")
	done
	wait "${writers[@]}" || true
	wins=$(cat race.* | grep -c '^race: version 2$' || true)
	((wins == 1)) || failed "$wins win"
}

test_ls_shows_names_and_no_values() {
	put list/a <<<'hunter2-value'
	put list/b <<<'hunter2-value'
	run ls list/
	out_has '^NAME +VERSION  CREATED +SIZE  FILE  VARIABLE  MODE$'
	out_has '^list/a +1  2'
	out_has '^list/b +1  2'
	(($(wc -l <out) == 3)) || failed 'other rows'
	says_nowhere hunter2
	run ls list/b
	(($(wc -l <out) == 2)) || failed 'other rows'
	run ls nothing/here
	(($(wc -l <out) == 1)) || failed 'other rows'
	run ls nothing/here --json
	out_is '{"secrets":[]}'
	run ls
	out_has '^list/a '
}

# Pages hold 1,000 names.
test_ls_pages_through_everything() {
	local n
	for n in {1000..3200}; do
		printf 'V%d=x\n' "$n"
	done >many.env
	run import many.env --prefix many
	run ls many/ --json
	json_is '.secrets | length' 2201
	json_is '[.secrets[].name] | unique | length' 2201
	run ls many/
	(($(wc -l <out) == 2202)) || failed "$(wc -l <out) lines"
}

test_rm_asks_nothing_and_says_nothing() {
	put gone <<<'x'
	run rm gone
	out_is ''
	refuse 4 'gone: .*not found' get gone
	refuse 4 'gone: .*not found' rm gone
	run ls gone
	(($(wc -l <out) == 1)) || failed 'still listed'
}

test_a_removed_secret_keeps_its_versions() {
	put back <<<'one'
	run rm back
	run versions back
	out_has ' 1  '
	put back <<<'two'
	out_is 'back: version 2'
}

test_a_removed_secret_is_found_and_brought_back() {
	put way/back <<<'one'
	put way/back <<<'two'
	put way/gone <<<'one'
	put way/here <<<'one'
	run rm way/back
	run rm way/gone
	run ls way/
	[[ $(grep -c way/ out) == 1 ]] || failed 'shows what was removed'
	run ls --deleted way/
	[[ $(grep -c way/ out) == 2 ]] || failed 'does not show what was removed'
	run ls way/ --deleted --json
	json_is '.secrets[0] | "\(.name) \(.version)"' 'way/back 2'
	# What is destroyed has no way back, and the newest that there is one to is shown.
	run destroy way/gone
	run destroy way/back --version 2
	run ls --deleted way/ --json
	json_is '.secrets | map("\(.name) \(.version)") | join(",")' 'way/back 1'
	run rollback way/back 1
	run get way/back
	out_is one
	run ls --deleted way/
	! grep -q way/ out || failed 'is still shown'
}

test_rollback_makes_an_old_value_current() {
	put roll <<<'one'
	put roll <<<'two'
	run rollback roll 1
	out_is 'roll: version 1'
	run get roll
	out_is one
	run versions roll --json
	json_is '.versions | length' 2
	run rollback roll 2 --json
	json_is .name roll
	run get roll
	out_is two
	put roll <<<'three'
	out_is 'roll: version 3'
	refuse 4 . rollback roll 99
	refuse 4 . rollback never 1
}

versions_are() { [[ $("$tacit" versions "$1" --json | jq -c '[.versions[] | select(.state != "destroyed") | .version]') == "$2" ]] || failed "$("$tacit" versions "$1")"; }

# metadata_put NAME BODY: by the API, for which `tacit` has no command.
metadata_put() {
	curl -sS --cacert "$TACIT_IDENTITY" --cert "$TACIT_IDENTITY" --key "$TACIT_IDENTITY" -o out -w '%{http_code}' \
		-X PUT -d "$2" "$url/v1/secrets/$1/metadata"
}

test_a_secret_keeps_as_many_versions_as_it_is_told_to() {
	local number
	run put few --keep 2 <<<1
	for number in 2 3 4; do put few <<<"$number"; done
	versions_are few '[3,4]'
	run ls few --json
	json_is '.secrets[0].keep_versions' 2
	run put few --keep 4 <<<5
	put few <<<6
	versions_are few '[3,4,5,6]'
	# The current one is spared, and no number is given twice.
	run rollback few 4
	[[ $(metadata_put few '{"keep_versions":1}') == 200 ]] || failed "$(<out)"
	json_is .keep_versions 1
	versions_are few '[4]'
	run get few
	out_is 4
	refuse 4 'not found' rollback few 6
	put few <<<seven
	out_is 'few: version 7'
	versions_are few '[7]'
	run put few --keep 0 <<<eight
	put few <<<nine
	versions_are few '[7,8,9]'
	run ls few --json
	json_is '.secrets[0] | has("keep_versions") | tostring' false
	for number in '"3"' 257 -1 1.5 null; do
		[[ $(metadata_put few "{\"keep_versions\":$number}") == 400 ]] || failed "$number"
	done
	for number in 257 -1 x ''; do
		expect 2 "$tacit" put few --keep "$number" <<<never
	done
	[[ $(curl -sS --cacert "$TACIT_IDENTITY" --cert "$TACIT_IDENTITY" --key "$TACIT_IDENTITY" -o out \
		-w '%{http_code}' -X PUT -d x "$url/v1/secrets/few?keep_versions=257") == 400 ]] || failed "$(<out)"
	versions_are few '[7,8,9]'
}

test_destroy_ends_one_version_or_all() {
	put end <<<'one'
	put end <<<'two'
	run destroy end --version 1
	out_is ''
	refuse 4 . get end --version 1
	run get end
	out_is two
	run versions end
	out_has ' 1 .* destroyed$'
	run destroy end
	refuse 4 . get end
	refuse 4 . destroy never
}

test_names_that_look_like_routes_are_names() {
	local name
	for name in a/versions a/rollback a/destroy a/metadata versions health 0 _/_ a.b-c_d; do
		put "$name" <<<"$name"
		run get "$name"
		out_is "$name"
	done
}

test_a_reader_that_goes_away_is_an_error() {
	local status
	head -c 512000 /dev/zero | "$tacit" put pipe >/dev/null
	set +e
	env --default-signal=PIPE "$tacit" get pipe 2>err | true
	status=${PIPESTATUS[0]}
	set -e
	((status == 1)) || failed "exit code $status and not 1"
	[[ $(<err) == 'tacit: stdout: Broken pipe' ]] || failed 'not said'
}

test_a_full_disk_is_an_error() {
	expect_full get bytes/4096
	expect_full ls
	expect_full ls --json
	expect_full put bytes/new --generate 16
}

test_several_servers_are_tried_in_turn() {
	put turn --server "https://127.0.0.1:1,$url" <<<'x'
	run get turn --server "https://127.0.0.1:1,$url"
	out_is x
	TACIT_SERVER=https://127.0.0.1:1,$url run get turn
	out_is x
}

test_the_identity_is_found_where_the_contract_says() {
	put found <<<'x'
	unset TACIT_IDENTITY
	[[ -e /run/tacit/identity.pem ]] || refuse 1 'no identity file' get found
	mkdir -p .config/tacit
	install -m 0400 store/admin.pem .config/tacit/identity.pem
	[[ -e /run/tacit/identity.pem ]] || run get found
	run get found --identity store/admin.pem
	rm -r .config
}

test_no_value_reaches_the_servers_log() {
	put logged <<<'hunter2-in-the-log'
	run get logged
	! grep -aq hunter2 server.log server.err || failed 'in the log of the server'
	! grep -arq hunter2-in-the-log store || failed 'in the directory of the store'
}

# The last one: it stops the server.
test_a_stopped_server_gives_69() {
	stop_process "$server_pid"
	refuse 69 "$url" get found
	refuse 69 "$url" ls
	refuse 69 "$url" rm found
}

run_tests "$script"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Files that are made from a template: `tacit-agent run --template SRC=DST`.
# shellcheck disable=SC2016 # what stands in quotes is for the shell under the agent, or a template
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=watch_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/watch_common.sh"

# from_file OPTION... -- COMMAND...: with secrets from app.env
from_file() { env -u TACIT_IDENTITY "$tacit_agent" run --dir "$memory/files" --env-file app.env "$@"; }

# refused PATTERN OPTION...: one line that matches, no command, no file, and no value.
refused() {
	local pattern=$1
	shift
	usage_error "$pattern" --dir "$memory/files" --env-file app.env "$@"
	says_nowhere hunter2-value
	[[ ! -e $memory/files ]] || failed "files are left: $*"
}

prepare() {
	printf "DB_PASSWORD='hunter2-value'\nKEY=short\n" >app.env
	printf 'host=db\npassword=${secret:DB_PASSWORD}\n# $${secret:KEY}\n' >app.tmpl
	printf 'host=db\npassword=hunter2-value\n# ${secret:KEY}\n' >expected
}

test_a_template_becomes_a_file_like_the_others() {
	prepare
	from_file --template app.tmpl=app.conf -- sh -c \
		'echo "$APP_CONF_FILE $DB_PASSWORD_FILE"; cat "$APP_CONF_FILE" >rendered; stat -c "%a %u %F" "$APP_CONF_FILE"; ls "${APP_CONF_FILE%/*}"' >out 2>err ||
		failed 'exit code'
	same expected rendered
	out_is "$memory/files/app.conf $memory/files/DB_PASSWORD
400 $(id -u) regular file
DB_PASSWORD
KEY
app.conf"
	[[ ! -e $memory/files ]] || failed 'files are left'
	[[ ! -s err ]] || failed 'it talks'
}

test_only_the_path_is_exported_and_no_variable_is_removed() {
	prepare
	APP_CONF=mine APP_CONF_FILE=old from_file --template app.tmpl=app.conf -- \
		sh -c 'echo "$APP_CONF $APP_CONF_FILE"' >out 2>err
	out_is "mine $memory/files/app.conf"
	APP_CONF=mine APP_CONF_FILE=old from_file --env value --template app.tmpl=app.conf -- \
		sh -c 'echo "$APP_CONF $APP_CONF_FILE $KEY ${KEY_FILE-none}"' >out 2>err
	out_is "mine $memory/files/app.conf short none"
	APP_CONF=mine APP_CONF_FILE=old from_file --env none --template app.tmpl=app.conf -- \
		sh -c 'echo "$APP_CONF $APP_CONF_FILE"' >out 2>err
	out_is 'mine old'
}

test_bytes_are_bytes() {
	head -c 100000 /dev/urandom | tr '$' x >noise
	printf 'a\0\nb${secret:c}' >binary
	"$tacit" put web/binary <binary >/dev/null
	{ cat noise; printf '${secret:web/binary}\0${secret:web/binary}'; } >binary.tmpl
	{ cat noise binary; printf '\0'; cat binary; } >expected
	"$tacit_agent" run --dir "$memory/files" --identity web.pem --template binary.tmpl=out.bin -- \
		sh -c 'cat "$OUT_BIN_FILE"' >rendered 2>err || failed 'exit code'
	same expected rendered
	"$tacit" rm web/binary >/dev/null
}

test_fetch_writes_it_too() {
	prepare
	mkdir -p "$memory/files"
	expect 0 "$tacit_agent" fetch --dir "$memory/files" --env-file app.env --template app.tmpl=app.conf
	cmp -s expected "$memory/files/app.conf" || failed 'not as expected'
	[[ $(stat -c %a "$memory/files/app.conf") == 400 ]] || failed mode
	rm -rf "$memory/files"
}

test_what_is_wrong_is_told_and_nothing_starts() {
	prepare
	printf 'one\ntwo\n${secret:web/nosuch}\n' >unknown.tmpl
	printf '\n${secret:DB_PASSWORD\n' >open.tmpl
	mkfifo fifo.tmpl
	head -c 512001 /dev/zero >large.tmpl
	printf 'LONG=%05000d\n' 0 >>app.env
	for _ in {1..103}; do printf '${secret:LONG}'; done >swells.tmpl
	refused '^tacit-agent: unknown.tmpl line 3: web/nosuch: no such secret is delivered' \
		--template unknown.tmpl=a
	refused '^tacit-agent: open.tmpl line 2: ' --template open.tmpl=a
	refused '^tacit-agent: --template absent.tmpl: No such file' --template absent.tmpl=a
	refused 'fifo.tmpl: not a regular file' --template fifo.tmpl=a
	refused 'large.tmpl: too large' --template large.tmpl=a
	refused 'swells.tmpl line 1: LONG: too large' --template swells.tmpl=a
	refused 'must be SRC=DST' --template app.tmpl
	refused 'without a directory' --template app.tmpl=/etc/app.conf
	refused '^tacit-agent: DB_PASSWORD and template DB_PASSWORD: two files have the same file name' \
		--template app.tmpl=DB_PASSWORD
	refused '^tacit-agent: template a and template a: ' --template app.tmpl=a --template app.tmpl=a
	# What is not selected is not delivered, and what is optional is not there for a template.
	refused 'app.tmpl line 2: DB_PASSWORD: no such secret' --secret KEY --template app.tmpl=a
	refused 'unknown.tmpl line 3: web/nosuch: ' --secret KEY --secret web/nosuch,optional \
		--template unknown.tmpl=a
}

test_on_failure_start_starts_without_the_file() {
	prepare
	printf '${secret:nosuch}' >unknown.tmpl
	expect 0 from_file --on-failure start --template unknown.tmpl=a -- sh -c 'echo "${A_FILE-none}"'
	out_is none
	grep -q 'STARTING WITHOUT SECRETS' err || failed 'not said'
}

test_user_reads_the_template_as_who_it_was() {
	[[ $(id -u) == 0 ]] || return 0
	prepare
	chmod 0600 app.tmpl
	expect 0 "$tacit_agent" run --user 1001 --env-file app.env --template app.tmpl=app.conf -- \
		sh -c 'stat -c %u "$APP_CONF_FILE"; cat "$APP_CONF_FILE"'
	out_is "1001
$(<expected)"
}

rendered_is() { cmp -s - "$memory/files/app.conf" <<<"$1"; }
both_are() { file_is password "$1" && rendered_is "pw=$1"; }

test_a_rotation_renders_it_again_in_the_same_sweep() {
	put web/password first
	echo 'pw=${secret:web/password}' >app.tmpl
	start --signal HUP --template app.tmpl=app.conf -- "$probe" signals
	both_are first || failed 'not delivered'
	echo 'changed later' >app.tmpl
	put web/password second
	wait_until 10 both_are second || failed "not renewed: $(<agent.err)"
	put web/other x
	becomes other x
	both_are second || failed 'another secret changed it'
	wait_until 5 grep -qx 1 agent.out
	sleep 0.3
	(($(grep -cx 1 agent.out) == 2)) || failed "not two signals: $(<agent.out)"
	[[ $(stat -c %a "$memory/files/app.conf") == 400 ]] || failed mode
	"$tacit" rm web/other >/dev/null
}

test_what_holds_a_deleted_secret_goes_and_comes_back() {
	put web/password first
	put web/other x
	echo 'pw=${secret:web/password}' >app.tmpl
	start --template app.tmpl=app.conf -- "$probe" signals
	"$tacit" rm web/password >/dev/null
	wait_until 10 file_gone app.conf || failed "still there: $(<agent.err)"
	file_gone password || failed 'the secret is still there'
	says 1 'template app.conf: a secret in it is deleted or no longer granted; its file is removed'
	file_is other x || failed 'another one is gone'
	put web/password third
	wait_until 10 both_are third || failed "not back: $(<agent.err)"
	"$tacit" rm web/other >/dev/null
}

start_server_for_web
run_tests "$script"

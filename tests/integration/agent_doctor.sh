#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The doctor on this very host: its output, its exit codes, and that it shows no value.
# shellcheck source=agent_common.sh disable=SC2016
. "${BASH_SOURCE[0]%/*}/agent_common.sh"

planted=hunter2-planted-value
export NO_COLOR=1

# verdict_of NAME [COMMAND]...: the verdict of one check.
verdict_of() {
	local name=$1
	shift
	"$@" "$AGENT" doctor --json | jq -r --arg name "$name" '.checks[] | select(.name == $name).verdict'
}

equal 'the JSON parses, and each check has all members' true "$("$AGENT" doctor --json | jq '
	(.hardened | type == "boolean") and (.checks | length > 15) and
	all(.checks[]; (.verdict | IN("pass", "warn", "fail", "unknown")) and
		all(.name, .detail, .remedy; type == "string" and length > 0))')"
equal 'the table shows the same checks and verdicts as the JSON' \
	"$("$AGENT" doctor --json | jq -r '.checks[] | .verdict + " " + .name')" \
	"$("$AGENT" doctor | grep -v '^ ' | sed -E 's/^([a-z]+) +(.{17}).*/\1 \2/; s/ +$//')"
equal 'all that does not pass has its remedy below it, and nothing else has' \
	"$("$AGENT" doctor | grep -cE '^(warn|fail|unknown)')" "$("$AGENT" doctor | grep -c '^ *remedy: ')"
check 'the table holds no colour when it is not for a terminal' \
	bash -c '! env -u NO_COLOR "$AGENT" doctor | grep -q "$(printf "\033")"'

# --- exit codes ------------------------------------------------------------------------------
"$AGENT" doctor >/dev/null
equal 'a plain doctor exits 0, whatever it finds' 0 $?
"$AGENT" doctor --strict >stdout
equal 'strict exits 1 on this host, as root' 1 $?
equal 'and prints the table all the same' "$("$AGENT" doctor)" "$(cat stdout)"
equal 'which is what `hardened` says' false "$("$AGENT" doctor --strict --json | jq .hardened)"
refuses 'an unknown option is refused' 125 'doctor' "$AGENT" doctor --wrong
refuses 'an argument is refused' 125 'takes no arguments' "$AGENT" doctor now
"$AGENT" doctor >/dev/full 2>stderr
equal 'output that cannot be written is a failure' 125 $?

# --- variables and arguments -----------------------------------------------------------------
equal 'no variable looks like a secret at first' pass \
	"$(verdict_of variables env -i PATH="$PATH" HOME=/ DB_PASSWORD_FILE=/run/secrets/x)"
equal 'DB_PASSWORD does' fail "$(verdict_of variables env -i DB_PASSWORD=$planted)"
equal 'a password in a URL does' fail "$(verdict_of variables env -i URL=pg://app:$planted@db/)"
for format in '' --json; do
	# shellcheck disable=SC2086
	DB_PASSWORD=$planted URL=pg://app:$planted@db/ "$AGENT" doctor $format >stdout 2>stderr
	check "doctor $format names the variables" grep -q 'DB_PASSWORD, URL\|URL, DB_PASSWORD' stdout
	check "doctor $format shows no value" bash -c "! grep -q $planted stdout stderr"
done

# --- what this process is --------------------------------------------------------------------
equal 'root fails' fail "$(verdict_of user)"
equal 'another user passes' pass "$(verdict_of user as_user 1001)"
equal 'and holds no capability' pass "$(verdict_of capabilities as_user 1001)"
equal 'nor can get any' pass "$(verdict_of 'new privileges' as_user 1001)"
# The address sanitizer switches them off before main().
[[ -n ${AGENT_TEST_SANITIZED:-} ]] ||
	equal 'core dumps warn' warn "$(ulimit -c unlimited && verdict_of 'core dumps')"
equal 'and pass when they are off' pass "$(ulimit -S -c 0 && verdict_of 'core dumps')"
equal 'a namespace of its own passes' pass "$(verdict_of 'ipc namespace' unshare --ipc)"
equal 'a read-only root passes' pass \
	"$(verdict_of 'root file system' unshare --mount bash -c 'mount -o remount,bind,ro / && exec "$@"' -)"
mkdir secrets
equal 'a directory on a disk fails' fail "$(verdict_of 'secrets directory' env TACIT_DIR="$work/secrets")"
equal 'one inside a tmpfs passes' pass "$(verdict_of 'secrets directory' env TACIT_DIR=/run/any)"

# --- run --require-hardened ------------------------------------------------------------------
printf 'DB=%s\n' $planted >app.env
refuses 'run --require-hardened does not start here, and says why in one line' 125 \
	'^tacit-agent: --require-hardened: user: root; remedy: --user ' \
	"$AGENT" run --require-hardened --env-file app.env -- touch started
chmod 0444 app.env
refuses 'nor as another user, for another reason' 125 \
	'^tacit-agent: --require-hardened: [a-z ]+: .*; remedy: ' \
	as_user 1001 "$AGENT" run --require-hardened --env-file app.env -- touch started
check 'without it the same command starts' "$AGENT" run --env-file app.env -- touch started
check 'help knows the option' bash -c '"$AGENT" run --help | grep -q -- --require-hardened'
check 'and the command' bash -c '"$AGENT" --help | grep -qE "^ +doctor "'

finish

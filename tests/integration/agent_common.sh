# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the agent's tests share. They run in a mount namespace of their own, where /run and /dev/shm
# are fresh. The environment gives AGENT, PROBE and EVIL_SERVER, the programs' paths.

set -uo pipefail
export LC_ALL=C
# shellcheck source=../lib/remove_tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/remove_tree.sh"
: "${AGENT:?}" "${PROBE:?}"

if [[ -z ${AGENT_TEST_INSIDE:-} ]]; then
	if [[ $(id -u) != 0 ]] || ! unshare --mount true 2>/dev/null; then
		echo '1..0 # SKIP needs root and mount namespaces'
		exit 77
	fi
	AGENT_TEST_INSIDE=1 exec unshare --mount --propagation private "$BASH" "$0" "$@"
fi

mount -t tmpfs -o mode=0755 tmpfs /run || exit 1
mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1
work=$(mktemp -d /var/tmp/tacit-agent-XXXXXX) # on a disk, where secrets must not go
chmod 0755 "$work"
cd "$work" || exit 1
trap 'cd /; remove_tree "$work"' EXIT
unset "${!TACIT_@}" XDG_RUNTIME_DIR

# What a test runner left open is not the agent's.
for fd in /proc/$$/fd/*; do
	fd=${fd##*/}
	if ((fd > 2 && fd != 255)); then eval "exec $fd>&-"; fi
done

count=0
failures=0

pass() {
	count=$((count + 1))
	printf 'ok %d - %s\n' "$count" "$1"
}

# fail NAME [DETAIL]...
fail() {
	count=$((count + 1))
	failures=$((failures + 1))
	printf 'not ok %d - %s\n' "$count" "$1"
	shift
	printf '# %s\n' "$@"
}

# check NAME COMMAND [ARG]...: the command must succeed.
check() {
	local name=$1
	shift
	if "$@"; then pass "$name"; else fail "$name" "failed: $*"; fi
}

# equal NAME EXPECTED ACTUAL
equal() {
	if [[ $2 == "$3" ]]; then
		pass "$1"
	else
		fail "$1" "expected: ${2//$'\n'/$'\n#           '}" "     got: ${3//$'\n'/$'\n#           '}"
	fi
}

# matches NAME PATTERN ACTUAL: an extended regular expression.
matches() {
	if [[ $3 =~ $2 ]]; then pass "$1"; else fail "$1" "expected: $2" "     got: $3"; fi
}

# as_user UID COMMAND [ARG]...: without groups and capabilities, as a hardened container is.
as_user() {
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all --bounding-set=-all \
		--no-new-privs "$@"
}

# What is left behind where the agent makes directories of its own.
leftovers() { find /dev/shm /run -mindepth 1 -name '*tacit*'; }

nothing_left() { [[ -z $(leftovers) ]]; }

# wait_for SECONDS COMMAND [ARG]...
wait_for() {
	local tries=$(($1 * 50))
	shift
	until "$@"; do
		((tries-- > 0)) || return 1
		sleep 0.02
	done
}

# refuses NAME CODE PATTERN COMMAND...: one line on stderr that matches, that exit code, no start.
refuses() {
	local name=$1 code=$2 pattern=$3 got
	shift 3
	rm -f started
	"$@" 2>stderr >stdout </dev/null
	got=$?
	if [[ $got != "$code" ]]; then
		fail "$name" "exit code $got, not $code" "$(cat stderr)"
	elif [[ $(wc -l <stderr) != 1 ]]; then
		fail "$name" 'not one line on stderr:' "$(cat stderr)"
	elif ! [[ $(cat stderr) =~ $pattern ]]; then
		fail "$name" "expected: $pattern" "     got: $(cat stderr)"
	elif [[ -e started || -s stdout ]]; then
		fail "$name" 'the command was started'
	elif ! nothing_left; then
		fail "$name" "left behind: $(leftovers)"
	else
		pass "$name"
	fi
}

finish() {
	printf '1..%d\n' "$count"
	((failures == 0)) || exit 1
	exit 0
}

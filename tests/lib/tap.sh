# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Verdicts as TAP, for scripts that check one thing after the other.

tap_count=0
tap_failed=0

# tap_none NAME OFFENDERS: passes when there are none; else they are shown.
tap_none() {
	: $((++tap_count))
	if [[ -z $2 ]]; then
		printf 'ok %d - %s\n' "$tap_count" "$1"
		return
	fi
	: $((++tap_failed))
	printf 'not ok %d - %s\n' "$tap_count" "$1"
	sed 's/^/# /' <<<"$2"
}

# Last: how many there were; 1 when one failed.
tap_end() {
	printf '1..%d\n' "$tap_count"
	((tap_failed == 0))
}

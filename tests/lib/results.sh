# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Counts of tests, one line each in a file that the parts of a run share: VERDICT<TAB>PART<TAB>NAME.

results_start() {
	if [[ -z ${SUITE_RESULTS:-} ]]; then
		SUITE_RESULTS=$(mktemp "${TMPDIR:-/tmp}/tacit-results-XXXXXX")
		at_exit rm -f "$SUITE_RESULTS"
	fi
	export SUITE_RESULTS
}

# record pass|fail|skip PART NAME
record() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$SUITE_RESULTS"; }

# results_count VERDICT [PART]
results_count() {
	awk -F '\t' -v verdict="$1" -v part="${2:-}" \
		'$1 == verdict && (part == "" || $2 == part) { n++ } END { print n + 0 }' \
		"$SUITE_RESULTS"
}

# results_report PART ('': all of them): the closing line; 1 when a test failed or there was none.
results_report() {
	local passed failed skipped
	passed=$(results_count pass "$@")
	failed=$(results_count fail "$@")
	skipped=$(results_count skip "$@")
	awk -F '\t' -v part="$1" '$1 == "fail" && (part == "" || $2 == part) {
		print "failed: " $2 ": " $3 }' "$SUITE_RESULTS"
	if ((skipped > 0)); then
		say "$passed passed, $failed failed, $skipped skipped"
	else
		say "$passed passed, $failed failed"
	fi
	((failed == 0 && passed + skipped > 0))
}

# run_case PART NAME FUNCTION [ARG]...: one test in a subshell of its own; its output is shown
# only when it fails. Not to be called in a condition, where bash ignores `set -e`.
run_case() {
	local part=$1 name=$2 status started_ms log
	shift 2
	started_ms=$(now_ms)
	log=$(mktemp "${TMPDIR:-/tmp}/tacit-case-XXXXXX")
	set +e
	(
		set -e
		"$@"
	) </dev/null >"$log" 2>&1
	status=$?
	set -e
	if ((status == 0)); then
		record pass "$part" "$name"
		printf '%sok%s      %s (%d ms)\n' "$green" "$plain" "$name" $(($(now_ms) - started_ms))
	else
		record fail "$part" "$name"
		printf '%sFAILED%s  %s\n' "$red" "$plain" "$name"
		sed 's/^/        /' "$log"
	fi
	rm -f "$log"
}

# Ends the case in which it is called.
fail() {
	printf '%s\n' "$*"
	exit 1
}

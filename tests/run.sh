#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The one test command: installs what it needs, builds, and runs everything, or the named parts.
# usage: tests/run.sh [PART]...      the parts are the rows of `parts` below
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=lib/common.sh
. "$top/tests/lib/common.sh"
# shellcheck source=lib/packages.sh
. "$top/tests/lib/packages.sh"
# shellcheck source=lib/results.sh
. "$top/tests/lib/results.sh"

declare -A parts=(
	[unit]='the unit tests'
	[integration]='programs against each other, over real sockets'
	[sanitize]='both again, under the address and undefined-behaviour sanitizers'
	[valgrind]='the unit tests under valgrind'
	[format]='clang-format agrees'
	[shell]='shellcheck agrees'
	[tidy]='clang-tidy agrees'
	[package]='the Debian package, built and looked through'
	[container]='hardened containers, with a real engine'
)
order=(unit integration format shell package container valgrind sanitize tidy)

build=$top/build
cores=$(nproc)
log=

usage() {
	local part
	say "usage: tests/run.sh [PART]..."
	for part in "${order[@]}"; do
		printf '  %-12s  %s\n' "$part" "${parts[$part]}"
	done
}

# All in one go. The engine's own are left to the container suite, which can do without.
install_packages() {
	local part list names=("${packages_build[@]}" "${packages_test[@]}")
	for part; do
		list="packages_${part}[@]"
		names+=(${!list+"${!list}"})
	done
	ensure_packages "${names[@]}" || die 'not all packages could be installed'
}

# verdict STATUS PART NAME: records one check; the log of the first that failed is shown.
verdict() {
	if (($1 == 0)); then
		record pass "$2" "$3"
		return
	fi
	record fail "$2" "$3"
	(($(results_count fail "$2") == 1)) || return 0
	awk '!/^($|\[[0-9]+\/[0-9]+\] )/ { print "        " $0 }' "$log" | tail -n 60
}

# build_in PART DIR [OPTION]...: configures and builds; 1, and a failed test, when that fails.
build_in() {
	local part=$1 directory=$2 status=0
	shift 2
	if [[ -f $directory/build.ninja ]]; then
		meson configure "$directory" "$@" >"$log" 2>&1 || status=$?
	else
		meson setup "$directory" "$top" "$@" >"$log" 2>&1 || status=$?
	fi
	((status != 0)) || ninja -C "$directory" >"$log" 2>&1 || status=$?
	verdict "$status" "$part" "builds without errors"
	return "$status"
}

# meson_tests PART DIR [OPTION]...: runs tests of a build and counts each case.
meson_tests() {
	local part=$1 directory=$2 logs=$2/meson-logs status=0
	shift 2
	rm -f "$logs/$part"*
	# One more than there are cores: many tests wait most of the time. Tests look at signals, some of
	# which are ignored where this was started in the background of a script.
	env --default-signal meson test -C "$directory" --no-rebuild --no-stdsplit --num-processes $((cores + 1)) \
		--logbase "$part" "$@" \
		>"$log" 2>&1 || status=$?
	if ! compgen -G "$logs/$part*.txt" >/dev/null; then
		verdict 1 "$part" 'no test was run'
		return
	fi
	rm -f "$work/failing"
	awk -v part="$part" -v failing="$work/failing" -f "$top/tests/lib/count-tests.awk" \
		"$logs/$part"*.txt >>"$SUITE_RESULTS"
	# meson takes a test that cmocka skipped for one that failed.
	((status == 0 || $(results_count fail "$part") + $(results_count skip "$part") > 0)) ||
		verdict 1 "$part" 'meson test'
	[[ ! -f $work/failing ]] || awk '!/^ok / && n++ < 60 { print "        " $0 }' "$work/failing"
}

run_unit() { meson_tests unit "$build" --suite unit; }
run_integration() { meson_tests integration "$build" --suite integration; }

run_sanitize() {
	build_in sanitize "$top/build-sanitize" -Db_sanitize=address,undefined -Db_lundef=false || return 0
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1 \
		meson_tests sanitize "$top/build-sanitize" --timeout-multiplier 4 \
		--suite unit --suite integration --no-suite slow
}

# What valgrind does not run; the sanitizers do.
not_under_valgrind=(
	tls http_client   # judged by the clock: deadlines that are kept, and by how much
	vault_tamper      # opens a store for each of hundreds of changes: minutes
	replay_route      # the same, for each vector
	sandbox           # valgrind itself would be locked up in it
	layers manuals openapi # scripts
)

unit_test_names() { meson test -C "$build" --no-rebuild --list --suite unit 2>/dev/null | sed -n 's:.* / ::p'; }

run_valgrind() {
	local names leave_out
	local memcheck='valgrind -q --error-exitcode=99 --leak-check=full'
	memcheck+=" --suppressions=$top/tests/lib/valgrind.supp"
	memcheck+=' --errors-for-leak-kinds=definite --child-silent-after-fork=yes'
	leave_out=$(printf '%s\n' "${not_under_valgrind[@]}")
	mapfile -t names < <(unit_test_names | grep -vxF "$leave_out")
	# Some leave out their slow tests: tests/unit/brief.h.
	TACIT_TEST_BRIEF=1 meson_tests valgrind "$build" --wrap "$memcheck" --timeout-multiplier 20 "${names[@]}"
}

c_files() { find "$top"/{include,lib,server,agent,cli,tests,examples} -name '*.[ch]'; }

run_format() {
	local status=0
	c_files | xargs clang-format --dry-run --Werror >"$log" 2>&1 || status=$?
	verdict "$status" format clang-format
}

# Scripts are known by their first line; what they source is checked along with them. Whether a
# variable is set or used elsewhere cannot be told across files.
run_shell() {
	local file status
	while read -r file; do
		status=0
		shellcheck -x -a -P SCRIPTDIR -S warning -e SC2034,SC2154 "$file" >"$log" 2>&1 || status=$?
		verdict "$status" shell "${file#"$top"/}"
	done < <(grep -rlE --exclude-dir='build*' --exclude-dir=.git -m 1 '^#!.*\<(ba)?sh$' "$top" | sort)
}

# The compile commands are gcc's: what clang does not know, or knows under another name, is undone.
run_tidy() {
	local status=0 all=$work/tidy
	(cd "$build" && run-clang-tidy -quiet -j "$cores" \
		-extra-arg=-Wno-unknown-warning-option -extra-arg=-Wno-ignored-optimization-argument \
		-extra-arg=-ftrivial-auto-var-init=uninitialized \
		"^$top/(lib|server|agent|cli)/") 2>&1 | sed 's/\x1b\[[0-9;]*m//g' >"$all" || status=$?
	grep -E '(error|warning): ' "$all" | sort -u >"$log" || cp "$all" "$log"
	verdict "$status" tidy clang-tidy
}

# run_suite PART [ARG]...: a script that counts its own cases into the same file.
run_suite() {
	local part=$1 status=0
	"$top/tests/$part/suite.sh" "${@:2}" || status=$?
	((status == 0 || $(results_count fail "$part") > 0)) ||
		record fail "$part" 'the suite ended early'
}

run_package() { run_suite package; }
run_container() { run_suite container "$build"; }

run_part() {
	local part=$1 started_s=$SECONDS
	heading "$part: ${parts[$part]}"
	"run_$part"
	printf '%s: %d passed, %d failed, %d skipped, in %d s\n' "$part" \
		"$(results_count pass "$part")" "$(results_count fail "$part")" \
		"$(results_count skip "$part")" $((SECONDS - started_s))
}

main() {
	local part wanted=("$@")
	((${#wanted[@]} > 0)) || wanted=("${order[@]}")
	for part in "${wanted[@]}"; do
		[[ -v parts[$part] ]] || {
			usage >&2
			exit 2
		}
	done
	heading 'packages and build'
	install_packages "${wanted[@]}"
	build_in build "$build" -Dwerror=true -Dtests=true || {
		results_report '' || true
		exit 1
	}
	say "built in $SECONDS s"
	for part in "${wanted[@]}"; do
		run_part "$part"
	done
	heading "all in $SECONDS s"
	results_report ''
}

if [[ ${1:-} == --help ]]; then
	usage
	exit
fi
results_start
work=
make_temp_dir work
log=$work/log
main "$@"

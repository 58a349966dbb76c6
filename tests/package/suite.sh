#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Debian package: built by its one command, looked through, unpacked, and its programs run.
# usage: suite.sh
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=../lib/common.sh
. "$top/tests/lib/common.sh"
# shellcheck source=../lib/packages.sh
. "$top/tests/lib/packages.sh"
# shellcheck source=../lib/results.sh
. "$top/tests/lib/results.sh"
# shellcheck source=sbom_cases.sh
. "$here/sbom_cases.sh"

programs=(tacit tacit-agent tacit-server)
version=$(sed -n "s/^ *version: '\(.*\)',\$/\1/p" "$top/meson.build")
package=
root=

case_of() { run_case package "$@"; }

# In a case of its own: what it leaves is $work/package/*.deb, unpacked in $root.
builds() {
	"$top/packaging/build-deb.sh" "$work/package"
	dpkg-deb -R "$work"/package/*.deb "$root"
}

lintian_agrees() {
	local said
	said=$(lintian --allow-root --fail-on error,warning "$package" 2>&1) || fail "$said"
	[[ -z $said ]] || fail "$said"
}

has_version_of_project() {
	[[ $(dpkg-deb -f "$package" Version) == "$version" ]] || fail 'debian/changelog has another version'
}

runs() {
	[[ $(stat -c %a "$root/usr/bin/$1") == 755 ]] || fail "mode of $1"
	[[ $("$root/usr/bin/$1" --version) == "$1 $version" ]] || fail "$("$root/usr/bin/$1" --version)"
}

agent_needs_nothing() {
	! readelf -lW "$root/usr/bin/tacit-agent" | grep -E 'INTERP|DYNAMIC' || fail 'it is not static'
}

# has_page PROGRAM: the manual page, as it is in the sources.
has_page() {
	zcmp "$root/usr/share/man/man1/$1.1.gz" "$top/docs/$1.1" || fail 'is another one, or none'
}

# bash looks for a file that is named as the program; zsh reads the first line.
has_completions() {
	local program zsh=$root/usr/share/zsh/vendor-completions/_tacit
	for program in "${programs[@]}"; do
		cmp "$root/usr/share/bash-completion/completions/$program" \
			"$top/packaging/completions/tacit.bash" || fail "$program has none in bash"
		head -n 1 "$zsh" | grep -qE "^#compdef .*\<$program( |\$)" || fail "$program has none in zsh"
	done
	cmp "$zsh" "$top/packaging/completions/_tacit" || fail 'zsh has another one'
}

# maintain SCRIPT [ARG]...: runs a maintainer script with stand-ins for what would change this machine;
# what it called is in $work/called. `installed` says whether an older version was there.
maintain() {
	local script=$1 name stubs=$work/stubs
	mkdir -p "$stubs"
	for name in systemd-sysusers systemd-tmpfiles deb-systemd-helper deb-systemd-invoke systemctl; do
		printf '#!/bin/sh\necho "%s $*" >>"%s"\n' "$name" "$work/called" >"$stubs/$name"
		chmod 0755 "$stubs/$name"
	done
	printf '[ "$1" != debian-installed ] || [ "$installed" = yes ]\n' >>"$stubs/deb-systemd-helper"
	: >"$work/called"
	sed "s:/run/systemd/system:$work:g" "$root/DEBIAN/$script" >"$work/script"
	PATH=$stubs:$PATH installed=$installed sh "$work/script" "${@:2}"
}

called() { grep -nE -- "$1" "$work/called" | cut -d : -f 1; }

# Before the user there cannot be its directory. There is no store yet, so nothing is enabled.
# deb-systemd-invoke starts what is enabled, and nothing else.
installing_starts_nothing() {
	installed=no maintain postinst configure
	grep -qx 'u tacit - ".*" /var/lib/tacit' "$root/usr/lib/sysusers.d/tacit.conf" || fail 'no user'
	grep -qx 'd /var/lib/tacit 0700 tacit tacit -' "$root/usr/lib/tmpfiles.d/tacit.conf" ||
		fail 'no directory'
	(($(called '^systemd-sysusers tacit.conf') < $(called '^systemd-tmpfiles --create tacit.conf'))) ||
		fail "$(<"$work/called")"
	[[ -z $(called ' (enable|restart) |^systemctl .*start') ]] || fail "$(<"$work/called")"
	[[ -n $(called '^deb-systemd-invoke start tacit-server.service') ]] || fail "$(<"$work/called")"
}

# Clients wait at the socket meanwhile.
upgrading_restarts_the_server() {
	installed=yes maintain postinst configure 0.0.1
	[[ -n $(called '^deb-systemd-invoke restart tacit-server.service') ]] || fail "$(<"$work/called")"
	[[ -z $(called 'restart.*socket|stop') ]] || fail "$(<"$work/called")"
}

removing_stops_both() {
	installed=yes maintain prerm remove
	[[ -n $(called '^deb-systemd-invoke stop.* tacit-server.service') &&
		-n $(called '^deb-systemd-invoke stop.* tacit-server.socket') ]] || fail "$(<"$work/called")"
}

# Each unit of the examples, with the path that the program has in the package.
has_units() {
	local unit installed
	for unit in "$top"/examples/systemd/*.service "$top"/examples/systemd/*.socket; do
		installed=$root/lib/systemd/system/${unit##*/}
		[[ -f $installed ]] || fail "${unit##*/} is not installed"
		! grep -n '/usr/local' "$installed" || fail "${unit##*/} names /usr/local"
	done
}

# What is needed to build is listed twice: for our scripts and for dpkg.
build_depends_agree() {
	local name wanted
	wanted=$(sed -n '/^Build-Depends:/,/^[^ ]/ s/^ \([a-z0-9.+-]*\).*/\1/p' "$top/packaging/debian/control")
	for name in "${packages_build[@]}"; do
		case $name in gcc | libc6-dev | binutils | ninja-build) continue ;; esac # come with meson and dpkg-dev
		grep -qx "$name" <<<"$wanted" || fail "Build-Depends lacks $name"
	done
	for name in $(grep '^lib' <<<"$wanted"); do
		[[ " ${packages_build[*]} " == *" $name "* ]] || fail "packages_build lacks $name"
	done
}

run_package_cases() {
	local program
	case_of 'lintian has nothing to say' lintian_agrees
	case_of "its version is the project's" has_version_of_project
	for program in "${programs[@]}"; do
		case_of "$program runs from the package" runs "$program"
		case_of "$program has its manual page" has_page "$program"
	done
	case_of 'the agent needs nothing else' agent_needs_nothing
	case_of 'all have completions' has_completions
	case_of 'the units are there' has_units
	case_of 'installing makes the user, then its directory, and starts nothing' installing_starts_nothing
	case_of 'upgrading restarts the server, and not its socket' upgrading_restarts_the_server
	case_of 'removing stops both' removing_stops_both
	case_of 'both lists of what a build needs agree' build_depends_agree
}

shared=${SUITE_RESULTS:-} # by run.sh, which closes with a report of its own
results_start
work=
make_temp_dir work
root=$work/root
ensure_packages "${packages_package[@]}" || die 'not all packages could be installed'
case_of 'the package is built by one command' builds
if (($(results_count fail package) == 0)); then
	package=$(echo "$work"/package/*.deb)
	run_package_cases
	run_sbom_cases "$root/usr/share/tacit/tacit-agent.cdx.json" "$root/usr/bin/tacit-agent" \
		"$top/build-deb/compiled"
fi
[[ -n $shared ]] || results_report package
(($(results_count fail package) == 0))

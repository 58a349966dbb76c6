#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the Debian package of the three programs; installs what that needs (Debian 12, as root).
# usage: packaging/build-deb.sh [DIR]        DIR: where the package goes, default build-deb
# What was compiled stays in build-deb, so that the next time is fast.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../tests/lib/common.sh
. "$top/tests/lib/common.sh"
# shellcheck source=../tests/lib/packages.sh
. "$top/tests/lib/packages.sh"

place=$top/build-deb
source=$place/source
compiled=$place/compiled

# dpkg-buildpackage wants debian/ on top and leaves its files around it: that is for a copy, which
# keeps the times of the files, so that nothing is compiled twice.
copy_source() {
	local entry
	[[ ! -e $source ]] || remove_tree "$source"
	mkdir -p "$source"
	for entry in "$top"/* "$top"/.clang-tidy; do
		[[ ${entry##*/} == build* ]] || cp -a "$entry" "$source"
	done
	cp -a "$top/packaging/debian" "$source/debian"
}

# -d: of what build-essential stands for, the C++ compiler is not needed.
build_package() {
	rm -f "$place"/*.deb
	(
		cd "$source"
		TACIT_BUILD=$compiled DEB_BUILD_OPTIONS="parallel=$(nproc) ${DEB_BUILD_OPTIONS:-}" \
			dpkg-buildpackage --build=binary --no-sign -d -nc
	) >"$place/log" 2>&1 && return
	tail -n 40 "$place/log" >&2
	die "the package was not built; all that was said is in $place/log"
}

main() {
	local target=${1:-$place} package
	if [[ $target == --* ]]; then
		say "usage: packaging/build-deb.sh [DIR]"
		[[ $target == --help ]] && exit 0 || exit 2
	fi
	ensure_packages "${packages_build[@]}" "${packages_package[@]}" ||
		die 'not all packages could be installed'
	copy_source
	build_package
	package=$(cd "$place" && echo tacit_*.deb)
	if [[ ! $target -ef $place ]]; then
		mkdir -p "$target"
		cp "$place/$package" "$target"
	fi
	say "$target/$package"
}

main "$@"

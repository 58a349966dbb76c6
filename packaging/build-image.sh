#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the container image of the server; installs what that needs (Debian 12, as root).
# usage: packaging/build-image.sh [TAG [SERVER-PROGRAM [OPTION-OF-DOCKER-BUILD]...]]
# TAG is tacit-server:VERSION unless given; without a SERVER-PROGRAM it is built in `build`.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../tests/lib/common.sh
. "$top/tests/lib/common.sh"
# shellcheck source=../tests/lib/packages.sh
. "$top/tests/lib/packages.sh"
# shellcheck source=container/root.sh
. "$top/packaging/container/root.sh"

compile() {
	ensure_packages "${packages_build[@]}" || die 'not all packages could be installed'
	[[ -f $top/build/build.ninja ]] || meson setup -Dtests=false "$top/build" "$top"
	ninja -C "$top/build" server/tacit-server
}

# make_context DIR SERVER-PROGRAM
make_context() {
	local root=$1/root
	cp "$top/packaging/container/Dockerfile" "$1"
	install -D -s -m 0755 "$2" "$root/usr/bin/tacit-server"
	with_libraries "$root" "$2"
	# shellcheck disable=SC2046 # paths of libraries
	with_package_records "$root" $(cd "$root" && find . -name '*.so*' -printf '/%P\n')
	with_user "$root" 1001 tacit /var/lib/tacit
	install -d -m 0700 "$1/state/tacit"
}

main() {
	local version tag program
	if [[ ${1:-} == -* ]]; then
		sed -n '/^# usage:/,/^[^#]/ s/^# //p' "${BASH_SOURCE[0]}"
		[[ $1 == --help ]] && exit 0 || exit 2
	fi
	version=$(sed -n "s/^ *version: '\(.*\)',\$/\1/p" "$top/meson.build")
	tag=${1:-tacit-server:$version}
	program=${2:-$top/build/server/tacit-server}
	[[ -n ${2:-} ]] || compile >&2
	make_temp_dir work
	make_context "$work" "$program"
	# The builder that Debian's engine has; newer clients complain about it.
	DOCKER_BUILDKIT=0 docker build -q --force-rm --network none "${@:3}" -t "$tag" "$work" \
		>"$work/log" 2>&1 || die "$(<"$work/log")"
	say "$tag"
}

work=
main "$@"

# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The one place that lists the Debian packages that anything here needs.

# shellcheck disable=SC2034 # the lists are used by whoever sources this
{
	packages_build=(
		gcc libc6-dev binutils pkg-config meson ninja-build
		libsodium-dev libmicrohttpd-dev libgnutls28-dev libjansson-dev libsqlite3-dev libssl-dev
		libseccomp-dev
	)
	packages_test=(
		libcmocka-dev openssl curl wget jq procps file util-linux iproute2 systemd
		man-db mandoc zsh python3-yaml python3-jsonschema
	)
	packages_valgrind=(valgrind libc6-dbg)
	packages_format=(clang-format)
	packages_tidy=(clang-tidy)
	packages_shell=(shellcheck)
	packages_package=(debhelper dpkg-dev lintian)
	packages_engine=(docker.io iptables)
	packages_image=(busybox-static)
	packages_compose=(docker-compose postgresql libpq-dev yq)
	packages_container=("${packages_image[@]}" "${packages_compose[@]}" musl-tools nodejs)
}

package_installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

packages_refreshed=
packages_refresh() {
	[[ -z $packages_refreshed ]] || return 0
	apt-get -qq update || return
	packages_refreshed=yes
}

# ensure_packages NAME...: installs the ones that are missing; 1 when that cannot be done.
ensure_packages() {
	local name missing=()
	for name in "$@"; do
		package_installed "$name" || missing+=("$name")
	done
	((${#missing[@]} > 0)) || return 0
	if ((EUID != 0)); then
		warn "missing packages, as root: apt-get install --no-install-recommends ${missing[*]}"
		return 1
	fi
	say "installing ${missing[*]}"
	packages_refresh || return
	# In run level 1 no package starts a service: what is wanted is started, and stopped, by us.
	local output
	output=$(RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
		--no-install-recommends "${missing[@]}" </dev/null 2>&1) && return
	printf '%s\n' "$output" >&2
	return 1
}

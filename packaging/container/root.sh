# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Puts a file system together out of what is installed here. Source it.

# with_libraries ROOT PROGRAM...: copies what the dynamic linker would load for the programs.
with_libraries() {
	local root=$1 program library
	shift
	for program; do
		ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }'
	done | sort -u | while read -r library; do
		install -D -m 0755 "$library" "$root$library"
	done
}

# packages_of FILE...: in one question, since each takes long. /lib may be another name for /usr/lib,
# and dpkg knows a file by one of them.
packages_of() {
	local names
	mapfile -t names < <(realpath -- "$@" | sed 'p; s:^/usr::')
	{ dpkg-query -S "${names[@]}" 2>/dev/null || true; } | sed 's/: .*//' | sort -u
}

# with_package_records ROOT FILE...: says which packages the files are from, as distroless images do,
# and brings their licences along.
with_package_records() {
	local root=$1 package name
	shift
	mkdir -p "$root/var/lib/dpkg/status.d"
	for package in $(packages_of "$@"); do
		name=${package%%:*}
		dpkg-query -s "$package" | sed '/^Conffiles:/,/^[^ ]/ { /^Conffiles:/d; /^ /d }' \
			>"$root/var/lib/dpkg/status.d/$name"
		install -D -m 0644 "/usr/share/doc/$name/copyright" "$root/usr/share/doc/$name/copyright"
	done
	install -D -m 0644 /etc/os-release "$root/etc/os-release"
}

# with_user ROOT UID NAME HOME
with_user() {
	mkdir -p "$1/etc"
	printf '%s:x:%s:%s::%s:/sbin/nologin\n' "$3" "$2" "$2" "$4" >"$1/etc/passwd"
	printf '%s:x:%s:\n' "$3" "$2" >"$1/etc/group"
}

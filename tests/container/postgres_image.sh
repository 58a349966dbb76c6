# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The stand-ins for debian:12-slim and postgres:15, out of what Debian's packages installed here.

with_bash() {
	with_busybox "$1"
	install -D -m 0755 /bin/bash "$1/bin/bash"
	with_libraries "$1" /bin/bash
	install -d -m 1777 "$1/tmp"
	mkdir -p "$1/usr/bin"
	ln -s /bin/busybox "$1/usr/bin/env"
}

image_base_debian() {
	local root=$work/image/base-debian
	with_bash "$root"
	with_libraries "$root" "$programs/server/tacit-server"
	with_libraries "$root" "$(postgres_programs)/psql" # for libpq
	install -D -m 0755 "$here/base/apt-get" "$root/usr/bin/apt-get"
	image_import base-debian "$root" 'ENV PATH=/usr/local/bin:/usr/bin:/bin'
}

# The highest version that is installed.
postgres_programs() {
	local all=(/usr/lib/postgresql/*/bin)
	printf '%s' "${all[-1]}"
}

# Without its bitcode, compiler and manuals PostgreSQL is small.
postgres_root() {
	local root=$1 programs version name
	programs=$(postgres_programs)
	version=$(basename "$(dirname "$programs")")
	with_bash "$root"
	for name in postgres initdb pg_ctl pg_isready psql; do
		install -D -m 0755 "$programs/$name" "$root$programs/$name"
		with_libraries "$root" "$programs/$name"
		ln -s "$programs/$name" "$root/bin/"
	done
	for name in plpgsql dict_snowball; do
		install -D -m 0755 "$programs/../lib/$name.so" "$root${programs%/bin}/lib/$name.so"
	done
	mkdir -p "$root"/{etc,docker-entrypoint-initdb.d,usr/lib/locale,usr/share/postgresql}
	cp -a /usr/lib/locale/C.utf8 "$root/usr/lib/locale/"
	cp -a "/usr/share/postgresql/$version" "$root/usr/share/postgresql/"
	install -D -m 0644 /usr/share/zoneinfo/UTC "$root/usr/share/zoneinfo/UTC"
	printf 'postgres:x:999:999::/var/lib/postgresql:/bin/bash\n' >"$root/etc/passwd"
	install -d -m 0700 -o 999 -g 999 "$root/var/lib/postgresql/data"
	install -d -m 1777 "$root/var/run/postgresql"
	install -D -m 0755 "$here/base/postgres/docker-entrypoint.sh" \
		"$root/usr/local/bin/docker-entrypoint.sh"
	ln -s docker-entrypoint.sh "$root/usr/local/bin/docker-ensure-initdb.sh"
}

image_postgres() {
	local root=$work/image/postgres
	postgres_root "$root"
	tar -C "$root" --numeric-owner -c . | docker import -c "LABEL $engine_label" \
		-c 'ENV PATH=/usr/local/bin:/bin' -c 'ENV LANG=C.UTF-8' \
		-c 'ENV PGDATA=/var/lib/postgresql/data' -c 'VOLUME /var/lib/postgresql/data' \
		-c 'ENTRYPOINT ["docker-entrypoint.sh"]' -c 'CMD ["postgres","-c","listen_addresses=*"]' \
		- "$(image postgres)" >/dev/null
}

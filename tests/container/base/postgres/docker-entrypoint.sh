#!/bin/bash
# SPDX-License-Identifier: MIT
# What the suite's PostgreSQL image starts with. It goes by the conventions of the official image:
# PGDATA, POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_USER, POSTGRES_DB and
# /docker-entrypoint-initdb.d, all for an empty PGDATA only.
set -euo pipefail

# variable_or_file NAME DEFAULT: sets NAME, from the file that NAME_FILE names if that is set.
variable_or_file() {
	local name=$1 file=${1}_FILE
	if [[ -n ${!name:-} && -n ${!file:-} ]]; then
		echo "error: both $name and $file are set" >&2
		exit 1
	fi
	[[ -z ${!file:-} ]] || printf -v "$name" %s "$(<"${!file}")"
	export "$name=${!name:-$2}"
	unset "$file"
}

server() { pg_ctl -s -w -o '-c listen_addresses=' "$1"; }
sql() { psql --no-psqlrc -q -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" "$@"; }

run_init_files() {
	local file
	for file in /docker-entrypoint-initdb.d/*; do
		case $file in
		*.sh) "$file" ;;
		*.sql) sql -d "$POSTGRES_DB" -f "$file" ;;
		esac
	done
}

initialise() {
	[[ -n $POSTGRES_PASSWORD ]] || {
		echo 'error: no superuser password: set POSTGRES_PASSWORD_FILE' >&2
		exit 1
	}
	initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD")
	echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
	server start
	[[ $POSTGRES_DB == postgres ]] || sql -d postgres -c "CREATE DATABASE \"$POSTGRES_DB\""
	run_init_files
	server stop
}

ensure_database() {
	chmod 0700 "$PGDATA" 2>/dev/null || true
	[[ ! -s $PGDATA/PG_VERSION ]] || return 0
	variable_or_file POSTGRES_PASSWORD ''
	variable_or_file POSTGRES_USER postgres
	variable_or_file POSTGRES_DB "$POSTGRES_USER"
	initialise
}

ensure_database
# docker-ensure-initdb.sh is a link to this: it ends when there is a database.
[[ ${0##*/} != docker-ensure-initdb.sh ]] || exit 0
exec "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Gives the api a new database password while it runs; no query fails, nothing is restarted.
# usage: rotate.sh            the other role gets a new password, and the api is told to use it
#        rotate.sh --retire   then: the password of the role before is worth nothing from now on
#
# There is no moment at which PostgreSQL and the api could change one password together. So two
# roles take turns: whichever file the api has just read, old or new, its password is valid. What
# must not be is that a client misses a whole turn. So a turn starts MIN_AGE seconds after the
# last at the earliest; an agent that had lost the store finds it again within 30.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MIN_AGE=${MIN_AGE:-60}

die() {
	echo "rotate.sh: $*" >&2
	exit 1
}

sql() { docker exec -i "$db" psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username=postgres "$@"; }

current_user() { tacit get "$secret" | sed -n 's/^user=//p'; }

other_user() {
	case $1 in
	app_a) echo app_b ;;
	app_b) echo app_a ;;
	*) die "$secret is for neither app_a nor app_b" ;;
	esac
}

# Sets `version` and `age`, in seconds, of what the api has now.
read_version() {
	local created
	read -r version created _ < <(tacit versions "$secret" | grep 'current$')
	age=$(($(date +%s) - $(date -d "$created" +%s)))
}

# psql hashes the password here: the server is never told it, and cannot log it.
set_password() { printf '%s\n%s\n' "$2" "$2" | sql -c "\\password $1" 2>/dev/null; }

# A login with all of the new file, before anybody else is given it.
try_login() {
	docker exec -i -e PGSERVICE=app -e PGSERVICEFILE=/dev/stdin "$db" \
		psql --no-psqlrc --quiet -c 'SELECT 1' <<<"$1" >/dev/null
}

rotate() {
	local next text
	((age >= MIN_AGE)) || die "the last turn was $age s ago; wait until it is $MIN_AGE, or set MIN_AGE"
	next=$(other_user "$(current_user)")
	text=$(service "$next")
	set_password "$next" "${text##*password=}"
	try_login "$text" || die "$next cannot log in; the api keeps what it has"
	tacit put "$secret" --if-version "$version" <<<"$text"
	echo "the api logs in as $next from now on"
}

retire() {
	local last
	((age >= MIN_AGE)) || die "the last turn was $age s ago; wait until it is $MIN_AGE, or set MIN_AGE"
	last=$(other_user "$(current_user)")
	sql -c "ALTER ROLE $last PASSWORD NULL"
	echo "$last has no password any more"
}

exec 9>state/rotate.lock
flock -n 9 || die 'it is running already'
db=$(container db)
[[ -n $db ]] || die 'the database does not run'
read_version
case ${1:-} in
'') rotate ;;
--retire) retire ;;
*) die "unknown: $1; usage: rotate.sh [--retire]" ;;
esac

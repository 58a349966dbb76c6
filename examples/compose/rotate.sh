#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Gives the api a new database password while it runs; no query fails, nothing is restarted.
# usage: rotate.sh            the other role gets a new password, and the api is told to use it
#        rotate.sh --retire   then: the password of the role before is worth nothing from now on
#        rotate.sh --retire --now   the same, whoever may still have it
#
# There is no moment at which PostgreSQL and the api could change one password together. So two
# roles take turns: whichever file the api has just read, old or new, its password is valid. What
# must not be is that a client misses a whole turn. So the role before is left alone until the
# store knows of nobody who still holds its password: `tacit status` is asked.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PATIENCE=${PATIENCE:-60} # seconds for those who are behind; an agent finds its store within 30
SETTLE=${SETTLE:-90}     # seconds after its start in which a store may not know of everybody yet

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

current_version() { tacit versions "$secret" | awk '/current$/ { print $1 }'; }

# Why the role before may still be needed, a line for each reason. One that fetched to set up the
# database, as another client, has ended.
holdouts() {
	tacit status --client api --secret "$secret" --json |
		jq -r --argjson settle "$SETTLE" '
			(select(now - (.since | fromdateiso8601) < $settle) |
				"the store was just started, and may not know of everybody"),
			(select(.pushed_out > 0) | "the store has no room for \(.pushed_out) instances"),
			(.instances[] | select(.state != "revoked" and .state != "replaced") |
				select(any(.secrets[]; .held != .current)) | "\(.instance) is \(.state)")'
}

# A login may be under way with what was read a moment before the new file was there.
wait_for_all() {
	local left until=$((SECONDS + PATIENCE))
	while left=$(holdouts) || die 'tacit status fails'; [[ -n $left ]]; do
		((SECONDS < until)) || die "the last turn is not over: ${left//$'\n'/, }"
		sleep 1
	done
	sleep 1
}

# psql hashes the password here: the server is never told it, and cannot log it.
set_password() { printf '%s\n%s\n' "$2" "$2" | sql -c "\\password $1" 2>/dev/null; }

# A login with all of the new file, before anybody else is given it.
try_login() {
	docker exec -i -e PGSERVICE=app -e PGSERVICEFILE=/dev/stdin "$db" \
		psql --no-psqlrc --quiet -c 'SELECT 1' <<<"$1" >/dev/null
}

rotate() {
	local next text version
	wait_for_all
	version=$(current_version)
	next=$(other_user "$(current_user)")
	text=$(service "$next")
	set_password "$next" "${text##*password=}"
	try_login "$text" || die "$next cannot log in; the api keeps what it has"
	tacit put "$secret" --if-version "$version" <<<"$text"
	echo "the api logs in as $next from now on"
}

retire() {
	local last
	[[ ${1:-} == --now ]] || wait_for_all
	last=$(other_user "$(current_user)")
	sql -c "ALTER ROLE $last PASSWORD NULL"
	echo "$last has no password any more"
}

exec 9>state/rotate.lock
flock -n 9 || die 'it is running already'
db=$(container db)
[[ -n $db ]] || die 'the database does not run'
case $* in
'') rotate ;;
--retire | '--retire --now') retire "${2:-}" ;;
*) die "unknown: $*; usage: rotate.sh [--retire [--now]]" ;;
esac

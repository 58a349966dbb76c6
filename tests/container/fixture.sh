# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the cases stand on: a server in a container of its own, secrets, identities.

# The values. Each holds a mark that can be looked for in text; `blob` has NUL bytes, bytes that
# are no UTF-8, and a newline at its end.
make_values() {
	mkdir "$work/value"
	printf 'mark-%s-password' "$RANDOM$RANDOM" >"$work/value/db_password"
	printf '\0\377\200mark-%s-blob\r\n\0\n' "$RANDOM$RANDOM" >"$work/value/blob"
	printf 'localhost:5432:*:app:mark-%s\n' "$RANDOM$RANDOM" >"$work/value/pgpass"
	: >"$work/value/empty"
	{
		printf 'mark-%s-large' "$RANDOM$RANDOM"
		head -c 65536 /dev/urandom
	} >"$work/value/large"
}

# Everything that must be found nowhere, one pattern a line: marks, base64 and hex of values.
make_needles() {
	local file
	for file in "$work"/value/*; do
		[[ -s $file ]] || continue
		grep -ao 'mark-[0-9]*' "$file"
		head -c 24 "$file" | base64 -w 0
		printf '\n'
		head -c 24 "$file" | od -An -v -tx1 | tr -d ' \n'
		printf '\n'
	done >"$work/needles"
}

# holds_value FILE: whether any value, or a telling part of one, is in it.
holds_value() { grep -aqFf "$work/needles" "$1"; }

# make_identity NAME [PATTERN]...: a client, what it may read, and its file for uid 1001.
make_identity() {
	local name=$1 pattern
	shift
	tacit client add "$name" --out "$work/$name.pem"
	for pattern; do
		tacit grant "$name" "$pattern"
	done
	chown "$user:$user" "$work/$name.pem"
	chmod 0400 "$work/$name.pem"
}

fill_store() {
	tacit put web/db_password --from-file "$work/value/db_password"
	tacit put web/blob --from-file "$work/value/blob"
	tacit put web/pgpass --from-file "$work/value/pgpass" --env PGPASSFILE
	tacit put web/empty --from-file "$work/value/empty"
	tacit put large/large --from-file "$work/value/large"
	tacit put other/unreadable --from-file "$work/value/db_password"
	make_identity web 'web/*'
	make_identity large 'large/*'
}

fixture_make() {
	make_values
	make_needles
	server_make
	fill_store
}

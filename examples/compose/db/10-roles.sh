#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Run once by the image's own initialiser. Two roles log in, one at a time (see ../rotate.sh); both
# act as `app`, which owns everything, so that it does not matter who made what.
set -euo pipefail

sql=(psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB")

"${sql[@]}" -v database="$POSTGRES_DB" <<-'SQL'
	CREATE ROLE app NOLOGIN;
	CREATE ROLE app_a LOGIN IN ROLE app;
	CREATE ROLE app_b LOGIN IN ROLE app;
	ALTER ROLE app_a SET role = app;
	ALTER ROLE app_b SET role = app;
	ALTER DATABASE :"database" OWNER TO app;
	SET ROLE app;
	CREATE TABLE visits (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		at timestamptz NOT NULL DEFAULT now()
	);
SQL

# psql hashes the password on this side: the server is never told it, and cannot log it.
user=$(sed -n 's/^user=//p' "$PGSERVICEFILE")
password=$(sed -n 's/^password=//p' "$PGSERVICEFILE")
printf '%s\n%s\n' "$password" "$password" | "${sql[@]}" -c "\\password $user" 2>/dev/null

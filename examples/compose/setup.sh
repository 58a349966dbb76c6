#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the store of this example, its secrets, and who may read them; once, as root, which gives
# each identity to the user of its container. Then: docker-compose up -d
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

copy_programs() {
	mkdir -p bin
	install -m 0755 "$build/server/tacit-server" "$build/agent/tacit-agent" bin/
	cc -O2 -Wall -Wextra -o bin/api api/api.c -lpq
}

make_store() {
	[[ ! -e state ]] || {
		echo 'setup.sh: state/ is there already' >&2
		exit 1
	}
	mkdir -m 0700 state
	"$build/server/tacit-server" init --dir state/store --url https://store:8443 --san 127.0.0.1
	mv state/store/admin.pem state/admin.pem
	chown -R 1001:1001 state/store
}

store_answers() { tacit ls >/dev/null 2>&1; }

start_store() {
	compose build
	compose up -d store
	for _ in {1..40}; do
		! store_answers || return 0
		sleep 0.25
	done
	tacit ls
}

# client NAME UID PATTERN...: an identity, and what it may read.
client() {
	local name=$1 uid=$2 pattern
	tacit client add "$name" --out "state/$name.pem"
	chown "$uid:$uid" "state/$name.pem"
	for pattern in "${@:3}"; do
		tacit grant "$name" "$pattern"
	done
}

fill_store() {
	tacit put db/postgres_password --generate 32
	service app_a | tacit put "$secret" --env PGSERVICEFILE
	client api 1001 'api/*'
	client db 999 'db/*' "$secret"
}

copy_programs
make_store
start_store
fill_store

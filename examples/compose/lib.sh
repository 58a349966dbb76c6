# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What setup.sh and rotate.sh share.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

build=${TACIT_BUILD:-../../build}
readonly secret=api/pg_service.conf

compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose "$@"
	else
		docker-compose "$@"
	fi
}

# container SERVICE: the one that runs for this directory, by labels that each Compose sets.
container() {
	docker ps -q --filter "label=com.docker.compose.project.working_dir=$PWD" \
		--filter "label=com.docker.compose.service=$1"
}

# The operator's command line, through the port that the store publishes on this host.
tacit() {
	local address
	address=$(docker port "$(container store)" 8443/tcp | sed -n 1p)
	TACIT_SERVER=https://$address TACIT_IDENTITY=state/admin.pem "$build/cli/tacit" "$@"
}

# 32 random bytes as text that needs no quoting anywhere.
new_password() { head -c 32 /dev/urandom | base64 | tr -d '+/=\n'; }

# service USER: what libpq wants to know; a new password for USER is in it.
service() {
	cat <<-SERVICE
		[app]
		host=db
		dbname=app
		user=$1
		password=$(new_password)
	SERVICE
}

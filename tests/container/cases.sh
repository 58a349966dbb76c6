# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The cases. A case is a function that ends in failure when something is not as it should be.

variables=(DB_PASSWORD_FILE BLOB_FILE PGPASSFILE EMPTY_FILE)

declare -A app_of=(
	[scratch]='/bin/busybox sh /probe.sh'
	[alpine]='/probe'
	[distroless]='/nodejs/bin/node /probe.js'
)
declare -A program_of=(
	[scratch]=/bin/busybox
	[alpine]=/probe
	[distroless]=/nodejs/bin/node
)
declare -A options_of=(
	[without tmpfs]=''
	[with tmpfs]='--tmpfs /run/secrets'
	[with own tmpfs]='--tmpfs /run/secrets:uid=1001,gid=1001,mode=0700'
)
# Docker forgets the mode of a plain --tmpfs at a restart, so there the place may change.
declare -A place_of=(
	[without tmpfs]='/dev/shm/*'
	[with tmpfs]='/@(run/secrets|dev/shm)*'
	[with own tmpfs]='/run/secrets'
)

# deliver IMAGE VARIANT START: START is 1 for the first, more for restarts of the same container.
deliver() {
	local kind=$1 variant=$2 start=$3 name app options
	name=$(container "$kind-${variant// /-}")
	read -ra app <<<"${app_of[$kind]}"
	read -ra options <<<"${options_of[$variant]}"
	if ((start == 1)); then
		app_run "$name" web "${options[@]}" -- "$kind" "${app[@]}" "${variables[@]}"
	else
		docker restart -t 5 "$name"
	fi
	await_report "$name" "$start"
	check_delivery "$name" "${program_of[$kind]}" "${place_of[$variant]}"
}

# What `docker stop` sends reaches the app, which ends with a status of its own.
stops_at_once() {
	local name started_ms
	name=$(container "$1-with-own-tmpfs")
	started_ms=$(now_ms)
	docker stop -t 10 "$name"
	local took_ms=$(($(date -d "$(container_state "$name" FinishedAt)" +%s%3N) - started_ms))
	[[ $(container_state "$name" ExitCode) == 43 ]] ||
		fail "exit status $(container_state "$name" ExitCode)"
	((took_ms < 1000)) || fail "took $took_ms ms"
}

# Variables that hold a delivered value are gone, whatever their name; others stay.
scrubs() {
	local name password
	name=$(container scrub)
	password=$(cat "$work/value/db_password")
	app_run "$name" web -e "DB_PASSWORD=$password" -e "DATABASE_URL=postgres://app:$password@db/" \
		-e "TACIT_SERVER=https://$server_host:8443" -e PLAIN=kept -- alpine /probe "${variables[@]}"
	await_report "$name" 1
	check_processes "$name"
	grep -qx 'variable PLAIN' "$report" || fail 'PLAIN is gone'
	! grep -qxE 'variable (DB_PASSWORD|DATABASE_URL)' "$report" || fail 'not scrubbed'
	docker logs "$name" >"$work/part" 2>&1
	! holds_value "$work/part" || fail 'a value is in docker logs'
	grep -q '^tacit-agent: .*DATABASE_URL' "$work/part" || fail 'the log does not name DATABASE_URL'
}

# The step away from -e that needs no server.
from_environment() {
	local name
	name=$(container from-env)
	app_run "$name" web -e "DB_PASSWORD=$(cat "$work/value/db_password")" \
		-e TACIT_FROM_ENV=DB_PASSWORD -- alpine /probe DB_PASSWORD_FILE
	await_report "$name" 1
	check_reported_file DB_PASSWORD_FILE db_password '/dev/shm/*'
	check_processes "$name"
}

refuses_foreign_identity() {
	init_store "$work/foreign-store"
	install -o "$user" -g "$user" -m 0400 "$work/foreign-store/admin.pem" "$work/foreign.pem"
	app_run "$(container foreign)" foreign -- alpine /probe
	check_refused "$(container foreign)" 125 'https://store:8443: .* not signed by the CA'
}

refuses_revoked_identity() {
	make_identity leaver 'web/*'
	tacit client revoke leaver
	app_run "$(container leaver)" leaver -- alpine /probe
	check_refused "$(container leaver)" 125 'certificate not accepted'
}

refuses_unreadable_identity() {
	install -m 0400 "$work/web.pem" "$work/root-owned.pem"
	app_run "$(container root-owned)" root-owned -- alpine /probe
	check_refused "$(container root-owned)" 125 'identity.pem: Permission denied'
}

refuses_truncated_identity() {
	head -n 8 "$work/web.pem" >"$work/truncated.pem"
	chown "$user" "$work/truncated.pem"
	chmod 0400 "$work/truncated.pem"
	app_run "$(container truncated)" truncated -- alpine /probe
	check_refused "$(container truncated)" 125 'identity.pem: is cut off'
}

refuses_when_server_is_away() {
	docker pause "$(container server)"
	app_run "$(container late)" web --entrypoint tacit-agent -- \
		alpine run --timeout=2s -- /probe
	wait_until 20 container_stopped "$(container late)" || true
	docker unpause "$(container server)"
	check_refused "$(container late)" 125 'https://store:8443: timed out'
}

refuses_unknown_host() {
	app_run "$(container nowhere)" web -e TACIT_SERVER=https://nowhere:8443 \
		--entrypoint tacit-agent -- alpine run --timeout=3s -- /probe
	check_refused "$(container nowhere)" 125 'https://nowhere:8443: host name not found'
}

refuses_full_tmpfs() {
	app_run "$(container full-tmpfs)" large \
		--tmpfs /run/secrets:uid=1001,gid=1001,mode=0700,size=4k -- alpine /probe
	check_refused "$(container full-tmpfs)" 125 '/run/secrets/large: No space left on device'
}

refuses_without_tmpfs() {
	app_run "$(container no-ipc)" web --ipc=none -- alpine /probe
	check_refused "$(container no-ipc)" 125 'no writable tmpfs found'
}

# reports_command_that_cannot_run STATUS COMMAND
reports_command_that_cannot_run() {
	local name
	name=$(container "exec-${2##*/}")
	app_run "$name" web -- alpine "$2"
	check_refused "$name" "$1" "$2"
}

ends_with_status_of_app() {
	local name
	name=$(container status)
	app_run "$name" web -- scratch /bin/busybox sh -c 'exit 7'
	wait_until 20 container_stopped "$name"
	[[ $(container_state "$name" ExitCode) == 7 ]] || fail "$(container_state "$name" ExitCode)"
}

# The server under the same hardening: killed, it comes back with everything.
server_survives_kill() {
	docker kill "$(container server)"
	docker rm "$(container server)"
	server_start
	tacit get web/blob --raw >"$work/part"
	cmp "$work/part" "$work/value/blob"
	docker logs "$(container server)" >"$work/part" 2>&1
	! holds_value "$work/part" || fail "a value is in the server's log"
	! grep -rqaFf "$work/needles" "$work/store" || fail 'a value is in the store in plain'
}

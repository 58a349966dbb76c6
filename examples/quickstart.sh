#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Shows the main job: a secret goes from an encrypted store to a file in a hardened container.
# Installs what it needs (Debian, as root), builds, shows what an app sees, and cleans up.
# usage: examples/quickstart.sh [--host]     --host: without containers
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../tests/lib/common.sh
. "$top/tests/lib/common.sh"
# shellcheck source=../tests/lib/packages.sh
. "$top/tests/lib/packages.sh"
# shellcheck source=../tests/lib/engine.sh
. "$top/tests/lib/engine.sh"
# shellcheck source=../tests/lib/server.sh
. "$top/tests/lib/server.sh"

programs=$top/build
password=
work=
server_pid=
host_only=0
[[ ${1:-} != --host ]] || host_only=1

step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

compile() {
	[[ -f $programs/build.ninja ]] || meson setup -Dtests=false "$programs" "$top" || return
	ninja -C "$programs" server/tacit-server agent/tacit-agent cli/tacit
}

# In one go, which is faster; without the engine where that cannot be had.
install_packages() {
	local engine=()
	((EUID != 0 || host_only)) || mapfile -t engine < <(engine_packages)
	ensure_packages "${packages_build[@]}" "${engine[@]}" ||
		ensure_packages "${packages_build[@]}" || die 'not all packages could be installed'
}

build_programs() {
	say 'building ...'
	if ! compile >"$work/build.log" 2>&1; then
		tail -n 40 "$work/build.log"
		die 'the build failed'
	fi
}

fill_store() {
	step "The operator: a secret, a client, what it may read"
	say "  \$ tacit put web/db_password < password"
	printf %s "$password" | tacit put web/db_password >/dev/null
	say "  \$ tacit client add web --out web.pem"
	tacit client add web --out "$work/web.pem" >/dev/null
	say "  \$ tacit grant web 'web/*'"
	tacit grant web 'web/*' >/dev/null
}

# Puts a mark where the password shows.
mark() { sed "s/$password/$red&$plain/g; s/^/  /"; }

show_environ() { printf '/proc/1/environ: %s\n' "$(tr '\0' ' ' <"/proc/$1/environ")" | mark; }
show_inspect() { docker inspect -f 'docker inspect:  {{json .Config.Env}}' "$1" | mark; }

pid_of() { docker inspect -f '{{.State.Pid}}' "$1"; }
is_running() { [[ $(docker inspect -f '{{.State.Running}}' "$1") == true ]]; }
app_started() { docker logs "$1" 2>/dev/null | grep -q '^app started' || ! is_running "$1"; }

# app_run NAME [DOCKER-OPTION]... IMAGE [ARG]...: a hardened container, waited for.
app_run() {
	local name
	name=$(container "$1")
	docker run -d --label "$engine_label" --name "$name" --network "$(network)" \
		"${hardened[@]}" "${@:2}" >/dev/null
	if ! wait_until 20 app_started "$name" || ! is_running "$name"; then
		docker logs "$name"
		die 'the app did not start'
	fi
}

# The app's image knows nothing of Tacit: busybox, and a script that is the app.
make_app_image() {
	local root=$work/image/app
	install -D -m 0755 /bin/busybox "$root/bin/busybox"
	cat >"$root/app" <<-'APP'
		#!/bin/busybox sh
		trap 'exit 0' TERM
		for file in $DB_PASSWORD_FILE; do
			ls -l "$file"
			echo "on $(stat -f -c %T "$file"), $(wc -c <"$file") bytes"
		done
		echo 'app started'
		while :; do sleep 3600 & wait $!; done
	APP
	chmod 0755 "$root/app"
	image_import app "$root" 'ENV PATH=/bin'
}

container_before() {
	local name
	name=$(container before)
	step 'Before: docker run -e DB_PASSWORD=...'
	app_run before -e "DB_PASSWORD=$password" "$(image app)" /app
	show_inspect "$name"
	show_environ "$(pid_of "$name")"
}

container_after() {
	local name pid
	name=$(container after)
	step 'After: the same image, under tacit-agent run'
	chown "$user:$user" "$work/web.pem"
	app_run after --tmpfs "/run/secrets:uid=$user,gid=$user,mode=0700" \
		--mount "type=bind,src=$work/web.pem,dst=/run/tacit/identity.pem,readonly" \
		--mount "type=bind,src=$programs/agent/tacit-agent,dst=/tacit-agent,readonly" \
		--entrypoint /tacit-agent "$(image app)" run -- /app
	pid=$(pid_of "$name")
	docker logs "$name" | sed '/^app started/d; s/^/the app sees:    /' | mark
	show_inspect "$name"
	show_environ "$pid"
	docker inspect "$name" >"$work/inspect"
	! grep -aqF "$password" "$work/inspect" "/proc/$pid/environ" || die 'the value is exposed'
	[[ $(cat "/proc/$pid/root/run/secrets/db_password") == "$password" ]] ||
		die 'the file holds something else'
}

show_in_containers() {
	image_server
	make_app_image
	server_make >/dev/null
	container_before
	fill_store
	container_after
}

port_is_free() { ! (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
host_server_ready() { grep -q '^listening on ' "$work/server.log" || process_gone "$server_pid"; }

start_host_server() {
	local port=18443
	until port_is_free "$port"; do
		((port++))
	done
	"$programs/server/tacit-server" init --dir "$work/store" --url "https://localhost:$port" \
		>/dev/null
	"$programs/server/tacit-server" serve --dir "$work/store" --listen "127.0.0.1:$port" \
		>"$work/server.log" 2>&1 &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 10 host_server_ready || true
	grep -q '^listening on ' "$work/server.log" || die "$(cat "$work/server.log")"
}

# Without an engine the same is seen in a process on this host.
show_on_host() {
	local app
	app=$(
		cat <<-'APP'
			for file in $DB_PASSWORD_FILE; do
				ls -l "$file"
				echo "on $(stat -f -c %T "$file")"
			done
			echo "environ: $(tr '\0' '\n' </proc/$$/environ | grep '^DB_PASSWORD')"
		APP
	)
	start_host_server
	tacit() { TACIT_IDENTITY=$work/store/admin.pem "$programs/cli/tacit" "$@"; }
	step 'Before: DB_PASSWORD=... app'
	DB_PASSWORD=$password sh -c "$app" | mark
	fill_store
	step 'After: tacit-agent run -- app'
	"$programs/agent/tacit-agent" run --identity "$work/web.pem" -- sh -c "$app" >"$work/after"
	mark <"$work/after"
	! grep -qF "$password" "$work/after" || die 'the value is in the environment'
}

main() {
	make_temp_dir work
	password=demo-$(od -An -N 6 -tx1 /dev/urandom | tr -d ' \n')
	install_packages
	build_programs
	if ((host_only)); then
		show_on_host
	elif ((EUID == 0)) && engine_ensure; then
		show_in_containers
	else
		warn "without containers, on this host: ${engine_problem:-they need root here}"
		show_on_host
	fi
	step "Done in $SECONDS s; all that was started is stopped and removed."
}

main

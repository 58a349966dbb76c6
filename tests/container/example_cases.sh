# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The files in examples/, used as their READMEs say.

is_healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; }

# dockerfile_works NAME [BUILD-OPTION]...
dockerfile_works() {
	local kind=$1 name
	name=$(container "example-$1")
	image_example "$@"
	app_run "$name" web --tmpfs "/run/secrets:uid=$user,gid=$user,mode=0700" \
		--health-interval=1s -- "example-$kind"
	wait_until 30 is_healthy "$name" || {
		docker logs "$name" 2>&1
		docker inspect -f '{{json .State}}' "$name"
		fail 'not healthy'
	}
	docker logs "$name" 2>&1 | grep -c '^listening on port 8080.*/run/secrets/db_password$' >/dev/null ||
		fail "$(docker logs "$name" 2>&1)"
	cmp "/proc/$(container_state "$name" Pid)/root/run/secrets/db_password" \
		"$work/value/db_password"
	check_processes "$name"
	check_not_recorded "$name"
	docker stop -t 5 "$name"
	[[ $(container_state "$name" ExitCode) == 0 ]] || fail 'SIGTERM did not reach the app'
}

# The base has no default, so that nobody builds on a tag that moves.
dockerfile_wants_pinned_base() {
	! image_example "$1" >"$work/part" 2>&1 || fail 'built without a base'
	grep -q 'base name (.*) should not be blank' "$work/part" || fail "$(cat "$work/part")"
}

# The image of the app holds no agent and is run as it is.
docker_run_works() {
	local name
	name=$(container docker-run)
	IDENTITY=$work/web.pem AGENT=$programs/agent/tacit-agent \
		"$top/examples/docker-run/run-hardened.sh" --detach "--name=$name" \
		"--label=$engine_label" "--network=$(network)" \
		"$(image base-distroless)" /nodejs/bin/node -e '
			console.log("begin\npid " + process.pid)
			console.log("path " + process.env.DB_PASSWORD_FILE + "\nready")
			setInterval(() => {}, 1 << 30)'
	await_report "$name" 1
	grep -qx 'pid 1' "$report" || fail "$(cat "$report")"
	grep -qx 'path /run/secrets/db_password' "$report" || fail "$(cat "$report")"
	cmp "/proc/$(container_state "$name" Pid)/root/run/secrets/db_password" \
		"$work/value/db_password"
	check_processes "$name"
	check_not_recorded "$name"
}

laptop_works() {
	local directory=$work/laptop
	cp -a "$top/examples/laptop" "$directory"
	cd "$directory" || return
	install -m 0600 env.example .env
	"$programs/agent/tacit-agent" run --env-file .env -- node app.js | tee "$work/part"
	grep -q 'DB_PASSWORD: .*, mode 0400, 20 bytes, not in the environment$' "$work/part"
	grep -q 'API_KEY: .*, mode 0400, 8 bytes, not in the environment$' "$work/part"
	local path
	path=$(sed -n 's/^DB_PASSWORD: \(.*\), mode.*/\1/p' "$work/part")
	[[ -n $path && ! -e $path ]] || fail "$path is still there"
}

# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# examples/init-container and examples/kubernetes: one container prepares, another is the app.

# The agent's own image, as its Dockerfile makes it, and an app that knows nothing of Tacit.
image_init_pair() {
	local context=$work/context-init
	cp -a "$top/examples/init-container" "$context"
	install -m 0755 "$programs/agent/tacit-agent" "$context/tacit-agent"
	DOCKER_BUILDKIT=0 docker build -q --network none --label "$engine_label" \
		-t "$(image agent)" "$context"
	printf 'FROM %s\nCOPY --chown=1001:1001 . /app\nCMD ["/app/server.js"]\n' \
		"$(image base-distroless)" >"$work/app.Dockerfile"
	DOCKER_BUILDKIT=0 docker build -q --network none --label "$engine_label" -t "$(image app)" \
		-f "$work/app.Dockerfile" "$top/examples/dockerfile/app"
}

# pair_compose FILE ARG...: docker-compose on one of the pairs; its secrets are for $pair_dir.
pair_compose() {
	local name=${1%.yml}
	shift
	printf 'services:\n  app: { container_name: "%s" }\n' "$(container "pair-$name")" \
		>"$work/$name.yml"
	AGENT_IMAGE=$(image agent) APP_IMAGE=$(image app) STORE_NETWORK=$(network) \
		IDENTITY=$work/web.pem SECRETS_DIR=$pair_dir APP_COMMAND='node /app/server.js' \
		COMPOSE_PROJECT_NAME=$(compose_project "$name") \
		docker-compose -f "$top/examples/init-container/$name.yml" -f "$work/$name.yml" "$@"
}

make_pair_dir() {
	pair_dir=$1/pair
	install -d -m 0700 -o "$user" -g "$user" "$pair_dir"
}

app_is_ready() { docker logs "$1" 2>&1 | grep -c '^listening on port 8080' >/dev/null || container_stopped "$1"; }

# check_app NAME PATH: it has read PATH, which it sees as it should, and nothing else shows the value.
check_app() {
	local name=$1 path=$2 file
	wait_until 20 app_is_ready "$name" || true
	docker logs "$name" 2>&1 | grep -c "^listening on port 8080, password read from $path\$" >/dev/null ||
		fail "$(docker logs "$name" 2>&1)"
	file=/proc/$(container_state "$name" Pid)/root$path
	cmp "$file" "$work/value/db_password"
	[[ $(stat -c '%a %u:%g' "$file") == "400 $user:$user" ]] || fail "$(stat -c '%a %u:%g' "$file")"
	[[ $(stat -f -c %T "$file") == tmpfs ]] || fail "on $(stat -f -c %T "$file")"
	check_processes "$name"
	docker inspect "$name" >"$work/part"
	! holds_value "$work/part" || fail 'a value is in docker inspect'
}

pair_fetches() {
	local name status=0
	make_pair_dir "$memory"
	pair_compose fetch.yml up -d || status=$?
	name=$(container pair-fetch)
	((status == 0)) || fail "$(pair_compose fetch.yml logs --no-color 2>&1)"
	check_app "$name" /run/secrets/db_password
	[[ $(docker inspect -f '{{.HostConfig.NetworkMode}}' "$name") == none ]] || fail 'has a network'
	pair_compose fetch.yml down -v -t 5
}

# A directory on a disk is refused, and then no app starts.
pair_refuses_disk() {
	make_pair_dir "$work"
	[[ $(stat -f -c %T "$pair_dir") != tmpfs ]] || return 0 # no disk to be had here
	! pair_compose fetch.yml up -d || fail 'came up'
	pair_compose fetch.yml logs --no-color >"$work/part" 2>&1
	grep -q 'tacit-agent: .*/run/secrets' "$work/part" || fail "$(cat "$work/part")"
	[[ -z $(ls -A "$pair_dir") ]] || fail 'something was written'
	[[ -z $(docker ps -q --filter "name=$(container pair-fetch)") ]] || fail 'the app was started'
	pair_compose fetch.yml down -v -t 5
}

pair_copies() {
	pair_dir=/nonexistent
	pair_compose copy.yml up -d || fail "$(pair_compose copy.yml logs --no-color 2>&1)"
	check_app "$(container pair-copy)" /run/secrets/db_password
	check_first_process "$(container_state "$(container pair-copy)" Pid)" /nodejs/bin/node
	pair_compose copy.yml down -v -t 5
}

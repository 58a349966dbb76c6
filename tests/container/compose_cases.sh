# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# examples/compose as its README says: set up, started, taken apart from inside, rotated.

compose_turns=6

# compose_project NAME: of docker-compose; what belongs to it is removed at the end of the suite.
compose_project() { printf 'tacit-%s-%s' "$1" "$engine_run"; }

compose_clean() {
	local name label
	for name in compose fetch copy; do
		label=com.docker.compose.project=$(compose_project "$name")
		docker ps -aq --filter "label=$label" | xargs -r docker rm -f -v
		docker network ls -q --filter "label=$label" | xargs -r docker network rm
		docker volume ls -q --filter "label=$label" | xargs -r docker volume rm
	done >/dev/null
}

# The example in a directory of its own; the images that it builds carry the label of this run.
compose_prepare() {
	local name
	compose_dir=$work/compose
	[[ -d $compose_dir ]] || cp -a "$top/examples/compose" "$compose_dir"
	cd "$compose_dir" || return
	COMPOSE_PROJECT_NAME=$(compose_project compose)
	export COMPOSE_PROJECT_NAME COMPOSE_FILE=docker-compose.yml:suite.yml
	export TACIT_BUILD=$programs DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0 SETTLE=0 PATIENCE=20
	sed -e "s|^DEBIAN_IMAGE=.*|DEBIAN_IMAGE=$(image base-debian)|" \
		-e "s|^NODE_IMAGE=.*|NODE_IMAGE=$(image base-node-alpine)|" \
		-e "s|^POSTGRES_IMAGE=.*|POSTGRES_IMAGE=$(image postgres)|" \
		-e 's|_PORT=.*|_PORT=|' env.example >.env
	printf 'services:\n' >suite.yml
	for name in store api web; do
		printf '  %s: { image: "%s", build: { network: none, labels: ["%s"] } }\n' \
			"$name" "$(image "compose-$name")" "$engine_label" >>suite.yml
	done
}

# Docker is asked, since docker-compose takes a second for each answer.
compose_container() {
	docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
		--filter "label=com.docker.compose.service=$1"
}
compose_port() { docker port "${ids[$1]}" "$2/tcp" | sed -n 1p; }

# In the example's directory, with the container of each service in `ids`.
compose_enter() {
	compose_prepare
	local service
	declare -gA ids=()
	for service in store db-init db api web; do
		ids[$service]=$(compose_container "$service")
	done
	web_url=http://$(compose_port web 8080)/
}

compose_tacit() {
	TACIT_SERVER=https://$(compose_port store 8443) TACIT_IDENTITY=$compose_dir/state/admin.pem \
		"$programs/cli/tacit" "$@"
}

web_answers() { curl -fsS -m 5 "$web_url" >"$work/part" 2>/dev/null; }

compose_starts() {
	compose_prepare
	./setup.sh
	docker-compose up -d || {
		docker-compose logs --no-color
		fail 'up'
	}
	compose_enter
	wait_until 30 web_answers || {
		docker-compose logs --no-color
		fail "web: $(curl -sS -m 5 "$web_url" 2>&1)"
	}
	grep -qE '^visit [0-9]+ as app_a$' "$work/part" || fail "$(cat "$work/part")"
}

compose_pid() { container_state "${ids[$1]}" Pid; }

# Everything secret in the example, each value a line of $work/compose-needles.
compose_make_needles() {
	{
		compose_tacit get db/postgres_password
		printf '\n'
		compose_tacit get api/pg_service.conf | sed -n 's/^password=//p'
	} >"$work/compose-needles"
	[[ $(grep -cE '^.{39,}$' "$work/compose-needles") == 2 ]] || fail 'no secrets?'
}

compose_has_needle() { grep -aqFf "$work/compose-needles" "$@"; }

# Not in what the engine tells, not in a log, not in the environment or arguments of a process.
compose_hides_values() {
	local service pid
	compose_enter
	compose_make_needles
	docker-compose logs --no-color >"$work/part" 2>&1
	! compose_has_needle "$work/part" || fail 'a value is in the logs'
	docker inspect "${ids[@]}" >"$work/part"
	! compose_has_needle "$work/part" || fail 'a value is in docker inspect'
	for service in store db api web; do
		for pid in $(docker top "${ids[$service]}" -o pid | tail -n +2); do
			cat "/proc/$pid/environ" "/proc/$pid/cmdline" >"$work/part"
			! compose_has_needle "$work/part" || fail "$service: a value is in /proc/$pid"
		done
	done
}

compose_delivers() {
	local file
	compose_enter
	file=/proc/$(compose_pid api)/root/run/secrets/pg_service.conf
	[[ $(stat -c '%a %u:%g' "$file") == "400 $user:$user" ]] || fail "$(stat -c '%a %u:%g' "$file")"
	[[ $(stat -f -c %T "$file") == tmpfs ]] || fail "on $(stat -f -c %T "$file")"
	compose_tacit get api/pg_service.conf | cmp - "$file"
}

compose_is_hardened() {
	local service status
	compose_enter
	for service in "${!ids[@]}"; do
		docker inspect "${ids[$service]}" >"$work/part"
		[[ $(jq -c '.[0] | [.HostConfig.ReadonlyRootfs, .HostConfig.CapDrop,
			.HostConfig.SecurityOpt, (.HostConfig.PidsLimit > 0), (.HostConfig.NanoCpus > 0),
			.HostConfig.Memory == .HostConfig.MemorySwap, (.Config.User | test("^[1-9]"))]' \
			"$work/part") == '[true,["ALL"],["no-new-privileges:true"],true,true,true,true]' ]] ||
			fail "$service is not hardened: $(jq .[0].HostConfig "$work/part")"
	done
	for service in store db api web; do
		status=/proc/$(compose_pid "$service")/status
		[[ $(awk '/^(CapEff|CapBnd|NoNewPrivs):/ { printf "%s ", $2 }' "$status") == \
			'0000000000000000 0000000000000000 1 ' ]] || fail "$service: $(cat "$status")"
	done
}

# postgres_login PASSWORD: as the superuser, over TCP, from the network of the api.
postgres_login() {
	printf '*:*:*:*:%s' "$1" >"$work/pgpass"
	chmod 0600 "$work/pgpass"
	PGPASSFILE=$work/pgpass nsenter -t "$(compose_pid api)" -n "$(postgres_programs)/psql" \
		-X -w -q -h "$(compose_address db backend)" -U postgres -d app -c 'SELECT 1'
}

# compose_address SERVICE NETWORK
compose_address() {
	docker inspect "${ids[$1]}" |
		jq -r ".[0].NetworkSettings.Networks[\"${COMPOSE_PROJECT_NAME}_$2\"].IPAddress"
}

# What POSTGRES_PASSWORD_FILE pointed to is the superuser's password, and nothing else is.
compose_database_took_password() {
	compose_enter
	postgres_login "$(compose_tacit get db/postgres_password)"
	! postgres_login wrong || fail 'any password will do'
}

# reaches SERVICE PEER NETWORK PORT: whether a TCP connection can be opened from one to the other.
reaches() {
	nsenter -t "$(compose_pid "$1")" -n \
		timeout 2 bash -c ": </dev/tcp/$(compose_address "$2" "$3")/$4" 2>/dev/null
}

# Side by side, as what is not reached takes the whole time.
note_if_reached() { ! reaches "$@" || echo "$1 reaches $2" >>"$work/reached"; }

compose_isolates() {
	compose_enter
	reaches api store store 8443 || fail 'the api cannot reach the store'
	reaches api db backend 5432 || fail 'the api cannot reach the database'
	reaches web api frontend 8080 || fail 'web cannot reach the api'
	: >"$work/reached"
	note_if_reached db store store 8443 &
	note_if_reached web db backend 5432 &
	note_if_reached web store store 8443 &
	note_if_reached store db backend 5432 &
	wait
	[[ ! -s $work/reached ]] || fail "$(cat "$work/reached")"
}

# hammer N: asks again and again until $work/calm is there; `answers-N` holds each answer and what
# curl had to say. web asks the api, which logs in anew for each.
hammer() {
	until [[ -e $work/calm ]]; do
		curl -sS -m 5 "$web_url" || printf 'curl: exit status %s\n' "$?"
		sleep 0.02 # leaves the processor to the others now and then
	done >"$work/answers-$1" 2>&1
}

compose_started_at() { docker inspect -f '{{.State.StartedAt}} {{.RestartCount}}' "${ids[@]}"; }
web_is_as() { web_answers && grep -q " as $1\$" "$work/part"; }

# A turn is over when the api has been seen to log in with the new file.
turn() {
	local next
	./rotate.sh >"$work/turn" || fail "rotate.sh: $(cat "$work/turn")"
	next=$(sed -n 's/^the api logs in as \(app_[ab]\) .*/\1/p' "$work/turn")
	wait_until 10 web_is_as "$next" || fail "not as $next: $(cat "$work/part")"
}

compose_rotates() {
	local before turn pids
	compose_enter
	before=$(compose_started_at)
	hammer 1 &
	pids=$!
	hammer 2 &
	pids+=" $!"
	for ((turn = 0; turn < compose_turns; turn++)); do
		turn
	done
	touch "$work/calm"
	# shellcheck disable=SC2086 # words are wanted
	wait $pids
	[[ $(compose_started_at) == "$before" ]] || fail 'something was restarted'
	cat "$work"/answers-[12] >"$work/answers"
	! grep -vE '^visit [0-9]+ as app_[ab]$' "$work/answers" || fail 'queries failed'
	printf '%s queries\n' "$(wc -l <"$work/answers")"
	(($(wc -l <"$work/answers") >= 10 * compose_turns)) || fail 'too few queries'
	[[ $(grep -c 'app_a$' "$work/answers") -gt 0 && $(grep -c 'app_b$' "$work/answers") -gt 0 ]]
}

# The file of the turn before is worth nothing any more, that of today still is.
compose_retires() {
	local last now
	compose_enter
	last=$(compose_tacit get api/pg_service.conf)
	turn
	now=$(compose_tacit get api/pg_service.conf)
	service_login "$last" || fail 'the last password ended with the turn, too early'
	./rotate.sh --retire
	! service_login "$last" || fail 'the last password is still good'
	service_login "$now"
	web_answers
}

# service_login TEXT: with a whole service file, as the api does.
service_login() {
	docker exec -i -e PGSERVICE=app -e PGSERVICEFILE=/dev/stdin "${ids[db]}" \
		psql -X -q -c 'SELECT 1' <<<"$1"
}

# An agent that hangs has the file of the turn before: its role keeps the password until it has not.
compose_waits_for_who_is_behind() {
	local last
	compose_enter
	last=$(compose_tacit get api/pg_service.conf)
	docker pause "${ids[api]}" >/dev/null
	./rotate.sh >"$work/turn" || fail "rotate.sh: $(cat "$work/turn")"
	compose_is_refused 'the last turn is not over: .* is behind$' --retire
	compose_is_refused 'the last turn is not over: .* is behind$'
	service_login "$last" || fail 'the password of who is behind is worth nothing'
	docker unpause "${ids[api]}" >/dev/null
	SETTLE=1000000 compose_is_refused 'the last turn is not over: the store was just started' --retire
	./rotate.sh --retire
	! service_login "$last" || fail 'the last password is still good'
	web_answers
}

# compose_is_refused PATTERN OPTION...: by rotate.sh, at once.
compose_is_refused() {
	! PATIENCE=0 ./rotate.sh "${@:2}" >"$work/part" 2>&1 || fail "done: $(cat "$work/part")"
	grep -qE "^rotate.sh: $1" "$work/part" || fail "$(cat "$work/part")"
}

# With tokens the api becomes a client without a file, and is no worse off.
compose_takes_tokens() {
	local pid
	compose_enter
	./tokens.sh
	compose_enter
	wait_until 30 web_answers || fail "$(docker logs "${ids[api]}" 2>&1)"
	docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' "${ids[api]}" |
		grep -q '^TACIT_TOKEN=tacit1\.' || fail 'was given no token'
	[[ ! -s /proc/$(compose_pid api)/root/run/tacit/identity.pem ]] || fail 'has an identity file'
	for pid in $(docker top "${ids[api]}" -o pid | tail -n +2); do
		! grep -aq TACIT_ "/proc/$pid/environ" || fail "TACIT_* is in /proc/$pid/environ"
	done
	turn
}

compose_ends() {
	compose_prepare
	docker-compose down -v -t 5
	[[ -z $(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME") ]]
}

# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Containers that are given a join token, and no identity.

own_tmpfs=(--tmpfs "/run/secrets:uid=1001,gid=1001,mode=0700")

# token_of CLIENT [OPTION]...: a new token, as its text.
token_of() { tacit token create "$@" --json | jq -r .token; }

# app_join NAME [DOCKER-OPTION]... -- IMAGE [ARG]...: as app_run, but nothing is mounted.
app_join() {
	local name=$1 options=()
	shift
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	docker run -d --label "$engine_label" --name "$name" --network "$(network)" \
		"${hardened[@]}" "${own_tmpfs[@]}" "${options[@]}" "$(image "$2")" "${@:3}" >/dev/null
}

check_token_not_logged() {
	docker logs "$1" >"$work/part" 2>&1
	! grep -qF "$2" "$work/part" || fail 'the token is in docker logs'
}

joins_by_variable() {
	local name token
	name=$(container join-variable)
	token=$(token_of web)
	app_join "$name" -e "TACIT_TOKEN=$token" -- alpine /probe "${variables[@]}"
	await_report "$name" 1
	check_delivery "$name" /probe /run/secrets
	check_token_not_logged "$name" "$token"
}

# The same container once more: its one use is spent.
refuses_a_used_token() {
	local name
	name=$(container join-variable)
	docker restart -t 5 "$name" >/dev/null
	wait_until 20 container_stopped "$name" || fail 'still running'
	[[ $(container_state "$name" ExitCode) == 125 ]] ||
		fail "exit status $(container_state "$name" ExitCode)"
	docker logs "$name" 2>&1 | tail -n 1 >"$work/part"
	grep -q '^tacit-agent: TACIT_TOKEN: the join token has been used up' "$work/part" ||
		fail "$(cat "$work/part")"
}

# A token for two starts, in a file such as Compose mounts: root's, and everybody may read it.
joins_by_file() {
	local name
	name=$(container join-file)
	token_of web --uses 2 >"$work/token"
	chmod 0444 "$work/token"
	app_join "$name" --mount "type=bind,src=$work/token,dst=/run/tacit/token,readonly" \
		--entrypoint tacit-agent -- alpine run --token-file=/run/tacit/token -- \
		/probe "${variables[@]}"
	await_report "$name" 1
	check_delivery "$name" /probe /run/secrets
	docker restart -t 5 "$name" >/dev/null
	await_report "$name" 2
	check_token_not_logged "$name" "$(cat "$work/token")"
}

refuses_what_is_no_token() {
	local name
	name=$(container join-nonsense)
	app_join "$name" -e TACIT_TOKEN=mark-no-token -- alpine /probe
	check_refused "$name" 125 'TACIT_TOKEN: not a join token'
	! docker logs "$name" 2>&1 | grep -c mark-no-token >/dev/null || fail 'it is shown'
}

word_is() { [[ $(cat "/proc/$1/root/run/secrets/word") == "$2" ]]; }

# Certificates of five seconds, in 64 MiB and half a core.
outlives_its_certificates() {
	local name pid
	name=$(container join-watch)
	tacit client add joiner --no-identity
	tacit grant joiner 'join/*'
	printf first | tacit put join/word
	token_of joiner --certificate-ttl 5s >"$work/token"
	app_join "$name" --mount "type=bind,src=$work/token,dst=/run/tacit/token,readonly" \
		--entrypoint tacit-agent -- alpine run --watch --token-file=/run/tacit/token -- \
		/probe WORD_FILE
	await_report "$name" 1
	pid=$(container_state "$name" Pid)
	word_is "$pid" first || fail 'not delivered'
	sleep 7
	printf second | tacit put join/word
	wait_until 10 word_is "$pid" second || fail "$(docker logs "$name" 2>&1)"
	! grep -aqF "$(cat "$work/token")" "/proc/$pid/environ" "/proc/$pid/cmdline" || fail 'shown'
	docker stop -t 10 "$name" >/dev/null
	[[ $(container_state "$name" ExitCode) == 43 ]] ||
		fail "exit status $(container_state "$name" ExitCode)"
}

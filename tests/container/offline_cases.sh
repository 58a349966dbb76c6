# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2016
# Templates, the cache, and --private, under the hardened run.

# A configuration file with a value inside, in the place where the secrets are.
template_delivers() {
	local name
	name=$(container template)
	printf 'user=app\npassword=${secret:web/db_password}\n# $${secret:x}\n' >"$work/app.tmpl"
	{
		printf 'user=app\npassword='
		cat "$work/value/db_password"
		printf '\n# ${secret:x}\n'
	} >"$work/value/app.conf"
	app_run "$name" web --mount "type=bind,src=$work/app.tmpl,dst=/etc/app.tmpl,readonly" \
		--tmpfs /run/secrets:uid=1001,gid=1001,mode=0700 --entrypoint tacit-agent -- \
		alpine run --template /etc/app.tmpl=app.conf -- /probe APP_CONF_FILE DB_PASSWORD_FILE
	await_report "$name" 1
	check_reported_file APP_CONF_FILE app.conf /run/secrets/app.conf
	check_reported_file DB_PASSWORD_FILE db_password /run/secrets/db_password
	check_processes "$name"
}

# All of the log is read: what ends its writer early would count as a failure.
log_says() { docker logs "$1" 2>&1 | grep -c "$2" >/dev/null; }

# A restart while the server says nothing; what lies on the disk tells nothing.
cache_delivers() {
	local name
	name=$(container cache)
	install -d -o "$user" -g "$user" -m 0700 "$work/cache"
	app_run "$name" web --mount "type=bind,src=$work/cache,dst=/var/cache/tacit" \
		--entrypoint tacit-agent -- \
		alpine run --cache /var/cache/tacit/web --timeout=4s -- /probe DB_PASSWORD_FILE
	await_report "$name" 1
	[[ $(stat -c '%a %u' "$work/cache/web") == "400 $user" ]] || fail 'not stored as it should be'
	! holds_value "$work/cache/web" || fail 'a value is in the cache'
	docker pause "$(container server)"
	docker restart -t 5 "$name"
	await_report "$name" 2 || true
	docker unpause "$(container server)"
	check_reported_file DB_PASSWORD_FILE db_password '/dev/shm/*'
	wait_until 5 log_says "$name" 'SERVER AWAY: DELIVERING FROM THE CACHE' || fail "not loud: $(docker logs "$name" 2>&1 | tail -n 3)"
}

cache_may_fail() {
	local name
	name=$(container cache-read-only)
	app_run "$name" web --entrypoint tacit-agent -- \
		alpine run --cache /var/cache/tacit/web -- /probe DB_PASSWORD_FILE
	await_report "$name" 1
	check_reported_file DB_PASSWORD_FILE db_password '/dev/shm/*'
	wait_until 5 log_says "$name" '^tacit-agent: --cache .*: not stored: ' || fail 'no warning'
}

private_is_refused() {
	app_run "$(container private)" web --entrypoint tacit-agent -- alpine run --private -- /probe
	check_refused "$(container private)" 125 '--private: user namespace: a seccomp filter forbids it'
}

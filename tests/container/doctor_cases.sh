# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the agent's doctor says in real containers, well and badly started ones.

# What `hardened` leaves to the defaults of the host, so that these cases do not depend on one.
doctor_hardened=("${hardened[@]}" --memory-swap=64m --ulimit core=0)

# Each option, added to the hardened run, and the one line that it makes fail. WORK is $work.
declare -A doctor_check_of=(
	[--pid=host]='pid namespace'
	[--network=host]='net namespace'
	[--ipc=host]='ipc namespace'
	[--user=0:0]='user'
	[--security-opt=seccomp=unconfined]='seccomp'
	[--read-only=false]='root file system'
	['--volume=WORK/docker.sock:/any/name']='engine socket'
	[--memory=0]='memory limit'
	[--cpus=0]='cpu limit'
	[--pids-limit=-1]='pids limit'
	['--env=DB_PASSWORD=hunter2-planted']='variables'
	['--env=DATABASE_URL=pg://u:hunter2-planted@db/']='variables'
)

# doctor STATUS [DOCKER-OPTION]...: its JSON is in $work/doctor; it must end with STATUS.
doctor() {
	local expected=$1 status=0
	shift
	docker run --rm --label "$engine_label" --entrypoint tacit-agent "$@" \
		"$(image alpine)" doctor --strict --json >"$work/doctor" 2>&1 || status=$?
	cat "$work/doctor"
	[[ $status == "$expected" ]] || fail "exit status $status, expected $expected"
	! grep -q hunter2 "$work/doctor" || fail 'a value is shown'
}

# The names of what has the verdict, one a line.
doctor_names() { jq -r ".checks[] | select(.verdict == \"$1\") | .name" "$work/doctor"; }

doctor_passes() {
	doctor 0 "${doctor_hardened[@]}"
	[[ $(jq '[.checks[] | select(.verdict != "pass")] | length' "$work/doctor") == 0 ]] ||
		fail 'not all pass'
	[[ $(jq .hardened "$work/doctor") == true ]] || fail 'not hardened'
}

doctor_notices() {
	local options=("${doctor_hardened[@]}" "${1/WORK/$work}")
	touch "$work/docker.sock" # a socket or not: it is the name that tells
	# Swap cannot be limited where memory is not.
	[[ $1 != --memory=0 ]] || options=("${hardened[@]}" --ulimit core=0 "$1")
	doctor 1 "${options[@]}"
	[[ $(doctor_names fail) == "${doctor_check_of[$1]}" ]] ||
		fail "expected: ${doctor_check_of[$1]}; got: $(doctor_names fail)"
}

# An engine that is confined itself cannot give all capabilities, and refuses --privileged. All
# else that --privileged does can be had one by one, and then that is what is looked at.
doctor_notices_privileged() {
	local options=(--privileged)
	if ! docker run --rm --label "$engine_label" --privileged --entrypoint /bin/true \
		"$(image alpine)"; then
		options=(--cap-add=SYS_ADMIN --security-opt=seccomp=unconfined
			--security-opt=systempaths=unconfined)
	fi
	doctor 1 "${options[@]}"
	doctor_names fail | grep -cx privileged >/dev/null || fail 'privileged does not fail'
	doctor_names fail | grep -cx seccomp >/dev/null || fail 'seccomp does not fail'
}

doctor_notices_plain_run() {
	local name
	doctor 1
	for name in user capabilities 'new privileges' 'root file system' \
		'memory limit' 'cpu limit' 'pids limit'; do
		doctor_names fail | grep -cx "$name" >/dev/null || fail "$name does not fail"
	done
	! doctor_names fail | grep -cxE 'privileged|seccomp|.* namespace|engine socket|variables' >/dev/null ||
		fail 'too much fails'
}

doctor_notices_old_packages() {
	mkdir -p "$work/apk"
	touch -d '40 days ago' "$work/apk/installed"
	doctor 1 "${doctor_hardened[@]}" \
		--mount "type=bind,src=$work/apk,dst=/lib/apk/db,readonly"
	[[ $(doctor_names warn) == packages && -z $(doctor_names fail) ]] || fail 'packages do not warn'
	touch -d yesterday "$work/apk/installed"
	doctor 0 "${doctor_hardened[@]}" \
		--mount "type=bind,src=$work/apk,dst=/lib/apk/db,readonly"
}

required_hardening_starts() {
	local name
	name=$(container required)
	app_run "$name" web --entrypoint tacit-agent -- \
		alpine run --require-hardened -- /probe "${variables[@]}"
	await_report "$name" 1
	check_reported_file DB_PASSWORD_FILE db_password '/dev/shm/*'
}

required_hardening_refuses() {
	local name
	name=$(container required-pid-host)
	app_run "$name" web --pid=host --entrypoint tacit-agent -- \
		alpine run --require-hardened -- /probe
	check_refused "$name" 125 '--require-hardened: pid namespace: .*--pid=host'
}

# Root at first, with what it takes to become the user; the bounding set is dropped on the way.
required_hardening_follows_user() {
	local name
	name=$(container required-user)
	install -m 0400 "$work/web.pem" "$work/web-root.pem"
	app_run "$name" web-root --user 0:0 --cap-add=SETUID --cap-add=SETGID --cap-add=SETPCAP \
		--entrypoint tacit-agent -- \
		alpine run --require-hardened --user "$user:$user" -- /probe "${variables[@]}"
	await_report "$name" 1
	grep -qx "user $user:$user" "$report" || fail "$(grep '^user' "$report")"
}

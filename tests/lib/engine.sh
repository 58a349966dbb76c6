# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A container engine: the one that runs already, else a private one that is stopped at the end.
# Everything made in it carries the label `tacit.run=$engine_run`, and is removed by that label.

engine_run=run-$$-$RANDOM
engine_label=tacit.run=$engine_run
engine_problem= # why there is no engine
engine_dir=

# The hardened run that everything must work under.
# shellcheck disable=SC2034
hardened=(
	--read-only --user 1001:1001 --cap-drop=ALL --security-opt=no-new-privileges
	--cpus=0.5 --memory=64m --pids-limit=100
)

engine_answers() { timeout 10 docker version -f '{{.Server.Version}}' >/dev/null 2>&1; }

engine_has_cgroups() { grep -qw memory "$1/cgroup.controllers" 2>/dev/null || [[ -d $1/memory ]]; }

engine_mount() { mount "$@" && at_exit umount "${!#}"; }

# Mounts the control groups where no init system has done it: version 2, else 1.
engine_mount_cgroups() {
	local controller root=/sys/fs/cgroup
	! engine_has_cgroups "$root" || return 0
	if mount -t cgroup2 cgroup2 "$root"; then
		at_exit umount "$root"
		! engine_has_cgroups "$root" || return 0
	fi
	engine_mount -t tmpfs -o mode=755 cgroup "$root" || return
	while read -r controller; do
		mkdir -p "$root/$controller"
		engine_mount -t cgroup -o "$controller" cgroup "$root/$controller" || true
	done < <(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups)
}

engine_ready_or_dead() { engine_answers || process_gone "$engine_pid"; }

# engine_launch [OPTION]...: starts dockerd with everything that it keeps in a directory of its own.
engine_launch() {
	dockerd --data-root "$engine_dir/data" --exec-root "$engine_dir/exec" \
		--pidfile "$engine_dir/pid" --host "unix://$engine_dir/socket" "$@" \
		</dev/null >"$engine_dir/log" 2>&1 &
	engine_pid=$!
	export DOCKER_HOST=unix://$engine_dir/socket
	wait_until 60 engine_ready_or_dead || true
	engine_answers && return
	engine_problem="dockerd: $(tail -n 1 "$engine_dir/log")"
	stop_process "$engine_pid" 20
	unset DOCKER_HOST
	return 1
}

engine_stop() {
	stop_process "$engine_pid" 30
	remove_tree "$engine_dir"
}

engine_start_private() {
	if ((EUID != 0)); then
		engine_problem='no engine answers, and only root can start one'
		return 1
	fi
	if ! command -v dockerd >/dev/null; then
		engine_problem='no engine answers, and dockerd is not installed'
		return 1
	fi
	engine_mount_cgroups || true
	engine_dir=$(mktemp -d "${TMPDIR:-/tmp}/tacit-engine-XXXXXX")
	# Without netfilter in the kernel, networks still work among containers and by its proxy.
	if ! engine_launch && ! engine_launch --iptables=false --ip6tables=false; then
		remove_tree "$engine_dir"
		return 1
	fi
	at_exit engine_stop
}

# The proof that it can do what is needed here: a hardened container on a network of its own.
engine_try_container() {
	local image=tacit-try:$engine_run network=tacit-try-$engine_run
	tar -C /bin -c busybox | docker import -c "LABEL $engine_label" - "$image" &&
		docker network create --label "$engine_label" "$network" &&
		docker run --rm --label "$engine_label" --network "$network" "${hardened[@]}" \
			"$image" /busybox true
}

engine_works() {
	local output
	output=$(engine_try_container 2>&1 >/dev/null) && return
	engine_problem="a container cannot be run: $(tail -n 1 <<<"$output")"
	return 1
}

engine_objects() { docker "$@" --filter "label=$engine_label" 2>/dev/null | sort -u; }

engine_clean() {
	engine_objects ps -aq | xargs -r docker rm -f -v >/dev/null
	engine_objects network ls -q | xargs -r docker network rm >/dev/null
	docker image prune -af --filter "label=$engine_label" >/dev/null
}

# What has to be installed. Debian's engine and another one do not go together.
engine_packages() {
	command -v docker >/dev/null || printf '%s\n' "${packages_engine[@]}"
	printf '%s\n' "${packages_image[@]}"
}

# Makes sure that containers can be run; else 1, and engine_problem says why not.
engine_ensure() {
	local names=()
	mapfile -t names < <(engine_packages)
	if ! ensure_packages "${names[@]}"; then
		engine_problem="not installed: ${names[*]}"
		return 1
	fi
	engine_answers || engine_start_private || return
	at_exit engine_clean
	engine_works
}

/* SPDX-License-Identifier: MIT */
#include "doctor_checks.h"

#include <stddef.h>

#include "checks.h"

/* clang-format off */
const struct check doctor_checks[] = {
	{"user", check_user, "--user 1001:1001, or USER in the Dockerfile", false},
	{"capabilities", check_capabilities, "--cap-drop=ALL", false},
	{"new privileges", check_new_privileges, "--security-opt=no-new-privileges", false},
	{"seccomp", check_seccomp, "leave out --security-opt seccomp=unconfined and --privileged", false},
	{"root file system", check_root, "--read-only", false},
	{"privileged", check_privileged, "leave out --privileged, --cap-add and --security-opt systempaths=unconfined", false},
	{"pid namespace", check_pid_namespace, "leave out --pid=host", false},
	{"net namespace", check_net_namespace, "leave out --network=host", false},
	{"ipc namespace", check_ipc_namespace, "leave out --ipc=host", false},
	{"engine socket", check_engine_socket, "leave out -v /var/run/docker.sock; it makes root of the host", false},
	{"memory limit", check_memory, "--memory=64m", false},
	{"cpu limit", check_cpu, "--cpus=0.5", false},
	{"pids limit", check_pids, "--pids-limit=100", false},
	{"swap", check_swap, "--memory-swap with the same amount as --memory", false},
	{"core dumps", check_core_dumps, "--ulimit core=0", false},
	{"variables", check_variables, "in place of -e NAME=VALUE deliver a file: tacit-agent run", false},
	{"arguments", check_arguments, "pass the path of a file, not the value; every user of the host can see arguments", false},
	{"packages", check_packages, "build the image anew: docker build --pull --no-cache", true},
	{"secrets directory", check_secrets_dir, "--tmpfs /run/secrets:uid=1001,gid=1001,mode=0700", false},
	{NULL, NULL, NULL, false},
};
/* clang-format on */

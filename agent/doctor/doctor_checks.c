/* SPDX-License-Identifier: MIT */
#include "doctor_checks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "leaks.h"
#include "mounts.h"

#define CAP_SYS_ADMIN_BIT  21 /* linux/capability.h */
#define SECONDS_PER_DAY    86400
#define PACKAGES_OLD_DAYS  30
#define UNTOLD_BEFORE_DAYS 3650 /* reproducible builds set all times to 1970 or 1980 */

static struct finding found(enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct finding found(enum verdict verdict, const char *format, ...)
{
	struct finding finding = {.verdict = verdict};
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(finding.detail, sizeof(finding.detail), format, arguments);
	va_end(arguments);

	return finding;
}

static struct finding found_unreadable(const char *path)
{
	return found(VERDICT_UNKNOWN, "%s does not say", path);
}

/* The value behind `key` in a text of lines `Key:\tvalue`; NULL when it is not there. */
static const char *line_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line;
	     line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, key, len))
			return line + len + strspn(line + len, " \t");

	return NULL;
}

static bool status_number(
    const struct facts *facts, const char *key, int base, uint64_t *ret_number)
{
	const char *value = line_value(facts->texts[FACT_STATUS], key);
	char *end;

	if (!value)
		return false;

	*ret_number = strtoull(value, &end, base);
	return end != value;
}

/* Reads `count` decimal numbers with white space between them; false when they are not there. */
static bool numbers_read(const char *text, size_t count, unsigned long ret_numbers[])
{
	for (size_t i = 0; text && i < count; i++) {
		char *end;

		ret_numbers[i] = strtoul(text, &end, 10);
		text = end != text ? end : NULL;
	}

	return text != NULL;
}

/* Whether the user ids here are not those of the host; the initial map is `0 0 4294967295`. */
static bool is_user_namespace(const struct facts *facts)
{
	unsigned long map[3]; /* inside, outside, count */

	return numbers_read(facts->texts[FACT_UID_MAP], 3, map) &&
	       !(map[0] == 0 && map[1] == 0 && map[2] == UINT32_MAX);
}

static struct finding check_user(const struct facts *facts)
{
	unsigned long uids[4]; /* real, effective, saved, for files */

	if (!numbers_read(line_value(facts->texts[FACT_STATUS], "Uid:"), 4, uids))
		return found_unreadable("/proc/self/status");
	if (uids[0] && uids[1] && uids[2] && uids[3])
		return found(VERDICT_PASS, "uid %lu", uids[1]);
	if (is_user_namespace(facts))
		return found(VERDICT_WARN, "root, in a user namespace");

	return found(VERDICT_FAIL, "root");
}

static int bits_count(uint64_t bits)
{
	return __builtin_popcountll(bits);
}

/* What is effective or ambient is permitted too (capabilities(7)). */
static struct finding check_capabilities(const struct facts *facts)
{
	uint64_t permitted, inheritable, bounding;

	if (!status_number(facts, "CapPrm:", 16, &permitted) ||
	    !status_number(facts, "CapInh:", 16, &inheritable) ||
	    !status_number(facts, "CapBnd:", 16, &bounding))
		return found_unreadable("/proc/self/status");

	if (permitted | inheritable)
		return found(VERDICT_FAIL, "%d held", bits_count(permitted | inheritable));
	if (bounding)
		return found(VERDICT_WARN, "none held, %d could be gained", bits_count(bounding));

	return found(VERDICT_PASS, "none, and none can be gained");
}

static struct finding check_new_privileges(const struct facts *facts)
{
	uint64_t is_set;

	if (!status_number(facts, "NoNewPrivs:", 10, &is_set))
		return found_unreadable("/proc/self/status");

	return found(is_set ? VERDICT_PASS : VERDICT_FAIL,
	    is_set ? "none" : "set-uid programs can give them");
}

static struct finding check_seccomp(const struct facts *facts)
{
	uint64_t mode;

	if (!status_number(facts, "Seccomp:", 10, &mode))
		return found_unreadable("/proc/self/status");

	return found(mode ? VERDICT_PASS : VERDICT_FAIL,
	    mode ? "system calls are filtered" : "every system call is allowed");
}

static bool is_read_only(const struct mount *mount)
{
	return part_lists(mount->options, "ro") || part_lists(mount->super, "ro");
}

static struct finding check_root(const struct facts *facts)
{
	struct mount root;

	if (!facts->texts[FACT_MOUNTINFO] || !mount_find(facts->texts[FACT_MOUNTINFO], "/", &root))
		return found_unreadable("/proc/self/mountinfo");

	return found(is_read_only(&root) ? VERDICT_PASS : VERDICT_FAIL,
	    is_read_only(&root) ? "read-only" : "can be written to");
}

/*
 * No file says `privileged`. It shows in three things at once; one alone has other reasons, such
 * as --cap-add=SYS_ADMIN or --security-opt systempaths=unconfined, and two have none.
 */
static struct finding check_privileged(const struct facts *facts)
{
	const char *mountinfo = facts->texts[FACT_MOUNTINFO];
	struct mount sys, proc_sys;
	uint64_t bounding;
	bool is_admin, is_sys_open, is_proc_open;
	int signs;

	if (!mountinfo || !status_number(facts, "CapBnd:", 16, &bounding))
		return found_unreadable("/proc/self");

	is_admin = bounding & (1ULL << CAP_SYS_ADMIN_BIT);
	is_sys_open = mount_find(mountinfo, "/sys", &sys) && !is_read_only(&sys);
	is_proc_open = !mount_find(mountinfo, "/proc/sys", &proc_sys) || !is_read_only(&proc_sys);
	signs = is_admin + is_sys_open + is_proc_open;

	if (signs == 0)
		return found(VERDICT_PASS, "no");
	return found(signs > 1 ? VERDICT_FAIL : VERDICT_WARN, "%s:%s%s%s",
	    signs > 1 ? "yes, or as good as" : "in part", is_admin ? " CAP_SYS_ADMIN;" : "",
	    is_sys_open ? " /sys can be written to;" : "",
	    is_proc_open ? " /proc/sys is not protected" : "");
}

/*
 * The first namespaces of a machine have fixed numbers (linux/nsfs.h, proc_ns.h), which a container
 * shares with the host or does not have.
 */
static struct finding check_namespace(const char *link, const char *initial, bool is_else_shared)
{
	if (!link)
		return found_unreadable("/proc/self/ns");

	if (is_else_shared || !strcmp(link, initial))
		return found(VERDICT_FAIL, "shared with the host");

	return found(VERDICT_PASS, "its own");
}

static struct finding check_pid_namespace(const struct facts *facts)
{
	const char *second = facts->texts[FACT_SECOND_PROCESS];

	return check_namespace(facts->texts[FACT_PID_NAMESPACE], "pid:[4026531836]",
	    second && !strcmp(second, "kthreadd\n"));
}

/* Interfaces that an engine makes on the host side, and no container has. */
static bool has_host_interface(const char *net_dev)
{
	static const char *const prefixes[] = {"docker", "br-", "veth", "cni", "virbr", "podman"};

	for (const char *line = net_dev; line && *line;
	     line += strcspn(line, "\n"), line += *line == '\n') {
		const char *name = line + strspn(line, " ");

		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
			if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
				return true;
	}

	return false;
}

/* Before Linux 6.18 the number was the first free one, and before 5.x any. */
static struct finding check_net_namespace(const struct facts *facts)
{
	const char *link = facts->texts[FACT_NET_NAMESPACE];
	bool is_first_free = link && !strcmp(link, "net:[4026531840]");

	return check_namespace(link, "net:[4026531833]",
	    is_first_free || has_host_interface(facts->texts[FACT_NET_DEV]));
}

static struct finding check_ipc_namespace(const struct facts *facts)
{
	return check_namespace(facts->texts[FACT_IPC_NAMESPACE], "ipc:[4026531839]", false);
}

static bool is_engine_socket(struct part path)
{
	static const char *const ends[] = {
	    "/docker.sock", "/containerd.sock", "/podman.sock", "/crio.sock"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (part_ends_with(path, ends[i]))
			return true;

	return false;
}

/* A bind mount may have any name inside, but its source still shows. */
static struct finding check_engine_socket(const struct facts *facts)
{
	const char *cursor = facts->texts[FACT_MOUNTINFO];
	struct mount mount;

	if (!cursor)
		return found_unreadable("/proc/self/mountinfo");

	while (mount_next(&cursor, &mount))
		if (is_engine_socket(mount.root) || is_engine_socket(mount.point))
			return found(VERDICT_FAIL, "mounted at %.*s",
			    (int)(mount.point.len < 100 ? mount.point.len : 100), mount.point.text);
	if (facts->socket)
		return found(VERDICT_FAIL, "%s", facts->socket);

	return found(VERDICT_PASS, "none");
}

static struct finding check_limit(const char *text)
{
	if (!text)
		return found_unreadable("the control group");
	if (!cgroup_limits(text))
		return found(VERDICT_FAIL, "no limit");

	return found(VERDICT_PASS, "%.*s", (int)strcspn(text, "\n"), text);
}

static struct finding check_memory(const struct facts *facts)
{
	return check_limit(facts->texts[FACT_MEMORY_LIMIT]);
}

static struct finding check_cpu(const struct facts *facts)
{
	return check_limit(facts->texts[FACT_CPU_LIMIT]);
}

static struct finding check_pids(const struct facts *facts)
{
	return check_limit(facts->texts[FACT_PIDS_LIMIT]);
}

/* A wished directory may be inside a mount; the places that are used without a wish are mounts. */
static const char *secrets_place(const struct facts *facts, struct mount *ret_mount)
{
	static const char *const places[] = {"/run/secrets", "/dev/shm"};
	const char *mountinfo = facts->texts[FACT_MOUNTINFO];

	if (facts->dir)
		return mount_holding(mountinfo, facts->dir, ret_mount) ? facts->dir : NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (mount_find(mountinfo, places[i], ret_mount))
			return places[i];

	return NULL;
}

/* Version 1 limits memory and swap together, version 2 swap alone. */
static bool is_kept_off_swap(const struct facts *facts)
{
	const char *swap = facts->texts[FACT_SWAP_LIMIT];
	const char *memory = facts->texts[FACT_MEMORY_LIMIT];

	if (!swap || !cgroup_limits(swap))
		return false;
	if (facts->swap_limit_is_v2)
		return strtoull(swap, NULL, 10) == 0;

	return memory && strtoull(swap, NULL, 10) <= strtoull(memory, NULL, 10);
}

static bool is_dir_kept_off_swap(const struct facts *facts)
{
	struct mount mount;

	return facts->texts[FACT_MOUNTINFO] && secrets_place(facts, &mount) &&
	       (part_is(mount.type, "ramfs") || part_lists(mount.super, "noswap"));
}

static struct finding check_swap(const struct facts *facts)
{
	const char *swaps = facts->texts[FACT_SWAPS];
	const char *devices = swaps ? strchr(swaps, '\n') : NULL;
	bool is_dir_safe = is_dir_kept_off_swap(facts);

	if (is_kept_off_swap(facts))
		return found(VERDICT_PASS, "not allowed to this container");
	if (!swaps)
		return found_unreadable("/proc/swaps");
	if (!devices || !devices[1])
		return found(VERDICT_PASS, "the host has none");

	return found(VERDICT_WARN, "memory can reach the disk of the host%s",
	    is_dir_safe ? ", but not the files of the secrets (noswap)" : "");
}

static struct finding check_core_dumps(const struct facts *facts)
{
	const char *soft = line_value(facts->texts[FACT_LIMITS], "Max core file size");

	if (!soft)
		return found_unreadable("/proc/self/limits");

	if (soft[0] == '0' && (soft[1] == ' ' || soft[1] == '\0'))
		return found(VERDICT_PASS, "off");

	return found(VERDICT_WARN, "on: a crash writes memory to a disk");
}

/* Adds one more name to a list that ends with `...` where there is no room for it. */
static void name_list(char *list, size_t size, const char *name, size_t name_len)
{
	size_t used = strlen(list);
	bool is_full = used + name_len + sizeof(", , ...") > size;

	if (part_ends_with((struct part){list, used}, "..."))
		return;
	if (is_full) {
		name = "...";
		name_len = 3;
	}

	(void)snprintf(list + used, size - used, "%s%.*s", used ? ", " : "", (int)name_len, name);
	for (char *c = list + used; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
}

static struct finding check_variables(const struct facts *facts)
{
	char names[FINDING_DETAIL_BYTES] = "";

	for (char *const *variable = facts->environment; *variable; variable++)
		if (leak_in_variable(*variable))
			name_list(names, sizeof(names), *variable, strcspn(*variable, "="));

	if (names[0])
		return found(VERDICT_FAIL, "%s", names);

	return found(VERDICT_PASS, "none looks like a secret");
}

/*
 * The number of the first argument that looks like a secret; 0 when none does, -ENOMEM. Its name is
 * not told: what stands before a `=` may be part of a value.
 */
static int leaking_argument(const char *arguments)
{
	size_t len = strlen(arguments);
	char *text = strdup(arguments);
	int leaking = 0;

	if (!text)
		return -ENOMEM;

	for (size_t i = 0; i < len; i++)
		if (text[i] == FACT_ARGUMENT_END)
			text[i] = '\0';
	for (size_t at = 0, next, number = 0; at < len && !leaking; at = next, number++) {
		next = at + strlen(text + at) + 1;
		if (leak_in_argument(text + at, next < len ? text + next : NULL))
			leaking = (int)number + (number == 0);
	}
	explicit_bzero(text, len);
	free(text);

	return leaking;
}

static struct finding check_arguments(const struct facts *facts)
{
	const char *first = facts->texts[FACT_FIRST_ARGUMENTS];
	const char *own = facts->texts[FACT_OWN_ARGUMENTS];
	int of_first, of_own;

	if (!first || !own)
		return found_unreadable("/proc/PID/cmdline");

	of_first = leaking_argument(first);
	of_own = leaking_argument(own);
	if (of_first < 0 || of_own < 0)
		return found(VERDICT_UNKNOWN, "no memory to look");
	if (of_first)
		return found(VERDICT_FAIL, "argument %d of PID 1 looks like a secret", of_first);
	if (of_own)
		return found(VERDICT_FAIL, "argument %d looks like a secret", of_own);

	return found(VERDICT_PASS, "none looks like a secret");
}

/*
 * Old packages warn and never fail: a container that has started for months would else refuse to
 * start one day, for nothing that changed in it.
 */
static struct finding check_packages(const struct facts *facts)
{
	int64_t days = (facts->now_s - facts->packages_s) / SECONDS_PER_DAY;

	if (facts->packages_s == 0)
		return found(VERDICT_PASS, "no package database");
	if (facts->packages_s < UNTOLD_BEFORE_DAYS * (int64_t)SECONDS_PER_DAY || days < 0)
		return found(VERDICT_UNKNOWN, "the image does not tell when they were installed");

	return found(days > PACKAGES_OLD_DAYS ? VERDICT_WARN : VERDICT_PASS,
	    "changed %" PRId64 " days ago", days);
}

static struct finding check_secrets_dir(const struct facts *facts)
{
	struct mount mount;
	const char *place;

	if (!facts->texts[FACT_MOUNTINFO])
		return found_unreadable("/proc/self/mountinfo");

	place = secrets_place(facts, &mount);
	if (!place)
		return found(VERDICT_FAIL, "no tmpfs for them");
	if (!mount_is_memory(&mount))
		return found(VERDICT_FAIL, "%.100s is on a disk", place);

	return found(VERDICT_PASS, "%.100s, in memory", place);
}

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

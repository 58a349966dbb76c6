/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "checks.h"

/* What stands between the container and the host: mounts, namespaces, the engine's socket. */

#define CAP_SYS_ADMIN_BIT 21 /* linux/capability.h */

struct finding check_root(const struct facts *facts)
{
	struct mount root;

	if (!facts->texts[FACT_MOUNTINFO] || !mount_find(facts->texts[FACT_MOUNTINFO], "/", &root))
		return found_unreadable("/proc/self/mountinfo");

	return found(mount_is_read_only(&root) ? VERDICT_PASS : VERDICT_FAIL,
	    mount_is_read_only(&root) ? "read-only" : "can be written to");
}

/*
 * No file says `privileged`. It shows in three things at once; one alone has other reasons, such
 * as --cap-add=SYS_ADMIN or --security-opt systempaths=unconfined, and two have none.
 */
struct finding check_privileged(const struct facts *facts)
{
	const char *mountinfo = facts->texts[FACT_MOUNTINFO];
	struct mount sys, proc_sys;
	uint64_t bounding;
	bool is_admin, is_sys_open, is_proc_open;
	int signs;

	if (!mountinfo || !status_number(facts, "CapBnd:", 16, &bounding))
		return found_unreadable("/proc/self");

	is_admin = bounding & (1ULL << CAP_SYS_ADMIN_BIT);
	is_sys_open = mount_find(mountinfo, "/sys", &sys) && !mount_is_read_only(&sys);
	is_proc_open =
	    !mount_find(mountinfo, "/proc/sys", &proc_sys) || !mount_is_read_only(&proc_sys);
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

struct finding check_pid_namespace(const struct facts *facts)
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
struct finding check_net_namespace(const struct facts *facts)
{
	const char *link = facts->texts[FACT_NET_NAMESPACE];
	bool is_first_free = link && !strcmp(link, "net:[4026531840]");

	return check_namespace(link, "net:[4026531833]",
	    is_first_free || has_host_interface(facts->texts[FACT_NET_DEV]));
}

struct finding check_ipc_namespace(const struct facts *facts)
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
struct finding check_engine_socket(const struct facts *facts)
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

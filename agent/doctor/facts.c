/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "tacit/fd.h"

#define TEXT_MAX_BYTES ((size_t)256 * 1024)

static const struct {
	enum fact fact;
	const char *path;
} files[] = {
    {FACT_STATUS, "/proc/self/status"},
    {FACT_MOUNTINFO, "/proc/self/mountinfo"},
    {FACT_CGROUP, "/proc/self/cgroup"},
    {FACT_LIMITS, "/proc/self/limits"},
    {FACT_UID_MAP, "/proc/self/uid_map"},
    {FACT_SWAPS, "/proc/swaps"},
    {FACT_NET_DEV, "/proc/self/net/dev"},
    {FACT_SECOND_PROCESS, "/proc/2/comm"},
    {FACT_FIRST_ARGUMENTS, "/proc/1/cmdline"},
    {FACT_OWN_ARGUMENTS, "/proc/self/cmdline"},
};

static const struct {
	enum fact fact;
	const char *path;
} links[] = {
    {FACT_PID_NAMESPACE, "/proc/self/ns/pid"},
    {FACT_NET_NAMESPACE, "/proc/self/ns/net"},
    {FACT_IPC_NAMESPACE, "/proc/self/ns/ipc"},
};

static const struct {
	enum fact fact;
	const char *controller, *v1_file, *v2_file;
} limits[] = {
    {FACT_MEMORY_LIMIT, "memory", "memory.limit_in_bytes", "memory.max"},
    {FACT_SWAP_LIMIT, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max"},
    {FACT_CPU_LIMIT, "cpu", "cpu.cfs_quota_us", "cpu.max"},
    {FACT_PIDS_LIMIT, "pids", "pids.max", "pids.max"},
};

/* Where engines have their sockets; whoever reaches one is root on the host. */
static const char *const sockets[] = {
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
};

static const char *const package_databases[] = {
    "/lib/apk/db/installed",
    "/usr/lib/apk/db/installed",
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/status.d",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void path_join(const char *root, const char *path, char ret_path[static PATH_MAX])
{
	(void)snprintf(ret_path, PATH_MAX, "%s%s", root, path);
}

/* NULL when it cannot be read. A NUL ends an argument and becomes FACT_ARGUMENT_END. */
static char *file_read(const char *root, const char *path)
{
	cleanup_fd int fd = -1;
	char full_path[PATH_MAX];
	char *text;
	size_t len = 0;

	path_join(root, path, full_path);
	fd = open(full_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;

	text = calloc(1, TEXT_MAX_BYTES + 1);
	if (text && fd_read_full(fd, text, TEXT_MAX_BYTES, &len) < 0) {
		free(text);
		return NULL;
	}
	for (size_t i = 0; text && i < len; i++)
		if (text[i] == '\0')
			text[i] = FACT_ARGUMENT_END;

	return text;
}

static char *link_read(const char *root, const char *path)
{
	char full_path[PATH_MAX];
	char text[64] = "";

	path_join(root, path, full_path);
	return readlink(full_path, text, sizeof(text) - 1) < 0 ? NULL : strdup(text);
}

static bool is_there(const char *root, const char *path)
{
	char full_path[PATH_MAX];

	path_join(root, path, full_path);
	return access(full_path, F_OK) == 0;
}

/*
 * The nearest limit from the group upwards; what says 'no limit' when none has one. The kernel
 * gives the first group of a hierarchy no such file, nor one whose controller is not switched on.
 */
static char *limit_read(const char *root, struct cgroup_place place, const char *file)
{
	char *text = NULL;

	do {
		char path[PATH_MAX + 64];
		char *here;

		(void)snprintf(path, sizeof(path), "%s/%s", place.dir, file);
		here = file_read(root, path);
		if (!here)
			continue;
		free(text);
		text = here;
	} while ((!text || !cgroup_limits(text)) && cgroup_place_up(&place));

	return text || !is_there(root, place.dir) ? text : strdup("none");
}

static void limits_read(const char *root, struct facts *facts)
{
	struct cgroup_place place;

	if (!facts->texts[FACT_MOUNTINFO] || !facts->texts[FACT_CGROUP])
		return;

	for (size_t i = 0; i < COUNT(limits); i++) {
		if (!cgroup_locate(facts->texts[FACT_MOUNTINFO], facts->texts[FACT_CGROUP],
		        limits[i].controller, &place))
			continue;
		facts->texts[limits[i].fact] =
		    limit_read(root, place, place.is_v2 ? limits[i].v2_file : limits[i].v1_file);
		if (limits[i].fact == FACT_SWAP_LIMIT)
			facts->swap_limit_is_v2 = place.is_v2;
	}
}

static const char *socket_find(const char *root)
{
	for (size_t i = 0; i < COUNT(sockets); i++)
		if (is_there(root, sockets[i]))
			return sockets[i];

	return NULL;
}

static int64_t packages_time_s(const char *root)
{
	int64_t newest_s = 0;

	for (size_t i = 0; i < COUNT(package_databases); i++) {
		char path[PATH_MAX];
		struct stat st;

		path_join(root, package_databases[i], path);
		if (stat(path, &st) == 0 && st.st_mtime > newest_s)
			newest_s = st.st_mtime;
	}

	return newest_s;
}

void facts_read(const char *root, char *const *environment, struct facts *ret_facts)
{
	*ret_facts = (struct facts){.environment = environment, .now_s = time(NULL)};
	for (size_t i = 0; i < COUNT(files); i++)
		ret_facts->texts[files[i].fact] = file_read(root, files[i].path);
	for (size_t i = 0; i < COUNT(links); i++)
		ret_facts->texts[links[i].fact] = link_read(root, links[i].path);

	limits_read(root, ret_facts);
	ret_facts->socket = socket_find(root);
	ret_facts->packages_s = packages_time_s(root);
}

void facts_free(struct facts *facts)
{
	for (size_t i = 0; i < FACT_COUNT; i++) {
		if (facts->texts[i])
			explicit_bzero(facts->texts[i], strlen(facts->texts[i]));
		free(facts->texts[i]);
	}
	*facts = (struct facts){0};
}

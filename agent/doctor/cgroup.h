/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_CGROUP_H
#define TACIT_AGENT_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Where the limits of a process stand: its own group's directory, inside the mount. */
struct cgroup_place {
	char dir[PATH_MAX];
	size_t mount_len; /* the first bytes of `dir`, the mount point; no limit stands above */
	bool is_v2;
};

/*
 * Finds the group of a process from its /proc/PID/mountinfo and /proc/PID/cgroup (cgroups(7)): by
 * the version 1 hierarchy of `controller` where one is mounted, else by version 2. Pure. False
 * when neither is there.
 */
bool cgroup_locate(const char *mountinfo, const char *cgroup, const char *controller,
    struct cgroup_place *ret_place);

/* One level up; false at the mount point. */
bool cgroup_place_up(struct cgroup_place *place);

/* Whether the content of a limit's file, of either version, is a limit at all. */
bool cgroup_limits(const char *text);

#endif

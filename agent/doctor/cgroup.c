/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mounts.h"

/* Version 1 says 'no limit' with LONG_MAX rounded down to a page, whatever size that has. */
#define UNLIMITED_FROM (1ULL << 62)

static bool hierarchy_find(
    const char *mountinfo, const char *type, const char *controller, struct mount *ret_mount)
{
	while (mount_next(&mountinfo, ret_mount))
		if (part_is(ret_mount->type, type) &&
		    (!controller || part_lists(ret_mount->super, controller)))
			return true;

	return false;
}

/* The path in the line ID:CONTROLLERS:PATH; version 2 names no controllers. */
static struct part path_find(const char *cgroup, const char *controller)
{
	for (const char *line = cgroup; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t len = strcspn(line, "\n");
		const char *first = memchr(line, ':', len);
		const char *second =
		    first ? memchr(first + 1, ':', len - (size_t)(first + 1 - line)) : NULL;
		struct part names;

		if (!second)
			continue;
		names = (struct part){first + 1, (size_t)(second - first - 1)};
		if (controller ? part_lists(names, controller) : names.len == 0)
			return (struct part){second + 1, len - (size_t)(second + 1 - line)};
	}

	return (struct part){"", 0};
}

/*
 * What of `path` is below the mount's root. A container sees its own group as the mount's root,
 * and where the two do not fit (a group namespace, a path with `..`) the mount itself is right.
 */
static struct part path_below(struct part path, struct part root)
{
	size_t skip = part_is(root, "/") ? 0 : root.len;

	if (part_is(path, "/") || path.len <= skip || memcmp(path.text, root.text, skip) != 0 ||
	    path.text[skip] != '/' || memmem(path.text, path.len, "/..", 3))
		return (struct part){"", 0};

	return (struct part){path.text + skip, path.len - skip};
}

bool cgroup_locate(const char *mountinfo, const char *cgroup, const char *controller,
    struct cgroup_place *ret_place)
{
	struct mount mount;
	struct part below;
	bool is_v2 = !hierarchy_find(mountinfo, "cgroup", controller, &mount);

	if (is_v2 && !hierarchy_find(mountinfo, "cgroup2", NULL, &mount))
		return false;

	below = path_below(path_find(cgroup, is_v2 ? NULL : controller), mount.root);
	if (mount.point.len + below.len >= sizeof(ret_place->dir))
		return false;

	*ret_place = (struct cgroup_place){.mount_len = mount.point.len, .is_v2 = is_v2};
	memcpy(ret_place->dir, mount.point.text, mount.point.len);
	memcpy(ret_place->dir + mount.point.len, below.text, below.len);
	return true;
}

bool cgroup_place_up(struct cgroup_place *place)
{
	char *slash = strrchr(place->dir + place->mount_len, '/');

	if (!slash)
		return false;

	*slash = '\0';
	return true;
}

bool cgroup_limits(const char *text)
{
	char *end;
	unsigned long long value;

	if (*text < '0' || *text > '9')
		return false;

	value = strtoull(text, &end, 10);
	return end != text && value < UNLIMITED_FROM;
}

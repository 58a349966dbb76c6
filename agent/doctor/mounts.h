/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_MOUNTS_H
#define TACIT_AGENT_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

/* A borrowed part of a text, not NUL-terminated. */
struct part {
	const char *text;
	size_t len;
};

bool part_is(struct part part, const char *text);
bool part_ends_with(struct part part, const char *end);
/* Whether `word` is one of the words between the commas. */
bool part_lists(struct part part, const char *word);

/* One line of /proc/PID/mountinfo (proc(5)). Everything is borrowed from it. */
struct mount {
	struct part root;    /* what of the file system is mounted */
	struct part point;   /* where */
	struct part options; /* of this mount: "ro,nosuid" */
	struct part type;    /* "tmpfs" */
	struct part super;   /* options of the file system: "rw,memory" */
};

/*
 * Steps through the text: `*cursor` starts at its beginning. False at the end; lines that do not
 * parse are passed over.
 */
bool mount_next(const char **cursor, struct mount *ret_mount);

/* The mount that is seen at `point`: the last one there. False when there is none. */
bool mount_find(const char *mountinfo, const char *point, struct mount *ret_mount);

/* The mount that an absolute path lies in, by the longest mount point. */
bool mount_holding(const char *mountinfo, const char *path, struct mount *ret_mount);

/* tmpfs or ramfs. */
bool mount_is_memory(const struct mount *mount);

#endif

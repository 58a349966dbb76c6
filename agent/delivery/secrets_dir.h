/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SECRETS_DIR_H
#define TACIT_AGENT_SECRETS_DIR_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tacit/err.h"

/*
 * The directory that the files go to. It is in memory (tmpfs or ramfs), it belongs to the user
 * that the command runs as, and it has mode 0700.
 *
 *   a wished one, or /run/secrets   is used itself where we own it; where it belongs to another
 *                                   but is writable (a 1777 tmpfs) we make our own inside it
 *   /dev/shm                        our own inside it, tacit-UID-PID
 *   $XDG_RUNTIME_DIR                our own inside it, tacit-PID
 *
 * A directory that others use for other things (/dev/shm, /tmp, /run ...) is never tightened,
 * even if we own it: there too we make our own. What dead runs left behind is swept on the way.
 */
struct secrets_dir {
	int fd;      /* -1: none */
	int base_fd; /* where `name` stands; -1 when the directory is not ours to remove */
	char name[NAME_MAX + 1]; /* of our own directory in the base */
	bool has_owner;          /* an owner link stands beside it; see owner.h */
	bool is_mount;       /* used itself, and a mount of its own: it ends with the container */
	char path[PATH_MAX]; /* absolute */
};

#define SECRETS_DIR_NONE ((struct secrets_dir){.fd = -1, .base_fd = -1})

struct secrets_dir_wish {
	const char *path; /* --dir, or NULL */
	bool outlives_us; /* files stay when we end: only a directory used itself will do */
};

/*
 * Finds or makes the directory, as the user that we are. A wished one that does not exist is made,
 * if it will be in memory. Errors for a wished one: -TACIT_E_NOT_MEMORY, -EACCES, -ENOTDIR, other
 * -errno; without a wish -TACIT_E_NO_MEMORY_DIR. -TACIT_E_INSECURE_DIR where files are to outlive
 * us in a directory that is not ours. `ret_dir` is untouched on failure, and nothing is left.
 */
int secrets_dir_find(
    const struct secrets_dir_wish *wish, struct secrets_dir *ret_dir, struct fault *fault);

/* The wished directory (NULL: /run/secrets) as an absolute path. -ENAMETOOLONG, -errno. */
int secrets_dir_path(const char *wished_path, char ret_path[static PATH_MAX]);

/*
 * For root, before it becomes another user: gives the wished directory (or /run/secrets) to that
 * user, making a wished one if need be, so that secrets_dir_find() can use it. It is no failure
 * if that is not possible: then find will say what is wrong, or take another directory.
 */
void secrets_dir_hand_over(const char *wished_path, uid_t uid, gid_t gid);

/*
 * Removes the directories in a base that belong to this user and to no living process any more,
 * as far as their owner links tell. Every secrets_dir_find() does so where it makes its own.
 */
void secrets_dir_sweep(int base_fd);

/* Tells later runs that `command`, our child, uses the directory too. */
void secrets_dir_note_command(const struct secrets_dir *dir, pid_t command);

/* Removes the directory with all files in it if it is ours to remove; closes it in any case. */
void secrets_dir_remove(struct secrets_dir *dir);

/* Closes it and leaves it where it is. */
void secrets_dir_close(struct secrets_dir *dir);

#endif

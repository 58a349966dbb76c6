/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SECRETS_DIR_PRIVATE_H
#define TACIT_AGENT_SECRETS_DIR_PRIVATE_H

#include "secrets_dir.h"

/*
 * What secrets_dir.c (which directory it is to be) and secrets_dir_own.c (those that we make: their
 * owner links, their end, and what dead runs left) share.
 */

/*
 * Makes our own directory `name` (or `name.2` and so on, where that is taken) in the base, after
 * sweeping it. *base_fd is taken over once something was made in it. -errno,
 * -TACIT_E_INSECURE_DIR; nothing is left on failure.
 */
int own_dir_make(
    int *base_fd, const char *base_path, const char *name, struct secrets_dir *ret_dir);

/*
 * Opens the directory that was just made at base_fd and name, as 0700.
 * -TACIT_E_INSECURE_DIR when it is not ours or not in memory; -errno.
 */
int own_dir_enter(struct secrets_dir *dir);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_RESTORE_PRIVATE_H
#define TACIT_SERVER_RESTORE_PRIVATE_H

#include "config.h"
#include "seal.h"
#include "tacit/progress.h"
#include "vault_copy.h"

/* What restore.c (checks, keys, and the order of it all) and restore_walk.c share. */
struct restore {
	const struct config *config;
	const char *path; /* of the backup */
	int fd;
	struct progress *progress;
	uint64_t size;

	int dirfd; /* where it goes; -1 while it is only checked */
	struct vault_copy *rows;
	int file_fd; /* being written; -1 */
	uint64_t file_left;

	const struct keys *keys; /* once the master key has opened the seal */
	bool has_seal;
	struct seal seal;
	char key_path[PATH_MAX]; /* where the key was when the backup was made; "" */
	int64_t begun;
};

/*
 * Reads the backup at `fd` from its beginning to its end: checks it, notes its seal, dates and key
 * path, and writes as much as there is a place for, rows with `rows`, files with `dirfd`. The mac
 * is checked as soon as there are `keys`. -TACIT_E_CORRUPT, -TACIT_E_CUT_OFF,
 * -TACIT_E_NOT_A_BACKUP, -ENOMEM, -errno, the errors of vault_copy.h.
 */
int restore_walk(struct restore *restore);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_BACKUP_H
#define TACIT_SERVER_BACKUP_H

#include "keys.h"
#include "tacit/err.h"

/*
 * A backup of a store's directory: seal.json, all rows from one snapshot, and then the audit log,
 * which so reaches at least as far as the mark in the rows says. What has no place in it: the
 * master key, or the backup would be no longer sealed, and admin.pem, which `restore` makes anew.
 */
struct backup_output {
	int (*put)(void *context, const void *bytes, size_t len);
	void (*progress)(void *context, uint64_t bytes); /* NULL */
	void *context;
};

/* Somebody may go on writing to the store. `keys` are the store's. */
int backup_write(int dirfd, const char *dir, const struct keys *keys,
    const struct backup_output *output, struct fault *fault);

#endif

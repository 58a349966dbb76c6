/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_BACKUP_H
#define TACIT_SERVER_BACKUP_H

#include "config.h"
#include "keys.h"
#include "route.h"
#include "tacit/err.h"
#include "tacit/secret.h"

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

/*
 * The line about it, which comes first, as with every read: the log cannot tell of its own end in a
 * copy of itself, so the line is in the backup too. With the lock of the routes held.
 */
int backup_record(struct server *server, struct fault *fault);

/*
 * The same for a store that nobody serves: opens it for this line alone, as the user whom it
 * belongs to, and closes it. A backup may take long, and a server is not to wait for its end.
 * -TACIT_E_STORE_LOCKED when there is a server after all, -TACIT_E_STORE_READ_ONLY.
 */
int backup_record_alone(
    const struct config *config, const struct secret *material, struct fault *fault);

/* Somebody may go on writing to the store. `keys` are the store's. */
int backup_write(int dirfd, const char *dir, const struct keys *keys,
    const struct backup_output *output, struct fault *fault);

#endif

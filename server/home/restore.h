/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_RESTORE_H
#define TACIT_SERVER_RESTORE_H

#include "config.h"
#include "tacit/err.h"
#include "tacit/progress.h"

/*
 * Makes a directory (or takes an empty one) out of a backup. All of the backup is checked before
 * anything is written, once more while it is, the store is checked that came of it, and what was
 * written goes away again on failure. DIR/admin.pem is a new identity.
 *
 * The master key comes from config->key_source, or else from where it was when the backup was made;
 * it then lies where it used to. *ret_begun is when the backup was made.
 */
int restore_from(const struct config *config, const char *path, struct progress *progress,
    int64_t *ret_begun, struct fault *fault);

/* What can be checked without the key: that the file is whole, by its checksum. */
int restore_verify(
    const char *path, struct progress *progress, int64_t *ret_begun, struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_HOME_DIR_H
#define TACIT_SERVER_HOME_DIR_H

#include <limits.h>

#include "config.h"
#include "tacit/err.h"

/*
 * The server's directory as a directory: who may reach into it, who is at work in it, and how a new
 * one comes to be. What the files in it mean is home.h's affair.
 */
#define STORE_FILE      "store.db"
#define LOCK_FILE       "lock"
#define ADMIN_FILE      "admin.pem"

#define HOME_PATH_BYTES (PATH_MAX + 32)

/* The path of one of these files. */
void home_path(
    const struct config *config, const char *file, char ret_path[static HOME_PATH_BYTES]);

/* The directory itself, whatever is in it: a descriptor, which is the caller's, or -errno. */
int home_dir_open(const struct config *config, struct fault *fault);

/* Keys lie in here: nobody else may so much as look in. -TACIT_E_INSECURE_DIR, -errno. */
int home_dir_check(int dirfd, const struct config *config, struct fault *fault);

/*
 * Whoever writes holds the lock: a descriptor, until it is closed. -TACIT_E_STORE_LOCKED when
 * another process does, -TACIT_E_STORE_READ_ONLY, -errno.
 */
int home_dir_lock(int dirfd, const struct config *config, struct fault *fault);

/* Whether there could be a new one: before anything else is begun. -ENOTEMPTY, -errno. */
int home_check_new(const struct config *config, struct fault *fault);

/*
 * Makes a new directory, or takes an empty one, and lets `fill` put everything into it, which gets
 * `context`; as the user whom it belongs to, or is to belong to. Whatever was made is removed again
 * when that fails. -ENOTEMPTY, -TACIT_E_INSECURE_DIR, -errno, or what `fill` returns.
 */
typedef int home_filler(const struct config *config, void *context, int dirfd, struct fault *fault);
int home_make(const struct config *config, home_filler *fill, void *context, struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_HOME_H
#define TACIT_SERVER_HOME_H

#include "config.h"
#include "home_dir.h"
#include "route.h"
#include "tacit/err.h"

/*
 * The server's directory: seal.json, store.db, audit.log, lock, admin.pem, sealed.pem. Opening it
 * puts a struct server together; the order of locks and checks is decided here, once for all
 * commands.
 */
struct home {
	int dirfd;
	int lock_fd; /* held while we write; -1 */
	struct server server;
};

enum home_use {
	HOME_SERVE,  /* the only writer; refuses a store whose rows were tampered with */
	HOME_CHECK,  /* reads only; a server may be running beside */
	HOME_RECORD, /* the only writer, for a line in the audit log and nothing else */
};

/*
 * Makes a new directory (or takes an empty one) and everything in it, as the user whom it belongs
 * to, or is to belong to; `admin.pem` holds an identity with the admin role. Whatever was made is
 * removed again on failure.
 */
int home_create(const struct config *config, struct fault *fault);

/*
 * Opens one. -TACIT_E_STORE_LOCKED when another process serves it, -TACIT_E_INSECURE_DIR when
 * others may write to it, and what the parts return. *ret_audit: see audit_open(); all zeros for
 * HOME_CHECK, which leaves the log alone.
 */
int home_open(const struct config *config, enum home_use use, struct home *ret_home,
    struct audit_state *ret_audit, struct fault *fault);
void home_close(struct home *home);

/*
 * The same with what opens the seal, for who had to get it first: as another user, or from a
 * descriptor, which gives it only once.
 */
int home_open_with(const struct config *config, enum home_use use, const struct secret *material,
    struct home *ret_home, struct fault *fault);

/*
 * Whether `material` is what opens this very store: who reaches the server's socket may not take
 * the store over for that alone. -TACIT_E_WRONG_KEY.
 */
int home_check_key(
    const struct server *server, int dirfd, const struct secret *material, struct fault *fault);

/* Whether no row is altered, missing or of another time, and the audit log whole. */
int home_verify(struct home *home, struct fault *fault);

/*
 * The two halves of home_open(), for a server that gets its keys later. home_begin() takes the
 * lock; home_load() takes `keys` over in any case, and leaves closing `home` to the caller.
 */
int home_begin(
    const struct config *config, enum home_use use, struct home *ret_home, struct fault *fault);
int home_load(const struct config *config, enum home_use use, struct keys *keys, struct home *home,
    struct audit_state *ret_audit, struct fault *fault);

#endif

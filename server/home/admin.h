/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ADMIN_H
#define TACIT_SERVER_ADMIN_H

#include "home.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * A new identity for an administrator, for those who have the master key and have lost the old one:
 * who has both could read everything anyway. It is that of the client `admin`, or of the first
 * other admin, and is added when there is none. Older identities stay good until they are revoked.
 */

/* With the lock of the routes held. Writes an audit line first. */
int admin_issue(struct server *server, struct secret **ret_pem, struct fault *fault);

/* The same, into DIR/admin.pem. */
int admin_issue_file(struct home *home, struct fault *fault);

/* The first one, of a new store that nobody else has yet: adds `admin`, and makes DIR/admin.pem. */
int admin_create(int dirfd, struct server *server, struct fault *fault);

#endif

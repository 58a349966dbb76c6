/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ADMIN_H
#define TACIT_SERVER_ADMIN_H

#include "home.h"
#include "tacit/codec.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * A new identity for an administrator, for those who have the master key and have lost the old one:
 * who has both could read everything anyway. It is that of the client `admin`, or of the first
 * other admin, and is added when there is none. Older identities stay good unless they are revoked.
 */
struct admin_identity {
	char client[CLIENT_NAME_MAX_BYTES + 1];
	struct secret *pem; /* owned */
};

void admin_identity_free(struct admin_identity *identity);
#define cleanup_admin_identity __attribute__((cleanup(admin_identity_free)))

/*
 * Makes one, and voids all older ones of that client if they are to be revoked. Writes an audit
 * line before each. With the lock of the routes held.
 */
int admin_issue(struct server *server, bool revoke_old, struct admin_identity *ret_identity,
    struct fault *fault);

/* What `tacit-server admin` asks for, of a server or of itself. */
struct admin_request {
	const struct secret *material; /* what opens the store */
	bool revoke_old;
};

/* The same for who shows that he has the master key. Takes the lock. -TACIT_E_WRONG_KEY. */
int admin_run(struct server *server, int dirfd, const struct admin_request *request,
    struct admin_identity *ret_identity, struct fault *fault);

/* An identity as it goes over the control socket. -ENOMEM; -TACIT_E_CORRUPT. */
int admin_identity_encode(const struct admin_identity *identity, struct encoder *encoder);
int admin_identity_decode(struct decoder *decoder, struct admin_identity *ret_identity);

/* One that is not revoked, into DIR/admin.pem. */
int admin_issue_file(struct home *home, struct fault *fault);

/* The first one, of a new store that nobody else has yet: adds `admin`, and makes DIR/admin.pem. */
int admin_create(int dirfd, struct server *server, struct fault *fault);

#endif

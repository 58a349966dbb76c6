/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_REKEY_H
#define TACIT_SERVER_REKEY_H

#include "keys.h"
#include "route.h"
#include "tacit/codec.h"

/* What `tacit-server rekey` asks for, of a server or of itself. */
struct rekey_request {
	struct secret *current; /* what opens the store now: see master_find() */
	bool by_passphrase;     /* the new one; these as in struct new_master */
	char key_file[PATH_MAX];
	struct secret *material;
};

void rekey_request_free(struct rekey_request *request);
int rekey_encode(const struct rekey_request *request, struct encoder *encoder);
/* -TACIT_E_CORRUPT, -ENOMEM. */
int rekey_decode(struct decoder *decoder, struct rekey_request *ret_request);

/*
 * Puts a new term of the keyring and a new master key in force, and an audit line before that. It
 * takes the lock of the routes, for a commit; the data keys are brought over afterwards: see
 * rewrap.h.
 * -TACIT_E_WRONG_KEY when `current` does not open the store: whoever may reach the server's socket
 * may not take the store over.
 */
int rekey_run(
    struct server *server, int dirfd, const struct rekey_request *request, struct fault *fault);

/* How many data keys there are. Takes the lock. */
uint64_t rekey_rows(struct server *server);

#endif

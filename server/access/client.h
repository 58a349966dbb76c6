/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_CLIENT_H
#define TACIT_SERVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grants.h"
#include "tacit/name.h"
#include "tacit/secret.h"

/*
 * One client with its grants, and its record in the store.
 *
 * A certificate's serial number carries the client's generation, which is the store's revision at
 * the time that the client was added or revoked last, so that it never comes again, not even when a
 * client is deleted and another one gets its name. A certificate of another generation is refused
 * at its next request; no list of serial numbers is needed.
 */
#define GRANTS_MAX 1024

struct client {
	char name[CLIENT_NAME_MAX_BYTES + 1];
	enum role role;
	uint64_t generation;
	bool revoked;         /* no certificate of it is accepted until it is added again */
	int64_t created;      /* seconds since the epoch */
	int64_t not_after;    /* of the certificate issued last; 0: none yet */
	struct grant *grants; /* owned */
	size_t grants_count;
};

void client_free(struct client *client);
void client_cleanup(struct client **client);
#define cleanup_client __attribute__((cleanup(client_cleanup)))
struct client *client_take(struct client **client);

/*
 * A copy with room for one more grant, or NULL without memory: changes are made on it, and shown
 * once they are on disk.
 */
struct client *client_copy(const struct client *client);

/* The record of a client, as it stands sealed in the store. -ENOMEM; -TACIT_E_CORRUPT. */
int client_encode(const struct client *client, struct secret **ret_record);
int client_decode(const struct secret *record, struct client **ret_client);

#endif

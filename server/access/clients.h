/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_CLIENTS_H
#define TACIT_SERVER_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "tacit/err.h"
#include "vault.h"

/* All clients with their grants, kept in memory and sorted by name. */
struct clients;

/* -TACIT_E_CORRUPT, -ENOMEM, the errors of vault.h. */
int clients_load(struct vault *vault, struct clients **ret_clients, struct fault *fault);
void clients_free(struct clients *clients);

size_t clients_count(const struct clients *clients);
/* Pointers hold until the next change. */
const struct client *clients_at(const struct clients *clients, size_t index);
const struct client *clients_find(const struct clients *clients, const char *name);

/*
 * Adds a client, or takes a revoked one back (its grants stay, its old certificates do not).
 * `not_after` is that of the certificate issued with it, 0 when there is none.
 * -TACIT_E_INVALID_NAME, -ENOMEM, the errors of vault.h, like all changes here.
 */
int clients_put(struct clients *clients, const char *name, enum role role, int64_t not_after);

/*
 * The same as a change that is not made yet, so that it can go into one commit with other rows:
 * prepare, vault_commit() with `row`, then clients_show(). Nothing else may change in between.
 */
struct client_change {
	struct vault_change row;
	struct secret *record; /* owned */
	struct client *client; /* owned; as it will be */
};

int clients_prepare_put(struct clients *clients, const char *name, enum role role,
    int64_t not_after, struct client_change *ret_change);
void clients_show(struct clients *clients, struct client_change *change);
void client_change_free(struct client_change *change);
#define cleanup_client_change __attribute__((cleanup(client_change_free)))

/* -TACIT_E_NOT_FOUND. */
int clients_revoke(struct clients *clients, const char *name);
int clients_delete(struct clients *clients, const char *name);

/* Adds a grant, or changes whether it writes. -TACIT_E_INVALID_PATTERN, _NOT_FOUND, _TOO_LARGE. */
int clients_grant(struct clients *clients, const char *name, const char *pattern, bool write);
int clients_ungrant(struct clients *clients, const char *name, const char *pattern);

#endif

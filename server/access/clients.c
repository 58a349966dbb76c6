/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct clients {
	struct vault *vault;
	struct client **entries; /* sorted by name */
	size_t count;
};

static int clients_reserve(struct clients *clients)
{
	struct client **entries =
	    reallocarray(clients->entries, clients->count + 1, sizeof(struct client *));

	if (!entries)
		return -ENOMEM;

	clients->entries = entries;
	return 0;
}

static int client_load(void *context, const struct row_key *key, const struct secret *record)
{
	struct clients *clients = context;
	cleanup_client struct client *client = NULL;
	struct row_key expected;
	int r = client_decode(record, &client);

	if (r < 0)
		return r;
	vault_row_key(clients->vault, RECORD_CLIENT, client->name, &expected);
	if (expected.len != key->len || memcmp(expected.bytes, key->bytes, key->len) != 0)
		return -TACIT_E_CORRUPT;
	if (clients_reserve(clients) < 0)
		return -ENOMEM;

	clients->entries[clients->count++] = client_take(&client);
	return 0;
}

static int client_order(const void *left, const void *right)
{
	const struct client *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

int clients_load(struct vault *vault, struct clients **ret_clients, struct fault *fault)
{
	struct clients *clients = calloc(1, sizeof(*clients));
	int r;

	if (!clients)
		return fault_set(fault, -ENOMEM, "clients");

	clients->vault = vault;
	r = vault_each(vault, RECORD_CLIENT, client_load, clients);
	if (r < 0) {
		clients_free(clients);
		return fault_set(fault, r, "record of a client");
	}

	if (clients->count > 0)
		qsort(clients->entries, clients->count, sizeof(clients->entries[0]), client_order);
	*ret_clients = clients;
	return 0;
}

void clients_free(struct clients *clients)
{
	if (!clients)
		return;

	for (size_t i = 0; i < clients->count; i++)
		client_free(clients->entries[i]);
	free(clients->entries);
	free(clients);
}

size_t clients_count(const struct clients *clients)
{
	return clients->count;
}

const struct client *clients_at(const struct clients *clients, size_t index)
{
	return clients->entries[index];
}

static size_t clients_lower_bound(const struct clients *clients, const char *name)
{
	size_t low = 0, high = clients->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(clients->entries[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}

	return low;
}

const struct client *clients_find(const struct clients *clients, const char *name)
{
	size_t index = clients_lower_bound(clients, name);

	if (index == clients->count || strcmp(clients->entries[index]->name, name) != 0)
		return NULL;

	return clients->entries[index];
}

static void clients_place(struct clients *clients, struct client *client)
{
	size_t index = clients_lower_bound(clients, client->name);

	if (index < clients->count && !strcmp(clients->entries[index]->name, client->name)) {
		client_free(clients->entries[index]);
	} else {
		memmove(clients->entries + index + 1, clients->entries + index,
		    (clients->count - index) * sizeof(clients->entries[0]));
		clients->count++;
	}
	clients->entries[index] = client;
}

void client_change_free(struct client_change *change)
{
	secret_free(change->record);
	client_free(change->client);
	*change = (struct client_change){0};
}

/* Takes the client over if it succeeds. Makes room too, so that showing it cannot fail. */
static int change_make(
    struct clients *clients, struct client **client, struct client_change *ret_change)
{
	struct client_change change = {0};
	int r = client_encode(*client, &change.record);

	if (r == 0)
		r = clients_reserve(clients);
	if (r < 0) {
		client_change_free(&change);
		return r;
	}

	vault_row_key(clients->vault, RECORD_CLIENT, (*client)->name, &change.row.key);
	change.row.record = change.record;
	change.client = client_take(client);
	*ret_change = change;
	return 0;
}

void clients_show(struct clients *clients, struct client_change *change)
{
	clients_place(clients, client_take(&change->client));
}

/* Writes the change and shows it; on failure neither has happened. */
static int change_commit(struct clients *clients, struct client_change *change)
{
	int r = vault_commit(clients->vault, &change->row, 1);

	if (r == 0)
		clients_show(clients, change);
	return r;
}

static int client_commit(struct clients *clients, struct client **client)
{
	cleanup_client_change struct client_change change = {0};
	int r = change_make(clients, client, &change);

	return r < 0 ? r : change_commit(clients, &change);
}

static int client_copy_existing(
    const struct clients *clients, const char *name, struct client **ret_client)
{
	const struct client *client = clients_find(clients, name);

	if (!client)
		return -TACIT_E_NOT_FOUND;

	*ret_client = client_copy(client);
	return *ret_client ? 0 : -ENOMEM;
}

int clients_prepare_put(struct clients *clients, const char *name, enum role role,
    int64_t not_after, struct client_change *ret_change)
{
	const struct client *old = clients_find(clients, name);
	const struct client fresh = {
	    .generation = vault_revision(clients->vault) + 1, .created = time(NULL)};
	cleanup_client struct client *client = NULL;

	if (!name_is_client(name))
		return -TACIT_E_INVALID_NAME;
	client = client_copy(old ? old : &fresh);
	if (!client)
		return -ENOMEM;

	(void)snprintf(client->name, sizeof(client->name), "%s", name);
	client->role = role;
	client->revoked = false;
	if (not_after)
		client->not_after = not_after;
	return change_make(clients, &client, ret_change);
}

int clients_put(struct clients *clients, const char *name, enum role role, int64_t not_after)
{
	cleanup_client_change struct client_change change = {0};
	int r = clients_prepare_put(clients, name, role, not_after, &change);

	return r < 0 ? r : change_commit(clients, &change);
}

int clients_revoke(struct clients *clients, const char *name)
{
	cleanup_client struct client *client = NULL;
	int r = client_copy_existing(clients, name, &client);

	if (r < 0)
		return r;

	client->generation = vault_revision(clients->vault) + 1;
	client->revoked = true;
	return client_commit(clients, &client);
}

int clients_delete(struct clients *clients, const char *name)
{
	size_t index = clients_lower_bound(clients, name);
	struct vault_change change = {0};
	int r;

	if (!clients_find(clients, name))
		return -TACIT_E_NOT_FOUND;

	vault_row_key(clients->vault, RECORD_CLIENT, name, &change.key);
	r = vault_commit(clients->vault, &change, 1);
	if (r < 0)
		return r;

	client_free(clients->entries[index]);
	clients->count--;
	memmove(clients->entries + index, clients->entries + index + 1,
	    (clients->count - index) * sizeof(clients->entries[0]));
	return 0;
}

static struct grant *grant_find(const struct client *client, const char *pattern)
{
	for (size_t i = 0; i < client->grants_count; i++)
		if (!strcmp(client->grants[i].pattern, pattern))
			return &client->grants[i];

	return NULL;
}

int clients_grant(struct clients *clients, const char *name, const char *pattern, bool write)
{
	cleanup_client struct client *client = NULL;
	struct grant *grant;
	int r;

	if (!name_is_pattern(pattern))
		return -TACIT_E_INVALID_PATTERN;
	r = client_copy_existing(clients, name, &client);
	if (r < 0)
		return r;

	grant = grant_find(client, pattern);
	if (!grant) {
		if (client->grants_count == GRANTS_MAX)
			return -TACIT_E_TOO_LARGE;
		grant = &client->grants[client->grants_count++];
		(void)snprintf(grant->pattern, sizeof(grant->pattern), "%s", pattern);
	}
	grant->write = write;
	return client_commit(clients, &client);
}

int clients_ungrant(struct clients *clients, const char *name, const char *pattern)
{
	cleanup_client struct client *client = NULL;
	struct grant *grant;
	int r = client_copy_existing(clients, name, &client);

	if (r < 0)
		return r;
	grant = grant_find(client, pattern);
	if (!grant)
		return -TACIT_E_NOT_FOUND;

	*grant = client->grants[--client->grants_count];
	return client_commit(clients, &client);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "sealing.h"
#include "tacit/bundle.h"
#include "tacit/codec.h"
#include "tacit/fd.h"

int handle_ca(struct exchange *exchange)
{
	const char *pem = authority_ca_pem(exchange->server->authority);

	exchange->response->status = 200;
	exchange->response->content_type = "application/x-pem-file";
	return secret_new_from(pem, strlen(pem), &exchange->response->body);
}

/* The secrets that the caller may read. */
struct selection {
	const struct secret_entry **entries; /* owned, and sorted; what they point to is not */
	size_t count;
};

static void selection_cleanup(struct selection *selection)
{
	free(selection->entries);
}
#define cleanup_selection __attribute__((cleanup(selection_cleanup)))

static int selection_add(struct selection *selection, const struct secret_entry *entry)
{
	const struct secret_entry **entries;

	if (selection->count == BUNDLE_ITEMS_MAX)
		return -TACIT_E_TOO_LARGE;

	entries = reallocarray(
	    selection->entries, selection->count + 1, sizeof(const struct secret_entry *));
	if (!entries)
		return -ENOMEM;

	entries[selection->count++] = entry;
	selection->entries = entries;
	return 0;
}

static int entry_order(const void *left, const void *right)
{
	const struct secret_entry *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

/* Two grants may cover the same secret: sorted, its entries are neighbours. */
static void selection_sort(struct selection *selection)
{
	size_t kept = 0;

	if (selection->count == 0)
		return;

	qsort(selection->entries, selection->count, sizeof(selection->entries[0]), entry_order);
	for (size_t i = 1; i < selection->count; i++)
		if (selection->entries[i] != selection->entries[kept])
			selection->entries[++kept] = selection->entries[i];
	selection->count = kept + 1;
}

/*
 * A pattern's literal beginning bounds the names that it can cover, so that a client with one
 * grant of ten secrets does not make us look at a million.
 */
static int selection_add_pattern(
    const struct secrets *secrets, const char *pattern, struct selection *selection)
{
	size_t prefix_len = pattern_literal_prefix(pattern);
	char prefix[NAME_MAX_BYTES + 1];

	memcpy(prefix, pattern, prefix_len);
	prefix[prefix_len] = '\0';
	for (size_t i = secrets_lower_bound(secrets, prefix); i < secrets_count(secrets); i++) {
		const struct secret_entry *entry = secrets_at(secrets, i);
		int r;

		if (strncmp(entry->name, prefix, prefix_len) != 0)
			break;
		if (entry->deleted || !pattern_matches(pattern, entry->name))
			continue;
		r = selection_add(selection, entry);
		if (r < 0)
			return r;
	}

	return 0;
}

/* An admin may read everything; all others get what their grants say. */
static int selection_fill(const struct exchange *exchange, struct selection *selection)
{
	const struct secrets *secrets = exchange->server->secrets;
	const struct client *client = exchange->client;
	int r = 0;

	if (exchange_allows(exchange, ACTION_READ, NULL))
		return selection_add_pattern(secrets, "**", selection);

	for (size_t i = 0; r == 0 && i < client->grants_count; i++)
		r = selection_add_pattern(secrets, client->grants[i].pattern, selection);
	if (r == 0 && client->grants_count > 1)
		selection_sort(selection);
	return r;
}

/* Changes when, and only when, something changes in what this caller is served. */
static void selection_etag(const struct exchange *exchange, const struct selection *selection,
    char ret_etag[static PROTO_ETAG_MAX_BYTES])
{
	crypto_generichash_state state;
	uint8_t hash[16];
	char hex[2 * sizeof(hash) + 1];

	(void)crypto_generichash_init(
	    &state, vault_keys(exchange->server->vault)->etag, ENVELOPE_KEY_BYTES, sizeof(hash));
	for (size_t i = 0; i < selection->count; i++) {
		const struct secret_entry *entry = selection->entries[i];
		const uint32_t numbers[] = {entry->current, entry->mode};

		(void)crypto_generichash_update(
		    &state, (const uint8_t *)entry->name, strlen(entry->name) + 1);
		(void)crypto_generichash_update(
		    &state, (const uint8_t *)entry->file, strlen(entry->file) + 1);
		(void)crypto_generichash_update(
		    &state, (const uint8_t *)entry->env, strlen(entry->env) + 1);
		(void)crypto_generichash_update(&state, (const uint8_t *)numbers, sizeof(numbers));
	}
	(void)crypto_generichash_final(&state, hash, sizeof(hash));
	(void)sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	(void)snprintf(ret_etag, PROTO_ETAG_MAX_BYTES, "\"b%s\"", hex);
}

static int selection_audit(struct exchange *exchange, int status, const struct selection *selection)
{
	cleanup_free struct audit_secret *secrets = calloc(selection->count + 1, sizeof(*secrets));

	if (!secrets)
		return -ENOMEM;

	for (size_t i = 0; i < selection->count; i++)
		secrets[i] = (struct audit_secret){
		    .name = selection->entries[i]->name,
		    .version = selection->entries[i]->current,
		};
	return exchange_audit(exchange, status, NULL, secrets, selection->count);
}

static int bundle_fill(
    struct secrets *secrets, const struct selection *selection, struct bundle *bundle)
{
	size_t total = 0;

	for (size_t i = 0; i < selection->count; i++) {
		const struct secret_entry *entry = selection->entries[i];
		struct secret *value;
		struct bundle_item *item;
		int r = secrets_open_value(secrets, entry, 0, &value);

		if (r < 0)
			return r;
		total += secret_len(value);
		r = bundle_add(bundle, entry->name, value);
		if (r < 0)
			return r;
		if (total > PROTO_ANSWER_MAX_BYTES / 2) /* base64 and the rest come on top */
			return -TACIT_E_TOO_LARGE;

		item = &bundle->items[bundle->count - 1];
		(void)snprintf(item->file, sizeof(item->file), "%s", entry->file);
		(void)snprintf(item->env, sizeof(item->env), "%s", entry->env);
		item->version = entry->current;
		item->mode = entry->mode;
	}

	return 0;
}

static int bundle_answer(struct exchange *exchange, const struct selection *selection)
{
	cleanup_bundle struct bundle bundle = {.revision = vault_revision(exchange->server->vault)};
	const char *recipient = exchange->request->seal_to;
	cleanup_secret struct secret *text = NULL;
	int r = bundle_fill(exchange->server->secrets, selection, &bundle);

	if (r == 0)
		r = bundle_print(&bundle, &text);
	if (r < 0)
		return r;
	if (recipient)
		return sealing_answer(exchange, recipient, bundle.revision, text);

	exchange->response->status = 200;
	exchange->response->content_type = PROTO_TYPE_JSON;
	exchange->response->body = secret_take(&text);
	return 0;
}

/* Refused before the audit log says that anything was served. */
static int seal_to_check(struct exchange *exchange)
{
	const char *recipient = exchange->request->seal_to;
	uint8_t key[SEALED_BUNDLE_KEY_BYTES];

	if (!recipient || sealed_bundle_parse_key(recipient, key) == 0)
		return 0;

	exchange->detail = "seal_to is not a public key in hexadecimal digits";
	return -TACIT_E_MALFORMED;
}

int handle_bundle(struct exchange *exchange)
{
	struct response *response = exchange->response;
	const char *known = exchange->request->if_none_match;
	cleanup_selection struct selection selection = {0};
	int status = 200;
	int r = seal_to_check(exchange);

	if (r == 0)
		r = selection_fill(exchange, &selection);
	if (r < 0)
		return r;

	selection_etag(exchange, &selection, response->etag);
	if (known && !strcmp(known, response->etag))
		status = 304;
	if (status == 304 && exchange->request->waiter) {
		exchange_wait(exchange, exchange->client->name);
		return 0;
	}
	r = selection_audit(exchange, status, &selection);
	if (r < 0)
		return r;
	if (status == 304) {
		response->status = 304;
		return 0;
	}

	return bundle_answer(exchange, &selection);
}

/* SPDX-License-Identifier: MIT */
#include "offer.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/bundle.h"

void offer_free(struct offer *offer)
{
	free(offer->entries);
	*offer = (struct offer){0};
}

static int offer_add(struct offer *offer, const struct secret_entry *entry)
{
	const struct secret_entry **entries;

	if (offer->count == BUNDLE_ITEMS_MAX)
		return -TACIT_E_TOO_LARGE;

	entries =
	    reallocarray(offer->entries, offer->count + 1, sizeof(const struct secret_entry *));
	if (!entries)
		return -ENOMEM;

	entries[offer->count++] = entry;
	offer->entries = entries;
	return 0;
}

static int entry_order(const void *left, const void *right)
{
	const struct secret_entry *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

/* Two grants may cover the same secret: sorted, its entries are neighbours. */
static void offer_sort(struct offer *offer)
{
	size_t kept = 0;

	if (offer->count == 0)
		return;

	qsort(offer->entries, offer->count, sizeof(offer->entries[0]), entry_order);
	for (size_t i = 1; i < offer->count; i++)
		if (offer->entries[i] != offer->entries[kept])
			offer->entries[++kept] = offer->entries[i];
	offer->count = kept + 1;
}

/*
 * A pattern's literal beginning bounds the names that it can cover, so that a client with one
 * grant of ten secrets does not make us look at a million.
 */
static int offer_add_pattern(
    const struct secrets *secrets, const char *pattern, struct offer *offer)
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
		r = offer_add(offer, entry);
		if (r < 0)
			return r;
	}

	return 0;
}

/* An admin may read everything; all others get what their grants say. */
static int offer_fill(
    const struct secrets *secrets, const struct client *client, struct offer *offer)
{
	int r = 0;

	if (grants_allow(client->role, NULL, 0, ACTION_READ, NULL))
		return offer_add_pattern(secrets, "**", offer);

	for (size_t i = 0; r == 0 && i < client->grants_count; i++)
		r = offer_add_pattern(secrets, client->grants[i].pattern, offer);
	if (r == 0 && client->grants_count > 1)
		offer_sort(offer);
	return r;
}

static void offer_tag(const struct keys *keys, struct offer *offer)
{
	crypto_generichash_state state;
	uint8_t hash[16];
	char hex[2 * sizeof(hash) + 1];

	(void)crypto_generichash_init(&state, keys->etag, ENVELOPE_KEY_BYTES, sizeof(hash));
	for (size_t i = 0; i < offer->count; i++) {
		const struct secret_entry *entry = offer->entries[i];
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
	(void)snprintf(offer->etag, sizeof(offer->etag), "\"b%s\"", hex);
}

int offer_make(const struct secrets *secrets, const struct keys *keys, const struct client *client,
    struct offer *ret_offer)
{
	cleanup_offer struct offer offer = {0};
	int r = offer_fill(secrets, client, &offer);

	if (r < 0)
		return r;

	offer_tag(keys, &offer);
	*ret_offer = offer;
	offer = (struct offer){0};
	return 0;
}

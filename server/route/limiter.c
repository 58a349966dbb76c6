/* SPDX-License-Identifier: MIT */
#include "limiter.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 1024

struct place {
	uint64_t key_hash;
	int64_t due_ms; /* when all that has happened would have been due at the steady rate */
};

struct limiter {
	int64_t interval_ms;
	int64_t slack_ms; /* how far ahead of the steady rate one may be */
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	struct place places[PLACES];
};

struct limiter *limiter_new(unsigned burst, int64_t interval_ms)
{
	struct limiter *limiter = calloc(1, sizeof(*limiter));

	if (!limiter)
		return NULL;

	limiter->interval_ms = interval_ms;
	limiter->slack_ms = (int64_t)(burst - 1) * interval_ms;
	crypto_shorthash_keygen(limiter->hash_key);
	return limiter;
}

void limiter_free(struct limiter *limiter)
{
	free(limiter);
}

static struct place *place_of(struct limiter *limiter, const char *key)
{
	uint8_t bytes[crypto_shorthash_BYTES];
	struct place *place;
	uint64_t hash;

	(void)crypto_shorthash(bytes, (const uint8_t *)key, strlen(key), limiter->hash_key);
	memcpy(&hash, bytes, sizeof(hash));
	place = &limiter->places[hash % PLACES];
	if (place->key_hash != hash)
		*place = (struct place){.key_hash = hash};
	return place;
}

bool limiter_take(struct limiter *limiter, const char *key, int64_t now_ms)
{
	struct place *place = place_of(limiter, key);
	int64_t due_ms = place->due_ms > now_ms ? place->due_ms : now_ms;

	if (due_ms - now_ms > limiter->slack_ms)
		return false;

	place->due_ms = due_ms + limiter->interval_ms;
	return true;
}

void limiter_forget(struct limiter *limiter, const char *key)
{
	place_of(limiter, key)->due_ms = 0;
}

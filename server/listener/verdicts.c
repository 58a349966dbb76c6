/* SPDX-License-Identifier: MIT */
#include "verdicts.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PLACES     1024
#define HASH_BYTES 32

struct verdict {
	bool taken;
	uint8_t hash[HASH_BYTES]; /* BLAKE2b of the certificate */
	struct certificate_identity identity;
};

struct verdicts {
	pthread_mutex_t mutex;
	struct verdict places[PLACES];
};

struct verdicts *verdicts_new(void)
{
	struct verdicts *verdicts = calloc(1, sizeof(*verdicts));

	if (verdicts)
		(void)pthread_mutex_init(&verdicts->mutex, NULL);
	return verdicts;
}

void verdicts_free(struct verdicts *verdicts)
{
	if (!verdicts)
		return;

	(void)pthread_mutex_destroy(&verdicts->mutex);
	free(verdicts);
}

static struct verdict *place_of(
    struct verdicts *verdicts, const void *der, size_t len, uint8_t ret_hash[static HASH_BYTES])
{
	(void)crypto_generichash(ret_hash, HASH_BYTES, der, len, NULL, 0);
	return &verdicts->places[(ret_hash[0] << 8 | ret_hash[1]) % PLACES];
}

bool verdicts_find(struct verdicts *verdicts, const void *der, size_t len,
    struct certificate_identity *ret_identity)
{
	uint8_t hash[HASH_BYTES];
	struct verdict *place = place_of(verdicts, der, len, hash);
	bool found;

	(void)pthread_mutex_lock(&verdicts->mutex);
	found = place->taken && memcmp(place->hash, hash, HASH_BYTES) == 0;
	if (found)
		*ret_identity = place->identity;
	(void)pthread_mutex_unlock(&verdicts->mutex);
	return found;
}

void verdicts_add(struct verdicts *verdicts, const void *der, size_t len,
    const struct certificate_identity *identity)
{
	uint8_t hash[HASH_BYTES];
	struct verdict *place = place_of(verdicts, der, len, hash);

	(void)pthread_mutex_lock(&verdicts->mutex);
	place->taken = true;
	memcpy(place->hash, hash, HASH_BYTES);
	place->identity = *identity;
	(void)pthread_mutex_unlock(&verdicts->mutex);
}

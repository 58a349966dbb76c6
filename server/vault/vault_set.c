/* SPDX-License-Identifier: MIT */
#include "vault_private.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum row_set_kind row_set_of(const uint8_t *key, size_t key_len)
{
	return key_len > 0 && key[0] == RECORD_VERSION ? ROW_SET_VERSIONS : ROW_SET_INDEX;
}

void set_hash_toggle(const struct keys *keys, uint8_t set_hash[static SET_HASH_BYTES],
    const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
	crypto_generichash_state state;
	uint8_t hash[SET_HASH_BYTES];
	uint8_t lengths[2] = {(uint8_t)key_len, 0};
	uint64_t len = value_len;

	(void)crypto_generichash_init(&state, keys->set, ENVELOPE_KEY_BYTES, SET_HASH_BYTES);
	(void)crypto_generichash_update(&state, lengths, sizeof(lengths));
	(void)crypto_generichash_update(&state, (const uint8_t *)&len, sizeof(len));
	(void)crypto_generichash_update(&state, key, key_len);
	(void)crypto_generichash_update(
	    &state, value, value_len < ROW_COMMITMENT_BYTES ? value_len : ROW_COMMITMENT_BYTES);
	(void)crypto_generichash_final(&state, hash, sizeof(hash));
	for (size_t i = 0; i < SET_HASH_BYTES; i++)
		set_hash[i] ^= hash[i];
}

void row_set_add(struct row_set *set, const struct keys *keys, const uint8_t *key, size_t key_len,
    const uint8_t *value, size_t value_len)
{
	set_hash_toggle(keys, set->hash, key, key_len, value, value_len);
	set->rows++;
}

void row_set_join(struct row_set *set, const struct row_set *other)
{
	for (size_t i = 0; i < SET_HASH_BYTES; i++)
		set->hash[i] ^= other->hash[i];
	set->rows += other->rows;
}

struct set_walk {
	const struct vault *vault;
	struct row_set sets[ROW_SETS];
};

static int set_step(
    void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
	struct set_walk *walk = context;
	const struct row_key *head = &walk->vault->head_key;

	/* The one head, and not just any row that says it is one. */
	if (key_len == head->len && memcmp(key, head->bytes, key_len) == 0)
		return 0;

	row_set_add(&walk->sets[row_set_of(key, key_len)], walk->vault->keys, key, key_len, value,
	    value_len);
	return 0;
}

static int set_range(struct set_walk *walk, const uint8_t *prefix, size_t prefix_len)
{
	return store_range(
	    walk->vault->store, prefix, prefix_len, ROW_COMMITMENT_BYTES, set_step, walk);
}

/* A key of no bytes is in no range of the index: the one row that would be overlooked. */
static int set_check_nameless(const struct vault *vault)
{
	cleanup_store_value struct store_value value = {0};
	int r = store_get(vault->store, (const uint8_t *)"", 0, &value);

	if (r == -TACIT_E_NOT_FOUND)
		return 0;

	return r < 0 ? r : -TACIT_E_CORRUPT;
}

static int set_walk_index(struct set_walk *walk)
{
	const struct vault *vault = walk->vault;
	int r = set_check_nameless(vault);

	for (unsigned int i = 0; r == 0 && i <= UINT8_MAX; i++) {
		uint8_t prefix = (uint8_t)i;
		bool kind = prefix >= 'A' && prefix <= 'Z';

		if (prefix == RECORD_VERSION)
			continue;
		if (kind && vault->seen[prefix - 'A'].whole)
			row_set_join(&walk->sets[ROW_SET_INDEX], &vault->seen[prefix - 'A'].set);
		else
			r = set_range(walk, &prefix, 1);
	}

	return r;
}

static bool set_is_whole(const struct set_walk *walk, enum row_set_kind kind)
{
	return sodium_memcmp(
	           walk->sets[kind].hash, walk->vault->set_hashes.of[kind], SET_HASH_BYTES) == 0;
}

int vault_check_set(
    struct vault *vault, enum vault_scope scope, uint64_t *ret_rows, struct fault *fault)
{
	struct set_walk walk = {.vault = vault};
	int r = scope == VAULT_INDEX ? set_walk_index(&walk) : set_range(&walk, NULL, 0);

	if (r < 0)
		return fault_set(fault, r, "records");
	if (!set_is_whole(&walk, ROW_SET_INDEX) ||
	    (scope == VAULT_WHOLE && !set_is_whole(&walk, ROW_SET_VERSIONS)))
		return fault_set_why(fault, -TACIT_E_CORRUPT,
		    "rows were altered, added, removed or rolled back", "set of records");

	*ret_rows = walk.sets[ROW_SET_INDEX].rows + walk.sets[ROW_SET_VERSIONS].rows;
	return 0;
}

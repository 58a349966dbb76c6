/* SPDX-License-Identifier: MIT */
#include "vault_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/codec.h"

static int head_parse(struct vault *vault, const struct secret *head)
{
	struct decoder decoder = {.at = secret_bytes(head), .left = secret_len(head)};
	uint64_t revision = decode_u64(&decoder);

	for (size_t i = 0; i < ROW_SETS; i++) {
		size_t len;
		const uint8_t *set_hash = decode_bytes(&decoder, &len);

		if (!set_hash || len != SET_HASH_BYTES)
			return -TACIT_E_CORRUPT;
		memcpy(vault->set_hashes.of[i], set_hash, SET_HASH_BYTES);
	}
	if (decode_end(&decoder) < 0)
		return -TACIT_E_CORRUPT;

	vault->revision = revision;
	return 0;
}

static int head_load(struct vault *vault)
{
	cleanup_store_value struct store_value value = {0};
	cleanup_secret struct secret *head = NULL;
	int r = store_get(vault->store, vault->head_key.bytes, vault->head_key.len, &value);

	if (r == -TACIT_E_NOT_FOUND)
		return -TACIT_E_CORRUPT;
	if (r == 0)
		r = record_open(vault, &vault->head_key, value.bytes, value.len, &head);
	if (r == 0)
		r = head_parse(vault, head);
	if (r == 0)
		r = secret_new_from(value.bytes, value.len, &vault->sealed_head);

	return r;
}

static int vault_new(struct store *store, struct keys *keys, struct vault **ret_vault)
{
	struct vault *vault = calloc(1, sizeof(*vault));

	if (!vault) {
		store_close(store);
		keys_free(keys);
		return -ENOMEM;
	}

	vault->store = store;
	vault->keys = keys;
	row_key_for(keys, RECORD_HEAD, "head", &vault->head_key);
	*ret_vault = vault;
	return 0;
}

void vault_close(struct vault *vault)
{
	if (!vault)
		return;

	secret_free(vault->sealed_head);
	store_close(vault->store);
	keys_free(vault->keys);
	free(vault);
}

static void term_name(uint32_t term, char ret_name[static 16])
{
	(void)snprintf(ret_name, 16, "%u", term);
}

static void term_row_key(const struct vault *vault, uint32_t term, struct row_key *ret_key)
{
	char name[16];

	term_name(term, name);
	vault_row_key(vault, RECORD_TERM, name, ret_key);
}

static int term_store(
    struct vault *vault, uint32_t term, const uint8_t key[static ENVELOPE_KEY_BYTES])
{
	cleanup_secret struct secret *record = NULL;
	struct vault_change change = {0};
	struct encoder encoder;

	if (secret_new(64, &record) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = record};
	encode_u32(&encoder, term);
	encode_bytes(&encoder, key, ENVELOPE_KEY_BYTES);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	term_row_key(vault, term, &change.key);
	change.record = record;
	return vault_commit(vault, &change, 1);
}

int vault_new_term(struct vault *vault)
{
	cleanup_secret struct secret *key = NULL;
	uint32_t term = vault->keys->term + 1;
	int r = secret_new(ENVELOPE_KEY_BYTES, &key);

	if (r < 0)
		return r;
	if (keys_is_full(vault->keys))
		return -TACIT_E_CONFLICT;

	envelope_new_key(secret_space(key, ENVELOPE_KEY_BYTES));
	secret_grew(key, ENVELOPE_KEY_BYTES);
	r = term_store(vault, term, secret_bytes(key));
	return r < 0 ? r : keys_add_term(vault->keys, term, secret_bytes(key));
}

int vault_drop_term(struct vault *vault, uint32_t term)
{
	struct vault_change change = {0};
	int r;

	term_row_key(vault, term, &change.key);
	r = vault_commit(vault, &change, 1);
	if (r < 0)
		return r;

	keys_remove_term(vault->keys, term);
	vault_scrub(vault);
	return 0;
}

static int term_load(void *context, const struct row_key *key, const struct secret *record)
{
	struct keys *keys = context;
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};
	uint32_t term = decode_u32(&decoder);
	size_t len;
	const uint8_t *bytes = decode_bytes(&decoder, &len);

	(void)key;
	if (decode_end(&decoder) < 0 || len != ENVELOPE_KEY_BYTES)
		return -TACIT_E_CORRUPT;

	return keys_add_term(keys, term, bytes);
}

int vault_create(struct store *store, struct keys *keys, struct vault **ret_vault)
{
	struct vault *vault;
	int r = vault_new(store, keys, &vault);

	if (r < 0)
		return r;

	r = term_store(vault, keys->term, keys_term(keys, keys->term));
	if (r < 0) {
		vault_close(vault);
		return r;
	}

	*ret_vault = vault;
	return 0;
}

static int terms_load(struct vault *vault)
{
	int r = vault_each(vault, RECORD_TERM, term_load, vault->keys);

	return r == 0 && vault->keys->term == 0 ? -TACIT_E_CORRUPT : r;
}

int vault_open(
    struct store *store, struct keys *keys, struct vault **ret_vault, struct fault *fault)
{
	struct vault *vault;
	int r = vault_new(store, keys, &vault);

	if (r < 0)
		return fault_set(fault, r, "store");

	r = head_load(vault);
	if (r < 0)
		(void)fault_set(fault, r, "head record of the store");
	if (r == 0) {
		r = terms_load(vault);
		if (r < 0)
			(void)fault_set(fault, r, "keyring of the store");
	}
	if (r < 0) {
		vault_close(vault);
		return r;
	}

	*ret_vault = vault;
	return 0;
}

const struct keys *vault_keys(const struct vault *vault)
{
	return vault->keys;
}

uint64_t vault_revision(const struct vault *vault)
{
	return vault->revision;
}

int vault_get_raw(struct vault *vault, const struct row_key *key, struct store_value *ret_value)
{
	return store_get(vault->store, key->bytes, key->len, ret_value);
}

int vault_get(struct vault *vault, const struct row_key *key, struct secret **ret_record)
{
	cleanup_store_value struct store_value value = {0};
	int r = vault_get_raw(vault, key, &value);

	if (r < 0)
		return r;

	return record_open(vault, key, value.bytes, value.len, ret_record);
}

int vault_lazy_begin(struct vault *vault)
{
	return store_lazy_begin(vault->store);
}

void vault_set_lazy(struct vault *vault, bool lazy)
{
	store_set_lazy(vault->store, lazy);
}

int vault_sync(struct vault *vault)
{
	return store_sync(vault->store);
}

void vault_scrub(struct vault *vault)
{
	store_scrub(vault->store);
}

int vault_reclaim(struct vault *vault)
{
	return store_reclaim(vault->store);
}

int vault_check_store(struct vault *vault, struct fault *fault)
{
	return store_check(vault->store, fault);
}

/* SPDX-License-Identifier: MIT */
#include "vault_private.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "tacit/codec.h"

#define NAME_HASH_BYTES 16

void row_key_for(
    const struct keys *keys, enum record_kind kind, const char *name, struct row_key *ret_key)
{
	crypto_generichash_state state;
	uint8_t kind_byte = (uint8_t)kind;

	ret_key->bytes[0] = kind_byte;
	(void)crypto_generichash_init(&state, keys->name, ENVELOPE_KEY_BYTES, NAME_HASH_BYTES);
	(void)crypto_generichash_update(&state, &kind_byte, 1);
	(void)crypto_generichash_update(&state, (const uint8_t *)name, strlen(name));
	(void)crypto_generichash_final(&state, ret_key->bytes + 1, NAME_HASH_BYTES);
	ret_key->len = 1 + NAME_HASH_BYTES;
}

void vault_row_key(
    const struct vault *vault, enum record_kind kind, const char *name, struct row_key *ret_key)
{
	row_key_for(vault->keys, kind, name, ret_key);
}

void vault_version_key(
    const struct vault *vault, const char *name, uint32_t version, struct row_key *ret_key)
{
	row_key_for(vault->keys, RECORD_VERSION, name, ret_key);
	for (int shift = 24; shift >= 0; shift -= 8)
		ret_key->bytes[ret_key->len++] = (uint8_t)(version >> shift);
}

/* Which store, which row, and under which of its keys. */
static int record_associate(const struct vault *vault, const struct row_key *key, struct secret *ad)
{
	struct encoder encoder = {.out = ad};

	secret_reset(ad);
	encode_text(&encoder, "tacit/record/1");
	encode_bytes(&encoder, vault->keys->store_id, STORE_ID_BYTES);
	encode_bytes(&encoder, key->bytes, key->len);
	return encode_end(&encoder);
}

/* The keyring is sealed under a key of its own; everything else that is no value, under another. */
static const uint8_t *record_key(const struct vault *vault, const struct row_key *key)
{
	return key->bytes[0] == RECORD_TERM ? vault->keys->wrap : vault->keys->record;
}

int record_seal(const struct vault *vault, const struct row_key *key, const struct secret *record,
    struct secret **ret_sealed)
{
	cleanup_secret struct secret *ad = NULL;
	cleanup_secret struct secret *sealed = NULL;
	size_t len = secret_len(record) + ENVELOPE_OVERHEAD_BYTES;

	if (secret_new(64, &ad) < 0 || record_associate(vault, key, ad) < 0 ||
	    secret_new(len, &sealed) < 0)
		return -ENOMEM;

	envelope_seal(record_key(vault, key), secret_bytes(ad), secret_len(ad),
	    secret_bytes(record), secret_len(record), secret_space(sealed, len));
	secret_grew(sealed, len);
	*ret_sealed = secret_take(&sealed);
	return 0;
}

int record_open_into(const struct vault *vault, const struct row_key *key, const uint8_t *bytes,
    size_t len, struct secret *ad, struct secret *record)
{
	if (record_associate(vault, key, ad) < 0)
		return -ENOMEM;

	return envelope_open_into(
	    record_key(vault, key), secret_bytes(ad), secret_len(ad), bytes, len, record);
}

int record_open(const struct vault *vault, const struct row_key *key, const uint8_t *bytes,
    size_t len, struct secret **ret_record)
{
	cleanup_secret struct secret *ad = NULL;
	cleanup_secret struct secret *record = NULL;
	int r = secret_new(64, &ad);

	if (r == 0)
		r = secret_new(len, &record);
	if (r == 0)
		r = record_open_into(vault, key, bytes, len, ad, record);
	if (r < 0)
		return r;

	*ret_record = secret_take(&record);
	return 0;
}

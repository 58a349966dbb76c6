/* SPDX-License-Identifier: MIT */
#include "version_row.h"

#include <errno.h>

#include "tacit/codec.h"

/* What a row says of itself, and where it stands. */
struct version_identity {
	const char *name;
	uint32_t number;
	uint32_t term;
	int64_t created;
};

/* `term` is 0 for the envelope of the value. */
static int row_associate(const struct keys *keys, const char *label,
    const struct version_identity *identity, uint32_t term, struct secret **ret_ad)
{
	cleanup_secret struct secret *ad = NULL;
	struct encoder encoder;

	if (secret_new(512, &ad) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = ad};
	encode_text(&encoder, label);
	encode_bytes(&encoder, keys->store_id, STORE_ID_BYTES);
	encode_text(&encoder, identity->name);
	encode_u32(&encoder, identity->number);
	encode_u32(&encoder, term);
	encode_u64(&encoder, (uint64_t)identity->created);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_ad = secret_take(&ad);
	return 0;
}

static int key_associate(
    const struct keys *keys, const struct version_identity *identity, struct secret **ret_ad)
{
	return row_associate(keys, "tacit/data-key/1", identity, identity->term, ret_ad);
}

static int value_associate(
    const struct keys *keys, const struct version_identity *identity, struct secret **ret_ad)
{
	return row_associate(keys, "tacit/value/2", identity, 0, ret_ad);
}

/* Appends the envelope of `plain` to `row`. */
static int row_append_sealed(const uint8_t key[static ENVELOPE_KEY_BYTES], const struct secret *ad,
    const struct secret *plain, struct secret *row)
{
	size_t len = secret_len(plain);
	uint8_t *space = secret_space(row, len + ENVELOPE_OVERHEAD_BYTES);

	if (!space)
		return -ENOMEM;

	envelope_seal(key, secret_bytes(ad), secret_len(ad), secret_bytes(plain), len, space);
	secret_grew(row, len + ENVELOPE_OVERHEAD_BYTES);
	return 0;
}

/* Begins a row: its head, and the data key sealed under the term in use. */
static int row_begin(const struct keys *keys, struct version_identity *identity,
    const struct secret *data_key, size_t value_len, struct secret **ret_row)
{
	cleanup_secret struct secret *row = NULL;
	cleanup_secret struct secret *ad = NULL;
	const uint8_t *term_key = keys_term(keys, keys->term);
	struct encoder encoder;

	identity->term = keys->term;
	if (!term_key)
		return -TACIT_E_CORRUPT;
	if (secret_new(VERSION_MIN_BYTES + value_len, &row) < 0 ||
	    key_associate(keys, identity, &ad) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = row};
	encode_u32(&encoder, identity->term);
	encode_u64(&encoder, (uint64_t)identity->created);
	if (encode_end(&encoder) < 0 || row_append_sealed(term_key, ad, data_key, row) < 0)
		return -ENOMEM;

	*ret_row = secret_take(&row);
	return 0;
}

static int data_key_new(struct secret **ret_data_key)
{
	cleanup_secret struct secret *data_key = NULL;

	if (secret_new(ENVELOPE_KEY_BYTES, &data_key) < 0)
		return -ENOMEM;

	envelope_new_key(secret_space(data_key, ENVELOPE_KEY_BYTES));
	secret_grew(data_key, ENVELOPE_KEY_BYTES);
	*ret_data_key = secret_take(&data_key);
	return 0;
}

int version_row_seal(const struct keys *keys, const char *name, uint32_t number, int64_t created,
    const struct secret *value, struct secret **ret_row)
{
	struct version_identity identity = {.name = name, .number = number, .created = created};
	cleanup_secret struct secret *data_key = NULL;
	cleanup_secret struct secret *row = NULL;
	cleanup_secret struct secret *ad = NULL;
	int r = data_key_new(&data_key);

	if (r == 0)
		r = row_begin(keys, &identity, data_key, secret_len(value), &row);
	if (r == 0)
		r = value_associate(keys, &identity, &ad);
	if (r == 0)
		r = row_append_sealed(secret_bytes(data_key), ad, value, row);
	if (r < 0)
		return r;

	*ret_row = secret_take(&row);
	return 0;
}

uint32_t version_row_term(const uint8_t *row, size_t len)
{
	struct decoder head = {.at = row, .left = len};

	return len < VERSION_MIN_BYTES ? 0 : decode_u32(&head);
}

/* Opens the data key of a row, and so finds that its head is true. */
static int row_open_data_key(const struct keys *keys, struct version_identity *identity,
    const uint8_t *row, size_t len, struct secret **ret_data_key)
{
	struct decoder head = {.at = row, .left = len};
	cleanup_secret struct secret *ad = NULL;
	const uint8_t *term_key;

	if (len < VERSION_MIN_BYTES)
		return -TACIT_E_CORRUPT;

	identity->term = decode_u32(&head);
	identity->created = (int64_t)decode_u64(&head);
	term_key = keys_term(keys, identity->term);
	if (!term_key)
		return -TACIT_E_CORRUPT;
	if (key_associate(keys, identity, &ad) < 0)
		return -ENOMEM;

	return envelope_open(term_key, secret_bytes(ad), secret_len(ad), row + VERSION_HEAD_BYTES,
	    WRAPPED_KEY_BYTES, ret_data_key);
}

int version_row_open(const struct keys *keys, const char *name, uint32_t number, const uint8_t *row,
    size_t len, struct secret **ret_value)
{
	struct version_identity identity = {.name = name, .number = number};
	size_t before = VERSION_HEAD_BYTES + WRAPPED_KEY_BYTES;
	cleanup_secret struct secret *data_key = NULL;
	cleanup_secret struct secret *ad = NULL;
	int r = row_open_data_key(keys, &identity, row, len, &data_key);

	if (r == 0)
		r = value_associate(keys, &identity, &ad);
	if (r < 0)
		return r;

	return envelope_open(secret_bytes(data_key), secret_bytes(ad), secret_len(ad), row + before,
	    len - before, ret_value);
}

int version_row_rewrap(const struct keys *keys, const char *name, uint32_t number,
    const uint8_t *row, size_t len, struct secret **ret_row)
{
	struct version_identity identity = {.name = name, .number = number};
	size_t before = VERSION_HEAD_BYTES + WRAPPED_KEY_BYTES;
	cleanup_secret struct secret *data_key = NULL;
	cleanup_secret struct secret *fresh = NULL;
	int r = row_open_data_key(keys, &identity, row, len, &data_key);

	if (r == 0)
		r = row_begin(keys, &identity, data_key, len - before, &fresh);
	if (r == 0)
		r = secret_append(fresh, row + before, len - before);
	if (r < 0)
		return r;

	*ret_row = secret_take(&fresh);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "audit_mark.h"

#include <errno.h>
#include <string.h>

#include "tacit/codec.h"

static void mark_key(const struct vault *vault, struct row_key *ret_key)
{
	vault_row_key(vault, RECORD_AUDIT_MARK, "audit", ret_key);
}

static int mark_decode(const struct secret *record, struct audit_mark *ret_mark)
{
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};
	uint64_t sequence = decode_u64(&decoder);
	size_t len;
	const uint8_t *mac = decode_bytes(&decoder, &len);
	/* Stores of old do not say. */
	bool is_end = decoder.left > 0 && decode_u8(&decoder) != 0;

	if (decode_end(&decoder) < 0 || len != AUDIT_MAC_BYTES)
		return -TACIT_E_CORRUPT;

	ret_mark->sequence = sequence;
	memcpy(ret_mark->mac, mac, AUDIT_MAC_BYTES);
	ret_mark->is_end = is_end;
	return 0;
}

int audit_mark_load(struct vault *vault, struct audit_mark *ret_mark)
{
	cleanup_secret struct secret *record = NULL;
	struct row_key key;
	int r;

	mark_key(vault, &key);
	r = vault_get(vault, &key, &record);
	if (r == -TACIT_E_NOT_FOUND) {
		*ret_mark = (struct audit_mark){0};
		return 0;
	}

	return r < 0 ? r : mark_decode(record, ret_mark);
}

int audit_mark_store(struct vault *vault, struct audit *audit, bool is_end)
{
	cleanup_secret struct secret *record = NULL;
	struct vault_change change = {0};
	struct encoder encoder;
	struct audit_mark mark;
	int r = audit_get_mark(audit, &mark);

	if (r == 0)
		r = secret_new(64, &record);
	if (r < 0)
		return r;

	encoder = (struct encoder){.out = record};
	encode_u64(&encoder, mark.sequence);
	encode_bytes(&encoder, mark.mac, AUDIT_MAC_BYTES);
	encode_u8(&encoder, is_end);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	mark_key(vault, &change.key);
	change.record = record;
	return vault_commit(vault, &change, 1);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "authority_private.h"
#include "tacit/codec.h"

static const char record_name[] = "authority";

int authority_store(const struct authority *authority)
{
	cleanup_secret struct secret *record = NULL;
	struct vault_change change = {0};
	struct encoder encoder;

	if (secret_new(8192, &record) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = record};
	encode_text(&encoder, authority->url);
	encode_text(&encoder, authority->trust_domain);
	encode_u32(&encoder, (uint32_t)authority->names_count);
	for (size_t i = 0; i < authority->names_count; i++)
		encode_text(&encoder, authority->names[i]);
	encode_text(&encoder, authority->ca_pem);
	encode_text(&encoder, authority->server_pem);
	encode_bytes(&encoder, secret_bytes(authority->ca_key), secret_len(authority->ca_key));
	encode_bytes(
	    &encoder, secret_bytes(authority->server_key), secret_len(authority->server_key));
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	vault_row_key(authority->vault, RECORD_AUTHORITY, record_name, &change.key);
	change.record = record;
	return vault_commit(authority->vault, &change, 1);
}

static int decode_key(struct decoder *decoder, struct secret **ret_key)
{
	size_t len;
	const uint8_t *bytes = decode_bytes(decoder, &len);

	return bytes ? secret_new_from(bytes, len, ret_key) : -TACIT_E_CORRUPT;
}

static int authority_decode(struct authority *authority, const struct secret *record)
{
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};
	int r;

	decode_text(&decoder, authority->url, sizeof(authority->url));
	decode_text(&decoder, authority->trust_domain, sizeof(authority->trust_domain));
	authority->names_count = decode_u32(&decoder);
	if (decoder.failed || authority->names_count > SERVER_NAMES_MAX)
		return -TACIT_E_CORRUPT;
	for (size_t i = 0; i < authority->names_count; i++)
		decode_text(&decoder, authority->names[i], sizeof(authority->names[i]));
	decode_text(&decoder, authority->ca_pem, sizeof(authority->ca_pem));
	decode_text(&decoder, authority->server_pem, sizeof(authority->server_pem));
	r = decode_key(&decoder, &authority->ca_key);
	if (r == 0)
		r = decode_key(&decoder, &authority->server_key);

	return r < 0 ? r : decode_end(&decoder);
}

int authority_fill(struct authority *authority)
{
	cleanup_secret struct secret *record = NULL;
	struct row_key key;
	int r;

	vault_row_key(authority->vault, RECORD_AUTHORITY, record_name, &key);
	r = vault_get(authority->vault, &key, &record);
	if (r == -TACIT_E_NOT_FOUND)
		return -TACIT_E_CORRUPT;

	return r < 0 ? r : authority_decode(authority, record);
}

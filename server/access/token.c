/* SPDX-License-Identifier: MIT */
#include "token.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "tacit/codec.h"

#define DAY_S      86400
#define REMEMBER_S (30LL * DAY_S) /* a used-up token */
#define LINGER_S   (1LL * DAY_S)  /* an expired or revoked one, for `token ls` and good answers */

void token_hash(
    const uint8_t secret[static JOIN_TOKEN_SECRET_BYTES], uint8_t ret_hash[static TOKEN_HASH_BYTES])
{
	(void)crypto_generichash(
	    ret_hash, TOKEN_HASH_BYTES, secret, JOIN_TOKEN_SECRET_BYTES, NULL, 0);
}

static bool source_is_allowed(const struct token *token, const char *peer)
{
	if (!peer || token->from_count == 0)
		return true;
	for (size_t i = 0; i < token->from_count; i++)
		if (cidr_contains(&token->from[i], peer))
			return true;

	return false;
}

int token_judge(
    const struct token *token, const struct client *client, const char *peer, int64_t now)
{
	if (token->used >= token->uses)
		return -TACIT_E_TOKEN_USED;
	if (token->revoked || !client || client->revoked || client->generation != token->generation)
		return -TACIT_E_TOKEN_REVOKED;
	if (now >= token->expires)
		return -TACIT_E_TOKEN_EXPIRED;
	if (!source_is_allowed(token, peer))
		return -TACIT_E_TOKEN_SOURCE;

	return 0;
}

bool token_is_stale(const struct token *token, int64_t now)
{
	if (token->used >= token->uses)
		return now >= token->last_used + REMEMBER_S;

	return now >= token->expires + LINGER_S;
}

static void cidr_encode(struct encoder *encoder, const struct cidr *range)
{
	encode_u8(encoder, range->prefix_bits);
	encode_bytes(encoder, range->bytes, range->len);
}

int token_encode(const struct token *token, struct secret **ret_record)
{
	cleanup_secret struct secret *record = NULL;
	struct encoder encoder;

	if (secret_new(512, &record) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = record};
	encode_text(&encoder, token->id);
	encode_bytes(&encoder, token->hash, TOKEN_HASH_BYTES);
	encode_text(&encoder, token->client);
	encode_u64(&encoder, token->generation);
	encode_u32(&encoder, token->uses);
	encode_u32(&encoder, token->used);
	encode_u64(&encoder, (uint64_t)token->created);
	encode_u64(&encoder, (uint64_t)token->expires);
	encode_u64(&encoder, (uint64_t)token->last_used);
	encode_u64(&encoder, (uint64_t)token->certificate_ttl_s);
	encode_u8(&encoder, token->revoked);
	encode_u32(&encoder, (uint32_t)token->from_count);
	for (size_t i = 0; i < token->from_count; i++)
		cidr_encode(&encoder, &token->from[i]);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_record = secret_take(&record);
	return 0;
}

static void decode_fixed(struct decoder *decoder, uint8_t *ret_bytes, size_t len)
{
	size_t got;
	const uint8_t *bytes = decode_bytes(decoder, &got);

	if (bytes && got == len)
		memcpy(ret_bytes, bytes, len);
	else
		decoder->failed = true;
}

static void cidr_decode(struct decoder *decoder, struct cidr *ret_range)
{
	size_t len;
	const uint8_t *bytes;

	ret_range->prefix_bits = decode_u8(decoder);
	bytes = decode_bytes(decoder, &len);
	if (!bytes || (len != 4 && len != 16) || ret_range->prefix_bits > 8 * len) {
		decoder->failed = true;
		return;
	}

	ret_range->len = (uint8_t)len;
	memcpy(ret_range->bytes, bytes, len);
}

static void ranges_decode(struct decoder *decoder, struct token *token)
{
	token->from_count = decode_u32(decoder);
	if (token->from_count > TOKEN_RANGES_MAX) {
		token->from_count = 0;
		decoder->failed = true;
	}
	for (size_t i = 0; i < token->from_count; i++)
		cidr_decode(decoder, &token->from[i]);
}

int token_decode(const struct secret *record, struct token *ret_token)
{
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};
	struct token token = {0};

	decode_text(&decoder, token.id, sizeof(token.id));
	decode_fixed(&decoder, token.hash, sizeof(token.hash));
	decode_text(&decoder, token.client, sizeof(token.client));
	token.generation = decode_u64(&decoder);
	token.uses = decode_u32(&decoder);
	token.used = decode_u32(&decoder);
	token.created = (int64_t)decode_u64(&decoder);
	token.expires = (int64_t)decode_u64(&decoder);
	token.last_used = (int64_t)decode_u64(&decoder);
	token.certificate_ttl_s = (int64_t)decode_u64(&decoder);
	token.revoked = decode_u8(&decoder) != 0;
	ranges_decode(&decoder, &token);
	if (decode_end(&decoder) < 0 || !name_is_client(token.client) || !token.id[0])
		return -TACIT_E_CORRUPT;

	*ret_token = token;
	return 0;
}

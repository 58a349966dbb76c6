/* SPDX-License-Identifier: MIT */
#include "tacit/join_token.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "tacit/err.h"
#include "tacit/url.h"

#define PREFIX_BYTES      (sizeof(JOIN_TOKEN_PREFIX) - 1)
#define HEAD_BYTES        (JOIN_TOKEN_CA_HASH_BYTES + JOIN_TOKEN_SECRET_BYTES)
#define PAYLOAD_MAX_BYTES (HEAD_BYTES + JOIN_TOKEN_URL_MAX_BYTES)

/* libsodium counts the NUL behind the digits. */
_Static_assert(
    PREFIX_BYTES +
            sodium_base64_ENCODED_LEN(PAYLOAD_MAX_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING) -
            1 ==
        JOIN_TOKEN_TEXT_MAX_BYTES,
    "length of the text");

void join_token_free(struct join_token *token)
{
	secret_free(token->secret);
	*token = (struct join_token){0};
}

/* One spelling only, so that each token has exactly one text. */
static bool is_canonical_url(const char *text)
{
	struct url url;
	char printed[280];

	if (strlen(text) > JOIN_TOKEN_URL_MAX_BYTES || url_parse(text, &url) < 0)
		return false;

	url_print(&url, printed);
	return !strcmp(text, printed);
}

static int payload_make(const struct join_token *token, struct secret **ret_payload)
{
	cleanup_secret struct secret *payload = NULL;

	if (secret_new(PAYLOAD_MAX_BYTES, &payload) < 0 ||
	    secret_append(payload, token->ca_hash, sizeof(token->ca_hash)) < 0 ||
	    secret_append(payload, secret_bytes(token->secret), secret_len(token->secret)) < 0 ||
	    secret_append_text(payload, token->url) < 0)
		return -ENOMEM;

	*ret_payload = secret_take(&payload);
	return 0;
}

static int append_base64url(struct secret *text, const struct secret *payload)
{
	size_t size = sodium_base64_ENCODED_LEN(
	    secret_len(payload), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	uint8_t *space = secret_space(text, size);

	if (!space)
		return -ENOMEM;

	(void)sodium_bin2base64((char *)space, size, secret_bytes(payload), secret_len(payload),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	secret_grew(text, size - 1);
	return 0;
}

int join_token_format(const struct join_token *token, struct secret **ret_text)
{
	cleanup_secret struct secret *payload = NULL;
	cleanup_secret struct secret *text = NULL;

	if (!is_canonical_url(token->url))
		return -TACIT_E_INVALID_URL;
	if (secret_len(token->secret) != JOIN_TOKEN_SECRET_BYTES)
		return -TACIT_E_TOKEN;
	if (payload_make(token, &payload) < 0 ||
	    secret_new(JOIN_TOKEN_TEXT_MAX_BYTES + 1, &text) < 0 ||
	    secret_append_text(text, JOIN_TOKEN_PREFIX) < 0 || append_base64url(text, payload) < 0)
		return -ENOMEM;

	*ret_text = secret_take(&text);
	return 0;
}

/* In constant time, as the decoder is. libsodium 1.0.18 takes bytes from 0x80 up for digits. */
static bool is_ascii(const char *text, size_t len)
{
	unsigned char bits = 0;

	for (size_t i = 0; i < len; i++)
		bits |= (unsigned char)text[i];

	return bits < 0x80;
}

static int payload_decode(const char *digits, size_t len, struct secret **ret_payload)
{
	cleanup_secret struct secret *payload = NULL;
	size_t payload_len;

	if (!is_ascii(digits, len))
		return -TACIT_E_TOKEN;
	if (secret_new(PAYLOAD_MAX_BYTES, &payload) < 0)
		return -ENOMEM;
	if (sodium_base642bin(secret_space(payload, PAYLOAD_MAX_BYTES), PAYLOAD_MAX_BYTES, digits,
	        len, NULL, &payload_len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    payload_len <= HEAD_BYTES)
		return -TACIT_E_TOKEN;

	secret_grew(payload, payload_len);
	*ret_payload = secret_take(&payload);
	return 0;
}

static int url_take(const uint8_t *bytes, size_t len, char ret_url[JOIN_TOKEN_URL_MAX_BYTES + 1])
{
	if (memchr(bytes, '\0', len))
		return -TACIT_E_TOKEN;

	memcpy(ret_url, bytes, len);
	ret_url[len] = '\0';
	return is_canonical_url(ret_url) ? 0 : -TACIT_E_TOKEN;
}

int join_token_parse(const void *text, size_t len, struct join_token *ret_token)
{
	cleanup_secret struct secret *payload = NULL;
	struct join_token token = {0};
	const uint8_t *bytes;
	int r;

	if (len <= PREFIX_BYTES || len > JOIN_TOKEN_TEXT_MAX_BYTES ||
	    memcmp(text, JOIN_TOKEN_PREFIX, PREFIX_BYTES) != 0)
		return -TACIT_E_TOKEN;
	r = payload_decode((const char *)text + PREFIX_BYTES, len - PREFIX_BYTES, &payload);
	if (r < 0)
		return r;

	bytes = secret_bytes(payload);
	memcpy(token.ca_hash, bytes, sizeof(token.ca_hash));
	r = url_take(bytes + HEAD_BYTES, secret_len(payload) - HEAD_BYTES, token.url);
	if (r == 0)
		r = secret_new_from(
		    bytes + JOIN_TOKEN_CA_HASH_BYTES, JOIN_TOKEN_SECRET_BYTES, &token.secret);
	if (r == 0)
		*ret_token = token;

	return r;
}

/* SPDX-License-Identifier: MIT */
#include "tacit/sealed_bundle.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "tacit/codec.h"
#include "tacit/err.h"

/* TLS 1.3 signs texts that begin with 64 blanks (RFC 8446, 4.4.3), so this is never one of them. */
static const char magic[] = "tacit-sealed-bundle-1";

_Static_assert(SEALED_BUNDLE_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "public key");
_Static_assert(SEALED_BUNDLE_KEY_BYTES == crypto_box_SEEDBYTES, "seed");

void sealed_bundle_recipient(const uint8_t seed[static SEALED_BUNDLE_KEY_BYTES],
    uint8_t ret_recipient[static SEALED_BUNDLE_KEY_BYTES])
{
	uint8_t secret_key[crypto_box_SECRETKEYBYTES];

	(void)crypto_box_seed_keypair(ret_recipient, secret_key, seed);
	sodium_memzero(secret_key, sizeof(secret_key));
}

void sealed_bundle_print_key(const uint8_t key[static SEALED_BUNDLE_KEY_BYTES],
    char ret_text[static SEALED_BUNDLE_HEX_BYTES])
{
	(void)sodium_bin2hex(ret_text, SEALED_BUNDLE_HEX_BYTES, key, SEALED_BUNDLE_KEY_BYTES);
}

int sealed_bundle_parse_key(const char *text, uint8_t ret_key[static SEALED_BUNDLE_KEY_BYTES])
{
	size_t len;

	if (strlen(text) != SEALED_BUNDLE_HEX_BYTES - 1 ||
	    strspn(text, "0123456789abcdef") != SEALED_BUNDLE_HEX_BYTES - 1 ||
	    sodium_hex2bin(ret_key, SEALED_BUNDLE_KEY_BYTES, text, SEALED_BUNDLE_HEX_BYTES - 1,
	        NULL, &len, NULL) != 0)
		return -TACIT_E_MALFORMED;

	return 0;
}

static int box_make(const uint8_t recipient[static SEALED_BUNDLE_KEY_BYTES],
    const struct secret *text, struct secret **ret_box)
{
	size_t len = crypto_box_SEALBYTES + secret_len(text);
	cleanup_secret struct secret *box = NULL;

	if (secret_new(len, &box) < 0)
		return -ENOMEM;
	/* It refuses points of small order, with which anybody could open the box. */
	if (crypto_box_seal(
	        secret_space(box, len), secret_bytes(text), secret_len(text), recipient) != 0)
		return -TACIT_E_MALFORMED;

	secret_grew(box, len);
	*ret_box = secret_take(&box);
	return 0;
}

int sealed_bundle_write_body(
    const struct sealed_bundle *head, const struct secret *text, struct secret **ret_body)
{
	cleanup_secret struct secret *body = NULL;
	cleanup_secret struct secret *box = NULL;
	struct encoder encoder;
	int r = box_make(head->recipient, text, &box);

	if (r == 0)
		r = secret_new(secret_len(box) + head->certificate_len + 512, &body);
	if (r < 0)
		return r;

	encoder = (struct encoder){.out = body};
	encode_text(&encoder, magic);
	encode_text(&encoder, head->client);
	encode_bytes(&encoder, head->store_id, sizeof(head->store_id));
	encode_u64(&encoder, (uint64_t)head->issued_s);
	encode_u64(&encoder, head->revision);
	encode_bytes(&encoder, head->recipient, sizeof(head->recipient));
	encode_bytes(&encoder, head->certificate, head->certificate_len);
	encode_bytes(&encoder, secret_bytes(box), secret_len(box));
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_body = secret_take(&body);
	return 0;
}

int sealed_bundle_write(const struct secret *body, const uint8_t *signature, size_t signature_len,
    struct secret **ret_document)
{
	cleanup_secret struct secret *document = NULL;
	struct encoder encoder;

	if (secret_new(secret_len(body) + signature_len + 16, &document) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = document};
	encode_bytes(&encoder, secret_bytes(body), secret_len(body));
	encode_bytes(&encoder, signature, signature_len);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_document = secret_take(&document);
	return 0;
}

/* Bytes of exactly that length; else the decoder fails. */
static void decode_fixed(struct decoder *decoder, uint8_t *ret_bytes, size_t len)
{
	size_t found;
	const uint8_t *bytes = decode_bytes(decoder, &found);

	if (bytes && found == len)
		memcpy(ret_bytes, bytes, len);
	else
		decoder->failed = true;
}

static int body_read(struct sealed_bundle *sealed)
{
	struct decoder decoder = {.at = sealed->body, .left = sealed->body_len};
	char found[sizeof(magic)];
	uint64_t issued_s;

	decode_text(&decoder, found, sizeof(found));
	decode_text(&decoder, sealed->client, sizeof(sealed->client));
	decode_fixed(&decoder, sealed->store_id, sizeof(sealed->store_id));
	issued_s = decode_u64(&decoder);
	sealed->revision = decode_u64(&decoder);
	decode_fixed(&decoder, sealed->recipient, sizeof(sealed->recipient));
	sealed->certificate = decode_bytes(&decoder, &sealed->certificate_len);
	sealed->box = decode_bytes(&decoder, &sealed->box_len);
	if (decode_end(&decoder) < 0 || strcmp(found, magic) != 0 ||
	    !name_is_client(sealed->client) || issued_s > INT64_MAX ||
	    sealed->box_len < crypto_box_SEALBYTES)
		return -TACIT_E_CORRUPT;

	sealed->issued_s = (int64_t)issued_s;
	return 0;
}

int sealed_bundle_read(const void *bytes, size_t len, struct sealed_bundle *ret_sealed)
{
	struct decoder decoder = {.at = bytes, .left = len};
	struct sealed_bundle sealed = {0};
	int r;

	sealed.body = decode_bytes(&decoder, &sealed.body_len);
	sealed.signature = decode_bytes(&decoder, &sealed.signature_len);
	r = decode_end(&decoder);
	if (r == 0)
		r = body_read(&sealed);
	if (r < 0)
		return r;

	*ret_sealed = sealed;
	return 0;
}

int sealed_bundle_open(const struct sealed_bundle *sealed,
    const uint8_t seed[static SEALED_BUNDLE_KEY_BYTES], struct secret **ret_text)
{
	size_t len = sealed->box_len - crypto_box_SEALBYTES;
	cleanup_secret struct secret *text = NULL;
	uint8_t public_key[crypto_box_PUBLICKEYBYTES];
	uint8_t secret_key[crypto_box_SECRETKEYBYTES];
	int opened;

	if (secret_new(len, &text) < 0)
		return -ENOMEM;

	(void)crypto_box_seed_keypair(public_key, secret_key, seed);
	opened = crypto_box_seal_open(
	    secret_space(text, len), sealed->box, sealed->box_len, public_key, secret_key);
	sodium_memzero(secret_key, sizeof(secret_key));
	if (opened != 0)
		return -TACIT_E_CORRUPT;

	secret_grew(text, len);
	*ret_text = secret_take(&text);
	return 0;
}

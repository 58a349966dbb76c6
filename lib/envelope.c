/* SPDX-License-Identifier: MIT */
#include "tacit/envelope.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "tacit/err.h"

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES   crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(ENVELOPE_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(ENVELOPE_KEY_BYTES == crypto_kdf_KEYBYTES, "key size of the derivation");
_Static_assert(ENVELOPE_OVERHEAD_BYTES == NONCE_BYTES + TAG_BYTES, "overhead");

/* Without it libsodium works too, but on its portable code instead of this processor's. */
__attribute__((constructor)) static void envelope_setup(void)
{
	if (sodium_init() < 0)
		abort();
}

void envelope_new_key(uint8_t ret_key[static ENVELOPE_KEY_BYTES])
{
	randombytes_buf(ret_key, ENVELOPE_KEY_BYTES);
}

void envelope_seal(const uint8_t key[static ENVELOPE_KEY_BYTES], const void *ad, size_t ad_len,
    const void *plain, size_t len, uint8_t *ret_sealed)
{
	uint8_t *nonce = ret_sealed;
	uint8_t *tag = nonce + NONCE_BYTES;
	uint8_t *ciphertext = tag + TAG_BYTES;

	randombytes_buf(nonce, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
	    ciphertext, tag, NULL, plain, len, ad, ad_len, NULL, nonce, key);
}

int envelope_open_into(const uint8_t key[static ENVELOPE_KEY_BYTES], const void *ad, size_t ad_len,
    const void *sealed, size_t sealed_len, struct secret *plain)
{
	const uint8_t *nonce = sealed;
	const uint8_t *tag = nonce + NONCE_BYTES;
	const uint8_t *ciphertext = tag + TAG_BYTES;
	uint8_t *space;
	size_t len;

	secret_reset(plain);
	if (sealed_len < ENVELOPE_OVERHEAD_BYTES)
		return -TACIT_E_CORRUPT;

	len = sealed_len - ENVELOPE_OVERHEAD_BYTES;
	space = secret_space(plain, len);
	if (!space)
		return -ENOMEM;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
	        space, NULL, ciphertext, len, tag, ad, ad_len, nonce, key) != 0)
		return -TACIT_E_CORRUPT;

	secret_grew(plain, len);
	return 0;
}

int envelope_open(const uint8_t key[static ENVELOPE_KEY_BYTES], const void *ad, size_t ad_len,
    const void *sealed, size_t sealed_len, struct secret **ret_plain)
{
	size_t room =
	    sealed_len > ENVELOPE_OVERHEAD_BYTES ? sealed_len - ENVELOPE_OVERHEAD_BYTES : 0;
	cleanup_secret struct secret *plain = NULL;
	int r = secret_new(room, &plain);

	if (r == 0)
		r = envelope_open_into(key, ad, ad_len, sealed, sealed_len, plain);
	if (r < 0)
		return r;

	*ret_plain = secret_take(&plain);
	return 0;
}

void envelope_derive(const uint8_t key[static ENVELOPE_KEY_BYTES], const char context[static 8],
    uint64_t id, uint8_t ret_key[static ENVELOPE_KEY_BYTES])
{
	(void)crypto_kdf_derive_from_key(ret_key, ENVELOPE_KEY_BYTES, id, context, key);
}

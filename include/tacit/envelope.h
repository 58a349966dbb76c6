/* SPDX-License-Identifier: MIT */
#ifndef TACIT_ENVELOPE_H
#define TACIT_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "tacit/secret.h"

/*
 * Sealing a record: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, libsodium's
 * crypto_aead_xchacha20poly1305_ietf) under a random 192-bit nonce.
 *
 *   sealed = nonce (24) | tag (16) | ciphertext (len)
 *
 * The tag stands in front so that the first 40 bytes commit to the whole record: the set hash
 * over all records reads only those.
 */
#define ENVELOPE_KEY_BYTES      32
#define ENVELOPE_OVERHEAD_BYTES 40

/* A fresh random key. */
void envelope_new_key(uint8_t ret_key[static ENVELOPE_KEY_BYTES]);

/*
 * Seals `len` bytes of `plain` with `ad` as associated data; writes len + ENVELOPE_OVERHEAD_BYTES
 * bytes. `ad` is what must be the same again for the record to open: see codec.h for its form.
 */
void envelope_seal(const uint8_t key[static ENVELOPE_KEY_BYTES], const void *ad, size_t ad_len,
    const void *plain, size_t len, uint8_t *ret_sealed);

/*
 * Opens a sealed record into a new secret. -TACIT_E_CORRUPT when it is too short, altered, or
 * sealed under another key or other associated data: one error, since telling them apart would
 * help nobody but an attacker. -ENOMEM.
 */
int envelope_open(const uint8_t key[static ENVELOPE_KEY_BYTES], const void *ad, size_t ad_len,
    const void *sealed, size_t sealed_len, struct secret **ret_plain);

/* The same into a secret that is there already; what it held is wiped. */
int envelope_open_into(const uint8_t key[static ENVELOPE_KEY_BYTES], const void *ad, size_t ad_len,
    const void *sealed, size_t sealed_len, struct secret *plain);

/*
 * Derives subkey number `id` for the purpose `context` (8 characters) from `key`: BLAKE2b with
 * salt and personalisation, libsodium's crypto_kdf.
 */
void envelope_derive(const uint8_t key[static ENVELOPE_KEY_BYTES], const char context[static 8],
    uint64_t id, uint8_t ret_key[static ENVELOPE_KEY_BYTES]);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SEALED_BUNDLE_H
#define TACIT_SEALED_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "tacit/name.h"
#include "tacit/secret.h"

/*
 * A bundle that may lie on a disk: sealed to a key that only its client can derive, and signed by
 * the server that made it. `GET /v1/bundle?seal_to=KEY` answers with one, and the agent's cache
 * file is that answer, byte for byte.
 *
 *   document = bytes body | bytes signature                            (in the form of codec.h)
 *   body     = text "tacit-sealed-bundle-1" | text client | bytes store id | u64 issued
 *            | u64 revision | bytes recipient | bytes certificate | bytes box
 *
 * The box is libsodium's crypto_box_seal (X25519, XSalsa20-Poly1305) of the bundle's JSON. It does
 * not say who made it, and anybody can make one: that the server did is what the signature over
 * the whole body says, box included. Here nothing is verified; see identity_verify_server().
 */
#define SEALED_BUNDLE_TYPE        "application/vnd.tacit.sealed-bundle"
#define SEALED_BUNDLE_KEY_BYTES   32
#define SEALED_BUNDLE_STORE_BYTES 16

struct sealed_bundle {
	char client[CLIENT_NAME_MAX_BYTES + 1];
	uint8_t store_id[SEALED_BUNDLE_STORE_BYTES];
	int64_t issued_s; /* seconds since the epoch */
	uint64_t revision;
	uint8_t recipient[SEALED_BUNDLE_KEY_BYTES]; /* an X25519 public key */

	/* Borrowed views. */
	const uint8_t *certificate; /* of the server, DER */
	size_t certificate_len;
	const uint8_t *box;
	size_t box_len;
	const uint8_t *body; /* what is signed */
	size_t body_len;
	const uint8_t *signature; /* ECDSA with SHA-256, DER */
	size_t signature_len;
};

/* The public key of `seed`, and as people and URLs write it: 64 lower-case hexadecimal digits. */
void sealed_bundle_recipient(const uint8_t seed[static SEALED_BUNDLE_KEY_BYTES],
    uint8_t ret_recipient[static SEALED_BUNDLE_KEY_BYTES]);
#define SEALED_BUNDLE_HEX_BYTES (2 * SEALED_BUNDLE_KEY_BYTES + 1)
void sealed_bundle_print_key(const uint8_t key[static SEALED_BUNDLE_KEY_BYTES],
    char ret_text[static SEALED_BUNDLE_HEX_BYTES]);
/* -TACIT_E_MALFORMED for anything else. */
int sealed_bundle_parse_key(const char *text, uint8_t ret_key[static SEALED_BUNDLE_KEY_BYTES]);

/*
 * Seals `text` to `head->recipient` and writes the body with what else is in `head` (its box, body
 * and signature do not count). -TACIT_E_MALFORMED for a recipient that is no good point; -ENOMEM.
 */
int sealed_bundle_write_body(
    const struct sealed_bundle *head, const struct secret *text, struct secret **ret_body);

/* Puts body and signature together. 0 or -ENOMEM. */
int sealed_bundle_write(const struct secret *body, const uint8_t *signature, size_t signature_len,
    struct secret **ret_document);

/* Takes a document apart. Pure. -TACIT_E_CORRUPT for anything that is not one. */
int sealed_bundle_read(const void *bytes, size_t len, struct sealed_bundle *ret_sealed);

/*
 * Opens the box. -TACIT_E_CORRUPT when it was altered, or sealed to another key than that of
 * `seed`; -ENOMEM.
 */
int sealed_bundle_open(const struct sealed_bundle *sealed,
    const uint8_t seed[static SEALED_BUNDLE_KEY_BYTES], struct secret **ret_text);

#endif

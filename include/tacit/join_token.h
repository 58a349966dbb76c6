/* SPDX-License-Identifier: MIT */
#ifndef TACIT_JOIN_TOKEN_H
#define TACIT_JOIN_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "tacit/secret.h"

/*
 * A join token lets a machine that has nothing yet become a client. It says where to enrol, by
 * which CA the server there must be certified, and holds the secret that is given for the first
 * certificate.
 *
 *   text     `tacit1.` and the payload in base64url (RFC 4648, section 5) without padding
 *   payload  SHA-256 of the CA certificate's DER (32) | secret (16) | the URL's bytes
 */
#define JOIN_TOKEN_PREFIX         "tacit1."
#define JOIN_TOKEN_CA_HASH_BYTES  32
#define JOIN_TOKEN_SECRET_BYTES   16
#define JOIN_TOKEN_URL_MAX_BYTES  255
#define JOIN_TOKEN_TEXT_MAX_BYTES 411 /* the prefix, and 404 digits for 303 bytes */

struct join_token {
	uint8_t ca_hash[JOIN_TOKEN_CA_HASH_BYTES];
	struct secret *secret;                  /* owned, JOIN_TOKEN_SECRET_BYTES */
	char url[JOIN_TOKEN_URL_MAX_BYTES + 1]; /* "https://HOST:PORT", as url_print() writes it */
};

/* Wipes it and leaves an empty one. */
void join_token_free(struct join_token *token);
#define cleanup_join_token __attribute__((cleanup(join_token_free)))

/*
 * Writes the token's text into a new secret, without a NUL. -TACIT_E_INVALID_URL unless the URL is
 * one in the form above, -TACIT_E_TOKEN for a secret of another length; -ENOMEM.
 */
int join_token_format(const struct join_token *token, struct secret **ret_text);

/*
 * Reads a token's text, which is to be all of the `len` bytes: no white space around it.
 * -TACIT_E_TOKEN for anything that join_token_format() would not have written, and no hint what
 * is wrong with it, since an error must not quote a token; -ENOMEM. `ret_token` is untouched on
 * failure, and else the caller's to free.
 */
int join_token_parse(const void *text, size_t len, struct join_token *ret_token);

#endif

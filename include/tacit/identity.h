/* SPDX-License-Identifier: MIT */
#ifndef TACIT_IDENTITY_H
#define TACIT_IDENTITY_H

#include <stdint.h>

#include "tacit/err.h"
#include "tacit/secret.h"
#include "tacit/url.h"

/*
 * An identity is who a client is and whom it trusts: private key, client certificate and CA
 * certificate in one PEM text, behind the line `# tacit-server: https://HOST:PORT`.
 * The name stands in the certificate's one URI SAN, `tacit://TRUST-DOMAIN/client/NAME`.
 */
struct identity;

/*
 * Parses an identity and checks that it is whole: one key, a certificate that belongs to the key
 * and that the CA signed, valid now. `label` names it in faults (its path).
 * -TACIT_E_IDENTITY (truncated, foreign, parts that do not fit), -TACIT_E_IDENTITY_EXPIRED.
 */
int identity_parse(const struct secret *pem, const char *label, struct identity **ret_identity,
    struct fault *fault);

/*
 * Reads one from a file. NULL looks where the contract says: TACIT_IDENTITY,
 * /run/tacit/identity.pem, ~/.config/tacit/identity.pem. -TACIT_E_NO_IDENTITY when there is none,
 * -TACIT_E_IDENTITY_MODE when others may read it, -errno, or as identity_parse.
 */
int identity_load(const char *path, struct identity **ret_identity, struct fault *fault);

void identity_free(struct identity *identity);
void identity_cleanup(struct identity **identity);
#define cleanup_identity __attribute__((cleanup(identity_cleanup)))

/* Both are borrowed. "" when the comment line is missing; else one URL or more, comma-separated. */
const char *identity_server(const struct identity *identity);
const char *identity_client(const struct identity *identity);
/* Seconds since the epoch. */
int64_t identity_not_before(const struct identity *identity);
int64_t identity_not_after(const struct identity *identity);
/* The file that identity_load() found it in; NULL for one that was parsed. */
const char *identity_path(const struct identity *identity);

/* SHA-256 of the CA certificate's DER, by which a join token names the CA. -TACIT_E_INTERNAL. */
#define IDENTITY_CA_HASH_BYTES 32
int identity_ca_hash(
    const struct identity *identity, uint8_t ret_hash[static IDENTITY_CA_HASH_BYTES]);

/*
 * A key for other ends than TLS, derived from the private key: BLAKE2b-256 of its DER (PKCS #8)
 * under `purpose`. The same as long as the identity has that key. -TACIT_E_INTERNAL, -ENOMEM.
 */
#define IDENTITY_DERIVED_BYTES 32
int identity_derive(const struct identity *identity, const char *purpose,
    uint8_t ret_key[static IDENTITY_DERIVED_BYTES]);

/*
 * Whether a server of this identity's CA has signed `bytes`: ECDSA with SHA-256 by the key of
 * `certificate` (DER), which the CA must have signed, for servers, and which is valid now.
 * -TACIT_E_TLS_CA, -TACIT_E_TLS_SERVER_EXPIRED, -TACIT_E_CORRUPT for another signature.
 */
struct signed_bytes {
	const void *bytes;
	size_t len;
	const void *signature;
	size_t signature_len;
};
int identity_verify_server(const struct identity *identity, const void *certificate,
    size_t certificate_len, const struct signed_bytes *what);

/*
 * Makes a new P-256 key and a signing request (PKCS #10, PEM) with CN=`client_name` (NULL: none).
 * Both are PEM without a NUL. -ENOMEM, or -TACIT_E_INTERNAL when the generator fails.
 */
int identity_new_request(
    const char *client_name, struct secret **ret_key_pem, struct secret **ret_csr_pem);

/* Puts an identity's text together, as identity_parse reads it. `server` may be NULL. -ENOMEM. */
int identity_compose(const char *server, const struct secret *key_pem, const char *certificate_pem,
    const char *ca_pem, struct secret **ret_pem);

#endif

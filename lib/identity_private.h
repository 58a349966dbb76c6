/* SPDX-License-Identifier: MIT */
#ifndef TACIT_IDENTITY_PRIVATE_H
#define TACIT_IDENTITY_PRIVATE_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tacit/identity.h"
#include "tacit/name.h"

/* What tls.c needs of an identity, parsed once: decoding a certificate is what start-up pays for.
 */
struct identity {
	char server[URL_LIST_MAX * 280];
	char client[CLIENT_NAME_MAX_BYTES + 1];
	int64_t not_before;
	int64_t not_after;
	EVP_PKEY *key;
	X509 *certificate;
	X509 *ca;
	char *path; /* owned; NULL unless it was read from a file */
};

#define IDENTITY_COMMENT "# tacit-server:"

/* A refusal with a reason of its own. */
static inline int identity_refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -TACIT_E_IDENTITY;
}

/*
 * Takes key, certificates and server out of the text (identity_read.c). What of them is missing or
 * does not fit together is not judged here. On failure `identity` may hold some of it.
 */
int identity_read(const struct secret *pem, struct identity *identity, const char **ret_why);

/* A private key out of DER (identity_key.c), or NULL. The caller clears OpenSSL's errors. */
EVP_PKEY *identity_decode_key(const uint8_t *der, size_t len);

/* Whether `certificate` has that hash. */
bool certificate_has_hash(
    const X509 *certificate, const uint8_t hash[static IDENTITY_CA_HASH_BYTES]);

/* And the way back, as PKCS #8 (identity_make.c). -TACIT_E_INTERNAL, -ENOMEM. */
int identity_encode_key(const EVP_PKEY *key, struct secret **ret_der);

/*
 * Starts libcrypto without openssl.cnf, which the image could have planted, and before anything
 * else starts it with that file.
 */
void crypto_start(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_IDENTITY_PRIVATE_H
#define TACIT_IDENTITY_PRIVATE_H

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
};

/*
 * Starts libcrypto without openssl.cnf, which the image could have planted, and before anything
 * else starts it with that file.
 */
void crypto_start(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TEST_PKI_H
#define TACIT_TEST_PKI_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tacit/secret.h"

/*
 * Certificates for tests, made in memory. Nothing here returns an error: what cannot be made
 * aborts the program.
 */

/* What proto.h says in DER. */
#define PKI_SEALED_USAGE "2.25.75866798898213085272932159115106805246"

struct pki_pair {
	EVP_PKEY *key;
	X509 *certificate;
};

struct pki_spec {
	const char *common_name;
	const char *san; /* "URI:tacit://test/client/web", "IP:127.0.0.1,DNS:localhost"; or NULL */
	const char *usage; /* "clientAuth", "serverAuth"; or NULL */
	int64_t from_s;    /* validity, seconds from now; both 0: an hour back, a day ahead */
	int64_t to_s;
	bool ca;
	bool poison;   /* of Certificate Transparency: critical (RFC 6962) */
	bool stranger; /* a critical extension that nobody knows */
};

/* `curve_or_type` is "P-256", another curve, "ED25519" or "RSA". */
EVP_PKEY *pki_key(const char *curve_or_type);

/* A self-signed CA. */
struct pki_pair pki_ca(const char *common_name);

/* A new P-256 key and a certificate for it, signed by `ca` (NULL: by itself). */
struct pki_pair pki_issue(const struct pki_pair *ca, const struct pki_spec *spec);

/* The same for a key that is there already; takes `key` over. */
struct pki_pair pki_certify(const struct pki_pair *ca, const struct pki_spec *spec, EVP_PKEY *key);

/* What most tests want: a client by its name, and a server for 127.0.0.1, ::1 and localhost. */
struct pki_pair pki_client(const struct pki_pair *ca, const char *name);
struct pki_pair pki_server(const struct pki_pair *ca);

void pki_free(struct pki_pair *pair);
#define cleanup_pki __attribute__((cleanup(pki_free)))

/* PEM texts, to be freed with free(3). */
char *pki_key_pem(const EVP_PKEY *key);
char *pki_certificate_pem(const struct pki_pair *pair);

/* An identity's text: `server` may be NULL. */
struct secret *pki_identity(
    const char *server, const struct pki_pair *client, const struct pki_pair *ca);

#endif

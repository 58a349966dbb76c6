/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUTHORITY_PRIVATE_H
#define TACIT_SERVER_AUTHORITY_PRIVATE_H

#include <gnutls/x509.h>

#include "authority.h"

/*
 * What the authority's files share: authority.c (its life), authority_certificates.c (the CA's and
 * the server's), authority_clients.c (the clients') and authority_record.c (how it is stored).
 */
#define SERVER_NAMES_MAX 32

struct authority {
	struct vault *vault;
	char url[280];
	char trust_domain[256];
	char names[SERVER_NAMES_MAX][256]; /* of the server's certificate; the URL's host first */
	size_t names_count;
	int64_t server_lifetime_s;
	struct secret *ca_key; /* PEM, like all below */
	struct secret *server_key;
	char ca_pem[CERTIFICATE_PEM_MAX_BYTES];
	char server_pem[CERTIFICATE_PEM_MAX_BYTES];
};

/* Make a key and a certificate and put them into `authority`; nothing is stored yet. */
int authority_make_ca(struct authority *authority);
int authority_make_server(struct authority *authority);

/*
 * The first and the last step of every certificate: begun AUTHORITY_TOLERANCE_S ago, and, when it
 * is no CA's, with the one purpose (an OID) that it is for, unless that is NULL, and signed by the
 * CA. In between it gets its key and its SAN. -TACIT_E_INTERNAL, -ENOMEM, -TACIT_E_CORRUPT.
 */
int certificate_begin(gnutls_x509_crt_t *ret_certificate, const char *common_name,
    uint64_t generation, int64_t not_after);
int certificate_finish(const struct authority *authority, gnutls_x509_crt_t certificate,
    const char *purpose, char ret_pem[static CERTIFICATE_PEM_MAX_BYTES]);

/* Everything but the lifetime, in one record of the vault. -TACIT_E_CORRUPT; errors of vault.h. */
int authority_store(const struct authority *authority);
int authority_fill(struct authority *authority);

#endif

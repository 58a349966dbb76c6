/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUTHORITY_H
#define TACIT_SERVER_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "tacit/err.h"
#include "tacit/name.h"
#include "tacit/secret.h"
#include "vault.h"

/*
 * The certificate authority: the CA's key and certificate, the server's own, and the issuing of
 * client certificates (RFC 5280). Everything is ECDSA with P-256; the keys live sealed in the
 * vault.
 */
struct authority;

/*
 * Makes the CA and the server's certificate for the host of `url` and each of `names`, and stores
 * them. -TACIT_E_INVALID_URL, -TACIT_E_INVALID_NAME for a SAN that is no host name,
 * -TACIT_E_TOO_LARGE for too many of them, -TACIT_E_INTERNAL; the errors of vault.h.
 */
int authority_create(struct vault *vault, const char *url, const char *const names[],
    size_t names_count, struct authority **ret_authority, struct fault *fault);

/* Loads both. -TACIT_E_CORRUPT, also when there are none; the errors of vault.h. */
int authority_load(struct vault *vault, struct authority **ret_authority, struct fault *fault);

/* How long a certificate of the server lives, from the next one on; a year unless told. */
void authority_set_lifetime(struct authority *authority, int64_t lifetime_s);
/*
 * When two thirds of the life of the server's certificate are over; 0 when it would live longer
 * than authority_set_lifetime() wants. Seconds since the epoch, like the next two.
 */
int64_t authority_renewal_time(const struct authority *authority);
int64_t authority_server_expiry(const struct authority *authority);
int64_t authority_ca_expiry(const struct authority *authority);
/*
 * Makes and stores a new key and certificate of the server; the latter only when it is time.
 * What could be made but not stored is used nevertheless. The errors of vault.h.
 */
int authority_reissue(struct authority *authority, struct fault *fault);
int authority_renew(struct authority *authority, struct fault *fault);

/*
 * Makes a key and a certificate for a server that is sealed: for the same hosts, and for nothing
 * but to say so (proto.h). PEM texts in one, the CA's certificate behind them. It lives for a year
 * at least, since it cannot be renewed when it is needed. -ENOMEM, -TACIT_E_INTERNAL.
 */
int authority_new_sealed(const struct authority *authority, struct secret **ret_pem);

void authority_free(struct authority *authority);

/* PEM texts, NUL-terminated, alive as long as the authority. */
const char *authority_ca_pem(const struct authority *authority);
const char *authority_server_pem(const struct authority *authority);
const struct secret *authority_server_key(const struct authority *authority);
/* "https://HOST:PORT", as init was told: what goes into identity files. */
const char *authority_url(const struct authority *authority);
/* Whether the server's certificate is for this host name or address too. */
bool authority_has_name(const struct authority *authority, const char *host);

#define AUTHORITY_CA_HASH_BYTES 32

/* SHA-256 of the CA certificate's DER, by which join tokens know it. */
int authority_ca_hash(
    const struct authority *authority, uint8_t ret_hash[static AUTHORITY_CA_HASH_BYTES]);

#define CERTIFICATE_PEM_MAX_BYTES 4096

/*
 * A certificate is valid from this many seconds before it was made: a host whose clock is a little
 * behind must not be locked out.
 */
#define AUTHORITY_TOLERANCE_S 300

/*
 * Issues a client certificate for the public key of a signing request (PKCS #10, PEM). Nothing else
 * in the request counts. It carries the client's generation (clients.h) and is good until
 * `not_after`, seconds since the epoch. -TACIT_E_INVALID_CSR: see signing_request.h;
 * -TACIT_E_INTERNAL, -ENOMEM.
 */
int authority_issue_client(const struct authority *authority, const void *csr, size_t csr_len,
    const char *name, uint64_t generation, int64_t not_after,
    char ret_pem[static CERTIFICATE_PEM_MAX_BYTES]);

/* Who a client certificate says its owner is. */
struct certificate_identity {
	char client[CLIENT_NAME_MAX_BYTES + 1];
	uint64_t generation;
	int64_t not_before; /* seconds since the epoch */
	int64_t not_after;
};

/*
 * Reads a client certificate (DER) whose chain TLS has verified already.
 * -TACIT_E_UNAUTHENTICATED unless it has exactly one SAN, a URI of this trust domain.
 */
int authority_read_client(const struct authority *authority, const void *der, size_t der_len,
    struct certificate_identity *ret_identity);

/* Makes an identity file for a client whose key is made here too: for admin.pem only. */
int authority_new_identity(const struct authority *authority, const char *name, uint64_t generation,
    int64_t not_after, struct secret **ret_pem);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_X509_H
#define TACIT_SERVER_X509_H

#include <gnutls/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "tacit/secret.h"

/*
 * Keys and certificates (RFC 5280) as this server makes and reads them: GnuTLS with our errors. Who
 * gets which is the authority's affair. Texts are PEM. What is not said otherwise fails with
 * -TACIT_E_INTERNAL, which is GnuTLS at its end or memory.
 */
void x509_key_deinit(gnutls_x509_privkey_t *key);
#define cleanup_x509_key __attribute__((cleanup(x509_key_deinit)))
void x509_deinit(gnutls_x509_crt_t *certificate);
#define cleanup_x509 __attribute__((cleanup(x509_deinit)))

/* A new ECDSA key on P-256. To be freed on failure too, like all that these calls give. */
int x509_key_make(gnutls_x509_privkey_t *ret_key);
/* As PKCS #8; -ENOMEM too. */
int x509_key_print(gnutls_x509_privkey_t key, struct secret **ret_pem);
/* -TACIT_E_CORRUPT. */
int x509_key_parse(const struct secret *pem, gnutls_x509_privkey_t *ret_key);

/* -TACIT_E_CORRUPT. */
int x509_parse(const char *pem, gnutls_x509_crt_t *ret_certificate);
/* One that a peer has shown, in DER. -TACIT_E_UNAUTHENTICATED. */
int x509_parse_der(const void *der, size_t len, gnutls_x509_crt_t *ret_certificate);
/* Into `size` bytes, NUL included: -TACIT_E_TOO_LARGE. */
int x509_print(gnutls_x509_crt_t certificate, char *ret_pem, size_t size);

/*
 * Begins a certificate with what all of them have: version, serial number, subject and dates, which
 * are seconds since the epoch. The serial number is random and carries `generation`, which
 * x509_generation() reads again. -ENOMEM too.
 */
int x509_begin(gnutls_x509_crt_t *ret_certificate, const char *common_name, uint64_t generation,
    int64_t not_before, int64_t not_after);
/* -TACIT_E_UNAUTHENTICATED for a serial number that x509_begin() has not made. */
int x509_generation(gnutls_x509_crt_t certificate, uint64_t *ret_generation);

/* Names the certificate's own key, which is in it by now (RFC 5280, 4.2.1.2). */
int x509_set_key_id(gnutls_x509_crt_t certificate);
/* Names the issuer's key and signs; nothing can be added after that. */
int x509_sign(
    gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer, gnutls_x509_privkey_t issuer_key);

#endif

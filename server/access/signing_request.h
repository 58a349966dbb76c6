/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SIGNING_REQUEST_H
#define TACIT_SERVER_SIGNING_REQUEST_H

#include <gnutls/x509.h>
#include <stddef.h>

/*
 * Signing requests (PKCS #10, RFC 2986), of which only the public key counts, and that whoever
 * sends it holds the private one.
 *
 * Keys are those that TLS 1.3 takes and that are strong enough: ECDSA on P-256, P-384 or P-521,
 * Ed25519, and RSA with 2048 to 8192 bits. More bits would only cost us.
 */
#define SIGNING_REQUEST_MAX_BYTES 16384

/*
 * Puts the key of a request (PEM) into a certificate that is being made. -TACIT_E_INVALID_CSR: not
 * one, a bad signature, a weak key or one of another kind; -ENOMEM.
 */
int signing_request_give_key(const void *csr, size_t len, gnutls_x509_crt_t certificate);

#endif

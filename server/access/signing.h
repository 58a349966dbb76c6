/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SIGNING_H
#define TACIT_SERVER_SIGNING_H

#include <stddef.h>
#include <stdint.h>

#include "authority.h"

/*
 * Signing with the key of the server's certificate, for what a client keeps and has to believe
 * later, when there is no connection to believe.
 */
#define SIGNATURE_MAX_BYTES   80 /* ECDSA with P-256 in DER: 72 */
#define CERTIFICATE_MAX_BYTES CERTIFICATE_PEM_MAX_BYTES

/* ECDSA with SHA-256 over `bytes`, in DER. -TACIT_E_INTERNAL. */
int signing_sign(const struct authority *authority, const void *bytes, size_t len,
    uint8_t ret_signature[static SIGNATURE_MAX_BYTES], size_t *ret_len);

/* The server's certificate, in DER. -TACIT_E_INTERNAL. */
int signing_certificate(const struct authority *authority,
    uint8_t ret_der[static CERTIFICATE_MAX_BYTES], size_t *ret_len);

#endif

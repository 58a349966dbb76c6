/* SPDX-License-Identifier: MIT */
#include "signing.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

static void key_deinit(gnutls_privkey_t *key)
{
	if (*key)
		gnutls_privkey_deinit(*key);
}
#define cleanup_private_key __attribute__((cleanup(key_deinit)))

/* Copies what GnuTLS has allocated, and frees it. */
static int datum_take(gnutls_datum_t *datum, uint8_t *ret_bytes, size_t max_bytes, size_t *ret_len)
{
	bool fits = datum->size <= max_bytes;

	if (fits)
		memcpy(ret_bytes, datum->data, datum->size);
	*ret_len = datum->size;
	gnutls_free(datum->data);
	return fits ? 0 : -TACIT_E_INTERNAL;
}

/* Read each time: it is asked for rarely, and so what is used is always the key of now. */
static int key_import(const struct authority *authority, gnutls_privkey_t *ret_key)
{
	const struct secret *pem = authority_server_key(authority);
	const gnutls_datum_t text = {
	    (unsigned char *)(uintptr_t)secret_bytes(pem), (unsigned)secret_len(pem)};

	if (gnutls_privkey_init(ret_key) < 0 ||
	    gnutls_privkey_import_x509_raw(*ret_key, &text, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

int signing_sign(const struct authority *authority, const void *bytes, size_t len,
    uint8_t ret_signature[static SIGNATURE_MAX_BYTES], size_t *ret_len)
{
	const gnutls_datum_t text = {(unsigned char *)(uintptr_t)bytes, (unsigned)len};
	cleanup_private_key gnutls_privkey_t key = NULL;
	gnutls_datum_t signature = {0};
	int r = key_import(authority, &key);

	if (r < 0)
		return r;
	if (gnutls_privkey_sign_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &text, &signature) < 0)
		return -TACIT_E_INTERNAL;

	return datum_take(&signature, ret_signature, SIGNATURE_MAX_BYTES, ret_len);
}

int signing_certificate(const struct authority *authority,
    uint8_t ret_der[static CERTIFICATE_MAX_BYTES], size_t *ret_len)
{
	const char *pem = authority_server_pem(authority);
	const gnutls_datum_t text = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
	gnutls_datum_t der = {0};

	if (gnutls_pem_base64_decode2("CERTIFICATE", &text, &der) < 0)
		return -TACIT_E_INTERNAL;

	return datum_take(&der, ret_der, CERTIFICATE_MAX_BYTES, ret_len);
}

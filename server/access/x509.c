/* SPDX-License-Identifier: MIT */
#include "x509.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <string.h>

#include "tacit/err.h"

#define SERIAL_BYTES 17

void x509_key_deinit(gnutls_x509_privkey_t *key)
{
	if (*key)
		gnutls_x509_privkey_deinit(*key);
}

void x509_deinit(gnutls_x509_crt_t *certificate)
{
	if (*certificate)
		gnutls_x509_crt_deinit(*certificate);
}

static gnutls_datum_t datum(const void *bytes, size_t len)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)bytes, .size = (unsigned)len};
}

int x509_key_make(gnutls_x509_privkey_t *ret_key)
{
	if (gnutls_x509_privkey_init(ret_key) < 0 ||
	    gnutls_x509_privkey_generate(
	        *ret_key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

int x509_key_print(gnutls_x509_privkey_t key, struct secret **ret_pem)
{
	gnutls_datum_t pem = {0};
	int r;

	if (gnutls_x509_privkey_export2_pkcs8(
	        key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem) < 0)
		return -TACIT_E_INTERNAL;

	r = secret_new_from(pem.data, pem.size, ret_pem);
	sodium_memzero(pem.data, pem.size);
	gnutls_free(pem.data);
	return r;
}

int x509_key_parse(const struct secret *pem, gnutls_x509_privkey_t *ret_key)
{
	gnutls_datum_t text = datum(secret_bytes(pem), secret_len(pem));

	if (gnutls_x509_privkey_init(ret_key) < 0 ||
	    gnutls_x509_privkey_import(*ret_key, &text, GNUTLS_X509_FMT_PEM) < 0)
		return -TACIT_E_CORRUPT;

	return 0;
}

int x509_parse(const char *pem, gnutls_x509_crt_t *ret_certificate)
{
	gnutls_datum_t text = datum(pem, strlen(pem));

	if (gnutls_x509_crt_init(ret_certificate) < 0 ||
	    gnutls_x509_crt_import(*ret_certificate, &text, GNUTLS_X509_FMT_PEM) < 0)
		return -TACIT_E_CORRUPT;

	return 0;
}

int x509_parse_der(const void *der, size_t len, gnutls_x509_crt_t *ret_certificate)
{
	gnutls_datum_t bytes = datum(der, len);

	if (gnutls_x509_crt_init(ret_certificate) < 0 ||
	    gnutls_x509_crt_import(*ret_certificate, &bytes, GNUTLS_X509_FMT_DER) < 0)
		return -TACIT_E_UNAUTHENTICATED;

	return 0;
}

int x509_print(gnutls_x509_crt_t certificate, char *ret_pem, size_t size)
{
	if (gnutls_x509_crt_export(certificate, GNUTLS_X509_FMT_PEM, ret_pem, &size) < 0)
		return -TACIT_E_TOO_LARGE;

	return 0;
}

/*
 * 01 | generation (8) | random (8). The leading 01 keeps the length fixed, since DER drops leading
 * zeros; 64 random bits are what the CA/Browser Forum asks for.
 */
static void serial_make(uint64_t generation, uint8_t ret_serial[static SERIAL_BYTES])
{
	ret_serial[0] = 1;
	for (size_t i = 0; i < 8; i++)
		ret_serial[1 + i] = (uint8_t)(generation >> (56 - 8 * i));
	randombytes_buf(ret_serial + 9, 8);
}

static int serial_read(const uint8_t *serial, size_t len, uint64_t *ret_generation)
{
	uint64_t generation = 0;

	if (len != SERIAL_BYTES || serial[0] != 1)
		return -TACIT_E_UNAUTHENTICATED;

	for (size_t i = 0; i < 8; i++)
		generation = generation << 8 | serial[1 + i];
	*ret_generation = generation;
	return 0;
}

int x509_begin(gnutls_x509_crt_t *ret_certificate, const char *common_name, uint64_t generation,
    int64_t not_before, int64_t not_after)
{
	uint8_t serial[SERIAL_BYTES];
	gnutls_x509_crt_t certificate;

	serial_make(generation, serial);
	if (gnutls_x509_crt_init(ret_certificate) < 0)
		return -ENOMEM;

	certificate = *ret_certificate;
	if (gnutls_x509_crt_set_version(certificate, 3) < 0 ||
	    gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial)) < 0 ||
	    gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
	        (unsigned)strlen(common_name)) < 0 ||
	    gnutls_x509_crt_set_activation_time(certificate, not_before) < 0 ||
	    gnutls_x509_crt_set_expiration_time(certificate, not_after) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

int x509_generation(gnutls_x509_crt_t certificate, uint64_t *ret_generation)
{
	uint8_t serial[64];
	size_t size = sizeof(serial);

	if (gnutls_x509_crt_get_serial(certificate, serial, &size) < 0)
		return -TACIT_E_UNAUTHENTICATED;

	return serial_read(serial, size, ret_generation);
}

int x509_set_key_id(gnutls_x509_crt_t certificate)
{
	uint8_t id[64];
	size_t size = sizeof(id);

	if (gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA1, id, &size) < 0 ||
	    gnutls_x509_crt_set_subject_key_id(certificate, id, size) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

int x509_sign(
    gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer, gnutls_x509_privkey_t issuer_key)
{
	uint8_t id[64];
	size_t size = sizeof(id);

	if (gnutls_x509_crt_get_key_id(issuer, GNUTLS_KEYID_USE_SHA1, id, &size) < 0 ||
	    gnutls_x509_crt_set_authority_key_id(certificate, id, size) < 0 ||
	    gnutls_x509_crt_sign2(certificate, issuer, issuer_key, GNUTLS_DIG_SHA256, 0) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "signing_request.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stdint.h>

#include "tacit/err.h"

static void request_deinit(gnutls_x509_crq_t *request)
{
	if (*request)
		gnutls_x509_crq_deinit(*request);
}
#define cleanup_request __attribute__((cleanup(request_deinit)))

static void public_key_deinit(gnutls_pubkey_t *key)
{
	if (*key)
		gnutls_pubkey_deinit(*key);
}
#define cleanup_public_key __attribute__((cleanup(public_key_deinit)))

static const struct {
	gnutls_pk_algorithm_t algorithm;
	unsigned min_bits, max_bits;
} good_keys[] = {
    {GNUTLS_PK_ECDSA, 256, 521},
    {GNUTLS_PK_EDDSA_ED25519, 256, 256},
    {GNUTLS_PK_RSA, 2048, 8192},
    {GNUTLS_PK_RSA_PSS, 2048, 8192},
};

static bool key_is_good(gnutls_x509_crq_t request)
{
	unsigned bits = 0;
	int algorithm = gnutls_x509_crq_get_pk_algorithm(request, &bits);

	for (size_t i = 0; i < sizeof(good_keys) / sizeof(good_keys[0]); i++)
		if ((int)good_keys[i].algorithm == algorithm)
			return bits >= good_keys[i].min_bits && bits <= good_keys[i].max_bits;

	return false;
}

/* The size of the key is looked at before anything is computed with it. */
static int request_import(const void *csr, size_t len, gnutls_x509_crq_t *ret_request)
{
	const gnutls_datum_t text = {
	    .data = (unsigned char *)(uintptr_t)csr, .size = (unsigned)len};

	if (len > SIGNING_REQUEST_MAX_BYTES)
		return -TACIT_E_INVALID_CSR;
	if (gnutls_x509_crq_init(ret_request) < 0)
		return -ENOMEM;
	if (gnutls_x509_crq_import(*ret_request, &text, GNUTLS_X509_FMT_PEM) < 0 ||
	    !key_is_good(*ret_request) || gnutls_x509_crq_verify(*ret_request, 0) < 0)
		return -TACIT_E_INVALID_CSR;

	return 0;
}

int signing_request_give_key(const void *csr, size_t len, gnutls_x509_crt_t certificate)
{
	cleanup_request gnutls_x509_crq_t request = NULL;
	cleanup_public_key gnutls_pubkey_t key = NULL;
	int r = request_import(csr, len, &request);

	if (r < 0)
		return r;
	if (gnutls_pubkey_init(&key) < 0)
		return -ENOMEM;
	if (gnutls_pubkey_import_x509_crq(key, request, 0) < 0 ||
	    gnutls_x509_crt_set_pubkey(certificate, key) < 0)
		return -TACIT_E_INVALID_CSR;

	return 0;
}

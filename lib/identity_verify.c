/* SPDX-License-Identifier: MIT */
#include "identity_private.h"

#include <sodium.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

static void certificate_cleanup(X509 **certificate)
{
	X509_free(*certificate);
}
#define cleanup_certificate __attribute__((cleanup(certificate_cleanup)))

static void digest_cleanup(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}
#define cleanup_digest __attribute__((cleanup(digest_cleanup)))

int identity_derive(const struct identity *identity, const char *purpose,
    uint8_t ret_key[static IDENTITY_DERIVED_BYTES])
{
	cleanup_secret struct secret *der = NULL;
	int r = identity_encode_key(identity->key, &der);

	ERR_clear_error();
	if (r < 0)
		return r;

	(void)crypto_generichash(ret_key, IDENTITY_DERIVED_BYTES, secret_bytes(der),
	    secret_len(der), (const uint8_t *)purpose, strlen(purpose));
	return 0;
}

/* OpenSSL takes a certificate that names no purpose for one of every purpose. */
static bool is_for_servers(X509 *certificate)
{
	return X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) == 1 &&
	       (X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) != 0;
}

static int certificate_check(const struct identity *identity, X509 *certificate)
{
	if (X509_check_issued(identity->ca, certificate) != X509_V_OK ||
	    X509_verify(certificate, X509_get0_pubkey(identity->ca)) != 1 ||
	    !is_for_servers(certificate))
		return -TACIT_E_TLS_CA;
	if (X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0 ||
	    X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)
		return -TACIT_E_TLS_SERVER_EXPIRED;

	return 0;
}

static int signature_check(X509 *certificate, const struct signed_bytes *what)
{
	cleanup_digest EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *key = X509_get0_pubkey(certificate);

	if (!context || !key || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
	    EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestVerify(
	        context, what->signature, what->signature_len, what->bytes, what->len) != 1)
		return -TACIT_E_CORRUPT;

	return 0;
}

int identity_verify_server(const struct identity *identity, const void *certificate,
    size_t certificate_len, const struct signed_bytes *what)
{
	cleanup_certificate X509 *server = NULL;
	const unsigned char *at = certificate;
	int r;

	server = d2i_X509(NULL, &at, (long)certificate_len);
	if (!server || at != (const unsigned char *)certificate + certificate_len)
		r = -TACIT_E_CORRUPT;
	else
		r = certificate_check(identity, server);
	if (r == 0)
		r = signature_check(server, what);
	ERR_clear_error();
	return r;
}

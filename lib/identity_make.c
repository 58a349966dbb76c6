/* SPDX-License-Identifier: MIT */
#include "identity_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define PEM_LINE_BYTES 48 /* of content, 64 characters */

/* Owners for OpenSSL's objects. */
static void key_cleanup(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
#define cleanup_key __attribute__((cleanup(key_cleanup)))

static void request_cleanup(X509_REQ **request)
{
	X509_REQ_free(*request);
}
#define cleanup_request __attribute__((cleanup(request_cleanup)))

static void pkcs8_cleanup(PKCS8_PRIV_KEY_INFO **info)
{
	PKCS8_PRIV_KEY_INFO_free(*info);
}
#define cleanup_pkcs8 __attribute__((cleanup(pkcs8_cleanup)))

static int pem_print(const char *label, const uint8_t *der, size_t len, struct secret **ret_pem)
{
	cleanup_secret struct secret *pem = NULL;
	char line[64];
	int r;

	r = secret_new(2 * len + 256, &pem);
	(void)snprintf(line, sizeof(line), "-----BEGIN %s-----\n", label);
	if (r == 0)
		r = secret_append_text(pem, line);
	for (size_t at = 0; r == 0 && at < len; at += PEM_LINE_BYTES) {
		size_t part = len - at < PEM_LINE_BYTES ? len - at : PEM_LINE_BYTES;

		r = secret_append_base64(pem, der + at, part);
		if (r == 0)
			r = secret_append_text(pem, "\n");
	}
	(void)snprintf(line, sizeof(line), "-----END %s-----\n", label);
	if (r == 0)
		r = secret_append_text(pem, line);
	if (r < 0)
		return r;

	*ret_pem = secret_take(&pem);
	return 0;
}

int identity_encode_key(const EVP_PKEY *key, struct secret **ret_der)
{
	cleanup_pkcs8 PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	cleanup_secret struct secret *der = NULL;
	unsigned char *at;
	int len;

	len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1;
	if (len <= 0)
		return -TACIT_E_INTERNAL;
	if (secret_new((size_t)len, &der) < 0 || !(at = secret_space(der, (size_t)len)))
		return -ENOMEM;

	len = i2d_PKCS8_PRIV_KEY_INFO(info, &at);
	if (len <= 0)
		return -TACIT_E_INTERNAL;
	secret_grew(der, (size_t)len);
	*ret_der = secret_take(&der);
	return 0;
}

static int key_print(const EVP_PKEY *key, struct secret **ret_pem)
{
	cleanup_secret struct secret *der = NULL;
	int r = identity_encode_key(key, &der);

	return r < 0 ? r : pem_print("PRIVATE KEY", secret_bytes(der), secret_len(der), ret_pem);
}

static int request_fill(X509_REQ *request, const char *client_name, EVP_PKEY *key)
{
	X509_NAME *subject = X509_REQ_get_subject_name(request);

	if (client_name && X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
	                       (const unsigned char *)client_name, -1, -1, 0) != 1)
		return -TACIT_E_INTERNAL;
	if (X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_pubkey(request, key) != 1 ||
	    X509_REQ_sign(request, key, EVP_sha256()) <= 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

static int request_print(EVP_PKEY *key, const char *client_name, struct secret **ret_pem)
{
	cleanup_request X509_REQ *request = X509_REQ_new();
	unsigned char *der = NULL;
	int len, r;

	if (!request)
		return -ENOMEM;
	r = request_fill(request, client_name, key);
	if (r < 0)
		return r;

	len = i2d_X509_REQ(request, &der);
	if (len <= 0)
		return -TACIT_E_INTERNAL;
	r = pem_print("CERTIFICATE REQUEST", der, (size_t)len, ret_pem);
	OPENSSL_free(der);
	return r;
}

int identity_new_request(
    const char *client_name, struct secret **ret_key_pem, struct secret **ret_csr_pem)
{
	cleanup_secret struct secret *key_pem = NULL;
	cleanup_secret struct secret *csr_pem = NULL;
	cleanup_key EVP_PKEY *key = NULL;
	int r;

	crypto_start();
	key = EVP_EC_gen("P-256");
	r = key ? key_print(key, &key_pem) : -TACIT_E_INTERNAL;
	if (r == 0)
		r = request_print(key, client_name, &csr_pem);
	ERR_clear_error();
	if (r < 0)
		return r;

	*ret_key_pem = secret_take(&key_pem);
	*ret_csr_pem = secret_take(&csr_pem);
	return 0;
}

/* Appends a PEM text, which may lack its last line end. */
static int append_pem(struct secret *out, const void *pem, size_t len)
{
	const char *text = pem;
	int r = secret_append(out, pem, len);

	if (r == 0 && len > 0 && text[len - 1] != '\n')
		r = secret_append_text(out, "\n");
	return r;
}

int identity_compose(const char *server, const struct secret *key_pem, const char *certificate_pem,
    const char *ca_pem, struct secret **ret_pem)
{
	cleanup_secret struct secret *pem = NULL;
	int r;

	r = secret_new(secret_len(key_pem) + strlen(certificate_pem) + strlen(ca_pem) + 4096, &pem);
	if (r == 0 && server && *server) {
		r = secret_append_text(pem, IDENTITY_COMMENT " ");
		if (r == 0)
			r = append_pem(pem, server, strlen(server));
	}
	if (r == 0)
		r = append_pem(pem, secret_bytes(key_pem), secret_len(key_pem));
	if (r == 0)
		r = append_pem(pem, certificate_pem, strlen(certificate_pem));
	if (r == 0)
		r = append_pem(pem, ca_pem, strlen(ca_pem));
	if (r < 0)
		return r;

	*ret_pem = secret_take(&pem);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "authority_private.h"
#include "signing_request.h"
#include "x509.h"

static void client_uri(
    const struct authority *authority, const char *name, char ret_uri[static 400])
{
	(void)snprintf(ret_uri, 400, "tacit://%s/client/%s", authority->trust_domain, name);
}

static int client_finish(const struct authority *authority, gnutls_x509_crt_t certificate,
    const char *name, char ret_pem[static CERTIFICATE_PEM_MAX_BYTES])
{
	char uri[400];

	client_uri(authority, name, uri);
	if (gnutls_x509_crt_set_subject_alt_name(
	        certificate, GNUTLS_SAN_URI, uri, (unsigned)strlen(uri), GNUTLS_FSAN_SET) < 0)
		return -TACIT_E_INTERNAL;

	return certificate_finish(authority, certificate, GNUTLS_KP_TLS_WWW_CLIENT, ret_pem);
}

int authority_issue_client(const struct authority *authority, const void *csr, size_t csr_len,
    const char *name, uint64_t generation, int64_t not_after,
    char ret_pem[static CERTIFICATE_PEM_MAX_BYTES])
{
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;
	int r = certificate_begin(&certificate, name, generation, not_after);

	if (r == 0)
		r = signing_request_give_key(csr, csr_len, certificate);

	return r < 0 ? r : client_finish(authority, certificate, name, ret_pem);
}

/* The one SAN's name, if it is a URI of this trust domain. */
static int san_read(const struct authority *authority, gnutls_x509_crt_t certificate,
    char ret_name[static CLIENT_NAME_MAX_BYTES + 1])
{
	char san[400], second[400], prefix[400];
	size_t size = sizeof(san) - 1, second_size = sizeof(second);
	unsigned type = 0;
	const char *name;

	if (gnutls_x509_crt_get_subject_alt_name2(certificate, 0, san, &size, &type, NULL) !=
	        GNUTLS_SAN_URI ||
	    gnutls_x509_crt_get_subject_alt_name2(certificate, 1, second, &second_size, &type,
	        NULL) != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return -TACIT_E_UNAUTHENTICATED;

	san[size] = '\0';
	client_uri(authority, "", prefix);
	name = san + strlen(prefix);
	if (strlen(san) != size || strncmp(san, prefix, strlen(prefix)) != 0 ||
	    !name_is_client(name))
		return -TACIT_E_UNAUTHENTICATED;

	memcpy(ret_name, name, strlen(name) + 1);
	return 0;
}

int authority_read_client(const struct authority *authority, const void *der, size_t der_len,
    struct certificate_identity *ret_identity)
{
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;
	struct certificate_identity identity = {0};
	int r = x509_parse_der(der, der_len, &certificate);

	if (r == 0)
		r = x509_generation(certificate, &identity.generation);
	if (r == 0)
		r = san_read(authority, certificate, identity.client);
	if (r < 0)
		return r;

	identity.not_before = gnutls_x509_crt_get_activation_time(certificate);
	identity.not_after = gnutls_x509_crt_get_expiration_time(certificate);
	*ret_identity = identity;
	return 0;
}

static int identity_text(const struct authority *authority, const struct secret *key_pem,
    const char *certificate_pem, struct secret **ret_pem)
{
	cleanup_secret struct secret *text = NULL;

	if (secret_new(8192, &text) < 0 || secret_append_text(text, "# tacit-server: ") < 0 ||
	    secret_append_text(text, authority->url) < 0 || secret_append_text(text, "\n") < 0 ||
	    secret_append(text, secret_bytes(key_pem), secret_len(key_pem)) < 0 ||
	    secret_append_text(text, certificate_pem) < 0 ||
	    secret_append_text(text, authority->ca_pem) < 0)
		return -ENOMEM;

	*ret_pem = secret_take(&text);
	return 0;
}

int authority_new_identity(const struct authority *authority, const char *name, uint64_t generation,
    int64_t not_after, struct secret **ret_pem)
{
	cleanup_x509_key gnutls_x509_privkey_t key = NULL;
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;
	cleanup_secret struct secret *key_pem = NULL;
	char certificate_pem[CERTIFICATE_PEM_MAX_BYTES];
	int r = x509_key_make(&key);

	if (r == 0)
		r = certificate_begin(&certificate, name, generation, not_after);
	if (r < 0)
		return r;
	if (gnutls_x509_crt_set_key(certificate, key) < 0)
		return -TACIT_E_INTERNAL;

	r = client_finish(authority, certificate, name, certificate_pem);
	if (r == 0)
		r = x509_key_print(key, &key_pem);

	return r < 0 ? r : identity_text(authority, key_pem, certificate_pem, ret_pem);
}

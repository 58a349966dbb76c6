/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "authority_private.h"
#include "tacit/proto.h"
#include "x509.h"

/* 20 years: no client certificate of the first ten outlives the CA. */
#define CA_LIFETIME_S     (7300 * 86400LL)
#define SEALED_LIFETIME_S (365 * 86400LL)

#define OID_USAGE         "2.5.29.37"               /* RFC 5280, 4.2.1.12 */
#define OID_POISON        "1.3.6.1.4.1.11129.2.4.3" /* RFC 6962, 3.1 */

int certificate_begin(gnutls_x509_crt_t *ret_certificate, const char *common_name,
    uint64_t generation, int64_t not_after)
{
	return x509_begin(ret_certificate, common_name, generation,
	    time(NULL) - AUTHORITY_TOLERANCE_S, not_after);
}

int certificate_finish(const struct authority *authority, gnutls_x509_crt_t certificate,
    const char *purpose, char ret_pem[static CERTIFICATE_PEM_MAX_BYTES])
{
	cleanup_x509_key gnutls_x509_privkey_t ca_key = NULL;
	cleanup_x509 gnutls_x509_crt_t ca = NULL;
	int r;

	if (gnutls_x509_crt_set_basic_constraints(certificate, 0, -1) < 0 ||
	    gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE) < 0 ||
	    (purpose && gnutls_x509_crt_set_key_purpose_oid(certificate, purpose, 0) < 0) ||
	    x509_set_key_id(certificate) < 0)
		return -TACIT_E_INTERNAL;

	r = x509_key_parse(authority->ca_key, &ca_key);
	if (r == 0)
		r = x509_parse(authority->ca_pem, &ca);
	if (r == 0)
		r = x509_sign(certificate, ca, ca_key);
	if (r == 0)
		r = x509_print(certificate, ret_pem, CERTIFICATE_PEM_MAX_BYTES);
	return r;
}

int authority_make_ca(struct authority *authority)
{
	cleanup_x509_key gnutls_x509_privkey_t key = NULL;
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;
	char common_name[320];
	int r = x509_key_make(&key);

	(void)snprintf(common_name, 64, "Tacit CA %s", authority->trust_domain);
	if (r == 0)
		r = certificate_begin(&certificate, common_name, 0, time(NULL) + CA_LIFETIME_S);
	if (r < 0)
		return r;
	if (gnutls_x509_crt_set_key(certificate, key) < 0 ||
	    gnutls_x509_crt_set_basic_constraints(certificate, 1, 0) < 0 ||
	    gnutls_x509_crt_set_key_usage(
	        certificate, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN) < 0 ||
	    x509_set_key_id(certificate) < 0)
		return -TACIT_E_INTERNAL;

	r = x509_sign(certificate, certificate, key);
	if (r == 0)
		r = x509_print(certificate, authority->ca_pem, sizeof(authority->ca_pem));
	if (r == 0)
		r = x509_key_print(key, &authority->ca_key);
	return r;
}

static int san_add_host(gnutls_x509_crt_t certificate, const char *host)
{
	uint8_t address[16];
	unsigned len = inet_pton(AF_INET, host, address) == 1    ? 4
	               : inet_pton(AF_INET6, host, address) == 1 ? 16
	                                                         : 0;
	int r = len ? gnutls_x509_crt_set_subject_alt_name(
	                  certificate, GNUTLS_SAN_IPADDRESS, address, len, GNUTLS_FSAN_APPEND)
	            : gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host,
	                  (unsigned)strlen(host), GNUTLS_FSAN_APPEND);

	return r < 0 ? -TACIT_E_INVALID_NAME : 0;
}

/* Begins a certificate for the server's hosts, with a new key. */
static int host_begin(const struct authority *authority, const char *common_name,
    int64_t lifetime_s, gnutls_x509_crt_t *ret_certificate, struct secret **ret_key)
{
	cleanup_x509_key gnutls_x509_privkey_t key = NULL;
	int r = x509_key_make(&key);

	if (r == 0)
		r = certificate_begin(ret_certificate, common_name, 0, time(NULL) + lifetime_s);
	if (r == 0 && gnutls_x509_crt_set_key(*ret_certificate, key) < 0)
		r = -TACIT_E_INTERNAL;
	for (size_t i = 0; r == 0 && i < authority->names_count; i++)
		r = san_add_host(*ret_certificate, authority->names[i]);

	return r < 0 ? r : x509_key_print(key, ret_key);
}

int authority_make_server(struct authority *authority)
{
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;
	cleanup_secret struct secret *key_pem = NULL;
	char pem[CERTIFICATE_PEM_MAX_BYTES];
	int r = host_begin(
	    authority, "tacit-server", authority->server_lifetime_s, &certificate, &key_pem);

	if (r == 0)
		r = certificate_finish(authority, certificate, GNUTLS_KP_TLS_WWW_SERVER, pem);
	if (r < 0)
		return r;

	memcpy(authority->server_pem, pem, sizeof(pem));
	secret_free(authority->server_key);
	authority->server_key = secret_take(&key_pem);
	return 0;
}

/* Both critical. The usage as bytes, since GnuTLS takes no number of more than 64 bits in an OID.
 */
static int purpose_sealed(gnutls_x509_crt_t certificate)
{
	static const uint8_t null[] = {0x05, 0x00};

	if (gnutls_x509_crt_set_extension_by_oid(
	        certificate, OID_USAGE, proto_sealed_usage, sizeof(proto_sealed_usage), 1) < 0 ||
	    gnutls_x509_crt_set_extension_by_oid(certificate, OID_POISON, null, sizeof(null), 1) <
	        0)
		return -TACIT_E_INTERNAL;

	return 0;
}

static int sealed_print(const struct authority *authority, const struct secret *key,
    const char *certificate, struct secret **ret_pem)
{
	static const char comment[] =
	    "# What tacit-server shows while it is sealed. Good for nothing else.\n";
	cleanup_secret struct secret *text = NULL;

	if (secret_new(8192, &text) < 0 || secret_append_text(text, comment) < 0 ||
	    secret_append(text, secret_bytes(key), secret_len(key)) < 0 ||
	    secret_append_text(text, certificate) < 0 ||
	    secret_append_text(text, authority->ca_pem) < 0)
		return -ENOMEM;

	*ret_pem = secret_take(&text);
	return 0;
}

int authority_new_sealed(const struct authority *authority, struct secret **ret_pem)
{
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;
	cleanup_secret struct secret *key_pem = NULL;
	char pem[CERTIFICATE_PEM_MAX_BYTES];
	int64_t lifetime_s = authority->server_lifetime_s > SEALED_LIFETIME_S
	                         ? authority->server_lifetime_s
	                         : SEALED_LIFETIME_S;
	int r = host_begin(authority, "tacit-server (sealed)", lifetime_s, &certificate, &key_pem);

	if (r == 0)
		r = purpose_sealed(certificate);
	if (r == 0)
		r = certificate_finish(authority, certificate, NULL, pem);

	return r < 0 ? r : sealed_print(authority, key_pem, pem, ret_pem);
}

static int64_t expiry_of(const char *pem)
{
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;

	return x509_parse(pem, &certificate) < 0 ? 0
	                                         : gnutls_x509_crt_get_expiration_time(certificate);
}

int64_t authority_server_expiry(const struct authority *authority)
{
	return expiry_of(authority->server_pem);
}

int64_t authority_ca_expiry(const struct authority *authority)
{
	return expiry_of(authority->ca_pem);
}

int64_t authority_renewal_time(const struct authority *authority)
{
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;
	int64_t begin, end;

	if (x509_parse(authority->server_pem, &certificate) < 0)
		return 0;

	begin = gnutls_x509_crt_get_activation_time(certificate) + AUTHORITY_TOLERANCE_S;
	end = gnutls_x509_crt_get_expiration_time(certificate);
	if (end - time(NULL) > authority->server_lifetime_s)
		return 0; /* it is to live shorter from now on */

	return end - (end - begin) / 3;
}

int authority_ca_hash(
    const struct authority *authority, uint8_t ret_hash[static AUTHORITY_CA_HASH_BYTES])
{
	cleanup_x509 gnutls_x509_crt_t ca = NULL;
	size_t size = AUTHORITY_CA_HASH_BYTES;
	int r = x509_parse(authority->ca_pem, &ca);

	if (r == 0 &&
	    (gnutls_x509_crt_get_fingerprint(ca, GNUTLS_DIG_SHA256, ret_hash, &size) < 0 ||
	        size != AUTHORITY_CA_HASH_BYTES))
		r = -TACIT_E_INTERNAL;
	return r;
}

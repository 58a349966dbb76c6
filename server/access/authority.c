/* SPDX-License-Identifier: MIT */
#include "authority.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "signing_request.h"
#include "tacit/codec.h"
#include "tacit/fd.h"
#include "tacit/url.h"

#define DAY_S 86400LL
/* No client certificate of the first ten years outlives the CA. */
#define CA_LIFETIME_S     (7300 * DAY_S)

#define SERVER_LIFETIME_S (365 * DAY_S)
#define SERVER_NAMES_MAX  32
#define SERIAL_BYTES      17

struct authority {
	struct vault *vault;
	char url[280];
	char trust_domain[256];
	char names[SERVER_NAMES_MAX][256]; /* of the server's certificate; the URL's host first */
	size_t names_count;
	int64_t server_lifetime_s;
	struct secret *ca_key; /* PEM, like all below */
	struct secret *server_key;
	char ca_pem[CERTIFICATE_PEM_MAX_BYTES];
	char server_pem[CERTIFICATE_PEM_MAX_BYTES];
};

static void key_deinit(gnutls_x509_privkey_t *key)
{
	if (*key)
		gnutls_x509_privkey_deinit(*key);
}
#define cleanup_private_key __attribute__((cleanup(key_deinit)))

static void certificate_deinit(gnutls_x509_crt_t *certificate)
{
	if (*certificate)
		gnutls_x509_crt_deinit(*certificate);
}
#define cleanup_certificate __attribute__((cleanup(certificate_deinit)))

static gnutls_datum_t datum(const void *bytes, size_t len)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)bytes, .size = (unsigned)len};
}

static int key_generate(gnutls_x509_privkey_t *ret_key)
{
	if (gnutls_x509_privkey_init(ret_key) < 0 ||
	    gnutls_x509_privkey_generate(
	        *ret_key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

static int key_export(gnutls_x509_privkey_t key, struct secret **ret_pem)
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

static int key_import(const struct secret *pem, gnutls_x509_privkey_t *ret_key)
{
	gnutls_datum_t text = datum(secret_bytes(pem), secret_len(pem));

	if (gnutls_x509_privkey_init(ret_key) < 0 ||
	    gnutls_x509_privkey_import(*ret_key, &text, GNUTLS_X509_FMT_PEM) < 0)
		return -TACIT_E_CORRUPT;

	return 0;
}

static int certificate_import(const char *pem, gnutls_x509_crt_t *ret_certificate)
{
	gnutls_datum_t text = datum(pem, strlen(pem));

	if (gnutls_x509_crt_init(ret_certificate) < 0 ||
	    gnutls_x509_crt_import(*ret_certificate, &text, GNUTLS_X509_FMT_PEM) < 0)
		return -TACIT_E_CORRUPT;

	return 0;
}

static int certificate_export(
    gnutls_x509_crt_t certificate, char ret_pem[static CERTIFICATE_PEM_MAX_BYTES])
{
	size_t size = CERTIFICATE_PEM_MAX_BYTES;

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

/* What all certificates have in common. */
static int certificate_begin(gnutls_x509_crt_t *ret_certificate, const char *common_name,
    uint64_t generation, int64_t not_after)
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
	    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - AUTHORITY_TOLERANCE_S) <
	        0 ||
	    gnutls_x509_crt_set_expiration_time(certificate, not_after) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

static int certificate_set_key_id(gnutls_x509_crt_t certificate)
{
	uint8_t id[64];
	size_t size = sizeof(id);

	if (gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA1, id, &size) < 0 ||
	    gnutls_x509_crt_set_subject_key_id(certificate, id, size) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

static int certificate_sign(
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

static int ca_make(struct authority *authority)
{
	cleanup_private_key gnutls_x509_privkey_t key = NULL;
	cleanup_certificate gnutls_x509_crt_t certificate = NULL;
	char common_name[320];
	int r = key_generate(&key);

	(void)snprintf(common_name, 64, "Tacit CA %s", authority->trust_domain);
	if (r == 0)
		r = certificate_begin(&certificate, common_name, 0, time(NULL) + CA_LIFETIME_S);
	if (r < 0)
		return r;
	if (gnutls_x509_crt_set_key(certificate, key) < 0 ||
	    gnutls_x509_crt_set_basic_constraints(certificate, 1, 0) < 0 ||
	    gnutls_x509_crt_set_key_usage(
	        certificate, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN) < 0 ||
	    certificate_set_key_id(certificate) < 0)
		return -TACIT_E_INTERNAL;

	r = certificate_sign(certificate, certificate, key);
	if (r == 0)
		r = certificate_export(certificate, authority->ca_pem);
	if (r == 0)
		r = key_export(key, &authority->ca_key);
	return r;
}

static int leaf_finish(const struct authority *authority, gnutls_x509_crt_t certificate,
    const char *purpose, char ret_pem[static CERTIFICATE_PEM_MAX_BYTES])
{
	cleanup_private_key gnutls_x509_privkey_t ca_key = NULL;
	cleanup_certificate gnutls_x509_crt_t ca = NULL;
	int r;

	if (gnutls_x509_crt_set_basic_constraints(certificate, 0, -1) < 0 ||
	    gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE) < 0 ||
	    gnutls_x509_crt_set_key_purpose_oid(certificate, purpose, 0) < 0 ||
	    certificate_set_key_id(certificate) < 0)
		return -TACIT_E_INTERNAL;

	r = key_import(authority->ca_key, &ca_key);
	if (r == 0)
		r = certificate_import(authority->ca_pem, &ca);
	if (r == 0)
		r = certificate_sign(certificate, ca, ca_key);
	if (r == 0)
		r = certificate_export(certificate, ret_pem);
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

static int server_certificate_make(struct authority *authority)
{
	cleanup_private_key gnutls_x509_privkey_t key = NULL;
	cleanup_certificate gnutls_x509_crt_t certificate = NULL;
	cleanup_secret struct secret *key_pem = NULL;
	char pem[CERTIFICATE_PEM_MAX_BYTES];
	int r = key_generate(&key);

	if (r == 0)
		r = certificate_begin(
		    &certificate, "tacit-server", 0, time(NULL) + authority->server_lifetime_s);
	if (r < 0)
		return r;
	if (gnutls_x509_crt_set_key(certificate, key) < 0)
		return -TACIT_E_INTERNAL;
	for (size_t i = 0; r == 0 && i < authority->names_count; i++)
		r = san_add_host(certificate, authority->names[i]);
	if (r == 0)
		r = leaf_finish(authority, certificate, GNUTLS_KP_TLS_WWW_SERVER, pem);
	if (r == 0)
		r = key_export(key, &key_pem);
	if (r < 0)
		return r;

	memcpy(authority->server_pem, pem, sizeof(pem));
	secret_free(authority->server_key);
	authority->server_key = secret_take(&key_pem);
	return 0;
}

static const char record_name[] = "authority";

static int authority_store(struct authority *authority)
{
	cleanup_secret struct secret *record = NULL;
	struct vault_change change = {0};
	struct encoder encoder;

	if (secret_new(8192, &record) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = record};
	encode_text(&encoder, authority->url);
	encode_text(&encoder, authority->trust_domain);
	encode_u32(&encoder, (uint32_t)authority->names_count);
	for (size_t i = 0; i < authority->names_count; i++)
		encode_text(&encoder, authority->names[i]);
	encode_text(&encoder, authority->ca_pem);
	encode_text(&encoder, authority->server_pem);
	encode_bytes(&encoder, secret_bytes(authority->ca_key), secret_len(authority->ca_key));
	encode_bytes(
	    &encoder, secret_bytes(authority->server_key), secret_len(authority->server_key));
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	vault_row_key(authority->vault, RECORD_AUTHORITY, record_name, &change.key);
	change.record = record;
	return vault_commit(authority->vault, &change, 1);
}

static int decode_key(struct decoder *decoder, struct secret **ret_key)
{
	size_t len;
	const uint8_t *bytes = decode_bytes(decoder, &len);

	return bytes ? secret_new_from(bytes, len, ret_key) : -TACIT_E_CORRUPT;
}

static int authority_decode(struct authority *authority, const struct secret *record)
{
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};
	int r;

	decode_text(&decoder, authority->url, sizeof(authority->url));
	decode_text(&decoder, authority->trust_domain, sizeof(authority->trust_domain));
	authority->names_count = decode_u32(&decoder);
	if (decoder.failed || authority->names_count > SERVER_NAMES_MAX)
		return -TACIT_E_CORRUPT;
	for (size_t i = 0; i < authority->names_count; i++)
		decode_text(&decoder, authority->names[i], sizeof(authority->names[i]));
	decode_text(&decoder, authority->ca_pem, sizeof(authority->ca_pem));
	decode_text(&decoder, authority->server_pem, sizeof(authority->server_pem));
	r = decode_key(&decoder, &authority->ca_key);
	if (r == 0)
		r = decode_key(&decoder, &authority->server_key);

	return r < 0 ? r : decode_end(&decoder);
}

/* Letters, digits, `-`, `.` and, for IPv6, `:`: what may stand in a URL and a certificate. */
static bool is_host(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < 254 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.:_") ==
	           len;
}

static int authority_set_names(struct authority *authority, const char *url,
    const char *const names[], size_t names_count, struct fault *fault)
{
	struct url parsed;
	int r = url_parse(url, &parsed);

	if (r < 0)
		return fault_set(fault, r, "%s", url);
	if (names_count >= SERVER_NAMES_MAX)
		return fault_set_why(fault, -TACIT_E_TOO_LARGE, "too many names", "--san");

	url_print(&parsed, authority->url);
	(void)snprintf(authority->trust_domain, sizeof(authority->trust_domain), "%s", parsed.host);
	(void)snprintf(authority->names[0], sizeof(authority->names[0]), "%s", parsed.host);
	authority->names_count = 1;
	for (size_t i = 0; i < names_count; i++) {
		if (!is_host(names[i]))
			return fault_set_why(fault, -TACIT_E_INVALID_NAME,
			    "neither a host name nor an address", "--san %s", names[i]);
		(void)snprintf(authority->names[authority->names_count++],
		    sizeof(authority->names[0]), "%s", names[i]);
	}

	return 0;
}

int authority_create(struct vault *vault, const char *url, const char *const names[],
    size_t names_count, struct authority **ret_authority, struct fault *fault)
{
	struct authority *authority = calloc(1, sizeof(*authority));
	int r;

	if (!authority)
		return fault_set(fault, -ENOMEM, "certificate authority");

	authority->vault = vault;
	authority->server_lifetime_s = SERVER_LIFETIME_S;
	r = authority_set_names(authority, url, names, names_count, fault);
	if (r == 0) {
		r = ca_make(authority);
		if (r == 0)
			r = server_certificate_make(authority);
		if (r == 0)
			r = authority_store(authority);
		if (r < 0)
			(void)fault_set(fault, r, "certificate authority");
	}
	if (r < 0) {
		authority_free(authority);
		return r;
	}

	*ret_authority = authority;
	return 0;
}

static int authority_fill(struct authority *authority)
{
	cleanup_secret struct secret *record = NULL;
	struct row_key key;
	int r;

	vault_row_key(authority->vault, RECORD_AUTHORITY, record_name, &key);
	r = vault_get(authority->vault, &key, &record);
	if (r == -TACIT_E_NOT_FOUND)
		return -TACIT_E_CORRUPT;

	return r < 0 ? r : authority_decode(authority, record);
}

void authority_set_lifetime(struct authority *authority, int64_t lifetime_s)
{
	authority->server_lifetime_s = lifetime_s;
}

static int64_t expiry_of(const char *pem)
{
	cleanup_certificate gnutls_x509_crt_t certificate = NULL;

	return certificate_import(pem, &certificate) < 0
	           ? 0
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
	cleanup_certificate gnutls_x509_crt_t certificate = NULL;
	int64_t begin, end;

	if (certificate_import(authority->server_pem, &certificate) < 0)
		return 0;

	begin = gnutls_x509_crt_get_activation_time(certificate) + AUTHORITY_TOLERANCE_S;
	end = gnutls_x509_crt_get_expiration_time(certificate);
	if (end - time(NULL) > authority->server_lifetime_s)
		return 0; /* it is to live shorter from now on */

	return end - (end - begin) / 3;
}

int authority_reissue(struct authority *authority, struct fault *fault)
{
	int r = server_certificate_make(authority);

	if (r == 0)
		r = authority_store(authority);

	return r < 0 ? fault_set(fault, r, "certificate of the server") : 0;
}

int authority_renew(struct authority *authority, struct fault *fault)
{
	return time(NULL) < authority_renewal_time(authority) ? 0
	                                                      : authority_reissue(authority, fault);
}

int authority_load(struct vault *vault, struct authority **ret_authority, struct fault *fault)
{
	struct authority *authority = calloc(1, sizeof(*authority));
	int r;

	if (!authority)
		return fault_set(fault, -ENOMEM, "certificate authority");

	authority->vault = vault;
	authority->server_lifetime_s = SERVER_LIFETIME_S;
	r = authority_fill(authority);
	if (r < 0) {
		authority_free(authority);
		return fault_set(fault, r, "certificate authority");
	}

	*ret_authority = authority;
	return 0;
}

void authority_free(struct authority *authority)
{
	if (!authority)
		return;

	secret_free(authority->ca_key);
	secret_free(authority->server_key);
	free(authority);
}

const char *authority_ca_pem(const struct authority *authority)
{
	return authority->ca_pem;
}

const char *authority_server_pem(const struct authority *authority)
{
	return authority->server_pem;
}

const struct secret *authority_server_key(const struct authority *authority)
{
	return authority->server_key;
}

const char *authority_url(const struct authority *authority)
{
	return authority->url;
}

bool authority_has_name(const struct authority *authority, const char *host)
{
	for (size_t i = 0; i < authority->names_count; i++)
		if (!strcasecmp(authority->names[i], host))
			return true;

	return false;
}

int authority_ca_hash(
    const struct authority *authority, uint8_t ret_hash[static AUTHORITY_CA_HASH_BYTES])
{
	cleanup_certificate gnutls_x509_crt_t ca = NULL;
	size_t size = AUTHORITY_CA_HASH_BYTES;
	int r = certificate_import(authority->ca_pem, &ca);

	if (r == 0 &&
	    (gnutls_x509_crt_get_fingerprint(ca, GNUTLS_DIG_SHA256, ret_hash, &size) < 0 ||
	        size != AUTHORITY_CA_HASH_BYTES))
		r = -TACIT_E_INTERNAL;
	return r;
}

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

	return leaf_finish(authority, certificate, GNUTLS_KP_TLS_WWW_CLIENT, ret_pem);
}

int authority_issue_client(const struct authority *authority, const void *csr, size_t csr_len,
    const char *name, uint64_t generation, int64_t not_after,
    char ret_pem[static CERTIFICATE_PEM_MAX_BYTES])
{
	cleanup_certificate gnutls_x509_crt_t certificate = NULL;
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
	cleanup_certificate gnutls_x509_crt_t certificate = NULL;
	gnutls_datum_t bytes = datum(der, der_len);
	struct certificate_identity identity = {0};
	uint8_t serial[64];
	size_t size = sizeof(serial);
	int r;

	if (gnutls_x509_crt_init(&certificate) < 0 ||
	    gnutls_x509_crt_import(certificate, &bytes, GNUTLS_X509_FMT_DER) < 0 ||
	    gnutls_x509_crt_get_serial(certificate, serial, &size) < 0)
		return -TACIT_E_UNAUTHENTICATED;

	r = serial_read(serial, size, &identity.generation);
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
	cleanup_private_key gnutls_x509_privkey_t key = NULL;
	cleanup_certificate gnutls_x509_crt_t certificate = NULL;
	cleanup_secret struct secret *key_pem = NULL;
	char certificate_pem[CERTIFICATE_PEM_MAX_BYTES];
	int r = key_generate(&key);

	if (r == 0)
		r = certificate_begin(&certificate, name, generation, not_after);
	if (r < 0)
		return r;
	if (gnutls_x509_crt_set_key(certificate, key) < 0)
		return -TACIT_E_INTERNAL;

	r = client_finish(authority, certificate, name, certificate_pem);
	if (r == 0)
		r = key_export(key, &key_pem);

	return r < 0 ? r : identity_text(authority, key_pem, certificate_pem, ret_pem);
}

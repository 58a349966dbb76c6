/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "authority.h"
#include "brief.h"
#include "fixture.h"
#include "tacit/fd.h"
#include "tacit/identity.h"
#include "test_clock.h"
#include "test_pki.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DAY_S        86400

static struct fixture fixture;
static struct authority *authority;

static int setup(void **state)
{
	(void)state;
	clock_ahead_s = 0;
	fixture_make(&fixture);
	fixture_open(&fixture);
	authority = fixture.home.server.authority;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	clock_ahead_s = 0;
	fixture_remove(&fixture);
	return 0;
}

static X509 *certificate_of(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(certificate);
	return certificate;
}

/* An extension as OpenSSL prints it. */
static void extension_text(X509 *certificate, int nid, char ret_text[static 512])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int at = X509_get_ext_by_NID(certificate, nid, -1);
	int len = 0;

	if (at >= 0) {
		assert_int_equal(X509V3_EXT_print(bio, X509_get_ext(certificate, at), 0, 0), 1);
		len = BIO_read(bio, ret_text, 511);
	}
	ret_text[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

static void assert_extension(X509 *certificate, int nid, const char *expected)
{
	char text[512];

	extension_text(certificate, nid, text);
	assert_string_equal(text, expected);
}

static long days_left(X509 *certificate)
{
	int days, seconds;

	assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)), 1);
	return days;
}

static void assert_signed_by_ca(X509 *certificate, const char *purpose)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509 *ca = certificate_of(authority_ca_pem(authority));

	assert_int_equal(X509_STORE_add_cert(store, ca), 1);
	assert_int_equal(X509_STORE_CTX_init(context, store, certificate, NULL), 1);
	assert_int_equal(X509_STORE_CTX_set_default(context, purpose), 1);
	if (X509_verify_cert(context) != 1)
		fail_msg("%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	X509_free(ca);
}

static void the_ca_can_sign_and_nothing_else(void **state)
{
	X509 *ca = certificate_of(authority_ca_pem(authority));

	(void)state;
	assert_extension(ca, NID_basic_constraints, "CA:TRUE, pathlen:0");
	assert_extension(ca, NID_key_usage, "Certificate Sign, CRL Sign");
	assert_extension(ca, NID_ext_key_usage, "");
	assert_in_range(days_left(ca), 7290, 7300);
	assert_true(EVP_PKEY_is_a(X509_get0_pubkey(ca), "EC"));
	X509_free(ca);
}

static void the_servers_certificate_is_for_its_names(void **state)
{
	X509 *server = certificate_of(authority_server_pem(authority));

	(void)state;
	assert_extension(server, NID_subject_alt_name, "IP Address:127.0.0.1");
	assert_extension(server, NID_basic_constraints, "CA:FALSE");
	assert_extension(server, NID_key_usage, "Digital Signature");
	assert_extension(server, NID_ext_key_usage, "TLS Web Server Authentication");
	assert_in_range(days_left(server), 360, 365);
	assert_signed_by_ca(server, "ssl_server");
	X509_free(server);
}

/* A new authority in the store that is there. */
static int remake(const char *url, const char *const names[], size_t count, struct fault *fault)
{
	struct authority *fresh = NULL;
	int r = authority_create(fixture.home.server.vault, url, names, count, &fresh, fault);

	if (r == 0) {
		authority_free(fixture.home.server.authority);
		fixture.home.server.authority = authority = fresh;
	}
	return r;
}

static void every_san_is_in_the_servers_certificate(void **state)
{
	static const char *const names[] = {"localhost", "10.0.0.7", "::1", "fd00::7", "a.b-c.d"};
	struct fault fault = {0};
	X509 *server;

	(void)state;
	assert_int_equal(remake("https://tacit.internal:9000", names, COUNT(names), &fault), 0);
	server = certificate_of(authority_server_pem(authority));
	assert_extension(server, NID_subject_alt_name,
	    "DNS:tacit.internal, DNS:localhost, IP Address:10.0.0.7, "
	    "IP Address:0:0:0:0:0:0:0:1, IP Address:FD00:0:0:0:0:0:0:7, DNS:a.b-c.d");
	assert_string_equal(authority_url(authority), "https://tacit.internal:9000");
	X509_free(server);
}

static void bad_names_are_refused(void **state)
{
	static const char *const names[] = {"", "a b", "a/b", "*.internal", "a\nb", "https://x"};
	static const char *const urls[] = {"", "http://x", "https://x/y", "x"};
	static const char *many[40];
	struct fault fault = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_int_equal(remake(FIXTURE_URL, &names[i], 1, &fault), -TACIT_E_INVALID_NAME);
	for (size_t i = 0; i < COUNT(urls); i++)
		assert_int_equal(remake(urls[i], NULL, 0, &fault), -TACIT_E_INVALID_URL);
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = "x";
	assert_int_equal(remake(FIXTURE_URL, many, COUNT(many), &fault), -TACIT_E_TOO_LARGE);
}

static int issue(const char *csr, size_t len, char ret_pem[static CERTIFICATE_PEM_MAX_BYTES])
{
	return authority_issue_client(
	    authority, csr, len, "web", 7, time(NULL) + 30 * DAY_S, ret_pem);
}

static int read_back(X509 *certificate, struct certificate_identity *ret_identity)
{
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);
	int r = authority_read_client(authority, der, (size_t)len, ret_identity);

	OPENSSL_free(der);
	return r;
}

static void a_client_certificate_says_who_and_nothing_more(void **state)
{
	cleanup_secret struct secret *key = NULL, *csr = NULL;
	char pem[CERTIFICATE_PEM_MAX_BYTES];
	struct certificate_identity identity;
	X509 *certificate;

	(void)state;
	/* Whatever the request says it is called. */
	assert_int_equal(identity_new_request("admin", &key, &csr), 0);
	assert_int_equal(issue((const char *)secret_bytes(csr), secret_len(csr), pem), 0);
	certificate = certificate_of(pem);
	assert_extension(certificate, NID_subject_alt_name, "URI:tacit://127.0.0.1/client/web");
	assert_extension(certificate, NID_basic_constraints, "CA:FALSE");
	assert_extension(certificate, NID_key_usage, "Digital Signature");
	assert_extension(certificate, NID_ext_key_usage, "TLS Web Client Authentication");
	assert_in_range(days_left(certificate), 29, 30);
	assert_signed_by_ca(certificate, "ssl_client");

	assert_int_equal(read_back(certificate, &identity), 0);
	assert_string_equal(identity.client, "web");
	assert_int_equal(identity.generation, 7);
	assert_true(identity.not_before <= time(NULL) && identity.not_before > time(NULL) - 600);
	assert_true(identity.not_after > time(NULL) + 29 * DAY_S);
	X509_free(certificate);
}

static void generations_go_through_the_serial_number_unharmed(void **state)
{
	static const uint64_t generations[] = {0, 1, 127, 128, 255, 256, 0x7fffffff, 0x80000000,
	    0xffffffffffff, 0x8000000000000000, 0xffffffffffffffff};
	cleanup_secret struct secret *key = NULL, *csr = NULL;

	(void)state;
	assert_int_equal(identity_new_request(NULL, &key, &csr), 0);
	for (size_t i = 0; i < COUNT(generations); i++) {
		char pem[CERTIFICATE_PEM_MAX_BYTES];
		struct certificate_identity identity;
		X509 *certificate;

		assert_int_equal(
		    authority_issue_client(authority, secret_bytes(csr), secret_len(csr), "web",
		        generations[i], time(NULL) + DAY_S, pem),
		    0);
		certificate = certificate_of(pem);
		assert_int_equal(read_back(certificate, &identity), 0);
		assert_true(identity.generation == generations[i]);
		X509_free(certificate);
	}
}

/* A signing request for `key`, optionally with its signature spoilt. */
static char *request_pem(EVP_PKEY *key, bool spoil)
{
	X509_REQ *request = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes, *text;
	long len;

	assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
	assert_true(
	    X509_REQ_sign(request, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0);
	if (spoil) {
		/* Another name than was signed, in a request that is well formed. */
		X509_NAME *name = X509_NAME_new();

		assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		                     (const unsigned char *)"other", -1, -1, 0),
		    1);
		assert_int_equal(X509_REQ_set_subject_name(request, name), 1);
		X509_NAME_free(name);
	}
	assert_int_equal(PEM_write_bio_X509_REQ(bio, request), 1);
	len = BIO_get_mem_data(bio, &bytes);
	text = strndup(bytes, (size_t)len);
	X509_REQ_free(request);
	BIO_free(bio);
	return text;
}

static void requests_are_judged_by_key_and_signature(void **state)
{
	const struct {
		EVP_PKEY *key;
		bool spoil;
		int r;
	} rows[] = {
	    {pki_key("P-256"), false, 0},
	    {pki_key("P-384"), false, 0},
	    {pki_key("ED25519"), false, 0},
	    {EVP_RSA_gen(2048), false, 0},
	    {EVP_RSA_gen(1024), false, -TACIT_E_INVALID_CSR},
	    {EVP_RSA_gen(1536), false, -TACIT_E_INVALID_CSR},
	    {pki_key("P-256"), true, -TACIT_E_INVALID_CSR},
	    {EVP_RSA_gen(2048), true, -TACIT_E_INVALID_CSR},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup_free char *csr = request_pem(rows[i].key, rows[i].spoil);
		char pem[CERTIFICATE_PEM_MAX_BYTES];
		int r = issue(csr, strlen(csr), pem);

		if (r != rows[i].r)
			fail_msg("row %zu: %d", i, r);
		EVP_PKEY_free(rows[i].key);
	}
}

static void garbage_is_no_request(void **state)
{
	cleanup_secret struct secret *key = NULL, *csr = NULL;
	char pem[CERTIFICATE_PEM_MAX_BYTES];
	const char *text;
	size_t len;

	(void)state;
	assert_int_equal(issue("", 0, pem), -TACIT_E_INVALID_CSR);
	assert_int_equal(issue("nonsense", 8, pem), -TACIT_E_INVALID_CSR);
	assert_int_equal(
	    issue(authority_ca_pem(authority), strlen(authority_ca_pem(authority)), pem),
	    -TACIT_E_INVALID_CSR);
	assert_int_equal(identity_new_request(NULL, &key, &csr), 0);
	assert_int_equal(
	    issue((const char *)secret_bytes(key), secret_len(key), pem), -TACIT_E_INVALID_CSR);
	text = (const char *)secret_bytes(csr);
	len = (size_t)((const char *)memmem(text, secret_len(csr), "-----END", 8) - text);
	for (size_t keep = 0; keep <= len; keep += 7)
		assert_int_equal(issue(text, keep, pem), -TACIT_E_INVALID_CSR);
}

/* A certificate with the CA's own signature, but with what it must not have: read refuses it. */
static void only_the_one_san_of_a_client_is_accepted(void **state)
{
	static const struct {
		const char *san;
		const char *client; /* NULL: refused */
	} rows[] = {
	    {"URI:tacit://127.0.0.1/client/web", "web"},
	    {"URI:tacit://127.0.0.1/client/web,URI:tacit://127.0.0.1/client/admin", NULL},
	    {"URI:tacit://127.0.0.1/client/web,DNS:web", NULL},
	    {"DNS:web,URI:tacit://127.0.0.1/client/web", NULL},
	    {"URI:tacit://127.0.0.2/client/web", NULL},
	    {"URI:tacit://127.0.0.1.evil/client/web", NULL},
	    {"URI:tacit://127.0.0.1/client/", NULL},
	    {"URI:tacit://127.0.0.1/client/web/", NULL},
	    {"URI:tacit://127.0.0.1/client/../admin", NULL},
	    {"URI:tacit://127.0.0.1/client/we b", NULL},
	    {"URI:tacit://127.0.0.1/server/web", NULL},
	    {"URI:https://127.0.0.1/client/web", NULL},
	    {"URI:TACIT://127.0.0.1/client/web", NULL},
	    {"IP:127.0.0.1", NULL},
	    {"DNS:tacit://127.0.0.1/client/web", NULL},
	    {"email:web@127.0.0.1", NULL},
	    {NULL, NULL},
	};
	cleanup_pki struct pki_pair ca = pki_ca("CA");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup_pki struct pki_pair client = pki_issue(
		    &ca, &(struct pki_spec){
		             .common_name = "web", .san = rows[i].san, .usage = "clientAuth"});
		/* 01, generation, random: as ours are. */
		unsigned char serial[17] = {1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8};
		BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
		struct certificate_identity identity = {0};
		int r;

		assert_non_null(
		    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(client.certificate)));
		assert_true(X509_sign(client.certificate, ca.key, EVP_sha256()) > 0);
		r = read_back(client.certificate, &identity);
		if (r != (rows[i].client ? 0 : -TACIT_E_UNAUTHENTICATED))
			fail_msg("%s: %d", rows[i].san ? rows[i].san : "none", r);
		if (rows[i].client) {
			assert_string_equal(identity.client, rows[i].client);
			assert_int_equal(identity.generation, 9);
		}
		BN_free(number);
	}
}

static void foreign_serial_numbers_are_refused(void **state)
{
	cleanup_pki struct pki_pair ca = pki_ca("CA");
	cleanup_pki struct pki_pair client = pki_issue(&ca,
	    &(struct pki_spec){.common_name = "web", .san = "URI:tacit://127.0.0.1/client/web"});
	struct certificate_identity identity;

	(void)state;
	assert_int_equal(read_back(client.certificate, &identity), -TACIT_E_UNAUTHENTICATED);
}

static void the_servers_certificate_is_no_client(void **state)
{
	X509 *server = certificate_of(authority_server_pem(authority));
	X509 *ca = certificate_of(authority_ca_pem(authority));
	struct certificate_identity identity;

	(void)state;
	assert_int_equal(read_back(server, &identity), -TACIT_E_UNAUTHENTICATED);
	assert_int_equal(read_back(ca, &identity), -TACIT_E_UNAUTHENTICATED);
	assert_int_equal(
	    authority_read_client(authority, "", 0, &identity), -TACIT_E_UNAUTHENTICATED);
	assert_int_equal(
	    authority_read_client(authority, "nonsense", 8, &identity), -TACIT_E_UNAUTHENTICATED);
	X509_free(server);
	X509_free(ca);
}

static void admin_pem_is_an_identity(void **state)
{
	cleanup_identity struct identity *admin = NULL;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(identity_load(fixture_path(&fixture, ADMIN_FILE), &admin, &fault), 0);
	assert_string_equal(identity_client(admin), "admin");
	assert_string_equal(identity_server(admin), FIXTURE_URL);
}

static void the_servers_certificate_is_renewed_in_time(void **state)
{
	char before[CERTIFICATE_PEM_MAX_BYTES], ca[CERTIFICATE_PEM_MAX_BYTES];
	struct fault fault = {0};

	(void)state;
	(void)snprintf(before, sizeof(before), "%s", authority_server_pem(authority));
	(void)snprintf(ca, sizeof(ca), "%s", authority_ca_pem(authority));
	fixture_close(&fixture);

	clock_ahead_s = 200 * DAY_S;
	fixture_open(&fixture);
	assert_string_equal(authority_server_pem(fixture.home.server.authority), before);
	fixture_close(&fixture);

	/* Two thirds are over: a check still only looks, and a server renews. */
	clock_ahead_s = 250 * DAY_S;
	assert_int_equal(fixture_check(&fixture, &fault), 0);
	assert_int_equal(fixture_try_open(&fixture, HOME_CHECK, &fault), 0);
	assert_string_equal(authority_server_pem(fixture.home.server.authority), before);
	fixture_close(&fixture);
	fixture_open(&fixture);
	authority = fixture.home.server.authority;
	assert_string_not_equal(authority_server_pem(authority), before);
	assert_string_equal(authority_ca_pem(authority), ca);
	(void)snprintf(before, sizeof(before), "%s", authority_server_pem(authority));
	fixture_close(&fixture);

	/* And once is enough. */
	fixture_open(&fixture);
	assert_string_equal(authority_server_pem(fixture.home.server.authority), before);
}

static void keys_are_kept_over_a_restart(void **state)
{
	char before[CERTIFICATE_PEM_MAX_BYTES];
	cleanup_secret struct secret *key = NULL;

	(void)state;
	(void)snprintf(before, sizeof(before), "%s", authority_server_pem(authority));
	assert_int_equal(secret_new_from(secret_bytes(authority_server_key(authority)),
	                     secret_len(authority_server_key(authority)), &key),
	    0);
	fixture_close(&fixture);
	fixture_open(&fixture);
	authority = fixture.home.server.authority;
	assert_string_equal(authority_server_pem(authority), before);
	assert_true(
	    secret_equals(authority_server_key(authority), secret_bytes(key), secret_len(key)));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_ca_can_sign_and_nothing_else),
	    TEST(the_servers_certificate_is_for_its_names),
	    TEST(every_san_is_in_the_servers_certificate),
	    TEST(bad_names_are_refused),
	    TEST(a_client_certificate_says_who_and_nothing_more),
	    TEST(generations_go_through_the_serial_number_unharmed),
	    TEST(garbage_is_no_request),
	    TEST(only_the_one_san_of_a_client_is_accepted),
	    TEST(foreign_serial_numbers_are_refused),
	    TEST(the_servers_certificate_is_no_client),
	    TEST(admin_pem_is_an_identity),
	    TEST(the_servers_certificate_is_renewed_in_time),
	    TEST(keys_are_kept_over_a_restart),
	    /* Slow. RSA keys are made. */
	    TEST(requests_are_judged_by_key_and_signature),
	};

	return run_group(tests, 1, NULL, NULL);
}

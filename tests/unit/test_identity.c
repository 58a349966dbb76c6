/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "brief.h"
#include "tacit/fd.h"
#include "tacit/identity.h"
#include "test_pki.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SERVER       "# tacit-server: https://tacit.internal:8443\n"

/* The parts of a good identity, and of a second one. */
struct parts {
	struct pki_pair ca, client, other_ca, other_client;
	char *key, *certificate, *ca_pem;
	char *other_key, *other_certificate, *other_ca_pem;
};

static struct parts parts;

static int parts_make(void **state)
{
	(void)state;
	parts.ca = pki_ca("CA");
	parts.other_ca = pki_ca("CA");
	parts.client = pki_client(&parts.ca, "web");
	parts.other_client = pki_client(&parts.other_ca, "web");
	parts.key = pki_key_pem(parts.client.key);
	parts.certificate = pki_certificate_pem(&parts.client);
	parts.ca_pem = pki_certificate_pem(&parts.ca);
	parts.other_key = pki_key_pem(parts.other_client.key);
	parts.other_certificate = pki_certificate_pem(&parts.other_client);
	parts.other_ca_pem = pki_certificate_pem(&parts.other_ca);
	return 0;
}

static int parts_free(void **state)
{
	(void)state;
	pki_free(&parts.ca);
	pki_free(&parts.client);
	pki_free(&parts.other_ca);
	pki_free(&parts.other_client);
	free(parts.key);
	free(parts.certificate);
	free(parts.ca_pem);
	free(parts.other_key);
	free(parts.other_certificate);
	free(parts.other_ca_pem);
	return 0;
}

/* Joins up to six texts; NULL ends them. */
static char *join(const char *const texts[])
{
	char *joined = calloc(1, 65536);

	assert_non_null(joined);
	for (; *texts; texts++)
		strcat(joined, *texts);
	return joined;
}

static int parse(const char *text, size_t len, struct identity **ret, struct fault *fault)
{
	cleanup_secret struct secret *pem = NULL;

	assert_int_equal(secret_new_from(text, len, &pem), 0);
	return identity_parse(pem, "identity.pem", ret, fault);
}

/* Parses and returns the verdict; checks that a failure gives nothing and names the file. */
static int verdict(const char *text, size_t len, struct fault *fault)
{
	struct identity *identity = NULL;
	int r = parse(text, len, &identity, fault);

	assert_int_equal(identity != NULL, r == 0);
	if (r < 0)
		assert_string_equal(fault->what, "identity.pem");
	identity_free(identity);
	return r;
}

static void parse_reads_name_server_and_validity(void **state)
{
	const char *const texts[] = {
	    SERVER, parts.key, "\n# a note\n", parts.certificate, parts.ca_pem, NULL};
	cleanup_free char *text = join(texts);
	cleanup_identity struct identity *identity = NULL;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &identity, NULL), 0);
	assert_string_equal(identity_client(identity), "web");
	assert_string_equal(identity_server(identity), "https://tacit.internal:8443");
	assert_in_range(time(NULL) - identity_not_before(identity), 3600, 3660);
	assert_in_range(identity_not_after(identity) - time(NULL), 86340, 86400);
}

static void parse_takes_no_server_or_several(void **state)
{
	static const struct {
		const char *comment, *server;
	} rows[] = {
	    {"", ""},
	    {"# something else\n#\n", ""},
	    {"# tacit-server: https://a:1,https://b:2 \r\n", "https://a:1,https://b:2"},
	    {"# tacit-server:https://a\n", "https://a"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *const texts[] = {
		    rows[i].comment, parts.key, parts.certificate, parts.ca_pem, NULL};
		cleanup_free char *text = join(texts);
		cleanup_identity struct identity *identity = NULL;

		assert_int_equal(parse(text, strlen(text), &identity, NULL), 0);
		assert_string_equal(identity_server(identity), rows[i].server);
	}
}

static void parse_takes_parts_in_another_order(void **state)
{
	const char *const texts[] = {parts.certificate, parts.ca_pem, SERVER, parts.key, NULL};
	cleanup_free char *text = join(texts);
	struct fault fault;

	(void)state;
	assert_int_equal(verdict(text, strlen(text), &fault), 0);
}

static void parse_refuses_missing_foreign_and_surplus_parts(void **state)
{
	static const char public_key[] = "-----BEGIN PUBLIC KEY-----\nMFkw\n"
	                                 "-----END PUBLIC KEY-----\n";
	static const char bad_base64[] = "-----BEGIN CERTIFICATE-----\nMIIB!\n"
	                                 "-----END CERTIFICATE-----\n";
	static const char bad_der[] = "-----BEGIN CERTIFICATE-----\nAAAA\n"
	                              "-----END CERTIFICATE-----\n";
	static const char no_content[] = "-----BEGIN CERTIFICATE-----\n"
	                                 "-----END CERTIFICATE-----\n";
	static const char bad_key[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n"
	                              "-----END PRIVATE KEY-----\n";
	static const char other_end[] = "-----BEGIN CERTIFICATE-----\nAAAA\n"
	                                "-----END PRIVATE KEY-----\n";
	const char *key = parts.key, *certificate = parts.certificate, *ca = parts.ca_pem;
	const struct {
		const char *texts[6];
		const char *why;
	} rows[] = {
	    {{""}, "is empty"},
	    {{SERVER}, "not a Tacit identity file"},
	    {{"hello\n"}, "holds something else"},
	    {{"{\"a\":1}"}, "holds something else"},
	    {{SERVER, certificate, ca}, "holds no private key"},
	    {{SERVER, key}, "holds no certificate"},
	    {{SERVER, key, certificate}, "holds no CA certificate"},
	    {{key, certificate, ca, ca}, "more than two certificates"},
	    {{key, key, certificate, ca}, "more than one private key"},
	    {{key, certificate, ca, public_key}, "holds something else"},
	    {{key, certificate, ca, "trailing"}, "holds something else"},
	    {{key, certificate, bad_base64}, "not valid base64"},
	    {{key, certificate, bad_der}, "certificate cannot be read"},
	    {{key, certificate, no_content}, "not valid base64"},
	    {{bad_key, certificate, ca}, "private key cannot be read"},
	    {{key, certificate, other_end}, "is cut off"},
	    {{key, ca, certificate}, "does not belong to the private key"},
	    {{parts.other_key, certificate, ca}, "does not belong to the private key"},
	    {{key, certificate, parts.other_ca_pem}, "the CA did not sign"},
	    {{key, certificate, certificate}, "not that of a CA"},
	    {{key, certificate, parts.other_certificate}, "not that of a CA"},
	    {{SERVER, SERVER, key, certificate, ca}, "more than one tacit-server line"},
	    {{"# tacit-server: http://a\n", key, certificate, ca}, "not a URL"},
	    {{"# tacit-server:\n", key, certificate, ca}, "not a URL"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup_free char *text = join(rows[i].texts);
		struct fault fault = {0};

		assert_int_equal(verdict(text, strlen(text), &fault), -TACIT_E_IDENTITY);
		if (!strstr(fault.why, rows[i].why))
			fail_msg("%zu: %s, not %s", i, fault.why, rows[i].why);
	}
}

/* Whatever length a copy stopped at: an identity is whole or none. */
static void parse_refuses_every_truncation(void **state)
{
	const char *const texts[] = {SERVER, parts.key, parts.certificate, parts.ca_pem, NULL};
	cleanup_free char *text = join(texts);
	size_t len = strlen(text) - 1; /* the last line end may be missing */
	struct fault fault;

	(void)state;
	assert_int_equal(verdict(text, len, &fault), 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(verdict(text, cut, &fault), -TACIT_E_IDENTITY);
}

static void parse_refuses_any_change_of_the_public_key_or_certificate(void **state)
{
	const char *const texts[] = {parts.key, parts.certificate, parts.ca_pem, NULL};
	cleanup_free char *text = join(texts);
	size_t len = strlen(parts.key) + strlen(parts.certificate);
	struct fault fault;

	(void)state;
	/*
	 * In front of it stand the version, the scalar, which only a handshake shows, and the
	 * count of unused bits, which may be such that the point stays the same.
	 */
	for (size_t i = 28 + 102; i < len; i++) {
		char kept = text[i];

		if (kept == '\n')
			continue;
		text[i] = kept == 'A' ? 'B' : 'A';
		if (verdict(text, strlen(text), &fault) == 0)
			fail_msg("accepted a change of byte %zu", i);
		text[i] = kept;
	}
}

static int verdict_of_certificate(const struct pki_spec *spec, struct fault *fault)
{
	struct pki_pair cleanup_pki client = pki_issue(&parts.ca, spec);
	cleanup_secret struct secret *pem = pki_identity(NULL, &client, &parts.ca);

	return verdict((const char *)secret_bytes(pem), secret_len(pem), fault);
}

static void parse_takes_only_one_client_uri(void **state)
{
	static const struct {
		const char *san;
		int err;
	} rows[] = {
	    {"URI:tacit://test/client/web", 0},
	    {"URI:tacit://tacit.internal/client/web-1.a_B", 0},
	    {NULL, -TACIT_E_IDENTITY},
	    {"DNS:web", -TACIT_E_IDENTITY},
	    {"DNS:tacit://test/client/web", -TACIT_E_IDENTITY},
	    {"email:web@test", -TACIT_E_IDENTITY},
	    {"URI:tacit://test/client/web,URI:tacit://test/client/db", -TACIT_E_IDENTITY},
	    {"URI:tacit://test/client/web,DNS:web", -TACIT_E_IDENTITY},
	    {"URI:spiffe://test/client/web", -TACIT_E_IDENTITY},
	    {"URI:tacit://test/server/web", -TACIT_E_IDENTITY},
	    {"URI:tacit://test/client/", -TACIT_E_IDENTITY},
	    {"URI:tacit://test/client/a/b", -TACIT_E_IDENTITY},
	    {"URI:tacit://test/client/..", -TACIT_E_IDENTITY},
	    {"URI:tacit://test/client/a%20b", -TACIT_E_IDENTITY},
	    {"URI:tacit:///client/web", -TACIT_E_IDENTITY},
	    {"URI:tacit://te/st/client/web", -TACIT_E_IDENTITY},
	    {"URI:tacit://test", -TACIT_E_IDENTITY},
	    {"URI:tacit://test/client/"
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	        -TACIT_E_IDENTITY},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pki_spec spec = {
		    .common_name = "web", .san = rows[i].san, .usage = "clientAuth"};
		struct fault fault = {0};

		assert_int_equal(verdict_of_certificate(&spec, &fault), rows[i].err);
		if (rows[i].err < 0)
			assert_non_null(strstr(fault.why, "exactly one Tacit client"));
	}
}

static void parse_refuses_a_nul_inside_the_uri(void **state)
{
	static const char uri[] = "tacit://test/client/web\0/db";
	struct pki_spec spec = {.common_name = "web", .usage = "clientAuth"};
	struct pki_pair cleanup_pki client = pki_issue(&parts.ca, &spec);
	cleanup_secret struct secret *pem = NULL;
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	struct fault fault;

	(void)state;
	assert_true(ASN1_STRING_set(text, uri, sizeof(uri) - 1));
	GENERAL_NAME_set0_value(name, GEN_URI, text);
	sk_GENERAL_NAME_push(names, name);
	assert_true(X509_add1_ext_i2d(client.certificate, NID_subject_alt_name, names, 0, 0));
	assert_true(X509_sign(client.certificate, parts.ca.key, EVP_sha256()));
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);

	pem = pki_identity(NULL, &client, &parts.ca);
	assert_int_equal(
	    verdict((const char *)secret_bytes(pem), secret_len(pem), &fault), -TACIT_E_IDENTITY);
}

static void parse_tells_expired_and_not_yet_valid(void **state)
{
	static const struct {
		int64_t from_s, to_s;
		int err;
	} rows[] = {
	    {-7200, -10, -TACIT_E_IDENTITY_EXPIRED},
	    {10, 7200, -TACIT_E_IDENTITY_EXPIRED},
	    {-10, 10, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pki_spec spec = {.common_name = "web",
		    .san = "URI:tacit://test/client/web",
		    .usage = "clientAuth",
		    .from_s = rows[i].from_s,
		    .to_s = rows[i].to_s};
		struct fault fault;

		assert_int_equal(verdict_of_certificate(&spec, &fault), rows[i].err);
	}
}

static void parse_tells_an_expired_ca(void **state)
{
	struct pki_spec spec = {.common_name = "CA", .ca = true, .from_s = -7200, .to_s = -10};
	struct pki_pair cleanup_pki ca = pki_issue(NULL, &spec);
	struct pki_pair cleanup_pki client = pki_client(&ca, "web");
	cleanup_secret struct secret *pem = pki_identity(NULL, &client, &ca);
	struct fault fault;

	(void)state;
	assert_int_equal(verdict((const char *)secret_bytes(pem), secret_len(pem), &fault),
	    -TACIT_E_IDENTITY_EXPIRED);
	assert_non_null(strstr(fault.why, "CA certificate"));
}

static void parse_refuses_a_server_certificate(void **state)
{
	struct pki_spec spec = {
	    .common_name = "web", .san = "URI:tacit://test/client/web", .usage = "serverAuth"};
	struct fault fault;

	(void)state;
	assert_int_equal(verdict_of_certificate(&spec, &fault), -TACIT_E_IDENTITY);
	assert_string_equal(fault.why, "the certificate is not for a client");
}

static void parse_takes_keys_of_other_kinds(void **state)
{
	static const char *const kinds[] = {"P-256", "P-384", "ED25519", "RSA"};

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct pki_spec spec = {.common_name = "web",
		    .san = "URI:tacit://test/client/web",
		    .usage = "clientAuth"};
		struct pki_pair cleanup_pki client =
		    pki_certify(&parts.ca, &spec, pki_key(kinds[i]));
		cleanup_secret struct secret *pem = pki_identity(NULL, &client, &parts.ca);
		struct fault fault;

		assert_int_equal(
		    verdict((const char *)secret_bytes(pem), secret_len(pem), &fault), 0);
	}
}

/* "EC PRIVATE KEY" (SEC 1), and PKCS #8 with the curve inside too, which GnuTLS writes. */
static void parse_takes_the_other_encodings_of_p256(void **state)
{
	static const char wrap[] = "\x30\x81\x93\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d"
	                           "\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x79";
	cleanup_secret struct secret *base64 = NULL;
	unsigned char der[256], *at = der + sizeof(wrap) - 1;
	int len = i2d_PrivateKey(parts.client.key, &at);
	const char *texts[7] = {"-----BEGIN EC PRIVATE KEY-----\n", NULL,
	    "\n-----END EC PRIVATE KEY-----\n", parts.certificate, parts.ca_pem, NULL};
	struct fault fault;

	(void)state;
	assert_int_equal(len, 0x79);
	memcpy(der, wrap, sizeof(wrap) - 1);
	for (int i = 0; i < 2; i++) {
		cleanup_free char *text = NULL;
		size_t skip = i == 0 ? sizeof(wrap) - 1 : 0;

		secret_cleanup(&base64);
		assert_int_equal(secret_new(512, &base64), 0);
		secret_append_base64(base64, der + skip, sizeof(wrap) - 1 + (size_t)len - skip);
		secret_append(base64, "", 1);
		texts[1] = (const char *)secret_bytes(base64);
		if (i == 1) {
			texts[0] = "-----BEGIN PRIVATE KEY-----\n";
			texts[2] = "\n-----END PRIVATE KEY-----\n";
		}
		text = join(texts);
		assert_int_equal(verdict(text, strlen(text), &fault), 0);
	}
}

/* A directory of its own with one identity file in it. */
struct place {
	char directory[64];
	char path[128];
};

static void place_make(struct place *place, mode_t mode)
{
	const char *const texts[] = {parts.key, parts.certificate, parts.ca_pem, NULL};
	cleanup_free char *text = join(texts);

	(void)snprintf(place->directory, sizeof(place->directory), "/tmp/tacit-test-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	(void)snprintf(place->path, sizeof(place->path), "%s/identity.pem", place->directory);
	assert_int_equal(fd_create_file(AT_FDCWD, place->path, mode, text, strlen(text)), 0);
}

static void place_remove(struct place *place)
{
	(void)unlink(place->path);
	(void)rmdir(place->directory);
}

static int load_verdict(const char *path, struct fault *fault)
{
	cleanup_identity struct identity *identity = NULL;

	return identity_load(path, &identity, fault);
}

static void load_refuses_a_file_that_others_may_reach(void **state)
{
	static const struct {
		mode_t mode;
		int err;
	} rows[] = {
	    {0400, 0},
	    {0600, 0},
	    {0440, 0},
	    {0404, -TACIT_E_IDENTITY_MODE},
	    {0402, -TACIT_E_IDENTITY_MODE},
	    {0644, -TACIT_E_IDENTITY_MODE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fault fault;
		struct place place;

		place_make(&place, rows[i].mode);
		assert_int_equal(load_verdict(place.path, &fault), rows[i].err);
		place_remove(&place);
	}
}

static void load_remembers_where_it_was(void **state)
{
	const char *const texts[] = {parts.key, parts.certificate, parts.ca_pem, NULL};
	cleanup_identity struct identity *loaded = NULL;
	cleanup_identity struct identity *parsed = NULL;
	cleanup_free char *text = join(texts);
	struct place place;

	(void)state;
	place_make(&place, 0400);
	assert_int_equal(identity_load(place.path, &loaded, NULL), 0);
	assert_string_equal(identity_path(loaded), place.path);
	assert_int_equal(parse(text, strlen(text), &parsed, NULL), 0);
	assert_null(identity_path(parsed));
	place_remove(&place);
}

/* Against OpenSSL's own idea of a fingerprint. */
static void the_ca_is_known_by_its_hash(void **state)
{
	const char *const texts[] = {parts.key, parts.certificate, parts.ca_pem, NULL};
	cleanup_identity struct identity *identity = NULL;
	cleanup_free char *text = join(texts);
	uint8_t expected[EVP_MAX_MD_SIZE];
	uint8_t hash[IDENTITY_CA_HASH_BYTES];
	unsigned char *der = NULL;
	int der_len = i2d_X509(parts.ca.certificate, &der);
	unsigned len = 0;

	(void)state;
	assert_true(der_len > 0);
	assert_int_equal(EVP_Digest(der, (size_t)der_len, expected, &len, EVP_sha256(), NULL), 1);
	assert_int_equal(len, sizeof(hash));
	assert_int_equal(parse(text, strlen(text), &identity, NULL), 0);
	assert_int_equal(identity_ca_hash(identity, hash), 0);
	assert_memory_equal(hash, expected, sizeof(hash));
	OPENSSL_free(der);
}

static void load_refuses_what_is_no_plain_file(void **state)
{
	struct fault fault;
	struct place place;

	(void)state;
	place_make(&place, 0400);
	assert_int_equal(load_verdict(place.directory, &fault), -TACIT_E_IDENTITY);
	(void)unlink(place.path);
	assert_int_equal(mkfifo(place.path, 0400), 0);
	assert_int_equal(load_verdict(place.path, &fault), -TACIT_E_IDENTITY);
	assert_string_equal(fault.why, "is not a regular file");
	place_remove(&place);
}

static void load_refuses_a_file_that_is_too_large(void **state)
{
	struct fault fault;
	struct place place;
	int fd;

	(void)state;
	place_make(&place, 0600);
	fd = open(place.path, O_WRONLY | O_APPEND);
	for (int i = 0; i < 70; i++)
		assert_int_equal(fd_write_all(fd, (char[1024]){'\n'}, 1024), 0);
	(void)close(fd);
	assert_int_equal(load_verdict(place.path, &fault), -TACIT_E_IDENTITY);
	place_remove(&place);
}

static void load_looks_where_the_contract_says(void **state)
{
	char config[160], tacit[192], path[256];
	struct fault fault;
	struct place place;

	(void)state;
	place_make(&place, 0400);
	(void)snprintf(config, sizeof(config), "%s/.config", place.directory);
	(void)snprintf(tacit, sizeof(tacit), "%s/tacit", config);
	(void)snprintf(path, sizeof(path), "%s/identity.pem", tacit);
	assert_int_equal(setenv("HOME", place.directory, 1), 0);

	assert_int_equal(load_verdict(NULL, &fault), -TACIT_E_NO_IDENTITY);
	assert_non_null(strstr(fault.what, path));
	assert_int_equal(setenv("TACIT_IDENTITY", place.path, 1), 0);
	assert_int_equal(load_verdict(NULL, &fault), 0);
	assert_int_equal(load_verdict("/nonexistent", &fault), -TACIT_E_NO_IDENTITY);
	assert_string_equal(fault.what, "/nonexistent");

	assert_int_equal(unsetenv("TACIT_IDENTITY"), 0);
	assert_int_equal(mkdir(config, 0700) | mkdir(tacit, 0700), 0);
	assert_int_equal(rename(place.path, path), 0);
	assert_int_equal(load_verdict(NULL, &fault), 0);

	(void)unlink(path);
	(void)rmdir(tacit);
	(void)rmdir(config);
	place_remove(&place);
}

static X509_REQ *request_of(const struct secret *pem)
{
	BIO *bio = BIO_new_mem_buf(secret_bytes(pem), (int)secret_len(pem));
	X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return request;
}

static EVP_PKEY *key_of(const struct secret *pem)
{
	BIO *bio = BIO_new_mem_buf(secret_bytes(pem), (int)secret_len(pem));
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return key;
}

static void new_request_is_signed_by_its_key(void **state)
{
	cleanup_secret struct secret *key_pem = NULL;
	cleanup_secret struct secret *csr_pem = NULL;
	char common_name[80];
	X509_REQ *request;
	EVP_PKEY *key;

	(void)state;
	assert_int_equal(identity_new_request("web", &key_pem, &csr_pem), 0);
	request = request_of(csr_pem);
	key = key_of(key_pem);
	assert_non_null(request);
	assert_non_null(key);
	assert_int_equal(X509_REQ_verify(request, key), 1);
	assert_int_equal(EVP_PKEY_get_bits(key), 256);
	X509_NAME_get_text_by_NID(
	    X509_REQ_get_subject_name(request), NID_commonName, common_name, sizeof(common_name));
	assert_string_equal(common_name, "web");
	X509_REQ_free(request);
	EVP_PKEY_free(key);
}

static void new_request_makes_a_new_key_each_time(void **state)
{
	cleanup_secret struct secret *first = NULL;
	cleanup_secret struct secret *second = NULL;
	cleanup_secret struct secret *csr = NULL;
	X509_REQ *request;

	(void)state;
	assert_int_equal(identity_new_request(NULL, &first, &csr), 0);
	request = request_of(csr);
	assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(request)), 0);
	X509_REQ_free(request);
	secret_cleanup(&csr);
	assert_int_equal(identity_new_request(NULL, &second, &csr), 0);
	assert_false(secret_equals(first, secret_bytes(second), secret_len(second)));
}

static void composed_identity_of_a_new_key_parses(void **state)
{
	struct pki_spec spec = {
	    .common_name = "web", .san = "URI:tacit://test/client/web", .usage = "clientAuth"};
	cleanup_identity struct identity *identity = NULL;
	cleanup_secret struct secret *key_pem = NULL;
	cleanup_secret struct secret *csr_pem = NULL;
	cleanup_secret struct secret *pem = NULL;
	cleanup_free char *certificate = NULL;
	struct pki_pair cleanup_pki client = {NULL, NULL};

	(void)state;
	assert_int_equal(identity_new_request("web", &key_pem, &csr_pem), 0);
	client = pki_certify(&parts.ca, &spec, key_of(key_pem));
	certificate = pki_certificate_pem(&client);
	certificate[strlen(certificate) - 1] = '\0'; /* compose must end the line itself */
	assert_int_equal(
	    identity_compose("https://a:1", key_pem, certificate, parts.ca_pem, &pem), 0);
	assert_int_equal(identity_parse(pem, "composed", &identity, NULL), 0);
	assert_string_equal(identity_server(identity), "https://a:1");
	assert_string_equal(identity_client(identity), "web");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_reads_name_server_and_validity),
	    cmocka_unit_test(parse_takes_no_server_or_several),
	    cmocka_unit_test(parse_takes_parts_in_another_order),
	    cmocka_unit_test(parse_refuses_missing_foreign_and_surplus_parts),
	    cmocka_unit_test(parse_takes_only_one_client_uri),
	    cmocka_unit_test(parse_refuses_a_nul_inside_the_uri),
	    cmocka_unit_test(parse_tells_expired_and_not_yet_valid),
	    cmocka_unit_test(parse_tells_an_expired_ca),
	    cmocka_unit_test(parse_refuses_a_server_certificate),
	    cmocka_unit_test(parse_takes_the_other_encodings_of_p256),
	    cmocka_unit_test(load_refuses_a_file_that_others_may_reach),
	    cmocka_unit_test(load_remembers_where_it_was),
	    cmocka_unit_test(the_ca_is_known_by_its_hash),
	    cmocka_unit_test(load_refuses_what_is_no_plain_file),
	    cmocka_unit_test(load_refuses_a_file_that_is_too_large),
	    cmocka_unit_test(load_looks_where_the_contract_says),
	    cmocka_unit_test(new_request_is_signed_by_its_key),
	    cmocka_unit_test(new_request_makes_a_new_key_each_time),
	    cmocka_unit_test(composed_identity_of_a_new_key_parses),
	    /* Slow. A certificate is read for each byte of a file, and an RSA key is made. */
	    cmocka_unit_test(parse_refuses_every_truncation),
	    cmocka_unit_test(parse_refuses_any_change_of_the_public_key_or_certificate),
	    cmocka_unit_test(parse_takes_keys_of_other_kinds),
	};

	return run_group(tests, 3, parts_make, parts_free);
}

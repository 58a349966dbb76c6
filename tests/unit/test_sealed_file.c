/* SPDX-License-Identifier: MIT */
/* What a sealed server has to show: made by the server's code, judged by OpenSSL and the client's.
 */
#include <errno.h>
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

#include "fixture.h"
#include "sealed_file.h"
#include "tacit/fd.h"
#include "tacit/identity.h"
#include "test_clock.h"
#include "test_pki.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DAY_S        86400LL

static struct fixture fixture;
static struct authority *authority;

static int group_setup(void **state)
{
	(void)state;
	fixture_make(&fixture);
	fixture_open(&fixture);
	authority = fixture.home.server.authority;
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

/* A good file, whatever the test before has left. */
static int setup(void **state)
{
	(void)state;
	clock_ahead_s = 0;
	authority_set_lifetime(authority, 365 * DAY_S);
	return sealed_file_write(fixture.dirfd, authority, NULL);
}

/* The file as it is now, which has to be good. */
static struct sealed_file file_now(void)
{
	struct sealed_file file;
	struct fault fault = {0};

	if (sealed_file_read(fixture.dirfd, &file, &fault) < 0)
		fail_msg("%s: %s", fault.what, err_text(fault.err));
	return file;
}

static X509 *certificate_of(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(certificate);
	return certificate;
}

static EVP_PKEY *key_of(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(key);
	return key;
}

static X509 *certificate_now(void)
{
	struct sealed_file file = file_now();
	X509 *certificate = certificate_of(file.chain);

	sealed_file_free(&file);
	return certificate;
}

static long days_left(void)
{
	X509 *certificate = certificate_now();
	int days, seconds;

	assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)), 1);
	X509_free(certificate);
	return days;
}

static void the_certificate_says_sealed_and_is_for_nothing_else(void **state)
{
	static const int purposes[] = {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT,
	    X509_PURPOSE_NS_SSL_SERVER, X509_PURPOSE_SMIME_SIGN, X509_PURPOSE_SMIME_ENCRYPT,
	    X509_PURPOSE_CRL_SIGN, X509_PURPOSE_TIMESTAMP_SIGN};
	X509 *certificate = certificate_now();
	int at = X509_get_ext_by_NID(certificate, NID_ext_key_usage, -1);
	X509_EXTENSION *extension = X509_get_ext(certificate, at);
	const ASN1_OCTET_STRING *usage = X509_EXTENSION_get_data(extension);

	(void)state;
	assert_int_equal(ASN1_STRING_length(usage), PROTO_SEALED_USAGE_BYTES);
	assert_memory_equal(
	    ASN1_STRING_get0_data(usage), proto_sealed_usage, PROTO_SEALED_USAGE_BYTES);
	assert_int_equal(X509_EXTENSION_get_critical(extension), 1);
	assert_int_equal(X509_get_ext_by_NID(certificate, NID_ext_key_usage, at), -1);
	assert_int_equal(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
	/* For who does not look at the usage: there is something critical that he does not know. */
	extension =
	    X509_get_ext(certificate, X509_get_ext_by_NID(certificate, NID_ct_precert_poison, -1));
	assert_int_equal(X509_EXTENSION_get_critical(extension), 1);
	assert_true(X509_get_extension_flags(certificate) & EXFLAG_CRITICAL);
	assert_int_equal(X509_check_ca(certificate), 0);
	assert_int_equal(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
	for (size_t i = 0; i < COUNT(purposes); i++)
		if (X509_check_purpose(certificate, purposes[i], 0) == 1)
			fail_msg("good for purpose %d", purposes[i]);
	X509_free(certificate);
}

/* What tests of the client call it by is what it is. */
static void the_oid_is_the_one_that_is_documented(void **state)
{
	ASN1_OBJECT *object = OBJ_txt2obj(PKI_SEALED_USAGE, 1);

	(void)state;
	assert_int_equal(OBJ_length(object), PROTO_SEALED_USAGE_BYTES - 4);
	assert_memory_equal(
	    OBJ_get0_data(object), proto_sealed_usage + 4, PROTO_SEALED_USAGE_BYTES - 4);
	ASN1_OBJECT_free(object);
}

static void what_was_written_is_read(void **state)
{
	struct sealed_file file = file_now();
	X509 *certificate = certificate_of(file.chain);
	X509 *ca = certificate_of(file.ca);
	EVP_PKEY *key = key_of(file.key);
	struct stat status;

	(void)state;
	assert_int_equal(X509_check_private_key(certificate, key), 1);
	assert_int_equal(X509_verify(certificate, X509_get0_pubkey(ca)), 1);
	assert_string_equal(file.ca, authority_ca_pem(authority));
	assert_int_equal(stat(fixture_path(&fixture, SEALED_FILE), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0400);
	EVP_PKEY_free(key);
	X509_free(ca);
	X509_free(certificate);
	sealed_file_free(&file);
}

static void it_is_another_one_each_time(void **state)
{
	X509 *before = certificate_now(), *after;

	(void)state;
	assert_int_equal(sealed_file_write(fixture.dirfd, authority, NULL), 0);
	after = certificate_now();
	assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(before), X509_get0_pubkey(after)), 1);
	X509_free(after);
	X509_free(before);
}

static void it_lives_for_a_year_and_for_as_long_as_the_servers(void **state)
{
	static const struct {
		int64_t lifetime_s;
		long days;
	} rows[] = {{3600, 364}, {365 * DAY_S, 364}, {800 * DAY_S, 799}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		authority_set_lifetime(authority, rows[i].lifetime_s);
		assert_int_equal(sealed_file_write(fixture.dirfd, authority, NULL), 0);
		assert_in_range(days_left(), rows[i].days, rows[i].days + 1);
	}
}

static void one_that_has_expired_is_not_shown(void **state)
{
	struct sealed_file file = {.text = NULL};
	struct fault fault = {0};

	(void)state;
	clock_ahead_s = 364 * DAY_S;
	file = file_now();
	sealed_file_free(&file);
	clock_ahead_s = 366 * DAY_S;
	assert_int_equal(
	    sealed_file_read(fixture.dirfd, &file, &fault), -TACIT_E_TLS_SERVER_EXPIRED);
	assert_string_equal(fault.what, SEALED_FILE);
	assert_null(file.text);
}

static void assert_refused(int err)
{
	struct sealed_file file = {.text = NULL};
	struct fault fault = {0};
	int r = sealed_file_read(fixture.dirfd, &file, &fault);

	if (r != err)
		fail_msg("%s and not %s", err_text(r), err_text(err));
	assert_int_equal(fault.err, err);
	assert_string_equal(fault.what, SEALED_FILE);
	assert_null(file.text);
}

static void what_is_no_such_file_is_refused(void **state)
{
	const char *path = fixture_path(&fixture, SEALED_FILE);
	struct sealed_file file = file_now();
	size_t len = strlen(file.key);
	cleanup_free char *large = calloc(1, 20000);

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_refused(-ENOENT);
	file_write(path, "", 0);
	assert_refused(-TACIT_E_CORRUPT);
	file_write(path, file.key, (size_t)(file.chain - file.key)); /* the key alone */
	assert_refused(-TACIT_E_CORRUPT);
	file_write(path, file.key, (size_t)(file.ca - file.key)); /* without the CA */
	assert_refused(-TACIT_E_CORRUPT);
	memset(large, 'a', 19999);
	file_write(path, large, 19999);
	assert_refused(-TACIT_E_TOO_LARGE);

	memcpy(large, file.key, len);
	large[len / 2] = '\0';
	file_write(path, large, len);
	assert_refused(-TACIT_E_CORRUPT);
	memcpy(large, file.key, len);
	memset(large + (file.chain - file.key) + 40, 'A', 40);
	file_write(path, large, len);
	assert_refused(-TACIT_E_CORRUPT);
	sealed_file_free(&file);
}

static void what_is_no_file_at_all_is_refused_without_waiting(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", fixture_path(&fixture, SEALED_FILE));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(-TACIT_E_CORRUPT); /* nobody writes, so it ends at once */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(fixture_path(&fixture, ADMIN_FILE), path), 0);
	assert_refused(-ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(-EISDIR);
	assert_int_equal(rmdir(path), 0);
}

static void it_makes_nobody_a_client(void **state)
{
	X509 *certificate = certificate_now();
	struct certificate_identity identity;
	uint8_t *der = NULL;
	int len = i2d_X509(certificate, &der);

	(void)state;
	assert_true(len > 0);
	assert_int_equal(authority_read_client(authority, der, (size_t)len, &identity),
	    -TACIT_E_UNAUTHENTICATED);
	OPENSSL_free(der);
	X509_free(certificate);
}

/* Or whoever has taken it could write the files that agents keep with --cache. */
static void no_client_believes_what_it_signs(void **state)
{
	static const char bytes[] = "what a server would have signed";
	struct sealed_file file = file_now();
	X509 *certificate = certificate_of(file.chain);
	EVP_PKEY *key = key_of(file.key);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	cleanup_identity struct identity *identity = NULL;
	uint8_t signature[128], *der = NULL;
	size_t signature_len = sizeof(signature);
	int len = i2d_X509(certificate, &der);
	struct signed_bytes what = {.bytes = bytes, .len = sizeof(bytes), .signature = signature};

	(void)state;
	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &signature_len, (const uint8_t *)bytes,
	                     sizeof(bytes)),
	    1);
	what.signature_len = signature_len;
	assert_int_equal(identity_load(fixture_path(&fixture, ADMIN_FILE), &identity, NULL), 0);
	assert_int_equal(
	    identity_verify_server(identity, der, (size_t)len, &what), -TACIT_E_TLS_CA);
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	X509_free(certificate);
	sealed_file_free(&file);
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_certificate_says_sealed_and_is_for_nothing_else),
	    TEST(the_oid_is_the_one_that_is_documented),
	    TEST(what_was_written_is_read),
	    TEST(it_is_another_one_each_time),
	    TEST(it_lives_for_a_year_and_for_as_long_as_the_servers),
	    TEST(one_that_has_expired_is_not_shown),
	    TEST(what_is_no_such_file_is_refused),
	    TEST(what_is_no_file_at_all_is_refused_without_waiting),
	    TEST(it_makes_nobody_a_client),
	    TEST(no_client_believes_what_it_signs),
	};

	return cmocka_run_group_tests_name("sealed_file", tests, group_setup, group_teardown);
}

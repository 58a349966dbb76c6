/* SPDX-License-Identifier: MIT */
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

#include "cache.h"
#include "tacit/codec.h"
#include "tacit/fd.h"
#include "test_pki.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VALUE        "the-value-of-a-secret"
#define PLACE        "/tmp/tacit-cache-XXXXXX"

static struct pki_pair ca, other_ca, server;
static struct identity *web, *api;
static uint8_t web_seed[IDENTITY_DERIVED_BYTES];

/* How a document is made; what is not said is as it should be. */
struct recipe {
	const struct pki_pair *signer;       /* the server */
	const struct pki_pair *other_signer; /* signs, though the certificate is the signer's */
	const char *client;
	const struct identity *recipient; /* web */
	int64_t age_s;
	const char *text;
};

static struct identity *identity_make(const char *name, const struct pki_pair *issuer)
{
	struct pki_pair client = pki_client(issuer, name);
	struct secret *pem = pki_identity("https://127.0.0.1:1", &client, issuer);
	struct identity *identity = NULL;

	assert_int_equal(identity_parse(pem, name, &identity, NULL), 0);
	secret_free(pem);
	pki_free(&client);
	return identity;
}

static size_t sign(
    const struct pki_pair *signer, const struct secret *body, uint8_t *ret_signature, size_t size)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = size;

	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signer->key), 1);
	assert_int_equal(
	    EVP_DigestSign(context, ret_signature, &len, secret_bytes(body), secret_len(body)), 1);
	EVP_MD_CTX_free(context);
	return len;
}

static struct secret *bundle_text(void)
{
	cleanup_bundle struct bundle bundle = {.revision = 7};
	struct secret *value, *text;

	assert_int_equal(secret_new_from(VALUE, strlen(VALUE), &value), 0);
	assert_int_equal(bundle_add(&bundle, "web/password", value), 0);
	assert_int_equal(bundle_print(&bundle, &text), 0);
	return text;
}

static struct secret *document_make(struct recipe recipe)
{
	const struct pki_pair *signer = recipe.signer ? recipe.signer : &server;
	struct sealed_bundle head = {.issued_s = time(NULL) - recipe.age_s, .revision = 7};
	uint8_t seed[IDENTITY_DERIVED_BYTES], signature[256];
	cleanup_secret struct secret *text = NULL, *body = NULL;
	struct secret *document;
	unsigned char *certificate = NULL;
	size_t len;

	assert_int_equal(identity_derive(recipe.recipient ? recipe.recipient : web,
	                     "tacit-agent cache key 1", seed),
	    0);
	sealed_bundle_recipient(seed, head.recipient);
	(void)snprintf(
	    head.client, sizeof(head.client), "%s", recipe.client ? recipe.client : "web");
	head.certificate_len = (size_t)i2d_X509(signer->certificate, &certificate);
	head.certificate = certificate;
	if (recipe.text)
		assert_int_equal(secret_new_from(recipe.text, strlen(recipe.text), &text), 0);
	else
		text = bundle_text();
	assert_int_equal(sealed_bundle_write_body(&head, text, &body), 0);
	OPENSSL_free(certificate);
	len = sign(
	    recipe.other_signer ? recipe.other_signer : signer, body, signature, sizeof(signature));
	assert_int_equal(sealed_bundle_write(body, signature, len, &document), 0);
	return document;
}

static int setup(void **state)
{
	(void)state;
	ca = pki_ca("Test CA");
	other_ca = pki_ca("Test CA"); /* the same name: only the key tells them apart */
	server = pki_server(&ca);
	web = identity_make("web", &ca);
	api = identity_make("api", &ca);
	return identity_derive(web, "tacit-agent cache key 1", web_seed);
}

static int teardown(void **state)
{
	(void)state;
	identity_free(web);
	identity_free(api);
	pki_free(&server);
	pki_free(&ca);
	pki_free(&other_ca);
	return 0;
}

static const char *open_why(const void *bytes, size_t len)
{
	const struct cache_rules rules = {.identity = web, .seed = web_seed};
	cleanup_bundle struct bundle bundle = {0};
	const char *why = NULL;
	int64_t issued_s = 0;
	int r = cache_open(&rules, bytes, len, &bundle, &issued_s, &why);

	if (r == 0) {
		assert_null(why);
		assert_int_equal(bundle.count, 1);
		assert_true(secret_equals(bundle.items[0].value, VALUE, strlen(VALUE)));
		return NULL;
	}

	assert_int_equal(r, -TACIT_E_CORRUPT);
	assert_int_equal(bundle.count, 0);
	assert_non_null(why);
	return why;
}

static const char *document_why(struct recipe recipe)
{
	cleanup_secret struct secret *document = document_make(recipe);

	return open_why(secret_bytes(document), secret_len(document));
}

static void a_good_answer_opens(void **state)
{
	(void)state;
	assert_null(document_why((struct recipe){.age_s = 0}));
}

/* `says` stands in the reason. */
static void assert_refused(struct recipe recipe, const char *says)
{
	const char *why = document_why(recipe);

	if (!why || !strstr(why, says))
		fail_msg("not refused as `%s`: %s", says, why ? why : "(opened)");
}

static void an_answer_of_others_or_for_others_is_refused(void **state)
{
	struct pki_pair foreign = pki_server(&other_ca);
	struct pki_pair client = pki_client(&ca, "server");
	struct pki_pair old = pki_issue(
	    &ca, &(struct pki_spec){
	             .common_name = "old", .usage = "serverAuth", .from_s = -7200, .to_s = -3600});
	struct pki_pair aimless = pki_issue(&ca, &(struct pki_spec){.common_name = "aimless"});

	(void)state;
	assert_refused((struct recipe){.signer = &foreign}, "not made by a server of this");
	assert_refused((struct recipe){.signer = &ca}, "not made by a server of this");
	assert_refused((struct recipe){.signer = &client}, "not made by a server of this");
	assert_refused((struct recipe){.signer = &aimless}, "not made by a server of this");
	assert_refused((struct recipe){.signer = &old}, "has expired");
	assert_refused((struct recipe){.other_signer = &foreign}, "signature does not fit");
	assert_refused((struct recipe){.other_signer = &client}, "signature does not fit");
	assert_refused((struct recipe){.client = "api"}, "for another client");
	assert_refused((struct recipe){.client = "web2"}, "for another client");
	assert_refused((struct recipe){.recipient = api}, "sealed to another key");
	assert_refused((struct recipe){.text = "{}"}, "no bundle");
	assert_refused((struct recipe){.text = ""}, "no bundle");
	pki_free(&foreign);
	pki_free(&client);
	pki_free(&old);
	pki_free(&aimless);
}

/* What says that it is `web` while being another identity of that name under the same CA. */
static void another_key_of_the_same_client_does_not_open_it(void **state)
{
	cleanup_secret struct secret *document = document_make((struct recipe){.age_s = 0});
	struct identity *renamed = identity_make("web", &ca);
	cleanup_bundle struct bundle bundle = {0};
	uint8_t seed[IDENTITY_DERIVED_BYTES];
	const struct cache_rules rules = {.identity = renamed, .seed = seed};
	const char *why = NULL;
	int64_t issued_s;

	(void)state;
	assert_int_equal(identity_derive(renamed, "tacit-agent cache key 1", seed), 0);
	assert_int_equal(cache_open(&rules, secret_bytes(document), secret_len(document), &bundle,
	                     &issued_s, &why),
	    -TACIT_E_CORRUPT);
	assert_non_null(strstr(why, "sealed to another key"));
	identity_free(renamed);
}

static void a_flipped_bit_anywhere_is_refused(void **state)
{
	cleanup_secret struct secret *document = document_make((struct recipe){.age_s = 0});
	size_t len = secret_len(document);
	uint8_t *bytes = malloc(len);

	(void)state;
	assert_non_null(bytes);
	memcpy(bytes, secret_bytes(document), len);
	for (size_t i = 0; i < len; i += i < 120 ? 3 : 13) { /* the short fields come first */
		bytes[i] ^= (uint8_t)(1 << i % 8);
		if (!open_why(bytes, len))
			fail_msg("byte %zu of %zu may be altered", i, len);
		bytes[i] ^= (uint8_t)(1 << i % 8);
	}
	assert_null(open_why(bytes, len));
	free(bytes);
}

/* What is signed for another end is none, whatever its signature. */
static void another_kind_of_document_is_not_read(void **state)
{
	cleanup_secret struct secret *document = document_make((struct recipe){.age_s = 0});
	struct sealed_bundle sealed;
	uint8_t *bytes = malloc(secret_len(document));

	(void)state;
	assert_non_null(bytes);
	memcpy(bytes, secret_bytes(document), secret_len(document));
	for (size_t i = 8; i < 8 + strlen("tacit-sealed-bundle-1"); i++) {
		bytes[i] ^= 1;
		assert_int_equal(
		    sealed_bundle_read(bytes, secret_len(document), &sealed), -TACIT_E_CORRUPT);
		bytes[i] ^= 1;
	}
	assert_int_equal(sealed_bundle_read(bytes, secret_len(document), &sealed), 0);
	free(bytes);
}

static void a_part_and_more_than_the_whole_are_refused(void **state)
{
	cleanup_secret struct secret *document = document_make((struct recipe){.age_s = 0});
	size_t len = secret_len(document);
	uint8_t *bytes = calloc(1, len + 1);

	(void)state;
	assert_non_null(bytes);
	memcpy(bytes, secret_bytes(document), len);
	for (size_t i = 0; i < len; i++)
		assert_non_null(open_why(bytes, i));
	assert_non_null(open_why(bytes, len + 1));
	free(bytes);
}

/* Parts of two good answers do not make a third: here the newer time with the older box. */
static void parts_of_two_answers_do_not_fit_together(void **state)
{
	cleanup_secret struct secret *old = document_make((struct recipe){.age_s = 1000});
	cleanup_secret struct secret *new = document_make((struct recipe){.age_s = 0});
	struct sealed_bundle old_parts, new_parts;
	cleanup_secret struct secret *body = NULL;
	cleanup_secret struct secret *mixed = NULL;

	(void)state;
	assert_int_equal(sealed_bundle_read(secret_bytes(old), secret_len(old), &old_parts), 0);
	assert_int_equal(sealed_bundle_read(secret_bytes(new), secret_len(new), &new_parts), 0);
	assert_int_equal(secret_new_from(old_parts.body, old_parts.body_len, &body), 0);
	assert_int_equal(
	    sealed_bundle_write(body, new_parts.signature, new_parts.signature_len, &mixed), 0);
	assert_non_null(
	    strstr(open_why(secret_bytes(mixed), secret_len(mixed)), "signature does not fit"));
}

static void age_is_judged_by_the_limit_and_the_future_refused(void **state)
{
	static const struct {
		int64_t issued_s, now_s, max_age_s;
		const char *says; /* NULL: it will do */
	} rows[] = {
	    {1000000, 1000000, 3600, NULL},
	    {1000000, 1003600, 3600, NULL},
	    {1000000, 1003601, 3600, "too old"},
	    {1000000, 9000000000, 3600, "too old"},
	    {1000300, 1000000, 3600, NULL},
	    {1000301, 1000000, 3600, "future"},
	    {INT64_MAX, 1000000, 3600, "future"},
	    {0, INT64_MAX, 3600, "too old"},
	    {0, 1000000, 3600, "too old"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *why =
		    cache_judge_age(rows[i].issued_s, rows[i].now_s, rows[i].max_age_s);

		print_message("# age %zu\n", i);
		if (rows[i].says)
			assert_non_null(strstr(why, rows[i].says));
		else
			assert_null(why);
	}
}

static void ages_are_printed_for_people(void **state)
{
	static const struct {
		int64_t age_s;
		const char *text;
	} rows[] = {
	    {-5, "0 min"},
	    {59, "0 min"},
	    {3599, "59 min"},
	    {3600, "1 h 0 min"},
	    {11520, "3 h 12 min"},
	    {172799, "47 h 59 min"},
	    {172800, "2 days"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		cache_print_age(rows[i].age_s, text);
		assert_string_equal(text, rows[i].text);
	}
}

static struct cache *cache_make(const char *path)
{
	struct cache *cache;

	assert_int_equal(cache_new(path, 0, &cache), 0);
	assert_int_equal(cache_set_identity(cache, web), 0);
	return cache;
}

static int take(struct cache *cache, const struct secret *document)
{
	cleanup_bundle struct bundle bundle = {0};

	return cache_take(cache, web, secret_bytes(document), secret_len(document), &bundle);
}

/* Loads, and returns the error; the reason is in `fault`. */
static int load(const struct cache *cache, struct fault *fault)
{
	cleanup_bundle struct bundle bundle = {0};
	int64_t issued_s;
	int r = cache_load(cache, web, &bundle, &issued_s, fault);

	if (r == 0)
		assert_true(secret_equals(bundle.items[0].value, VALUE, strlen(VALUE)));
	return r;
}

static void what_was_taken_is_loaded_again(void **state)
{
	cleanup_secret struct secret *document = document_make((struct recipe){.age_s = 60});
	char directory[] = PLACE;
	struct cache *cache;
	struct fault fault = {0};
	char path[64];
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/cache", directory);
	cache = cache_make(path);
	assert_int_equal(load(cache, &fault), -ENOENT);
	assert_int_equal(cache_left_s(cache), 0);
	assert_int_equal(take(cache, document), 0);
	assert_true(cache_left_s(cache) > 6 * 3600 - 60);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(st.st_size, secret_len(document));
	assert_int_equal(load(cache, &fault), 0);

	cache->max_age_s = 59;
	assert_int_equal(load(cache, &fault), -TACIT_E_CORRUPT);
	assert_non_null(strstr(fault.why, "too old"));
	cache_remove(cache, &fault);
	assert_non_null(strstr(fault.why, "the cache is removed"));
	assert_int_equal(load(cache, &fault), -ENOENT);
	cache_free(cache);
	(void)rmdir(directory);
}

/* A file that cannot be written is no failure of what was fetched. */
static void where_nothing_can_be_stored_the_answer_is_still_good(void **state)
{
	cleanup_secret struct secret *document = document_make((struct recipe){.age_s = 0});
	struct cache *cache = cache_make("/nonexistent/tacit/cache");
	struct fault fault = {0};

	(void)state;
	assert_int_equal(take(cache, document), 0);
	assert_int_equal(cache->failure, -ENOENT);
	assert_true(cache_left_s(cache) > 0); /* and not tried again at once */
	assert_int_equal(load(cache, &fault), -ENOENT);
	cache_free(cache);
}

/* The clocks do not matter to what has just come, but it would be refused later. */
static void an_answer_of_another_time_is_good_and_not_stored(void **state)
{
	cleanup_secret struct secret *document = document_make((struct recipe){.age_s = -3600});
	char directory[] = PLACE;
	struct cache *cache;
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/cache", directory);
	cache = cache_make(path);
	assert_int_equal(take(cache, document), 0);
	assert_int_equal(access(path, F_OK), -1);
	cache_free(cache);
	(void)rmdir(directory);
}

static void only_a_regular_file_is_loaded(void **state)
{
	static const char *const paths[] = {"/tmp", "/dev/null", "/dev/zero"};
	struct fault fault = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct cache *cache = cache_make(paths[i]);

		assert_int_equal(load(cache, &fault), -EINVAL);
		cache_free(cache);
	}
}

static void derived_keys_differ_by_purpose_and_by_key(void **state)
{
	uint8_t a[IDENTITY_DERIVED_BYTES], b[IDENTITY_DERIVED_BYTES];

	(void)state;
	assert_int_equal(identity_derive(web, "tacit-agent cache key 1", a), 0);
	assert_memory_equal(a, web_seed, sizeof(a));
	assert_int_equal(identity_derive(web, "another purpose", b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(identity_derive(api, "tacit-agent cache key 1", b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void keys_in_hexadecimal_are_taken_strictly(void **state)
{
	char text[SEALED_BUNDLE_HEX_BYTES + 1] = "";
	uint8_t key[SEALED_BUNDLE_KEY_BYTES];

	(void)state;
	sealed_bundle_print_key(web_seed, text);
	assert_int_equal(sealed_bundle_parse_key(text, key), 0);
	assert_memory_equal(key, web_seed, sizeof(key));
	(void)strcat(text, "0");
	assert_int_equal(sealed_bundle_parse_key(text, key), -TACIT_E_MALFORMED);
	text[SEALED_BUNDLE_HEX_BYTES - 2] = '\0';
	assert_int_equal(sealed_bundle_parse_key(text, key), -TACIT_E_MALFORMED);
	(void)strcat(text, "G");
	assert_int_equal(sealed_bundle_parse_key(text, key), -TACIT_E_MALFORMED);
	assert_int_equal(sealed_bundle_parse_key("", key), -TACIT_E_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_answer_opens),
	    cmocka_unit_test(an_answer_of_others_or_for_others_is_refused),
	    cmocka_unit_test(another_key_of_the_same_client_does_not_open_it),
	    cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
	    cmocka_unit_test(another_kind_of_document_is_not_read),
	    cmocka_unit_test(a_part_and_more_than_the_whole_are_refused),
	    cmocka_unit_test(parts_of_two_answers_do_not_fit_together),
	    cmocka_unit_test(age_is_judged_by_the_limit_and_the_future_refused),
	    cmocka_unit_test(ages_are_printed_for_people),
	    cmocka_unit_test(what_was_taken_is_loaded_again),
	    cmocka_unit_test(where_nothing_can_be_stored_the_answer_is_still_good),
	    cmocka_unit_test(an_answer_of_another_time_is_good_and_not_stored),
	    cmocka_unit_test(only_a_regular_file_is_loaded),
	    cmocka_unit_test(derived_keys_differ_by_purpose_and_by_key),
	    cmocka_unit_test(keys_in_hexadecimal_are_taken_strictly),
	};

	return cmocka_run_group_tests_name("cache", tests, setup, teardown);
}

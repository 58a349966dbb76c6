/* SPDX-License-Identifier: MIT */
/* The server's half of a sealed bundle, judged with the eyes of a client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "asking.h"
#include "tacit/identity.h"
#include "tacit/sealed_bundle.h"

static struct identity *reader; /* a client's own view of itself and of the CA */
static uint8_t seed[SEALED_BUNDLE_KEY_BYTES];

static int ask_sealed(const char *seal_to, const char *if_none_match)
{
	return ask(
	    ASK("reader", "GET", "/v1/bundle", .seal_to = seal_to, .if_none_match = if_none_match));
}

static int setup(void **state)
{
	struct secret *pem;

	(void)state;
	asking_begin();
	put("/v1/secrets/web%2Fa", VALUE);
	add_client("reader", ROLE_CLIENT, "web/**", false);
	assert_int_equal(
	    authority_new_identity(server->authority, "reader",
	        clients_find(server->clients, "reader")->generation, time(NULL) + 3600, &pem),
	    0);
	assert_int_equal(identity_parse(pem, "reader", &reader, NULL), 0);
	secret_free(pem);
	return identity_derive(reader, "test", seed);
}

static int teardown(void **state)
{
	(void)state;
	identity_free(reader);
	asking_end();
	return 0;
}

static void recipient_print(char ret_text[static SEALED_BUNDLE_HEX_BYTES])
{
	uint8_t recipient[SEALED_BUNDLE_KEY_BYTES];

	sealed_bundle_recipient(seed, recipient);
	sealed_bundle_print_key(recipient, ret_text);
}

static void a_client_verifies_and_opens_what_the_server_has_sealed(void **state)
{
	char recipient[SEALED_BUNDLE_HEX_BYTES], plain_etag[PROTO_ETAG_MAX_BYTES];
	cleanup_secret struct secret *plain = NULL, *opened = NULL;
	struct sealed_bundle sealed;
	struct signed_bytes what;

	(void)state;
	recipient_print(recipient);
	assert_int_equal(ask_sealed(NULL, NULL), 200);
	assert_string_equal(answer.content_type, PROTO_TYPE_JSON);
	(void)strcpy(plain_etag, answer.etag);
	plain = secret_take(&answer.body);

	assert_int_equal(ask_sealed(recipient, NULL), 200);
	assert_string_equal(answer.content_type, SEALED_BUNDLE_TYPE);
	assert_string_equal(answer.etag, plain_etag);
	assert_null(memmem(secret_bytes(answer.body), secret_len(answer.body), "web/a", 5));
	assert_int_equal(
	    sealed_bundle_read(secret_bytes(answer.body), secret_len(answer.body), &sealed), 0);
	what = (struct signed_bytes){
	    sealed.body, sealed.body_len, sealed.signature, sealed.signature_len};
	assert_int_equal(
	    identity_verify_server(reader, sealed.certificate, sealed.certificate_len, &what), 0);
	assert_string_equal(sealed.client, "reader");
	assert_true(llabs((long long)(sealed.issued_s - time(NULL))) <= 2);
	assert_memory_equal(sealed.store_id, vault_keys(server->vault)->store_id, 16);
	assert_int_equal(sealed_bundle_open(&sealed, seed, &opened), 0);
	assert_true(secret_equals(opened, secret_bytes(plain), secret_len(plain)));
}

static void what_the_client_has_is_not_sealed_again(void **state)
{
	char recipient[SEALED_BUNDLE_HEX_BYTES], etag[PROTO_ETAG_MAX_BYTES];

	(void)state;
	recipient_print(recipient);
	assert_int_equal(ask_sealed(recipient, NULL), 200);
	(void)strcpy(etag, answer.etag);
	assert_int_equal(ask_sealed(recipient, etag), 304);
	assert_int_equal(secret_len(answer.body), 0);
}

/* How many bundles the audit log says were served. */
static size_t served_count(void)
{
	static const char served[] = "\"status\":200,\"secrets\"";
	size_t len, count = 0;
	uint8_t *log = file_read(fixture_path(&fixture, AUDIT_FILE), &len);

	for (const uint8_t *at = log;
	     (at = memmem(at, len - (size_t)(at - log), served, strlen(served))) != NULL; at++)
		count++;
	free(log);
	return count;
}

static void a_key_that_is_none_is_malformed(void **state)
{
	static const char *const keys[] = {
	    "",
	    "0",
	    "../../etc/passwd",
	    "AA5e5ef4eda2dcb2a1fbd2e3ab3c39b4c0eea0ac7a8f2c4d6a1f2b3c4d5e6f70",
	    "005e5ef4eda2dcb2a1fbd2e3ab3c39b4c0eea0ac7a8f2c4d6a1f2b3c4d5e6f7",
	    "005e5ef4eda2dcb2a1fbd2e3ab3c39b4c0eea0ac7a8f2c4d6a1f2b3c4d5e6f7000",
	    /* Points of small order: with these the box would be open to all. */
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t served = served_count();

		print_message("# key `%s`\n", keys[i]);
		assert_int_equal(ask_sealed(keys[i], NULL), 400);
		assert_string_equal(answer.content_type, PROTO_TYPE_PROBLEM);
		/* Only what the sealing itself refuses was put down as served first. */
		if (strlen(keys[i]) != SEALED_BUNDLE_HEX_BYTES - 1 || keys[i][0] == 'A')
			assert_int_equal(served_count(), served);
	}
}

static void a_revoked_client_gets_nothing_sealed(void **state)
{
	char recipient[SEALED_BUNDLE_HEX_BYTES];

	(void)state;
	recipient_print(recipient);
	assert_int_equal(clients_revoke(server->clients, "reader"), 0);
	assert_int_equal(ask_sealed(recipient, NULL), 401);
	assert_string_equal(answer.content_type, PROTO_TYPE_PROBLEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_client_verifies_and_opens_what_the_server_has_sealed),
	    cmocka_unit_test(what_the_client_has_is_not_sealed_again),
	    cmocka_unit_test(a_key_that_is_none_is_malformed),
	    cmocka_unit_test(a_revoked_client_gets_nothing_sealed),
	};

	return cmocka_run_group_tests_name("sealing", tests, setup, teardown);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "asking.h"
#include "tacit/bundle.h"

/* The bundle by way of its route, and its tag, which says whether it is news. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void a_bundle_holds_what_the_grants_say(void **state)
{
	cleanup_bundle struct bundle bundle = {0};
	const struct bundle_item *item;

	(void)state;
	/* Grants that overlap do not double anything. */
	assert_int_equal(clients_grant(server->clients, "reader", "web/a", false), 0);
	assert_int_equal(clients_grant(server->clients, "reader", "*/b", false), 0);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle")), 200);
	assert_int_equal(
	    bundle_parse(secret_bytes(answer.body), secret_len(answer.body), &bundle), 0);
	assert_int_equal(bundle.count, 2);
	assert_int_equal(bundle.revision, vault_revision(server->vault));
	item = bundle_find(&bundle, "web/a");
	assert_non_null(item);
	assert_int_equal(item->version, 2);
	assert_string_equal(item->file, "a");
	assert_string_equal(item->env, "A_FILE");
	assert_int_equal(item->mode, 0400);
	assert_true(secret_equals(item->value, VALUE " 2", strlen(VALUE) + 2));
	assert_null(bundle_find(&bundle, "other"));

	assert_int_equal(ask(ASK("nobody", "GET", "/v1/bundle")), 200);
	assert_true(answer_holds("\"secrets\":[]"));
	assert_int_equal(ask(ASK("operator", "GET", "/v1/bundle")), 200);
	assert_true(answer_holds("\"secrets\":[]"));
}

static void bundle_etag(char ret_etag[static PROTO_ETAG_MAX_BYTES])
{
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle")), 200);
	memcpy(ret_etag, answer.etag, PROTO_ETAG_MAX_BYTES);
}

static const struct {
	struct ask ask;
	bool concerns;
} changes[] = {
    {ASK_ROW("admin", "PUT", "/v1/secrets/other", .body = "x"), false},
    {ASK_ROW("admin", "PUT", "/v1/secrets/webb", .body = "x"), false},
    {ASK_ROW("admin", "DELETE", "/v1/secrets/other"), false},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{}"), false},
    {ASK_ROW("admin", "PUT", "/v1/clients/reader", .body = "{}"), false},
    {ASK_ROW("admin", "PUT", "/v1/clients/writer/grants", .body = "{\"pattern\":\"**\"}"), false},
    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"none\"}"), false},
    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"web/a\"}"),
        false},
    {ASK_ROW("admin", "GET", "/v1/bundle"), false},
    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa", .body = "x"), true},
    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa", .body = "x"), true},
    {ASK_ROW("admin", "POST", "/v1/secrets/web%2Fa/destroy", .body = "{\"version\":1}"), false},
    {ASK_ROW("admin", "POST", "/v1/secrets/web%2Fa/rollback", .body = "{\"version\":2}"), true},
    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa/metadata", .body = "{\"mode\":\"0440\"}"), true},
    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa/metadata", .body = "{\"env\":\"X\"}"), true},
    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa/metadata", .body = "{\"file\":\"x\"}"), true},
    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa/metadata", .body = "{\"file\":\"x\"}"), false},
    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fnew", .body = "x"), true},
    {ASK_ROW("admin", "DELETE", "/v1/secrets/web%2Fnew"), true},
    {ASK_ROW("admin", "POST", "/v1/secrets/web%2Fnew/rollback", .body = "{\"version\":1}"), true},
    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"webb\"}"), true},
    {ASK_ROW("admin", "DELETE", "/v1/clients/reader/grants", .pattern = "webb"), true},
    {ASK_ROW("admin", "DELETE", "/v1/clients/reader/grants", .pattern = "web/**"), true},
};

static void the_bundles_tag_changes_just_when_the_caller_is_concerned(void **state)
{
	char before[PROTO_ETAG_MAX_BYTES], after[PROTO_ETAG_MAX_BYTES];

	(void)state;
	bundle_etag(before);
	for (size_t i = 0; i < COUNT(changes); i++) {
		int status = ask(changes[i].ask);

		assert_true(status < 300);
		bundle_etag(after);
		if ((strcmp(before, after) != 0) != changes[i].concerns)
			fail_msg("row %zu, %s %s: %s after %s", i, changes[i].ask.method,
			    changes[i].ask.path, after, before);
		memcpy(before, after, sizeof(before));
	}
	/* It outlives the server. */
	fixture_close(&fixture);
	fixture_open(&fixture);
	bundle_etag(after);
	assert_string_equal(before, after);
}

static void an_unchanged_bundle_is_not_sent_again(void **state)
{
	char etag[PROTO_ETAG_MAX_BYTES];

	(void)state;
	bundle_etag(etag);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle", .if_none_match = etag)), 304);
	assert_int_equal(secret_len(answer.body), 0);
	assert_string_equal(answer.etag, etag);
	assert_int_equal(ask(ASK("writer", "GET", "/v1/bundle", .if_none_match = "\"b00\"")), 200);
	put("/v1/secrets/web%2Fa", "x");
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle", .if_none_match = etag)), 200);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, people_setup, people_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_bundle_holds_what_the_grants_say),
	    TEST(the_bundles_tag_changes_just_when_the_caller_is_concerned),
	    TEST(an_unchanged_bundle_is_not_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "asking.h"
#include "tacit/fd.h"

/* Values, their conditions, versions and lists, by way of the routes. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void a_value_over_the_limit_is_refused(void **state)
{
	cleanup_free char *large = malloc(512002);

	(void)state;
	memset(large, 'x', 512001);
	large[512001] = '\0';
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/secrets/large", .body = large)), 413);
	assert_problem("too_large");
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/large")), 404);
	large[512000] = '\0';
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/secrets/large", .body = large)), 201);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/large")), 200);
	assert_int_equal(secret_len(answer.body), 512000);
}

static void values_come_back_raw_or_as_json(void **state)
{
	cleanup_json struct json *json = NULL;
	cleanup_secret struct secret *value = NULL;
	const char *text;
	int64_t version;

	(void)state;
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa")), 200);
	assert_true(secret_equals(answer.body, VALUE " 2", strlen(VALUE) + 2));
	assert_string_equal(answer.content_type, PROTO_TYPE_BYTES);
	assert_string_equal(answer.etag, "\"v2\"");
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa", .version = "1")), 200);
	assert_true(secret_equals(answer.body, VALUE, strlen(VALUE)));
	assert_string_equal(answer.etag, "\"v1\"");

	assert_int_equal(
	    ask(ASK("reader", "GET", "/v1/secrets/web%2Fa", .accept = "application/json")), 200);
	json = answer_json();
	text = json_text_at(json, "value");
	assert_int_equal(secret_from_base64(text, strlen(text), &value), 0);
	assert_true(secret_equals(value, VALUE " 2", strlen(VALUE) + 2));
	assert_string_equal(json_text_at(json, "name"), "web/a");
	assert_string_equal(json_text_at(json, "env"), "A_FILE");
	assert_string_equal(json_text_at(json, "mode"), "0400");
	assert_int_equal(json_int_at(json, "version", &version), 0);
	assert_int_equal(version, 2);
}

static void conditions_of_a_put_are_kept(void **state)
{
	static const struct {
		const char *path, *if_match, *if_none_match;
		int status;
	} rows[] = {
	    {"/v1/secrets/web%2Fa", "\"v1\"", NULL, 412},
	    {"/v1/secrets/web%2Fa", "\"v3\"", NULL, 412},
	    {"/v1/secrets/web%2Fa", "v2", NULL, 412},
	    {"/v1/secrets/web%2Fa", "\"v2\"", "*", 412},
	    {"/v1/secrets/web%2Fa", NULL, "*", 412},
	    {"/v1/secrets/web%2Fa", "\"v2\"", NULL, 200},
	    {"/v1/secrets/web%2Fa", "\"v2\"", NULL, 412},
	    {"/v1/secrets/web%2Fa", "*", NULL, 200},
	    {"/v1/secrets/new", "*", NULL, 412},
	    {"/v1/secrets/new", "\"v1\"", NULL, 412},
	    {"/v1/secrets/new", "\"v1\"", "*", 412},
	    {"/v1/secrets/new", NULL, "*", 201},
	    {"/v1/secrets/new", NULL, "*", 412},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int status = ask(ASK("admin", "PUT", rows[i].path, .body = "x",
		    .if_match = rows[i].if_match, .if_none_match = rows[i].if_none_match));

		if (status != rows[i].status)
			fail_msg("row %zu: %d", i, status);
		if (status == 412)
			assert_problem("precondition_failed");
	}
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/new", .if_match = "\"v7\"")), 412);
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/new", .if_match = "\"v1\"")), 204);
}

static void versions_and_metadata_tell_what_there_is(void **state)
{
	(void)state;
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/secrets/web%2Fa", .body = "3", .file = "f",
	                     .env = "F", .mode = "0440")),
	    200);
	assert_true(answer_holds("\"version\":3"));
	assert_string_equal(answer.etag, "\"v3\"");
	assert_int_equal(
	    ask(ASK("admin", "POST", "/v1/secrets/web%2Fa/destroy", .body = "{\"version\":1}")),
	    204);
	assert_int_equal(secret_len(answer.body), 0);
	assert_int_equal(
	    ask(ASK("admin", "POST", "/v1/secrets/web%2Fa/rollback", .body = "{\"version\":2}")),
	    200);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa/versions")), 200);
	assert_true(answer_holds("\"state\":\"destroyed\""));
	assert_true(answer_holds("\"state\":\"current\""));
	assert_true(answer_holds("\"state\":\"kept\""));
	assert_false(answer_holds(VALUE));
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/web%2Fa", .version = "1")), 404);

	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa/metadata")), 200);
	assert_true(answer_holds("\"file\":\"f\""));
	assert_true(answer_holds("\"env\":\"F\""));
	assert_true(answer_holds("\"mode\":\"0440\""));
	assert_true(answer_holds("\"deleted\":false"));
	assert_true(answer_holds("\"version\":2"));

	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/web%2Fa")), 204);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa")), 404);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa/metadata")), 200);
	assert_true(answer_holds("\"deleted\":true"));
	assert_int_equal(
	    ask(ASK("admin", "POST", "/v1/secrets/web%2Fa/rollback", .body = "{\"version\":3}")),
	    200);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa")), 200);
	assert_true(secret_equals(answer.body, "3", 1));
}

/* The names of a list, joined. */
static void list_names(char ret_names[static 256], char ret_next[static 256])
{
	cleanup_json struct json *json = answer_json();
	const struct json *list = json_array_at(json, "secrets");
	const char *next = json_text_at(json, "next");

	ret_names[0] = '\0';
	for (size_t i = 0; i < json_count(list); i++)
		(void)snprintf(ret_names + strlen(ret_names), 256 - strlen(ret_names), "%s ",
		    json_text_at(json_item(list, i), "name"));
	(void)snprintf(ret_next, 256, "%s", next ? next : "");
}

static void lists_show_only_what_the_caller_may_see(void **state)
{
	static const struct {
		struct ask ask;
		const char *names, *next;
	} rows[] = {
	    {ASK_ROW("admin", "GET", "/v1/secrets"), "other web/a web/b ", ""},
	    {ASK_ROW("operator", "GET", "/v1/secrets"), "other web/a web/b ", ""},
	    {ASK_ROW("reader", "GET", "/v1/secrets"), "web/a web/b ", ""},
	    {ASK_ROW("nobody", "GET", "/v1/secrets"), "", ""},
	    {ASK_ROW("auditor", "GET", "/v1/secrets"), "", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .prefix = "web/"), "web/a web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .prefix = "we"), "web/a web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .prefix = "web/b"), "web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .prefix = "x"), "", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "1"), "other ", "other"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "2"), "other web/a ", "web/a"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "3"), "other web/a web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .after = "other", .limit = "1"), "web/a ",
	        "web/a"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .after = "web/a"), "web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .after = "zzz"), "", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .after = "a", .prefix = "web/"), "web/a web/b ",
	        ""},
	    {ASK_ROW("reader", "GET", "/v1/secrets", .limit = "2"), "web/a web/b ", ""},
	};
	char names[256], next[256], long_prefix[300];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(ask(rows[i].ask), 200);
		list_names(names, next);
		assert_string_equal(names, rows[i].names);
		assert_string_equal(next, rows[i].next);
		assert_false(answer_holds(VALUE));
	}
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/web%2Fa")), 204);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets")), 200);
	list_names(names, next);
	assert_string_equal(names, "other web/b ");

	memset(long_prefix, 'x', sizeof(long_prefix) - 1);
	long_prefix[sizeof(long_prefix) - 1] = '\0';
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets", .prefix = long_prefix)), 400);
}

static void lists_of_what_was_deleted_show_what_can_come_back(void **state)
{
	char names[256], next[256];

	(void)state;
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets", .deleted = "true")), 200);
	list_names(names, next);
	assert_string_equal(names, "");
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/web%2Fa")), 204);
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/other")), 204);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets", .deleted = "true")), 200);
	list_names(names, next);
	assert_string_equal(names, "other web/a ");
	assert_int_equal(
	    ask(ASK("admin", "GET", "/v1/secrets", .deleted = "true", .limit = "1")), 200);
	list_names(names, next);
	assert_string_equal(names, "other ");
	assert_string_equal(next, "other");
	/* Only what the caller may see, as ever. */
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets", .deleted = "true")), 200);
	list_names(names, next);
	assert_string_equal(names, "web/a ");
	/* Nothing brings back what is destroyed. */
	assert_int_equal(
	    ask(ASK("admin", "POST", "/v1/secrets/web%2Fa/destroy", .body = "{}")), 204);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets", .deleted = "true")), 200);
	list_names(names, next);
	assert_string_equal(names, "other ");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, people_setup, people_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_value_over_the_limit_is_refused),
	    TEST(values_come_back_raw_or_as_json),
	    TEST(conditions_of_a_put_are_kept),
	    TEST(versions_and_metadata_tell_what_there_is),
	    TEST(lists_show_only_what_the_caller_may_see),
	    TEST(lists_of_what_was_deleted_show_what_can_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

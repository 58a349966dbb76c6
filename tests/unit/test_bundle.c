/* SPDX-License-Identifier: MIT */
#include "tacit/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "brief.h"
#include "tacit/err.h"
#include "tacit/proto.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct secret *new_value(const void *bytes, size_t len)
{
	struct secret *value = NULL;

	assert_int_equal(secret_new_from(bytes, len, &value), 0);
	return value;
}

static int parse_text(const char *text, struct bundle *ret_bundle)
{
	return bundle_parse(text, strlen(text), ret_bundle);
}

/* A document with one secret. A member that is NULL is left out; others stand as JSON. */
struct members {
	const char *name, *version, *file, *env, *mode, *value;
};

static const struct members good = {
    .name = "\"web/db_password\"",
    .version = "4",
    .file = "\"db_password\"",
    .env = "\"DB_PASSWORD_FILE\"",
    .mode = "\"0400\"",
    .value = "\"aHVudGVyMg==\"",
};

static void member_print(char *text, size_t size, const char *key, const char *value)
{
	size_t len = strlen(text);

	if (value)
		(void)snprintf(text + len, size - len, "%s\"%s\":%s",
		    text[len - 1] == '{' ? "" : ",", key, value);
}

static void item_text(char *ret_text, size_t size, const struct members *members)
{
	(void)snprintf(ret_text, size, "{");
	member_print(ret_text, size, "name", members->name);
	member_print(ret_text, size, "version", members->version);
	member_print(ret_text, size, "file", members->file);
	member_print(ret_text, size, "env", members->env);
	member_print(ret_text, size, "mode", members->mode);
	member_print(ret_text, size, "value", members->value);
	(void)strcat(ret_text, "}");
}

static int parse_members(const struct members *members, struct bundle *ret_bundle)
{
	char item[2048], text[2200];

	item_text(item, sizeof(item) - 2, members);
	(void)snprintf(text, sizeof(text), "{\"revision\":42,\"secrets\":[%s]}", item);
	return parse_text(text, ret_bundle);
}

/* `ret_bundle` is untouched on failure. */
static void assert_refused(int r, const struct bundle *bundle, const char *what)
{
	if (r != -TACIT_E_MALFORMED)
		fail_msg("%s gives %d", what, r);
	assert_int_equal(bundle->revision, 77);
	assert_null(bundle->items);
	assert_int_equal(bundle->count, 0);
}

static void parse_reads_every_member(void **state)
{
	cleanup_bundle struct bundle bundle = {0};
	const struct bundle_item *item;

	(void)state;
	assert_int_equal(parse_members(&good, &bundle), 0);
	assert_int_equal(bundle.revision, 42);
	assert_int_equal(bundle.count, 1);
	item = bundle_find(&bundle, "web/db_password");
	assert_ptr_equal(item, &bundle.items[0]);
	assert_string_equal(item->name, "web/db_password");
	assert_int_equal(item->version, 4);
	assert_string_equal(item->file, "db_password");
	assert_string_equal(item->env, "DB_PASSWORD_FILE");
	assert_int_equal(item->mode, 0400);
	assert_true(secret_equals(item->value, "hunter2", 7));
}

/* One member of the good document replaced; NULL leaves it out. */
struct member_row {
	size_t member; /* offset in struct members */
	const char *json;
};

#define MEMBER(name) offsetof(struct members, name)
#define X16          "xxxxxxxxxxxxxxxx"
#define X255         X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 "xxxxxxxxxxxxxxx"

static const struct member_row good_rows[] = {
    {MEMBER(name), "\"a\""},
    {MEMBER(name), "\"a/b/c\""},
    {MEMBER(name), "\"" X255 "\""},
    {MEMBER(version), "0"}, /* of a source without versions */
    {MEMBER(version), "4294967295"},
    {MEMBER(file), "\"tls.crt\""},
    {MEMBER(file), "\"2fa\""},
    {MEMBER(file), "\"" X255 "\""},
    {MEMBER(env), "\"PGPASSFILE\""},
    {MEMBER(env), "\"db_password\""},
    {MEMBER(mode), "\"0440\""},
    {MEMBER(mode), "\"400\""},
    {MEMBER(value), "\"\""},
    {MEMBER(value), "\"AP8=\""},
};

static const struct member_row bad_rows[] = {
    {MEMBER(name), NULL},
    {MEMBER(name), "null"},
    {MEMBER(name), "7"},
    {MEMBER(name), "[\"a\"]"},
    {MEMBER(name), "\"\""},
    {MEMBER(name), "\"/etc/passwd\""},
    {MEMBER(name), "\"../a\""},
    {MEMBER(name), "\"a/../b\""},
    {MEMBER(name), "\"a//b\""},
    {MEMBER(name), "\"a/\""},
    {MEMBER(name), "\"a b\""},
    {MEMBER(name), "\"a\\nb\""},
    {MEMBER(name), "\"a\\\"b\""},
    {MEMBER(name), "\"\xc3\xa4\""},
    {MEMBER(name), "\"*\""},
    {MEMBER(name), "\"x" X255 "\""},

    {MEMBER(file), NULL},
    {MEMBER(file), "null"},
    {MEMBER(file), "\"\""},
    {MEMBER(file), "\".\""},
    {MEMBER(file), "\"..\""},
    {MEMBER(file), "\"../db\""},
    {MEMBER(file), "\"/etc/passwd\""},
    {MEMBER(file), "\"a/b\""},
    {MEMBER(file), "\"a/\""},
    {MEMBER(file), "\".hidden\""},
    {MEMBER(file), "\"-rf\""},
    {MEMBER(file), "\"a\\u0000b\""},
    {MEMBER(file), "\"a\\nb\""},
    {MEMBER(file), "\"a*\""},
    {MEMBER(file), "\"x" X255 "\""},

    {MEMBER(env), NULL},
    {MEMBER(env), "null"},
    {MEMBER(env), "\"\""},
    {MEMBER(env), "\"A=B\""},
    {MEMBER(env), "\"A B\""},
    {MEMBER(env), "\"A\\nB\""},
    {MEMBER(env), "\"2FA\""},
    {MEMBER(env), "\"2FA_FILE\""}, /* the default of another file only */
    {MEMBER(env), "\"A-B\""},
    {MEMBER(env), "\"TACIT_TOKEN\""},
    {MEMBER(env), "\"x" X255 "\""},
    {MEMBER(env), "\"xxxxxxxxxx" X255 "\""},

    {MEMBER(mode), NULL},
    {MEMBER(mode), "256"},
    {MEMBER(mode), "\"0777\""},
    {MEMBER(mode), "\"0444\""},
    {MEMBER(mode), "\"0600\""},
    {MEMBER(mode), "\"4400\""},
    {MEMBER(mode), "\"\""},

    {MEMBER(version), NULL},
    {MEMBER(version), "null"},
    {MEMBER(version), "-1"},
    {MEMBER(version), "1.0"},
    {MEMBER(version), "\"1\""},
    {MEMBER(version), "4294967296"},
    {MEMBER(version), "-9223372036854775808"},
    {MEMBER(version), "9223372036854775807"},

    {MEMBER(value), NULL},
    {MEMBER(value), "null"},
    {MEMBER(value), "7"},
    {MEMBER(value), "\"a\""},
    {MEMBER(value), "\"aHVudGVyMg\""},
    {MEMBER(value), "\"aHVudGVyMg=\""},
    {MEMBER(value), "\"aHVudGVyMh==\""},
    {MEMBER(value), "\"aHVudGVyMg==\\n\""},
    {MEMBER(value), "\"aHV udGVyMg==\""},
    {MEMBER(value), "\"____\""},
    {MEMBER(value), "\"\xc3\xa4\xc3\xa4\""},
};

static struct members with(const struct member_row *row)
{
	struct members members = good;

	*(const char **)(void *)((char *)&members + row->member) = row->json;
	return members;
}

static void parse_takes_what_the_grammars_allow(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good_rows); i++) {
		const struct members members = with(&good_rows[i]);
		cleanup_bundle struct bundle bundle = {0};

		if (parse_members(&members, &bundle) != 0)
			fail_msg("refused: %s", good_rows[i].json);
		assert_int_equal(bundle.count, 1);
	}
}

static void parse_refuses_each_hostile_member(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_rows); i++) {
		const struct members members = with(&bad_rows[i]);
		struct bundle bundle = {.revision = 77};
		int r = parse_members(&members, &bundle);

		assert_refused(r, &bundle, bad_rows[i].json ? bad_rows[i].json : "none");
	}
}

/* The default of a file that starts with a digit is no name_is_env(), and yet the contract's. */
static void the_default_variable_may_start_with_a_digit(void **state)
{
	struct members members = good;
	cleanup_bundle struct bundle bundle = {0};

	(void)state;
	members.file = "\"2fa\"";
	members.env = "\"2FA_FILE\"";
	assert_int_equal(parse_members(&members, &bundle), 0);
	assert_string_equal(bundle.items[0].env, "2FA_FILE");
}

#define ITEM                                                                                      \
	"{\"name\":\"a\",\"version\":1,\"file\":\"f\",\"env\":\"E\",\"mode\":\"0400\",\"value\":" \
	"\"eA==\"}"
#define ITEM_B                                                                                    \
	"{\"name\":\"b\",\"version\":1,\"file\":\"g\",\"env\":\"F\",\"mode\":\"0400\",\"value\":" \
	"\"eA==\"}"

static const char *const good_documents[] = {
    "{\"revision\":0,\"secrets\":[]}",
    "{\"secrets\":[" ITEM "," ITEM_B "],\"revision\":9223372036854775807}",
    "{\"revision\":1,\"secrets\":[" ITEM "],\"from_the_future\":{}}",
};

static const char *const bad_documents[] = {
    "",
    "[]",
    "{}",
    "null",
    "[" ITEM "]",
    "{\"secrets\":[" ITEM "]}",
    "{\"revision\":1}",
    "{\"revision\":-1,\"secrets\":[]}",
    "{\"revision\":1.5,\"secrets\":[]}",
    "{\"revision\":\"1\",\"secrets\":[]}",
    "{\"revision\":9223372036854775808,\"secrets\":[]}",
    "{\"revision\":1,\"secrets\":{}}",
    "{\"revision\":1,\"secrets\":null}",
    "{\"revision\":1,\"secrets\":[null]}",
    "{\"revision\":1,\"secrets\":[7]}",
    "{\"revision\":1,\"secrets\":[[]]}",
    "{\"revision\":1,\"secrets\":[{}]}",
    "{\"revision\":1,\"secrets\":[" ITEM "," ITEM "]}",
    "{\"revision\":1,\"secrets\":[" ITEM "," ITEM_B "," ITEM "]}",
    "{\"revision\":1,\"secrets\":[" ITEM ",{}]}",
    "{\"revision\":1,\"revision\":2,\"secrets\":[]}",
    "{\"revision\":1,\"secrets\":[" ITEM "]",
    "{\"revision\":1,\"secrets\":[" ITEM "]} x",
};

static void parse_takes_whole_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good_documents); i++) {
		cleanup_bundle struct bundle bundle = {0};

		if (parse_text(good_documents[i], &bundle) != 0)
			fail_msg("refused: %s", good_documents[i]);
	}
}

static void parse_refuses_each_hostile_document(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_documents); i++) {
		struct bundle bundle = {.revision = 77};

		assert_refused(parse_text(bad_documents[i], &bundle), &bundle, bad_documents[i]);
	}
}

/* A bundle that this library prints, with one item whose value has `len` bytes. */
static struct secret *print_value_of(size_t len)
{
	cleanup_bundle struct bundle bundle = {0};
	struct secret *text = NULL;
	uint8_t *bytes = calloc(len + 1, 1);

	assert_non_null(bytes);
	assert_int_equal(bundle_add(&bundle, "a", new_value(bytes, len)), 0);
	assert_int_equal(bundle_print(&bundle, &text), 0);
	free(bytes);
	return text;
}

static void a_value_may_have_512000_bytes_and_no_more(void **state)
{
	(void)state;
	for (size_t len = PROTO_VALUE_MAX_BYTES - 1; len <= PROTO_VALUE_MAX_BYTES + 1; len++) {
		cleanup_secret struct secret *text = print_value_of(len);
		cleanup_bundle struct bundle bundle = {0};
		int r = bundle_parse(secret_bytes(text), secret_len(text), &bundle);

		assert_int_equal(r, len > PROTO_VALUE_MAX_BYTES ? -TACIT_E_MALFORMED : 0);
		if (r == 0)
			assert_int_equal(secret_len(bundle.items[0].value), len);
	}
}

static void a_bundle_may_have_4096_items_and_no_more(void **state)
{
	cleanup_bundle struct bundle bundle = {0};

	(void)state;
	for (unsigned i = 0; i <= BUNDLE_ITEMS_MAX; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(bundle_add(&bundle, name, new_value("x", 1)), 0);
		if (i + 2 > BUNDLE_ITEMS_MAX) {
			cleanup_secret struct secret *text = NULL;
			cleanup_bundle struct bundle back = {0};

			assert_int_equal(bundle_print(&bundle, &text), 0);
			assert_int_equal(bundle_parse(secret_bytes(text), secret_len(text), &back),
			    i + 1 > BUNDLE_ITEMS_MAX ? -TACIT_E_MALFORMED : 0);
		}
	}
}

static void print_gives_the_document_of_the_contract(void **state)
{
	static const char expected[] =
	    "{\"revision\":42,\"secrets\":[{\"name\":\"web/db_password\",\"version\":4,"
	    "\"file\":\"db_password\",\"env\":\"DB_PASSWORD_FILE\",\"mode\":\"0400\","
	    "\"value\":\"aHVudGVyMg==\"},{\"name\":\"e\",\"version\":0,\"file\":\"e\","
	    "\"env\":\"E_FILE\",\"mode\":\"0440\",\"value\":\"\"}]}";
	cleanup_bundle struct bundle bundle = {.revision = 42};
	cleanup_secret struct secret *text = NULL;

	(void)state;
	assert_int_equal(bundle_add(&bundle, "web/db_password", new_value("hunter2", 7)), 0);
	assert_int_equal(bundle_add(&bundle, "e", new_value("", 0)), 0);
	bundle.items[0].version = 4;
	bundle.items[1].mode = 0440;
	assert_int_equal(bundle_print(&bundle, &text), 0);
	assert_true(secret_equals(text, expected, strlen(expected)));
}

static void an_empty_bundle_prints_and_parses(void **state)
{
	cleanup_bundle struct bundle bundle = {.revision = 7};
	cleanup_bundle struct bundle back = {0};
	cleanup_secret struct secret *text = NULL;

	(void)state;
	assert_int_equal(bundle_print(&bundle, &text), 0);
	assert_true(secret_equals(text, "{\"revision\":7,\"secrets\":[]}", 27));
	assert_int_equal(bundle_parse(secret_bytes(text), secret_len(text), &back), 0);
	assert_int_equal(back.revision, 7);
	assert_int_equal(back.count, 0);
}

/* Everything at its largest, so that no line of the printer is cut. */
static void the_largest_item_comes_back(void **state)
{
	cleanup_bundle struct bundle bundle = {.revision = INT64_MAX};
	cleanup_bundle struct bundle back = {0};
	cleanup_secret struct secret *text = NULL;
	uint8_t bytes[256];
	char name[NAME_MAX_BYTES + 1];

	(void)state;
	memset(name, 'n', NAME_MAX_BYTES);
	name[NAME_MAX_BYTES] = '\0';
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(bundle_add(&bundle, name, new_value(bytes, sizeof(bytes))), 0);
	bundle.items[0].version = UINT32_MAX;
	assert_int_equal(bundle_print(&bundle, &text), 0);
	assert_int_equal(bundle_parse(secret_bytes(text), secret_len(text), &back), 0);
	assert_int_equal(back.revision, INT64_MAX);
	assert_string_equal(back.items[0].name, name);
	assert_string_equal(back.items[0].file, name);
	assert_string_equal(back.items[0].env, bundle.items[0].env);
	assert_int_equal(back.items[0].version, UINT32_MAX);
	assert_true(secret_equals(back.items[0].value, bytes, sizeof(bytes)));
}

static void add_gives_the_defaults_of_the_name(void **state)
{
	cleanup_bundle struct bundle bundle = {0};

	(void)state;
	assert_int_equal(bundle_add(&bundle, "web/tls.key", new_value("x", 1)), 0);
	assert_string_equal(bundle.items[0].name, "web/tls.key");
	assert_string_equal(bundle.items[0].file, "tls.key");
	assert_string_equal(bundle.items[0].env, "TLS_KEY_FILE");
	assert_int_equal(bundle.items[0].mode, 0400);
	assert_int_equal(bundle.items[0].version, 0);
}

static void find_takes_whole_names_only(void **state)
{
	cleanup_bundle struct bundle bundle = {0};

	(void)state;
	assert_null(bundle_find(&bundle, "a"));
	assert_int_equal(bundle_add(&bundle, "a/b", new_value("1", 1)), 0);
	assert_int_equal(bundle_add(&bundle, "a", new_value("2", 1)), 0);
	assert_ptr_equal(bundle_find(&bundle, "a"), &bundle.items[1]);
	assert_ptr_equal(bundle_find(&bundle, "a/b"), &bundle.items[0]);
	assert_null(bundle_find(&bundle, "b"));
	assert_null(bundle_find(&bundle, ""));
}

static void a_freed_bundle_is_empty(void **state)
{
	struct bundle bundle = {.revision = 1};

	(void)state;
	assert_int_equal(bundle_add(&bundle, "a", new_value("1", 1)), 0);
	bundle_free(&bundle);
	assert_null(bundle.items);
	assert_int_equal(bundle.count, 0);
	bundle_free(&bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_reads_every_member),
	    cmocka_unit_test(parse_takes_what_the_grammars_allow),
	    cmocka_unit_test(parse_refuses_each_hostile_member),
	    cmocka_unit_test(the_default_variable_may_start_with_a_digit),
	    cmocka_unit_test(parse_takes_whole_documents),
	    cmocka_unit_test(parse_refuses_each_hostile_document),
	    cmocka_unit_test(a_value_may_have_512000_bytes_and_no_more),
	    cmocka_unit_test(print_gives_the_document_of_the_contract),
	    cmocka_unit_test(an_empty_bundle_prints_and_parses),
	    cmocka_unit_test(the_largest_item_comes_back),
	    cmocka_unit_test(add_gives_the_defaults_of_the_name),
	    cmocka_unit_test(find_takes_whole_names_only),
	    cmocka_unit_test(a_freed_bundle_is_empty),
	    /* Slow. Each of 4096 names is compared with all others. */
	    cmocka_unit_test(a_bundle_may_have_4096_items_and_no_more),
	};

	return run_group(tests, 1, NULL, NULL);
}

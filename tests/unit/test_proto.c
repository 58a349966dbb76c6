/* SPDX-License-Identifier: MIT */
#include "tacit/proto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tacit/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int all_errors[] = {
#define X(symbol, http, exit_code, code, text) -TACIT_E_##symbol,
    TACIT_ERRORS(X)
#undef X
};

struct path_row {
	const char *format;
	const char *name;
	const char *path;
};

static const struct path_row path_rows[] = {
    {"", "", ""}, {"/v1/health", "", "/v1/health"}, {"/v1/secrets/%s", "web", "/v1/secrets/web"},
    {"/v1/secrets/%s", "", "/v1/secrets/"}, {"/v1/secrets/%s", "web/db", "/v1/secrets/web%2Fdb"},
    {"/v1/secrets/%s/versions", "web/versions", "/v1/secrets/web%2Fversions/versions"},
    {"/v1/secrets/%s", "AZaz09-._~", "/v1/secrets/AZaz09-._~"},
    {"/v1/secrets?prefix=%s", "a b&c=d?e#f", "/v1/secrets?prefix=a%20b%26c%3Dd%3Fe%23f"},
    {"%s", "%", "%25"}, {"%s", "%2F", "%252F"}, {"%s", "+", "%2B"}, {"%s", "**", "%2A%2A"},
    {"%s", "\x01\x7f\xff\xc3\xa4", "%01%7F%FF%C3%A4"},
    {"%s", "a\r\nHost: evil", "a%0D%0AHost%3A%20evil"},
    {"%d%", "", "%d%"}, /* only %s is understood */
};

static void paths_escape_all_but_the_unreserved(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(path_rows); i++) {
		char path[PROTO_PATH_MAX_BYTES] = "before";

		assert_int_equal(proto_path(path, path_rows[i].format, path_rows[i].name), 0);
		assert_string_equal(path, path_rows[i].path);
	}
}

static void paths_take_several_names(void **state)
{
	char path[PROTO_PATH_MAX_BYTES];

	(void)state;
	assert_int_equal(proto_path(path, "/%s/x/%s%s", "a/b", "c", "d"), 0);
	assert_string_equal(path, "/a%2Fb/x/cd");
}

static void paths_end_at_their_last_byte(void **state)
{
	char text[PROTO_PATH_MAX_BYTES + 1];
	char path[PROTO_PATH_MAX_BYTES + 1];

	(void)state;
	for (size_t len = PROTO_PATH_MAX_BYTES - 3; len <= PROTO_PATH_MAX_BYTES; len++) {
		int expected = len < PROTO_PATH_MAX_BYTES ? 0 : -TACIT_E_TOO_LARGE;

		memset(text, 'a', len);
		text[len] = '\0';
		path[PROTO_PATH_MAX_BYTES] = '!';
		assert_int_equal(proto_path(path, "%s", text), expected);
		assert_int_equal(proto_path(path, text), expected);
		text[len - 1] = '/'; /* three bytes, so the last two are too many */
		assert_int_equal(proto_path(path, "%s", text),
		    len + 2 < PROTO_PATH_MAX_BYTES ? 0 : -TACIT_E_TOO_LARGE);
		assert_int_equal(path[PROTO_PATH_MAX_BYTES], '!');
	}
}

/* The longest name there is, three bytes for each of its own, still fits the longest route. */
static void the_longest_name_fits(void **state)
{
	char name[NAME_MAX_BYTES + 1], path[PROTO_PATH_MAX_BYTES];

	(void)state;
	memset(name, '*', NAME_MAX_BYTES);
	name[NAME_MAX_BYTES] = '\0';
	assert_int_equal(proto_path(path, "/v1/secrets/%s/versions", name), 0);
}

struct unescape_row {
	const char *text;
	const char *plain; /* NULL: refused */
};

static const struct unescape_row unescape_rows[] = {
    {"", ""},
    {"abc", "abc"},
    {"web%2Fdb", "web/db"},
    {"web%2fdb", "web/db"},
    {"%41%5a%7A", "AZz"},
    {"a+b", "a+b"},
    {"%2B%20", "+ "},
    {"%25", "%"},
    {"%252F", "%2F"}, /* once */
    {"%2525", "%25"},
    {"%01%7F%80%FF", "\x01\x7f\x80\xff"},
    {"%C3%A4", "\xc3\xa4"},
    {"%", NULL},
    {"%4", NULL},
    {"a%", NULL},
    {"a%4", NULL},
    {"%4G", NULL},
    {"%G4", NULL},
    {"%%41", NULL},
    {"% 41", NULL},
    {"%-1", NULL},
    {"%+1", NULL},
    {"%0x", NULL},
    {"%/0", NULL},
    {"%:0", NULL},
    {"%@0", NULL},
    {"%`0", NULL},
    {"%u0041", NULL},
    {"%00", NULL},
    {"a%00b", NULL},
    {"%2F%00", NULL},
};

static void unescape_takes_each_escape_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(unescape_rows); i++) {
		const struct unescape_row *row = &unescape_rows[i];
		char text[64];
		int r;

		(void)snprintf(text, sizeof(text), "%s", row->text);
		r = proto_unescape(text);
		if (r != (row->plain ? 0 : -TACIT_E_MALFORMED))
			fail_msg("\"%s\" gives %d", row->text, r);
		if (row->plain)
			assert_string_equal(text, row->plain);
	}
}

static void unescape_undoes_what_a_path_escapes(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		const char text[] = {'x', (char)c, (char)(256 - c), '\0'};
		char path[PROTO_PATH_MAX_BYTES];

		assert_int_equal(proto_path(path, "%s", text), 0);
		assert_int_equal(proto_unescape(path), 0);
		assert_string_equal(path, text);
	}
}

static void every_problem_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_errors); i++) {
		cleanup_secret struct secret *body = NULL;
		char detail[128] = "before";
		int err = 0;

		assert_int_equal(proto_problem_print(all_errors[i], NULL, "r1", &body), 0);
		assert_int_equal(proto_problem_parse(secret_bytes(body), secret_len(body), &err,
		                     detail, sizeof(detail)),
		    0);
		assert_int_equal(err, all_errors[i]);
		assert_string_equal(detail, err_text(all_errors[i]));
	}
}

/* RFC 9457: with the type about:blank the title is the status' own phrase. */
static void every_problem_says_what_the_rfc_asks_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_errors); i++) {
		cleanup_secret struct secret *body = NULL;
		cleanup_json struct json *json = NULL;
		int64_t status;

		assert_int_equal(proto_problem_print(all_errors[i], "d", "r1", &body), 0);
		assert_int_equal(json_parse(secret_bytes(body), secret_len(body), &json, NULL), 0);
		assert_string_equal(json_text_at(json, "type"), "about:blank");
		assert_string_not_equal(json_text_at(json, "title"), "Error");
		assert_int_equal(json_int_at(json, "status", &status), 0);
		assert_int_equal(status, err_http_status(all_errors[i]));
		assert_string_equal(json_text_at(json, "detail"), "d");
		assert_string_equal(json_text_at(json, "code"), err_code(all_errors[i]));
		assert_string_equal(json_text_at(json, "request_id"), "r1");
	}
}

static void a_problem_is_one_compact_object(void **state)
{
	static const char expected[] =
	    "{\"type\":\"about:blank\",\"title\":\"Forbidden\",\"status\":403,"
	    "\"detail\":\"denied\",\"code\":\"denied\",\"request_id\":\"0a1b\"}";
	cleanup_secret struct secret *body = NULL;

	(void)state;
	assert_int_equal(proto_problem_print(-TACIT_E_DENIED, NULL, "0a1b", &body), 0);
	assert_true(secret_equals(body, expected, strlen(expected)));
}

/* The number of an errno means something else on another machine. */
static void an_errno_is_an_internal_error_to_the_peer(void **state)
{
	cleanup_secret struct secret *body = NULL;
	char detail[64];
	int err = 0;

	(void)state;
	assert_int_equal(proto_problem_print(-ENOSPC, "", "r1", &body), 0);
	assert_int_equal(
	    proto_problem_parse(secret_bytes(body), secret_len(body), &err, detail, sizeof(detail)),
	    0);
	assert_int_equal(err, -TACIT_E_INTERNAL);
	assert_string_equal(detail, "");
}

struct problem_row {
	const char *text;
	int err; /* 0: no problem document */
	const char *detail;
};

static const struct problem_row problem_rows[] = {
    {"{\"code\":\"denied\"}", -TACIT_E_DENIED, ""},
    {"{\"code\":\"denied\",\"detail\":\"x\"}", -TACIT_E_DENIED, "x"},
    {"{\"code\":\"denied\",\"detail\":7}", -TACIT_E_DENIED, ""},
    {"{\"code\":\"denied\",\"detail\":\"0123456789abcdef\"}", -TACIT_E_DENIED, "0123456"},
    {"{\"code\":\"not_found\",\"status\":200}", -TACIT_E_NOT_FOUND, ""},
    {"{\"code\":\"from the future\",\"detail\":\"x\"}", -TACIT_E_INTERNAL, "x"},
    {"{\"code\":\"\"}", -TACIT_E_INTERNAL, ""},
    {"{}", 0, ""},
    {"{\"status\":404}", 0, ""},
    {"{\"code\":404}", 0, ""},
    {"{\"code\":null}", 0, ""},
    {"{\"code\":\"denied\",\"code\":\"not_found\"}", 0, ""},
    {"[{\"code\":\"denied\"}]", 0, ""},
    {"[]", 0, ""},
    {"\"denied\"", 0, ""},
    {"", 0, ""},
    {"<html>502 Bad Gateway</html>", 0, ""},
};

static void parse_reads_problems_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(problem_rows); i++) {
		const struct problem_row *row = &problem_rows[i];
		char detail[8] = "before";
		int err = 77;
		int r =
		    proto_problem_parse(row->text, strlen(row->text), &err, detail, sizeof(detail));

		if (r != (row->err ? 0 : -TACIT_E_MALFORMED))
			fail_msg("%s gives %d", row->text, r);
		assert_int_equal(err, row->err ? row->err : 77);
		assert_string_equal(detail, row->err ? row->detail : "before");
	}
}

static void an_instance_is_a_name_and_whether_it_watches(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
		bool watches;
	} rows[] = {{"3acd8c589f92.1", "3acd8c589f92.1", false}, {"a; watch", "a", true},
	    {"a;watch", NULL, false}, {"a; watch ", NULL, false}, {"a; once", NULL, false},
	    {"a;", NULL, false}, {"; watch", NULL, false}, {"", NULL, false}, {".a", NULL, false},
	    {"a b", NULL, false}, {"a/b", NULL, false},
	    {"0123456789012345678901234567890123456789012345678901234567890123",
	        "0123456789012345678901234567890123456789012345678901234567890123", false},
	    {"01234567890123456789012345678901234567890123456789012345678901234", NULL, false}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[CLIENT_NAME_MAX_BYTES + 1] = "before";
		bool watches = false;
		int r = proto_instance_parse(rows[i].text, name, &watches);

		assert_int_equal(r, rows[i].name ? 0 : -TACIT_E_MALFORMED);
		assert_string_equal(name, rows[i].name ? rows[i].name : "before");
		assert_int_equal(watches, rows[i].watches);
	}
}

static void an_id_of_an_instance_is_short_and_printable(void **state)
{
	static const char *const good[] = {
	    "a", "4f2a90c1d3e7", "A-b_9", "01234567890123456789012345678901"};
	static const char *const bad[] = {"", " ", "a b", "a/b", "a.b", "a\n", "\xc3\xa4", "a;b",
	    "012345678901234567890123456789012"};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(proto_instance_is_id(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(proto_instance_is_id(bad[i]));
}

static void any_host_makes_the_name_of_an_instance(void **state)
{
	static const struct {
		const char *host, *text;
	} rows[] = {{"3acd8c589f92", "3acd8c589f92.1; watch"}, {"", "_.1; watch"},
	    {"-x", "_x.1; watch"}, {"..", "_..1; watch"}, {"a b\nc\xff", "a-b-c-.1; watch"},
	    {"a-very-long-name-of-a-pod-6d4cf56db6-x2x8p-and-more",
	        "a-very-long-name-of-a-pod-6d4cf56db6-x2x.1; watch"}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[PROTO_INSTANCE_MAX_BYTES], name[CLIENT_NAME_MAX_BYTES + 1];
		bool watches;

		proto_instance_print(rows[i].host, 1, true, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(proto_instance_parse(text, name, &watches), 0);
		assert_true(watches);
		proto_instance_print(rows[i].host, 4194304, false, text);
		assert_int_equal(proto_instance_parse(text, name, &watches), 0);
		assert_false(watches);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_escape_all_but_the_unreserved),
	    cmocka_unit_test(paths_take_several_names),
	    cmocka_unit_test(paths_end_at_their_last_byte),
	    cmocka_unit_test(the_longest_name_fits),
	    cmocka_unit_test(unescape_takes_each_escape_once),
	    cmocka_unit_test(unescape_undoes_what_a_path_escapes),
	    cmocka_unit_test(every_problem_comes_back),
	    cmocka_unit_test(every_problem_says_what_the_rfc_asks_for),
	    cmocka_unit_test(a_problem_is_one_compact_object),
	    cmocka_unit_test(an_errno_is_an_internal_error_to_the_peer),
	    cmocka_unit_test(parse_reads_problems_and_nothing_else),
	    cmocka_unit_test(an_instance_is_a_name_and_whether_it_watches),
	    cmocka_unit_test(an_id_of_an_instance_is_short_and_printable),
	    cmocka_unit_test(any_host_makes_the_name_of_an_instance),
	};

	return cmocka_run_group_tests_name("proto", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "tacit/json.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tacit/err.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define TEXT(literal) literal, sizeof(literal) - 1

static struct json *parse(const char *text)
{
	struct json *json = NULL;

	if (json_parse(text, strlen(text), &json, NULL) < 0)
		fail_msg("refused: %s", text);
	return json;
}

static void assert_prints(const struct json *json, const char *expected)
{
	cleanup_secret struct secret *text = NULL;

	assert_int_equal(json_print(json, &text), 0);
	if (!secret_equals(text, expected, strlen(expected)))
		fail_msg("%.*s is not %s", (int)secret_len(text), (const char *)secret_bytes(text),
		    expected);
}

struct same_row {
	const char *text;
	const char *printed;
};

static const struct same_row good_rows[] = {
    {"{}", "{}"},
    {"[]", "[]"},
    {" \t\r\n{ } \n", "{}"},
    {"{\"a\":1}", "{\"a\":1}"},
    {"{\"a\" : [ 1 , -2 , true , false , null ] }", "{\"a\":[1,-2,true,false,null]}"},
    {"{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}"}, /* the order stays */
    {"{\"\":\"\"}", "{\"\":\"\"}"},
    {"[\"\\u0041\\n\\\"\\\\\\/\"]", "[\"A\\n\\\"\\\\/\"]"},
    {"[\"\xc3\xa4\"]", "[\"\xc3\xa4\"]"},
    {"[\"\\u00e4\"]", "[\"\xc3\xa4\"]"},
    {"[\"\\ud83d\\ude00\"]", "[\"\xf0\x9f\x98\x80\"]"},
    {"[\"\x7f\"]", "[\"\x7f\"]"},
    {"[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]"},
    {"{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}"},
    {"[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]",
        "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]"},
    {"[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\"]",
        "[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\"]"},
};

static void parse_takes_what_the_rfc_allows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good_rows); i++) {
		cleanup_json struct json *json = parse(good_rows[i].text);

		assert_prints(json, good_rows[i].printed);
	}
}

struct bad_row {
	const char *what;
	const char *text;
	size_t len;
};

static const struct bad_row bad_rows[] = {
    {"nothing", TEXT("")},
    {"blanks", TEXT(" \n ")},
    {"a string alone", TEXT("\"a\"")},
    {"a number alone", TEXT("1")},
    {"a word alone", TEXT("null")},

    {"a duplicate key", TEXT("{\"a\":1,\"a\":1}")},
    {"a duplicate key further down", TEXT("[{\"b\":{\"a\":1,\"b\":2,\"a\":3}}]")},
    {"a duplicate key in two spellings", TEXT("{\"a\":1,\"\\u0061\":1}")},

    {"a trailing byte", TEXT("{}x")},
    {"a trailing comma behind all", TEXT("{},")},
    {"a second document", TEXT("{}{}")},
    {"a second document on a line of its own", TEXT("{}\n{}")},
    {"a trailing NUL", TEXT("{}\0")},
    {"a trailing NUL and more", TEXT("{}\0{}")},

    {"a NUL in front", TEXT("\0{}")},
    {"a NUL between tokens", TEXT("{\0}")},
    {"a NUL behind a number", TEXT("[0\0,1]")},
    {"a NUL behind the last number", TEXT("[1\0]")},
    {"a NUL behind a word", TEXT("[true\0]")},
    {"a NUL behind a blank", TEXT("[ \0]")},
    {"a NUL in a string", TEXT("[\"a\0b\"]")},
    {"an escaped NUL in a string", TEXT("[\"a\\u0000b\"]")},
    {"an escaped NUL in a key", TEXT("{\"a\\u0000b\":1}")},

    {"a lone continuation byte", TEXT("[\"\x80\"]")},
    {"a cut sequence", TEXT("[\"\xc3\"]")},
    {"an overlong slash", TEXT("[\"\xc0\xaf\"]")},
    {"an overlong NUL", TEXT("[\"\xc0\x80\"]")},
    {"an overlong sequence of three", TEXT("[\"\xe0\x80\xaf\"]")},
    {"a surrogate", TEXT("[\"\xed\xa0\x80\"]")},
    {"a code point behind the last", TEXT("[\"\xf4\x90\x80\x80\"]")},
    {"byte fe", TEXT("[\"\xfe\"]")},
    {"byte ff", TEXT("[\"\xff\"]")},
    {"bad UTF-8 in a key", TEXT("{\"\xff\":1}")},
    {"bad UTF-8 between tokens", TEXT("[\xff]")},
    {"a byte order mark", TEXT("\xef\xbb\xbf{}")},
    {"half an escaped pair", TEXT("[\"\\ud83d\"]")},
    {"half an escaped pair and a letter", TEXT("[\"\\ud83dx\"]")},
    {"the second half first", TEXT("[\"\\ude00\\ud83d\"]")},

    {"a comma too many", TEXT("[1,]")},
    {"a comma too many in an object", TEXT("{\"a\":1,}")},
    {"a comma too few", TEXT("[1 2]")},
    {"a key without quotes", TEXT("{a:1}")},
    {"single quotes", TEXT("['a']")},
    {"a comment", TEXT("[1/*x*/]")},
    {"an unclosed array", TEXT("[1")},
    {"an unclosed object", TEXT("{\"a\":1")},
    {"an unclosed string", TEXT("[\"a")},
    {"a closing bracket alone", TEXT("]")},
    {"the wrong bracket", TEXT("[1}")},
    {"a raw line end in a string", TEXT("[\"a\nb\"]")},
    {"a raw tab in a string", TEXT("[\"a\tb\"]")},
    {"an unknown escape", TEXT("[\"\\x41\"]")},
    {"a short escape", TEXT("[\"\\u41\"]")},
    {"a leading zero", TEXT("[01]")},
    {"a plus", TEXT("[+1]")},
    {"a bare minus", TEXT("[-]")},
    {"a dot at the end", TEXT("[1.]")},
    {"a dot in front", TEXT("[.5]")},
    {"hexadecimal", TEXT("[0x1]")},
    {"not a number", TEXT("[NaN]")},
    {"infinity", TEXT("[Infinity]")},
    {"a number over all", TEXT("[1e999]")},
    {"an integer of 65 bits", TEXT("[9223372036854775808]")},
    {"an integer of 65 bits below zero", TEXT("[-9223372036854775809]")},
    {"a word in capitals", TEXT("[True]")},
};

static void parse_refuses_everything_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_rows); i++) {
		struct json *json = NULL;
		unsigned line = 0;

		if (json_parse(bad_rows[i].text, bad_rows[i].len, &json, &line) !=
		    -TACIT_E_MALFORMED)
			fail_msg("%s is taken", bad_rows[i].what);
		assert_null(json);
		assert_in_range(line, 1, 2);
	}
}

/* Exactly the bytes it was given: a copy without anything behind, for the sanitizer to watch. */
static void parse_reads_no_byte_too_far(void **state)
{
	static const char whole[] = "{\"a\":[\"\\u0041\xc3\xa4\\\\\",12,true]}";

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		struct json *json = NULL;
		char *text = malloc(len + (len == 0));
		int r;

		assert_non_null(text);
		memcpy(text, whole, len);
		r = json_parse(text, len, &json, NULL);
		assert_int_equal(r, len == sizeof(whole) - 1 ? 0 : -TACIT_E_MALFORMED);
		json_free(json);
		free(text);
	}
}

#define NESTING_MAX 32

static void parse_takes_a_nesting_of_32_and_no_more(void **state)
{
	static const struct {
		const char *open, *inside, *close;
	} shapes[] = {{"[", "", "]"}, {"{\"a\":", "1", "}"}, {"[\"[\\\"{\",", "1", "]"}};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++)
		for (size_t depth = NESTING_MAX; depth <= NESTING_MAX + 1; depth++) {
			cleanup_json struct json *json = NULL;
			char text[512] = "";
			int r;

			for (size_t d = 0; d < depth; d++)
				(void)strcat(text, shapes[i].open);
			(void)strcat(text, shapes[i].inside);
			for (size_t d = 0; d < depth; d++)
				(void)strcat(text, shapes[i].close);
			r = json_parse(text, strlen(text), &json, NULL);
			assert_int_equal(r, depth > NESTING_MAX ? -TACIT_E_MALFORMED : 0);
		}
}

/* Brackets that were closed again do not count. */
static void parse_takes_many_containers_side_by_side(void **state)
{
	cleanup_json struct json *json = NULL;
	char text[2 + 1000 * 3] = "[";

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		memcpy(text + 1 + 3 * i, "[],", 3);
	text[3 * 1000] = ']';
	assert_int_equal(json_parse(text, 3 * 1000 + 1, &json, NULL), 0);
	assert_int_equal(json_count(json), 1000);
}

static void a_hostile_depth_takes_no_stack(void **state)
{
	static char text[4 << 20];
	struct json *json = NULL;

	(void)state;
	memset(text, '[', sizeof(text));
	assert_int_equal(json_parse(text, sizeof(text), &json, NULL), -TACIT_E_MALFORMED);
}

static void the_line_of_the_error_is_told(void **state)
{
	static const char text[] = "{\n\"a\": 1,\n\"b\" 2\n}\n";
	struct json *json = NULL;
	unsigned line = 0;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &json, &line), -TACIT_E_MALFORMED);
	assert_int_equal(line, 3);
}

static void members_are_found_by_key_and_type(void **state)
{
	cleanup_json struct json *json =
	    parse("{\"t\":\"x\",\"i\":-5,\"b\":true,\"f\":false,\"n\":null,\"r\":1.0,"
	          "\"o\":{\"k\":1},\"a\":[\"y\",2]}");
	int64_t number = 77;
	bool yes = false;

	(void)state;
	assert_true(json_holds_object(json));
	assert_false(json_holds_array(json));
	assert_string_equal(json_text_at(json, "t"), "x");
	assert_null(json_text_at(json, "i"));
	assert_null(json_text_at(json, "n"));
	assert_null(json_text_at(json, "missing"));
	assert_non_null(json_object_at(json, "o"));
	assert_null(json_object_at(json, "a"));
	assert_null(json_object_at(json, "missing"));
	assert_non_null(json_array_at(json, "a"));
	assert_null(json_array_at(json, "o"));
	assert_true(json_has(json, "n"));
	assert_false(json_has(json, "missing"));
	assert_false(json_has(json, "T"));

	assert_int_equal(json_int_at(json, "t", &number), -TACIT_E_MALFORMED);
	assert_int_equal(json_int_at(json, "r", &number), -TACIT_E_MALFORMED);
	assert_int_equal(json_int_at(json, "b", &number), -TACIT_E_MALFORMED);
	assert_int_equal(json_int_at(json, "n", &number), -TACIT_E_MALFORMED);
	assert_int_equal(json_int_at(json, "missing", &number), -TACIT_E_NOT_FOUND);
	assert_int_equal(number, 77);
	assert_int_equal(json_int_at(json, "i", &number), 0);
	assert_int_equal(number, -5);

	assert_int_equal(json_bool_at(json, "i", &yes), -TACIT_E_MALFORMED);
	assert_int_equal(json_bool_at(json, "n", &yes), -TACIT_E_MALFORMED);
	assert_int_equal(json_bool_at(json, "missing", &yes), -TACIT_E_NOT_FOUND);
	assert_int_equal(json_bool_at(json, "b", &yes), 0);
	assert_true(yes);
	assert_int_equal(json_bool_at(json, "f", &yes), 0);
	assert_false(yes);
}

static void items_are_found_by_index(void **state)
{
	cleanup_json struct json *json = parse("[\"y\",2,{},[]]");

	(void)state;
	assert_int_equal(json_count(json), 4);
	assert_string_equal(json_text(json_item(json, 0)), "y");
	assert_null(json_text(json_item(json, 1)));
	assert_true(json_holds_object(json_item(json, 2)));
	assert_true(json_holds_array(json_item(json, 3)));
	assert_null(json_item(json, 4));
	assert_null(json_item(json, SIZE_MAX));
}

/* A look at what is not there, or is of another kind, is no crash but a no. */
static void looking_into_the_wrong_kind_finds_nothing(void **state)
{
	cleanup_json struct json *array = parse("[1]");
	cleanup_json struct json *object = parse("{\"a\":1}");
	const struct json *nothing = json_object_at(object, "a");
	int64_t number;
	bool yes;

	(void)state;
	assert_null(nothing);
	for (int i = 0; i < 2; i++) {
		const struct json *json = i ? nothing : array;

		assert_null(json_text_at(json, "a"));
		assert_null(json_object_at(json, "a"));
		assert_null(json_array_at(json, "a"));
		assert_false(json_has(json, "a"));
		assert_int_equal(json_int_at(json, "a", &number), -TACIT_E_NOT_FOUND);
		assert_int_equal(json_bool_at(json, "a", &yes), -TACIT_E_NOT_FOUND);
		assert_false(json_holds_object(json));
	}
	assert_false(json_holds_array(nothing));
	assert_int_equal(json_count(object), 0);
	assert_int_equal(json_count(nothing), 0);
	assert_null(json_item(object, 0));
	assert_null(json_item(nothing, 0));
	assert_null(json_text(object));
	assert_null(json_text(nothing));
}

static void only_keys_names_the_first_stranger(void **state)
{
	static const char *const keys[] = {"a", "b", NULL};
	static const char *const no_keys[] = {NULL};
	cleanup_json struct json *empty = parse("{}");
	cleanup_json struct json *good = parse("{\"b\":1,\"a\":2}");
	cleanup_json struct json *bad = parse("{\"a\":1,\"A\":2,\"c\":3}");
	const char *unknown = NULL;

	(void)state;
	assert_true(json_only_keys(empty, keys, &unknown));
	assert_true(json_only_keys(empty, no_keys, &unknown));
	assert_true(json_only_keys(good, keys, &unknown));
	assert_false(json_only_keys(good, no_keys, &unknown));
	assert_string_equal(unknown, "b");
	assert_false(json_only_keys(bad, keys, &unknown));
	assert_string_equal(unknown, "A");
}

/* An array has no key that is not listed; all the same it is not what was asked for. */
static void only_keys_is_false_for_what_is_no_object(void **state)
{
	static const char *const keys[] = {"a", NULL};
	cleanup_json struct json *array = parse("[]");
	const char *unknown = NULL;

	(void)state;
	assert_false(json_only_keys(array, keys, &unknown));
	assert_string_equal(unknown, "");
	assert_false(json_only_keys(NULL, keys, &unknown));
}

static void setters_build_a_document(void **state)
{
	cleanup_json struct json *json = json_new_object();
	struct json *array = json_new_array();
	struct json *child = json_new_object();

	(void)state;
	assert_int_equal(json_append_text(array, "x"), 0);
	assert_int_equal(json_append(array, json_new_array()), 0);
	assert_int_equal(json_set_int(child, "min", INT64_MIN), 0);
	assert_int_equal(json_set_int(child, "max", INT64_MAX), 0);
	assert_int_equal(json_set_text(json, "t", "\"\\\n\x1f/\xc3\xa4"), 0);
	assert_int_equal(json_set_bool(json, "yes", true), 0);
	assert_int_equal(json_set_bool(json, "no", false), 0);
	assert_int_equal(json_set(json, "a", array), 0);
	assert_int_equal(json_set(json, "o", child), 0);
	assert_prints(json, "{\"t\":\"\\\"\\\\\\n\\u001F/\xc3\xa4\",\"yes\":true,\"no\":false,"
	                    "\"a\":[\"x\",[]],\"o\":{\"min\":-9223372036854775808,"
	                    "\"max\":9223372036854775807}}");
}

static void setting_twice_replaces(void **state)
{
	cleanup_json struct json *json = json_new_object();

	(void)state;
	assert_int_equal(json_set_int(json, "a", 1), 0);
	assert_int_equal(json_set_text(json, "a", "x"), 0);
	assert_prints(json, "{\"a\":\"x\"}");
}

/* So that constructors can be nested: a child that was not made is reported where it is set. */
static void setters_pass_a_missing_child_on(void **state)
{
	cleanup_json struct json *object = json_new_object();
	cleanup_json struct json *array = json_new_array();

	(void)state;
	assert_int_equal(json_set(object, "a", NULL), -ENOMEM);
	assert_int_equal(json_append(array, NULL), -ENOMEM);
	assert_int_equal(json_set(NULL, "a", json_new_object()), -ENOMEM); /* freed all the same */
	assert_int_equal(json_append(NULL, json_new_object()), -ENOMEM);
	assert_int_equal(json_set_text(object, "a", "\xff"), -ENOMEM);
	assert_prints(object, "{}");
	assert_prints(array, "[]");
}

static void a_large_document_prints_whole(void **state)
{
	cleanup_json struct json *array = json_new_array();
	cleanup_json struct json *back = NULL;
	cleanup_secret struct secret *text = NULL;

	(void)state;
	for (int i = 0; i < 5000; i++)
		assert_int_equal(json_append_text(array, "0123456789"), 0);
	assert_int_equal(json_print(array, &text), 0);
	assert_int_equal(secret_len(text), 5000 * 13 + 1);
	assert_int_equal(json_parse(secret_bytes(text), secret_len(text), &back, NULL), 0);
	assert_int_equal(json_count(back), 5000);
}

/*
 * What was freed may not be looked at any more, so the linker puts this in front of every free(3)
 * of the library.
 */
static const char needle[] = "n33dle-in-a-document";
static bool watching;
static size_t frees;
static size_t dirty_frees;

void __real_free(void *memory);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
	if (watching && memory) {
		frees++;
		if (memmem(memory, malloc_usable_size(memory), needle, strlen(needle)))
			dirty_frees++;
	}
	__real_free(memory);
}

static void watch_begin(void)
{
	watching = true;
	frees = dirty_frees = 0;
}

static void assert_watched_frees_were_clean(void)
{
	watching = false;
	assert_true(frees > 0);
	assert_int_equal(dirty_frees, 0);
}

static void freeing_a_document_wipes_it(void **state)
{
	static const char text[] = "{\"n33dle-in-a-document\":[\"x n33dle-in-a-document x\"]}";
	struct json *json;

	(void)state;
	watch_begin();
	json = parse(text);
	json_free(json);
	assert_watched_frees_were_clean();
}

static void a_document_cut_off_is_wiped_too(void **state)
{
	static const char text[] = "{\"a\":\"n33dle-in-a-document\",\"b\":\"n33dle-in-a-document";
	struct json *json = NULL;

	(void)state;
	watch_begin();
	assert_int_equal(json_parse(text, strlen(text), &json, NULL), -TACIT_E_MALFORMED);
	assert_watched_frees_were_clean();
}

static void building_and_printing_leave_nothing(void **state)
{
	cleanup_secret struct secret *text = NULL;
	struct json *json;

	(void)state;
	watch_begin();
	json = json_new_object();
	assert_int_equal(json_set_text(json, "a", needle), 0);
	assert_int_equal(json_set_text(json, "a", "replaced"), 0);
	assert_int_equal(json_set_text(json, "b", needle), 0);
	assert_int_equal(json_print(json, &text), 0);
	json_free(json);
	assert_watched_frees_were_clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_takes_what_the_rfc_allows),
	    cmocka_unit_test(parse_refuses_everything_else),
	    cmocka_unit_test(parse_reads_no_byte_too_far),
	    cmocka_unit_test(parse_takes_a_nesting_of_32_and_no_more),
	    cmocka_unit_test(parse_takes_many_containers_side_by_side),
	    cmocka_unit_test(a_hostile_depth_takes_no_stack),
	    cmocka_unit_test(the_line_of_the_error_is_told),
	    cmocka_unit_test(members_are_found_by_key_and_type),
	    cmocka_unit_test(items_are_found_by_index),
	    cmocka_unit_test(looking_into_the_wrong_kind_finds_nothing),
	    cmocka_unit_test(only_keys_names_the_first_stranger),
	    cmocka_unit_test(only_keys_is_false_for_what_is_no_object),
	    cmocka_unit_test(setters_build_a_document),
	    cmocka_unit_test(setting_twice_replaces),
	    cmocka_unit_test(setters_pass_a_missing_child_on),
	    cmocka_unit_test(a_large_document_prints_whole),
	    cmocka_unit_test(freeing_a_document_wipes_it),
	    cmocka_unit_test(a_document_cut_off_is_wiped_too),
	    cmocka_unit_test(building_and_printing_leave_nothing),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

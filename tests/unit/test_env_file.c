/* SPDX-License-Identifier: MIT */
#include "tacit/env_file.h"

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

static int parse(const void *text, size_t len, struct bundle *ret_bundle, unsigned *ret_line)
{
	cleanup_secret struct secret *secret = NULL;

	assert_int_equal(secret_new_from(text, len, &secret), 0);

	return env_file_parse(secret, ret_bundle, ret_line);
}

struct good_row {
	const char *text;
	const char *value; /* of A */
};

static const struct good_row good_rows[] = {
    {"A=plain", "plain"},
    {"A=plain\n", "plain"},
    {"A=", ""},
    {"A=\n", ""},
    {"A=''", ""},
    {"A=\"\"", ""},
    {"  A  =  two words  \t\n", "two words"},
    {"\tA=x", "x"},
    {"export A=x", "x"},
    {"export\tA=x", "x"},
    {"export   A = x", "x"},
    {"\xef\xbb\xbf"
     "A=behind a byte order mark",
        "behind a byte order mark"},

    /* comments */
    {"# A=1\nA=2\n", "2"},
    {"   # A=1\nA=2", "2"},
    {"\n\n\r\nA=2", "2"},
    {"A=x # comment", "x"},
    {"A=x\t# comment", "x"},
    {"A=x#no comment", "x#no comment"},
    {"A=#fragment", "#fragment"},
    {"A= # comment", ""},
    {"A='x' # comment", "x"},
    {"A='x'# comment", "x"},
    {"A='x # y'", "x # y"},
    {"A=\"x # y\" # z", "x # y"},

    /* CRLF */
    {"A=x\r\nB=y\r\n", "x"},
    {"A=x # c\r\n", "x"},
    {"A='x'\r\n", "x"},
    {"A='x\r\ny'\r\n", "x\ny"},
    {"A=\"x\r\ny\"\r\n", "x\ny"},
    {"A='x\ry'", "x\ry"},
    {"A=\"x\\r\\ny\"", "x\r\ny"},

    /* single quotes are literal, double quotes know six escapes */
    {"A='a\\nb\\'", "a\\nb\\"},
    {"A='say \"x\"'", "say \"x\""},
    {"A=\"it's\"", "it's"},
    {"A=\"\\n\\r\\t\\\"\\\\\\$\"", "\n\r\t\"\\$"},
    {"A=\"\\x\\'\\0\"", "\\x\\'\\0"},
    {"A=\"\\\\\"", "\\"},
    {"A=\"\\\\n\"", "\\n"},
    {"A=\"line 1\nline 2\n\"\nB=x", "line 1\nline 2\n"},
    {"A='line 1\nB=line 2'\n", "line 1\nB=line 2"},

    /* bare values are what they are */
    {"A=a\\nb", "a\\nb"},
    {"A=it's", "it's"},
    {"A=a\"b\"", "a\"b\""},
    {"A=a=b==", "a=b=="},
    {"A=\xc3\xa4", "\xc3\xa4"},

    /* no interpolation, anywhere */
    {"HOME=/x\nA=pa$HOME", "pa$HOME"},
    {"A=pa${HOME}x", "pa${HOME}x"},
    {"A=\"pa$HOME ${HOME:-x}\"", "pa$HOME ${HOME:-x}"},
    {"A='$HOME'", "$HOME"},
    {"A=$(reboot)`id`", "$(reboot)`id`"},

    /* the last wins */
    {"A=1\nA=2\nB=3\nA=4", "4"},
};

static void parse_reads_values_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good_rows) / sizeof(good_rows[0]); i++) {
		const struct good_row *row = &good_rows[i];
		cleanup_bundle struct bundle bundle = {0};

		if (parse(row->text, strlen(row->text), &bundle, NULL) != 0)
			fail_msg("row %zu is refused: %s", i, row->text);

		struct bundle_item *item = bundle_find(&bundle, "A");

		assert_non_null(item);
		if (!secret_equals(item->value, row->value, strlen(row->value)))
			fail_msg("row %zu gives \"%.*s\": %s", i, (int)secret_len(item->value),
			    (const char *)secret_bytes(item->value), row->text);
	}
}

struct bad_row {
	const char *text;
	size_t len; /* 0: up to the NUL */
	int err;
	unsigned line;
};

static const struct bad_row bad_rows[] = {
    {"A", 0, -TACIT_E_MALFORMED, 1},
    {"export A", 0, -TACIT_E_MALFORMED, 1},
    {"A=1\nno equals sign\nB=2", 0, -TACIT_E_MALFORMED, 2},
    {"A='open", 0, -TACIT_E_MALFORMED, 1},
    {"A=\"open", 0, -TACIT_E_MALFORMED, 1},
    {"A=\"open\\\"", 0, -TACIT_E_MALFORMED, 1},
    {"A=\"open\\", 0, -TACIT_E_MALFORMED, 1},
    {"A=1\n\nB='open\n\n\n", 0, -TACIT_E_MALFORMED, 3},
    {"A='x'y", 0, -TACIT_E_MALFORMED, 1},
    {"A=\"x\" y", 0, -TACIT_E_MALFORMED, 1},
    {"A='1\n2\n3'\nB='x'y", 0, -TACIT_E_MALFORMED, 4},
    {"A=x\0y", 5, -TACIT_E_MALFORMED, 1},
    {"A=x\n#\0", 6, -TACIT_E_MALFORMED, 2},
    {"=x", 0, -TACIT_E_INVALID_ENV, 1},
    {"1A=x", 0, -TACIT_E_INVALID_ENV, 1},
    {"A-B=x", 0, -TACIT_E_INVALID_ENV, 1},
    {"A.B=x", 0, -TACIT_E_INVALID_ENV, 1},
    {"A/B=x", 0, -TACIT_E_INVALID_ENV, 1},
    {"A B=x", 0, -TACIT_E_INVALID_ENV, 1},
    {"\n\nTACIT_SERVER=x", 0, -TACIT_E_INVALID_ENV, 3},
    {"\xc3\x84=x", 0, -TACIT_E_INVALID_ENV, 1},
};

static void parse_refuses_with_the_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
		const struct bad_row *row = &bad_rows[i];
		struct bundle bundle = {.revision = 77};
		unsigned line = 0;
		int err =
		    parse(row->text, row->len > 0 ? row->len : strlen(row->text), &bundle, &line);

		if (err != row->err || line != row->line)
			fail_msg("row %zu: %s, line %u: %s", i, err_code(err), line, row->text);

		/* untouched */
		assert_int_equal(bundle.revision, 77);
		assert_null(bundle.items);
	}
}

static void items_are_named_as_their_variables(void **state)
{
	static const char text[] = "DB_PASSWORD=x\nlower=y\nexport=z\n";
	cleanup_bundle struct bundle bundle = {0};

	(void)state;
	assert_int_equal(parse(text, strlen(text), &bundle, NULL), 0);
	assert_int_equal(bundle.count, 3);
	assert_string_equal(bundle.items[0].name, "DB_PASSWORD");
	assert_string_equal(bundle.items[0].file, "DB_PASSWORD");
	assert_string_equal(bundle.items[0].env, "DB_PASSWORD_FILE");
	assert_string_equal(bundle.items[1].name, "lower");
	assert_string_equal(bundle.items[2].name, "export");
}

static void duplicates_keep_the_place_of_the_first(void **state)
{
	static const char text[] = "A=1\nB=2\nA=3\n";
	cleanup_bundle struct bundle bundle = {0};

	(void)state;
	assert_int_equal(parse(text, strlen(text), &bundle, NULL), 0);
	assert_int_equal(bundle.count, 2);
	assert_string_equal(bundle.items[0].name, "A");
	assert_true(secret_equals(bundle.items[0].value, "3", 1));
}

static void an_empty_file_holds_nothing(void **state)
{
	static const char *const texts[] = {"", "\n", "# only a comment", "\r\n\r\n", "  "};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cleanup_bundle struct bundle bundle = {0};

		assert_int_equal(parse(texts[i], strlen(texts[i]), &bundle, NULL), 0);
		assert_int_equal(bundle.count, 0);
	}
}

/* "A=" and `len` bytes */
static int parse_long_value(size_t len)
{
	cleanup_bundle struct bundle bundle = {0};
	char *text = malloc(len + 2);

	assert_non_null(text);
	memset(text, 'x', len + 2);
	memcpy(text, "A=", 2);

	int err = parse(text, len + 2, &bundle, NULL);

	free(text);

	return err;
}

static void values_are_limited_as_everywhere(void **state)
{
	(void)state;
	assert_int_equal(parse_long_value(PROTO_VALUE_MAX_BYTES), 0);
	assert_int_equal(parse_long_value(PROTO_VALUE_MAX_BYTES + 1), -TACIT_E_TOO_LARGE);
}

static int parse_many(size_t count, unsigned *ret_line)
{
	cleanup_bundle struct bundle bundle = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	assert_non_null(stream);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(stream, "V%zu=x\n", i);
	assert_int_equal(fclose(stream), 0);

	int err = parse(text, len, &bundle, ret_line);

	free(text);

	return err;
}

static void variables_are_limited_in_number(void **state)
{
	unsigned line = 0;

	(void)state;
	assert_int_equal(parse_many(BUNDLE_ITEMS_MAX, &line), 0);
	assert_int_equal(parse_many(BUNDLE_ITEMS_MAX + 1, &line), -TACIT_E_TOO_LARGE);
	assert_int_equal(line, BUNDLE_ITEMS_MAX + 1);
}

/* A name of `len` bytes. */
static int parse_long_name(size_t len)
{
	cleanup_bundle struct bundle bundle = {0};
	char text[1024];

	memset(text, 'A', len);
	memcpy(text + len, "=x", 2);

	return parse(text, len + 2, &bundle, NULL);
}

static void names_leave_room_for_the_suffix(void **state)
{
	(void)state;
	assert_int_equal(parse_long_name(NAME_MAX_BYTES - 5), 0);
	assert_int_equal(parse_long_name(NAME_MAX_BYTES - 4), -TACIT_E_INVALID_ENV);
	assert_int_equal(parse_long_name(NAME_MAX_BYTES), -TACIT_E_INVALID_ENV);
	assert_int_equal(parse_long_name(NAME_MAX_BYTES + 1), -TACIT_E_INVALID_ENV);
	assert_int_equal(parse_long_name(1000), -TACIT_E_INVALID_ENV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_reads_values_exactly),
	    cmocka_unit_test(parse_refuses_with_the_line),
	    cmocka_unit_test(items_are_named_as_their_variables),
	    cmocka_unit_test(duplicates_keep_the_place_of_the_first),
	    cmocka_unit_test(an_empty_file_holds_nothing),
	    cmocka_unit_test(values_are_limited_as_everywhere),
	    cmocka_unit_test(names_leave_room_for_the_suffix),
	    /* Slow. Each of thousands of names is compared with all others. */
	    cmocka_unit_test(variables_are_limited_in_number),
	};

	return run_group(tests, 1, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "tacit/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pattern_oracle.h"
#include "tacit/err.h"

/* Which of the five grammars take a text. */
enum {
	SECRET = 1,
	CLIENT = 2,
	FILE_NAME = 4,
	PATTERN = 8,
	ENV = 16,
	SEGMENT = SECRET | CLIENT | FILE_NAME | PATTERN, /* one segment: all but the variable */
	WORD = SEGMENT | ENV,
	PATH = SECRET | PATTERN,
};

struct grammar_row {
	const char *text;
	unsigned takers;
};

static const struct grammar_row grammar_rows[] = {
    /* how a segment starts */
    {"", 0},
    {"a", WORD},
    {"A", WORD},
    {"z", WORD},
    {"Z", WORD},
    {"_", WORD},
    {"0", SEGMENT},
    {"9", SEGMENT},
    {"9lives", SEGMENT},
    {"-", 0},
    {"-a", 0},
    {".", 0},
    {"..", 0},
    {"...", 0},
    {".a", 0},
    {"..a", 0},
    {"~", 0},

    /* how it goes on */
    {"a0_", WORD},
    {"__", WORD},
    {"a.b", SEGMENT},
    {"a-b", SEGMENT},
    {"a.", SEGMENT},
    {"a..", SEGMENT},
    {"a-", SEGMENT},
    {"a--", SEGMENT},
    {"db_password", WORD},
    {"DB_PASSWORD_FILE", WORD},
    {"tls.crt", SEGMENT},

    /* the neighbours of each range in ASCII, in front and inside */
    {"@a", 0},
    {"[a", 0},
    {"`a", 0},
    {"{a", 0},
    {"/a", 0},
    {":a", 0},
    {"a@", 0},
    {"a[", 0},
    {"a`", 0},
    {"a{", 0},
    {"a:", 0},
    {"a,", 0},
    {"a+", 0},
    {"a^", 0},
    {"a\\b", 0},
    {"a b", 0},
    {" a", 0},
    {"a ", 0},
    {"a\n", 0},
    {"a\t", 0},
    {"a\x01", 0},
    {"a\x7f", 0},
    {"a\x80", 0},
    {"a\xff", 0},
    {"\xc3\xa4", 0},
    {"a\xc3\xa4", 0},
    {"a%2Fb", 0},
    {"a=b", 0},
    {"a?b", 0},
    {"a\"b", 0},
    {"a'b", 0},
    {"a$b", 0},

    /* segments and slashes */
    {"a/b", PATH},
    {"web/db_password", PATH},
    {"a/b/c/d/e", PATH},
    {"a/0", PATH},
    {"a/_", PATH},
    {"/", 0},
    {"//", 0},
    {"a/", 0},
    {"a//b", 0},
    {"a/b/", 0},
    {"a/.", 0},
    {"a/..", 0},
    {"../a", 0},
    {"a/../b", 0},
    {"a/./b", 0},
    {"a/.b", 0},
    {"a/-b", 0},
    {"a/b\n", 0},

    /* stars */
    {"*", PATTERN},
    {"**", PATTERN},
    {"***", 0},
    {"a*", PATTERN},
    {"*a", PATTERN},
    {"*a*", PATTERN},
    {"a*b*c", PATTERN},
    {"a**", 0},
    {"**a", 0},
    {"a**b", 0},
    {"*.*", PATTERN},
    {"*-", PATTERN},
    {".*", 0},
    {"-*", 0},
    {"a/*", PATTERN},
    {"a/**", PATTERN},
    {"**/a", PATTERN},
    {"**/**", PATTERN},
    {"*/*", PATTERN},
    {"a/*/b", PATTERN},
    {"a/**/b", PATTERN},
    {"a/***", 0},
    {"a/b**", 0},
    {"*/", 0},
    {"/*", 0},
    {"**/", 0},
    {"/**", 0},
    {"a/*/..", 0},
    {"a?", 0},
    {"[ab]", 0},

    /* Tacit's own variables */
    {"TACIT", WORD},
    {"TACIT_", SEGMENT},
    {"TACIT_TOKEN", SEGMENT},
    {"TACITX", WORD},
    {"tacit_token", WORD},
    {"_TACIT_TOKEN", WORD},
};

struct grammar {
	const char *name;
	bool (*takes)(const char *text);
	unsigned bit;
};

static const struct grammar grammars[] = {
    {"name_is_secret", name_is_secret, SECRET},
    {"name_is_client", name_is_client, CLIENT},
    {"name_is_file", name_is_file, FILE_NAME},
    {"name_is_pattern", name_is_pattern, PATTERN},
    {"name_is_env", name_is_env, ENV},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void grammars_take_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(grammar_rows); i++)
		for (size_t g = 0; g < COUNT(grammars); g++) {
			const struct grammar_row *row = &grammar_rows[i];
			bool expected = (row->takers & grammars[g].bit) != 0;

			if (grammars[g].takes(row->text) != expected)
				fail_msg(
				    "%s(\"%s\") is not %d", grammars[g].name, row->text, expected);
		}
}

/* Every byte, alone and as a second one, against the grammar written down as a list. */
static void segments_take_exactly_their_alphabet(void **state)
{
	static const char start[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

	(void)state;
	for (int c = 1; c < 256; c++) {
		const char alone[] = {(char)c, '\0'}, second[] = {'x', (char)c, '\0'};
		bool starts = strchr(start, c) != NULL;

		assert_int_equal(name_is_file(alone), starts);
		assert_int_equal(name_is_file(second), starts || c == '.' || c == '-');
		assert_int_equal(name_is_env(alone), starts && !(c >= '0' && c <= '9'));
		assert_int_equal(name_is_env(second), starts);
	}
}

struct length_row {
	const char *unit; /* repeated up to the length */
	size_t len;
	unsigned takers;
};

static const struct length_row length_rows[] = {
    {"a", 63, WORD},
    {"a", 64, WORD},
    {"a", 65, WORD & ~(unsigned)CLIENT},
    {"a", 254, WORD & ~(unsigned)CLIENT},
    {"a", 255, WORD & ~(unsigned)CLIENT},
    {"a", 256, 0},
    {"a", 257, 0},
    {"a", 4096, 0},
    {"a/", 255, PATH}, /* ends in an `a` */
    {"a/", 254, 0},    /* ends in a `/` */
    {"a/", 257, 0},
    {"*/", 255, PATTERN},
    {"*/", 257, 0},
    {"a*", 255, PATTERN},
    {"a*", 256, 0},
};

static void names_end_at_their_last_allowed_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(length_rows); i++) {
		const struct length_row *row = &length_rows[i];
		char text[4097];

		for (size_t at = 0; at < row->len; at++)
			text[at] = row->unit[at % strlen(row->unit)];
		text[row->len] = '\0';
		for (size_t g = 0; g < COUNT(grammars); g++)
			if (grammars[g].takes(text) != ((row->takers & grammars[g].bit) != 0))
				fail_msg("%s(%zu bytes of \"%s\")", grammars[g].name, row->len,
				    row->unit);
	}
}

struct match_row {
	const char *pattern;
	const char *name;
	bool covered;
};

static const struct match_row match_rows[] = {
    {"web/db", "web/db", true},
    {"web/db", "web/db2", false},
    {"web/db", "web", false},
    {"web", "web/db", false},
    {"web/db", "Web/db", false},
    {"*", "web", true},
    {"*", "web/db", false},
    {"web/*", "web/db", true},
    {"web/*", "web", false},
    {"web/*", "web/a/b", false},
    {"*/db", "web/db", true},
    {"*/db", "db", false},
    {"web/db_*", "web/db_password", true},
    {"web/db_*", "web/db_", true},
    {"web/db_*", "web/db", false},
    {"*_key", "api_key", true},
    {"*_key", "_key", true},
    {"*_key", "api_keys", false},
    {"a*b*c", "abc", true},
    {"a*b*c", "aXbYbZc", true},
    {"a*b*c", "acb", false},
    {"*a*", "bab", true},
    {"*a*", "bbb", false},
    {"**", "a", true},
    {"**", "a/b/c", true},
    {"web/**", "web/a", true},
    {"web/**", "web/a/b/c", true},
    {"web/**", "web", true},
    {"web/**", "website", false},
    {"web/**", "api/web/a", false},
    {"**/db", "db", true},
    {"**/db", "a/b/db", true},
    {"**/db", "a/db/b", false},
    {"a/**/z", "a/z", true},
    {"a/**/z", "a/b/z", true},
    {"a/**/z", "a/b/c/z", true},
    {"a/**/z", "a/z/b", false},
    {"a/**/z", "z", false},
    {"**/b/**", "a/b/c", true},
    {"**/b/**", "b", true},
    {"**/b/**", "a/c", false},
    {"**/*", "a", true},
    {"*/**", "a", true},
    {"*/**/*", "a", false},
    {"*/**/*", "a/b", true},
    {"**/a/*/b", "a/a/a/b", true},
    {"**/a/*/b", "a/x/a/b", false},
    {"**/x*/y", "xa/xb/y", true},
};

static void patterns_cover_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(match_rows); i++) {
		const struct match_row *row = &match_rows[i];

		assert_true(name_is_pattern(row->pattern));
		assert_true(name_is_secret(row->name));
		if (pattern_matches(row->pattern, row->name) != row->covered)
			fail_msg(
			    "\"%s\" on \"%s\" is not %d", row->pattern, row->name, row->covered);
	}
}

/* xorshift64: the same cases on every machine. */
static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % limit);
}

/* Two letters and few segments, so that about a third of the pairs match. */
static void random_name(char ret_name[static 32])
{
	unsigned segments = 1 + random_below(4);
	char *at = ret_name;

	for (unsigned s = 0; s < segments; s++) {
		if (s > 0)
			*at++ = '/';
		for (unsigned c = 1 + random_below(4); c > 0; c--)
			*at++ = (char)('a' + random_below(2));
	}
	*at = '\0';
}

static char *random_star_segment(char *at)
{
	unsigned count = 1 + random_below(4);
	char last = '\0';

	for (unsigned c = 0; c < count; c++) {
		bool star = last != '*' && random_below(3) == 0;

		last = star ? '*' : (char)('a' + random_below(2));
		*at++ = last;
	}

	return at;
}

static void random_pattern(char ret_pattern[static 32])
{
	unsigned segments = 1 + random_below(5);
	char *at = ret_pattern;

	for (unsigned s = 0; s < segments; s++) {
		if (s > 0)
			*at++ = '/';
		if (random_below(3) == 0) {
			*at++ = '*';
			*at++ = '*';
		} else {
			at = random_star_segment(at);
		}
	}
	*at = '\0';
}

#define ORACLE_CASES 200000
#define ORACLE_SEED  0x7ac17ULL

static void patterns_agree_with_a_slow_oracle(void **state)
{
	unsigned covered = 0;

	(void)state;
	random_state = ORACLE_SEED;
	print_message("# seed %#llx, %d cases\n", ORACLE_SEED, ORACLE_CASES);
	for (unsigned i = 0; i < ORACLE_CASES; i++) {
		char pattern[32], name[32];
		bool expected;

		random_pattern(pattern);
		random_name(name);
		assert_true(name_is_pattern(pattern));
		assert_true(name_is_secret(name));
		expected = oracle_matches(pattern, name);
		covered += expected;
		if (pattern_matches(pattern, name) != expected)
			fail_msg("case %u: \"%s\" on \"%s\" is not %d", i, pattern, name, expected);
		if (expected && strncmp(pattern, name, pattern_literal_prefix(pattern)) != 0)
			fail_msg(
			    "case %u: \"%s\" covers \"%s\" without its prefix", i, pattern, name);
	}

	/* The generator is worth something only while both verdicts are common. */
	assert_in_range(covered, ORACLE_CASES / 10, ORACLE_CASES * 9 / 10);
}

/* Exponential in the number of stars for a matcher that goes back to each of them. */
static void patterns_of_many_stars_take_no_time(void **state)
{
	char pattern[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1];

	(void)state;
	(void)snprintf(pattern, sizeof(pattern), "%s",
	    "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b");
	memset(name, 'a', NAME_MAX_BYTES);
	name[NAME_MAX_BYTES] = '\0';
	assert_false(pattern_matches(pattern, name));

	(void)snprintf(pattern, sizeof(pattern), "%s",
	    "**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b");
	for (size_t i = 1; i < NAME_MAX_BYTES; i += 2)
		name[i] = '/';
	assert_false(pattern_matches(pattern, name));
}

struct prefix_row {
	const char *pattern;
	size_t len;
};

static const struct prefix_row prefix_rows[] = {
    {"web/db", 6},
    {"web/*", 4},
    {"web/**", 3},
    {"web/d*", 5},
    {"web/**/db", 3},
    {"web/*/db", 4},
    {"*", 0},
    {"**", 0},
    {"**/db", 0},
    {"we*", 2},
    {"a/b/**", 3},
};

static void literal_prefix_ends_before_the_first_star(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prefix_rows); i++)
		if (pattern_literal_prefix(prefix_rows[i].pattern) != prefix_rows[i].len)
			fail_msg("\"%s\"", prefix_rows[i].pattern);
}

struct delivery_row {
	const char *name;
	const char *file;
	const char *env;       /* that holds the path */
	const char *value_env; /* that it replaces */
};

static const struct delivery_row delivery_rows[] = {
    {"web/db_password", "db_password", "DB_PASSWORD_FILE", "DB_PASSWORD"},
    {"db_password", "db_password", "DB_PASSWORD_FILE", "DB_PASSWORD"},
    {"a/b/c", "c", "C_FILE", "C"},
    {"tls.crt", "tls.crt", "TLS_CRT_FILE", "TLS_CRT"},
    {"web/api-key.v2", "api-key.v2", "API_KEY_V2_FILE", "API_KEY_V2"},
    {"MixedCase", "MixedCase", "MIXEDCASE_FILE", "MIXEDCASE"},
    {"2fa", "2fa", "2FA_FILE", "2FA"},
    {"_", "_", "__FILE", "_"},
    {"az-AZ.09", "az-AZ.09", "AZ_AZ_09_FILE", "AZ_AZ_09"},
    {"x_file", "x_file", "X_FILE_FILE", "X_FILE"},
};

static void defaults_are_those_of_the_contract(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(delivery_rows); i++) {
		const struct delivery_row *row = &delivery_rows[i];
		char env[NAME_MAX_BYTES + 6], value_env[NAME_MAX_BYTES + 6];

		assert_string_equal(name_default_file(row->name), row->file);
		name_default_env(row->file, env);
		assert_string_equal(env, row->env);
		name_value_env(env, value_env);
		assert_string_equal(value_env, row->value_env);
	}
}

static void default_env_of_the_longest_file_fits(void **state)
{
	char file[NAME_MAX_BYTES + 1], env[NAME_MAX_BYTES + 6], value_env[NAME_MAX_BYTES + 6];

	(void)state;
	memset(file, 'a', NAME_MAX_BYTES);
	file[NAME_MAX_BYTES] = '\0';
	name_default_env(file, env);
	assert_int_equal(strlen(env), NAME_MAX_BYTES + 5);
	assert_string_equal(env + NAME_MAX_BYTES - 1, "A_FILE");

	name_value_env(env, value_env);
	assert_int_equal(strlen(value_env), NAME_MAX_BYTES);
}

struct value_env_row {
	const char *env;
	const char *value_env;
};

static const struct value_env_row value_env_rows[] = {
    {"DB_PASSWORD_FILE", "DB_PASSWORD"},
    {"PGPASSFILE", "PGPASSFILE"},
    {"_FILE", "_FILE"}, /* nothing would be left */
    {"A_FILE", "A"},
    {"A_FILE_FILE", "A_FILE"},
    {"A_FILES", "A_FILES"},
    {"A_file", "A_file"},
    {"FILE", "FILE"},
    {"A", "A"},
};

static void value_env_drops_one_trailing_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(value_env_rows); i++) {
		char value_env[NAME_MAX_BYTES + 6];

		name_value_env(value_env_rows[i].env, value_env);
		assert_string_equal(value_env, value_env_rows[i].value_env);
	}
}

struct mode_row {
	const char *text;
	int mode; /* -1: refused */
};

static const struct mode_row mode_rows[] = {
    {"0400", 0400},
    {"400", 0400},
    {"0440", 0440},
    {"440", 0440},
    {"0444", -1},
    {"0600", -1},
    {"0640", -1},
    {"0777", -1},
    {"0500", -1},
    {"04400", -1},
    {"4400", -1},
    {"00400", -1},
    {"0", -1},
    {"0000", -1},
    {"", -1},
    {"-400", -1},
    {"+400", -1},
    {" 0400", -1},
    {"0400 ", -1},
    {"0x100", -1},
    {"0o400", -1},
    {"256", -1},
    {"u=r", -1},
};

static void modes_are_those_that_only_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mode_rows); i++) {
		const struct mode_row *row = &mode_rows[i];
		mode_t mode = 0123;
		int r = name_parse_mode(row->text, &mode);

		if (row->mode < 0) {
			assert_int_equal(r, -TACIT_E_INVALID_MODE);
			assert_int_equal(mode, 0123);
		} else {
			assert_int_equal(r, 0);
			assert_int_equal(mode, row->mode);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grammars_take_what_the_table_says),
	    cmocka_unit_test(segments_take_exactly_their_alphabet),
	    cmocka_unit_test(names_end_at_their_last_allowed_byte),
	    cmocka_unit_test(patterns_cover_what_the_table_says),
	    cmocka_unit_test(patterns_agree_with_a_slow_oracle),
	    cmocka_unit_test(patterns_of_many_stars_take_no_time),
	    cmocka_unit_test(literal_prefix_ends_before_the_first_star),
	    cmocka_unit_test(defaults_are_those_of_the_contract),
	    cmocka_unit_test(default_env_of_the_longest_file_fits),
	    cmocka_unit_test(value_env_drops_one_trailing_file),
	    cmocka_unit_test(modes_are_those_that_only_read),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}

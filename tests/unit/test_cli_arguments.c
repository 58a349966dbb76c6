/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct option_row options[] = {
    {"mode", "MODE", "a value"},
    {"raw", NULL, "a switch"},
    JSON_OPTION,
    COMMON_OPTIONS,
};

static const struct command command = {
    .name = "test", .arguments = "NAME [MORE]", .options = options};

#define WORDS_MAX 8

/* argv as program_run() hands it on: the words, with two more before them and a NULL behind. */
static int read_words(
    const char *const words[WORDS_MAX], struct arguments *ret_arguments, struct fault *fault)
{
	static char storage[WORDS_MAX][512];
	static char *argv[WORDS_MAX + 3];
	int count = 0;

	memset(argv, 0, sizeof(argv));
	argv[0] = argv[1] = storage[0];
	for (; count < WORDS_MAX && words[count]; count++) {
		(void)snprintf(storage[count], sizeof(storage[count]), "%s", words[count]);
		argv[count + 2] = storage[count];
	}

	return arguments_read(&command, count, argv + 2, ret_arguments, fault);
}

static void the_shape_of_a_command_counts_its_arguments(void **state)
{
	static const struct {
		const char *shape;
		int min, max;
	} rows[] = {
	    {"", 0, 0},
	    {"NAME", 1, 1},
	    {"[PREFIX]", 0, 1},
	    {"CLIENT PATTERN", 2, 2},
	    {"NAME [MORE]", 1, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int min, max;

		arguments_shape(rows[i].shape, &min, &max);
		assert_int_equal(min, rows[i].min);
		assert_int_equal(max, rows[i].max);
	}
}

static void options_and_arguments_may_be_mixed(void **state)
{
	static const char *const words[WORDS_MAX] = {
	    "--raw", "first", "--mode", "0400", "second", "--timeout=5s"};
	struct arguments arguments;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(read_words(words, &arguments, &fault), 0);
	assert_int_equal(arguments_check(&arguments, &fault), 0);
	assert_int_equal(arguments.count, 2);
	assert_string_equal(arguments_item(&arguments, 0), "first");
	assert_string_equal(arguments_item(&arguments, 1), "second");
	assert_null(arguments_item(&arguments, 2));
	assert_string_equal(arguments_option(&arguments, "raw"), "");
	assert_string_equal(arguments_option(&arguments, "mode"), "0400");
	assert_string_equal(arguments_option(&arguments, "timeout"), "5s");
	assert_null(arguments_option(&arguments, "json"));
	assert_null(arguments_option(&arguments, "no such option"));
}

static void of_an_option_given_twice_the_last_wins(void **state)
{
	static const char *const words[WORDS_MAX] = {"--mode=1", "x", "--mode", "2"};
	struct arguments arguments;

	(void)state;
	assert_int_equal(read_words(words, &arguments, NULL), 0);
	assert_string_equal(arguments_option(&arguments, "mode"), "2");
}

static void two_dashes_end_the_options(void **state)
{
	static const char *const words[WORDS_MAX] = {"--", "--raw"};
	struct arguments arguments;

	(void)state;
	assert_int_equal(read_words(words, &arguments, NULL), 0);
	assert_int_equal(arguments.count, 1);
	assert_string_equal(arguments_item(&arguments, 0), "--raw");
	assert_null(arguments_option(&arguments, "raw"));
}

static void a_wrong_number_of_arguments_is_not_quoted(void **state)
{
	static const char *const none[WORDS_MAX] = {"--raw"};
	static const char *const three[WORDS_MAX] = {"a", "b", "hunter2"};
	struct arguments arguments;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(read_words(none, &arguments, &fault), 0);
	assert_int_equal(arguments_check(&arguments, &fault), -TACIT_E_USAGE);
	assert_non_null(strstr(fault.why, "too few"));

	assert_int_equal(read_words(three, &arguments, &fault), 0);
	assert_int_equal(arguments_check(&arguments, &fault), -TACIT_E_USAGE);
	assert_non_null(strstr(fault.why, "too many"));
	assert_null(strstr(fault.what, "hunter2"));
	assert_null(strstr(fault.why, "hunter2"));
}

/* Whatever looks like an option may be a password that starts with a dash. */
static void a_wrong_option_shows_no_value(void **state)
{
	static const char *const lines[][WORDS_MAX] = {
	    {"--value=hunter2"}, {"--raw=hunter2"}, {"x", "-hunter2"}, {"-phunter2", "x"}};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct arguments arguments;
		struct fault fault = {0};

		assert_int_equal(read_words(lines[i], &arguments, &fault), -TACIT_E_USAGE);
		if (strstr(fault.what, "unter2") || strstr(fault.why, "unter2"))
			fail_msg("line %zu: %s: %s", i, fault.what, fault.why);
	}
}

static void numbers_are_digits_within_bounds(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint32_t value;
	} rows[] = {
	    {"5", 0, 5}, {"10", 0, 10}, {"007", 0, 7}, {"4", -TACIT_E_USAGE, 0},
	    {"11", -TACIT_E_USAGE, 0}, {"", -TACIT_E_USAGE, 0}, {"-5", -TACIT_E_USAGE, 0},
	    {"+5", -TACIT_E_USAGE, 0}, {" 5", -TACIT_E_USAGE, 0}, {"5 ", -TACIT_E_USAGE, 0},
	    {"5x", -TACIT_E_USAGE, 0}, {"0x5", -TACIT_E_USAGE, 0}, {"v5", -TACIT_E_USAGE, 0},
	    {"4294967301", -TACIT_E_USAGE, 0},           /* 2^32 + 5 */
	    {"18446744073709551621", -TACIT_E_USAGE, 0}, /* 2^64 + 5 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault fault = {0};
		uint32_t value = 99;
		int err = number_read(rows[i].text, "--n", 5, 10, &value, &fault);

		if (err != rows[i].err || value != (err ? 99 : rows[i].value))
			fail_msg("\"%s\" gives %d, %u", rows[i].text, err, value);
		if (err)
			assert_string_equal(fault.what, "--n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_shape_of_a_command_counts_its_arguments),
	    cmocka_unit_test(options_and_arguments_may_be_mixed),
	    cmocka_unit_test(of_an_option_given_twice_the_last_wins),
	    cmocka_unit_test(two_dashes_end_the_options),
	    cmocka_unit_test(a_wrong_number_of_arguments_is_not_quoted),
	    cmocka_unit_test(a_wrong_option_shows_no_value),
	    cmocka_unit_test(numbers_are_digits_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include <unistd.h>

#include <cmocka.h>

#include "config_file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct option_row options[] = {
    {"dir", "DIR", "-"},
    {"count", "N", "-"},
    {"quick", NULL, "-"},
    {"config", "FILE", "-"},
    {0},
};
static const struct command command = {"serve", "", "-", options, NULL};

static char path[] = "/tmp/tacit-test-XXXXXX";
static char set_text[256];

/* Writes down what was set; refuses the directory `bad`. */
static int set_note(void *context, const char *name, const char *value)
{
	(void)context;
	(void)snprintf(set_text + strlen(set_text), sizeof(set_text) - strlen(set_text), "%s=%s;",
	    name, value);
	return strcmp(value, "bad") ? 0 : -TACIT_E_USAGE;
}

static void file_put(const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
}

static int read_it(struct config_file **ret_file, struct fault *fault)
{
	set_text[0] = '\0';
	return config_file_read(path, &command, set_note, NULL, ret_file, fault);
}

static void members_are_set_in_the_order_of_the_rows(void **state)
{
	const struct {
		const char *text, *set;
	} rows[] = {
	    {"{}", ""},
	    {"{\"quick\": true, \"count\": 12, \"dir\": \"/x\"}", "dir=/x;count=12;quick=;"},
	    {"{\"quick\": false}", ""},
	    {"{\"count\": \"12\"}", "count=12;"},
	    {"{\"dir\": \"\"}", "dir=;"},
	    {"{\"count\": -9223372036854775808}", "count=-9223372036854775808;"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config_file *file;
		struct fault fault = {0};

		file_put(rows[i].text);
		assert_int_equal(read_it(&file, &fault), 0);
		assert_string_equal(set_text, rows[i].set);
		config_file_free(file);
	}
}

static void what_is_not_understood_is_refused_by_name(void **state)
{
	const struct {
		const char *text, *what, *why;
	} rows[] = {
	    {"{\"dri\": \"/x\"}", "\"dri\"", "no such option"},
	    {"{\"config\": \"/x\"}", "\"config\"", "no such option"},
	    {"{\"\": 1}", "\"\"", "no such option"},
	    {"{\"dir\": 1.5}", "\"dir\"", "a text or a whole number"},
	    {"{\"dir\": null}", "\"dir\"", "a text or a whole number"},
	    {"{\"dir\": {}}", "\"dir\"", "a text or a whole number"},
	    {"{\"quick\": 1}", "\"quick\"", "true or false"},
	    {"{\"quick\": \"true\"}", "\"quick\"", "true or false"},
	    {"{\"dir\": \"bad\"}", "\"dir\"", "not a usable value"},
	    {"[]", ".", "not a JSON object"},
	    {"", "line 1", "not JSON"},
	    {"{\"dir\":\n\n", "line 3", "not JSON"},
	    {"{\"dir\": \"a\", \"dir\": \"b\"}", "line 1", "not JSON"},
	    {"{} {}", "line 1", "not JSON"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config_file *file;
		struct fault fault = {0};

		file_put(rows[i].text);
		assert_int_equal(read_it(&file, &fault), -TACIT_E_USAGE);
		if (strcmp(rows[i].what, ".") != 0)
			assert_non_null(strstr(fault.what, rows[i].what));
		assert_non_null(strstr(fault.what, path));
		assert_non_null(strstr(fault.why, rows[i].why));
	}
}

static void a_file_that_others_can_write_is_refused(void **state)
{
	const mode_t modes[] = {0602, 0620, 0666};
	struct config_file *file;
	struct fault fault = {0};

	(void)state;
	file_put("{}");
	for (size_t i = 0; i < COUNT(modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(read_it(&file, &fault), -TACIT_E_INSECURE_DIR);
	}
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(read_it(&file, &fault), 0);
	config_file_free(file);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	struct config_file *file;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(
	    config_file_read("/nowhere/at/all", &command, set_note, NULL, &file, &fault), -ENOENT);
	assert_int_equal(config_file_read("/tmp", &command, set_note, NULL, &file, &fault) < 0, 1);
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_are_set_in_the_order_of_the_rows),
	    cmocka_unit_test(what_is_not_understood_is_refused_by_name),
	    cmocka_unit_test(a_file_that_others_can_write_is_refused),
	    cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}

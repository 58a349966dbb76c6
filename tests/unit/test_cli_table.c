/* SPDX-License-Identifier: MIT */
#include "listing.h"
#include "table.h"
#include "tacit/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct table_column columns[] = {
    {"NAME", false}, {"SIZE", true}, {"STATE", false}, {0}};

static const char *const cells[][3] = {
    {"web/db_password", "12", "current"},
    {"x", "512000", "kept"},
};

/* The table of `cells` as text; the caller frees it. */
static char *printed(size_t width, bool bold)
{
	cleanup_table struct table table = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(table_new(columns, &table), 0);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		for (size_t j = 0; j < 3; j++)
			table_add(&table, "%s", cells[i][j]);
	}

	assert_int_equal(table_print(&table, out, width, bold), 0);
	assert_int_equal(fclose(out), 0);

	return text;
}

static void expect(size_t width, bool bold, const char *expected)
{
	char *text = printed(width, bold);

	assert_string_equal(text, expected);
	free(text);
}

static void columns_are_aligned_and_numbers_to_the_right(void **state)
{
	(void)state;
	expect(0, false,
	    "NAME               SIZE  STATE\n"
	    "web/db_password      12  current\n"
	    "x                512000  kept\n");
}

static void a_line_that_fits_is_not_cut(void **state)
{
	(void)state;
	expect(32, false,
	    "NAME               SIZE  STATE\n"
	    "web/db_password      12  current\n"
	    "x                512000  kept\n");
}

static void the_widest_column_is_cut_first(void **state)
{
	(void)state;
	expect(28, false,
	    "NAME           SIZE  STATE\n"
	    "web/db_pas…      12  current\n"
	    "x            512000  kept\n");
}

/* Then a terminal wraps, which is better than columns that show nothing. */
static void columns_keep_a_least_width(void **state)
{
	(void)state;
	expect(1, false,
	    "NAME  SIZE  STA…\n"
	    "web…    12  cur…\n"
	    "x     512…  kept\n");
}

static void only_titles_are_bold(void **state)
{
	(void)state;
	expect(0, true,
	    "\033[1mNAME               SIZE  STATE\n\033[0m"
	    "web/db_password      12  current\n"
	    "x                512000  kept\n");
}

static void a_server_cannot_steer_the_terminal(void **state)
{
	static const struct table_column one[] = {{"N", false}, {0}};
	cleanup_table struct table table = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(table_new(one, &table), 0);
	table_add(&table, "%s", "a\033[2J\r\n\x7f\xc2\x9b");
	assert_int_equal(table_print(&table, out, 0, false), 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "N\na?[2J?????\n");
	free(text);
}

static void an_empty_table_is_its_titles(void **state)
{
	cleanup_table struct table table = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(table_new(columns, &table), 0);
	assert_int_equal(table_print(&table, out, 0, false), 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "NAME  SIZE  STATE\n");
	free(text);
}

static void missing_members_show_as_a_dash(void **state)
{
	static const char document[] = "{\"name\":\"\",\"version\":\"4\",\"size\":9}";
	cleanup_table struct table table = {0};
	cleanup_json struct json *json = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(json_parse(document, strlen(document), &json, NULL), 0);
	assert_int_equal(table_new(columns, &table), 0);
	table_add_text(&table, json, "name");
	table_add_int(&table, json, "version");
	table_add_int(&table, json, "size");
	assert_int_equal(table_print(&table, out, 0, false), 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "NAME  SIZE  STATE\n-        -  9\n");
	free(text);
}

static void add_name(struct table *table, const struct json *item)
{
	table_add_text(table, item, "name");
}

static const char *const also[] = {"since", "lost", NULL};
static const struct listing_shape shape = {"things", columns, add_name, also};

static int list(const char *answer, bool wants_json, size_t *ret_count)
{
	cleanup_listing struct listing listing = {0};
	cleanup_json struct json *json = NULL;

	assert_int_equal(json_parse(answer, strlen(answer), &json, NULL), 0);
	assert_int_equal(listing_new(&shape, wants_json, &listing), 0);

	int err = listing_add_all(&listing, json);

	*ret_count = listing.count;

	return err;
}

#define BESIDE "\"since\":\"now\",\"lost\":0"

static void a_listing_takes_every_item(void **state)
{
	size_t count;

	(void)state;
	assert_int_equal(
	    list("{\"things\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", false, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(
	    list("{\"things\":[{\"name\":\"a\"},{\"name\":\"b\"}]," BESIDE "}", true, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(list("{\"things\":[]," BESIDE "}", true, &count), 0);
	assert_int_equal(count, 0);
	/* A program that reads it counts on all of it. */
	assert_int_equal(
	    list("{\"things\":[],\"since\":\"now\"}", true, &count), -TACIT_E_PROTOCOL);
}

static void a_listing_refuses_an_answer_without_its_array(void **state)
{
	static const char *const answers[] = {"{}", "{\"things\":{}}", "{\"things\":\"a\"}",
	    "{\"others\":[]}", "[]", "{\"things\":[1]}", "{\"things\":[\"a\"]}",
	    "{\"things\":[[]]}"};
	size_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (list(answers[i], false, &count) != -TACIT_E_PROTOCOL ||
		    list(answers[i], true, &count) != -TACIT_E_PROTOCOL)
			fail_msg("accepted: %s", answers[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(columns_are_aligned_and_numbers_to_the_right),
	    cmocka_unit_test(a_line_that_fits_is_not_cut),
	    cmocka_unit_test(the_widest_column_is_cut_first),
	    cmocka_unit_test(columns_keep_a_least_width),
	    cmocka_unit_test(only_titles_are_bold),
	    cmocka_unit_test(a_server_cannot_steer_the_terminal),
	    cmocka_unit_test(an_empty_table_is_its_titles),
	    cmocka_unit_test(missing_members_show_as_a_dash),
	    cmocka_unit_test(a_listing_takes_every_item),
	    cmocka_unit_test(a_listing_refuses_an_answer_without_its_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

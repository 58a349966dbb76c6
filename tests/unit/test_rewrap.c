/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "rewrap.h"
#include "tacit/fd.h"
#include "version_row.h"

static struct fixture fixture;

#define SECRETS  70
#define VERSIONS 3

static struct server *server(void)
{
	return &fixture.home.server;
}

static void put(int number, const char *text)
{
	const struct secret_metadata none = {0};
	const struct secret_entry *entry;
	cleanup_secret struct secret *value = text_secret(text);
	char name[32];

	(void)snprintf(name, sizeof(name), "k/%03d", number);
	assert_int_equal(secrets_put(server()->secrets, name, value, &none, &entry), 0);
}

/* More rows than one step takes. */
static int setup(void **state)
{
	(void)state;
	fixture_make(&fixture);
	fixture_open(&fixture);
	for (int number = 0; number < SECRETS; number++)
		for (int version = 1; version <= VERSIONS; version++) {
			char text[32];

			(void)snprintf(text, sizeof(text), "value %d of %d", version, number);
			put(number, text);
		}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

static void assert_values(void)
{
	for (size_t i = 0; i < secrets_count(server()->secrets); i++) {
		const struct secret_entry *entry = secrets_at(server()->secrets, i);

		for (uint32_t version = 1; version <= VERSIONS; version++) {
			cleanup_secret struct secret *value = NULL;
			char text[32];

			(void)snprintf(text, sizeof(text), "value %u of %zu", version, i);
			assert_int_equal(
			    secrets_open_value(server()->secrets, entry, version, &value), 0);
			assert_true(secret_equals(value, text, strlen(text)));
		}
	}
}

struct census {
	size_t rows[8]; /* by term */
};

static int count_term(void *context, const struct row_key *key, const uint8_t *bytes, size_t len)
{
	struct census *census = context;
	uint32_t term = version_row_term(bytes, len);

	(void)key;
	assert_in_range(term, 1, 7);
	census->rows[term]++;
	return 0;
}

static struct census terms_in_use(void)
{
	struct census census = {0};

	assert_int_equal(vault_each_raw(server()->vault, RECORD_VERSION, count_term, &census), 0);
	return census;
}

static void assert_whole(void)
{
	uint64_t count;

	assert_int_equal(vault_check_set(server()->vault, VAULT_WHOLE, &count, NULL), 0);
	assert_int_equal(secrets_check(server()->secrets, &count, NULL), 0);
}

static int walk(struct rewrap *rewrap)
{
	int steps = 1;

	while (rewrap_step(rewrap, server()->vault, server()->secrets, NULL) > 0)
		steps++;
	return steps;
}

static void every_data_key_comes_over_and_the_old_term_goes(void **state)
{
	struct rewrap rewrap = {0};

	(void)state;
	assert_false(rewrap_is_due(server()->vault));
	assert_int_equal(vault_new_term(server()->vault), 0);
	assert_true(rewrap_is_due(server()->vault));
	assert_in_range(walk(&rewrap), SECRETS * VERSIONS / REWRAP_STEP_ROWS, 20);
	assert_int_equal(rewrap.rows, SECRETS * VERSIONS);
	assert_false(rewrap_is_due(server()->vault));
	assert_null(keys_term(vault_keys(server()->vault), 1));
	assert_int_equal(terms_in_use().rows[2], SECRETS * VERSIONS);
	assert_values();
	assert_whole();
	fixture_close(&fixture);
	assert_int_equal(fixture_check(&fixture, NULL), 0);
}

static void the_value_itself_is_not_sealed_again(void **state)
{
	struct raw_rows before, after;
	char path[128];
	struct rewrap rewrap = {0};
	size_t compared = 0;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/" STORE_FILE, fixture.dir);
	fixture_close(&fixture);
	raw_rows_read(path, &before);
	fixture_open(&fixture);
	assert_int_equal(vault_new_term(server()->vault), 0);
	(void)walk(&rewrap);
	fixture_close(&fixture);
	raw_rows_read(path, &after);
	for (size_t i = 0; i < before.count; i++)
		for (size_t j = 0; j < after.count; j++) {
			const struct raw_row *old = &before.items[i], *now = &after.items[j];
			size_t head = VERSION_HEAD_BYTES + WRAPPED_KEY_BYTES;

			if (old->key[0] != RECORD_VERSION || old->key_len != now->key_len ||
			    memcmp(old->key, now->key, old->key_len) != 0)
				continue;
			assert_int_equal(old->value_len, now->value_len);
			assert_memory_not_equal(old->value, now->value, head);
			assert_memory_equal(
			    old->value + head, now->value + head, old->value_len - head);
			compared++;
		}
	assert_int_equal(compared, SECRETS * VERSIONS);
	raw_rows_free(&before);
	raw_rows_free(&after);
}

static void values_of_both_terms_are_read_in_between(void **state)
{
	struct rewrap rewrap = {0};
	struct census census;

	(void)state;
	assert_int_equal(vault_new_term(server()->vault), 0);
	do {
		assert_values();
		assert_whole();
		census = terms_in_use();
		assert_int_equal(census.rows[1] + census.rows[2], SECRETS * VERSIONS);
	} while (rewrap_step(&rewrap, server()->vault, server()->secrets, NULL) > 0);
	assert_values();
}

/* As after a crash: nothing is known but what the store says. */
static void a_new_process_goes_on_with_it(void **state)
{
	struct rewrap rewrap = {0};
	size_t left;

	(void)state;
	assert_int_equal(vault_new_term(server()->vault), 0);
	for (int step = 0; step < 3; step++)
		assert_int_equal(rewrap_step(&rewrap, server()->vault, server()->secrets, NULL), 1);
	left = terms_in_use().rows[1];
	assert_in_range(left, 1, SECRETS * VERSIONS - 1);
	fixture_close(&fixture);
	assert_int_equal(fixture_check(&fixture, NULL), 0);
	fixture_open(&fixture);
	assert_true(rewrap_is_due(server()->vault));
	rewrap = (struct rewrap){0};
	(void)walk(&rewrap);
	assert_int_equal(rewrap.rows, left);
	assert_values();
	assert_whole();
}

static void a_second_term_in_the_middle_loses_nothing(void **state)
{
	struct rewrap rewrap = {0};

	(void)state;
	assert_int_equal(vault_new_term(server()->vault), 0);
	for (int step = 0; step < 3; step++)
		(void)rewrap_step(&rewrap, server()->vault, server()->secrets, NULL);
	assert_int_equal(vault_new_term(server()->vault), 0);
	(void)walk(&rewrap);
	assert_int_equal(terms_in_use().rows[3], SECRETS * VERSIONS);
	assert_false(rewrap_is_due(server()->vault));
	assert_values();
	assert_whole();
}

static void what_is_written_meanwhile_is_under_the_new_term(void **state)
{
	struct rewrap rewrap = {0};

	(void)state;
	assert_int_equal(vault_new_term(server()->vault), 0);
	(void)rewrap_step(&rewrap, server()->vault, server()->secrets, NULL);
	for (int number = 0; number < SECRETS; number += 7)
		put(number, "written meanwhile");
	(void)walk(&rewrap);
	assert_int_equal(terms_in_use().rows[2], SECRETS * VERSIONS + SECRETS / 7);
	assert_values();
	assert_whole();
}

static void too_many_terms_are_refused(void **state)
{
	(void)state;
	for (int i = 1; i < TERMS_MAX; i++)
		assert_int_equal(vault_new_term(server()->vault), 0);
	assert_int_equal(vault_new_term(server()->vault), -TACIT_E_CONFLICT);
	assert_values();
}

/* What does not open under its old term would be lost with it. */
static void a_damaged_row_keeps_its_term(void **state)
{
	struct rewrap rewrap = {0};
	struct fault fault = {0};
	struct vault_change change = {0};
	cleanup_secret struct secret *row = NULL;
	cleanup_store_value struct store_value value = {0};
	int r;

	(void)state;
	vault_version_key(server()->vault, "k/065", 2, &change.key);
	assert_int_equal(vault_get_raw(server()->vault, &change.key, &value), 0);
	value.bytes[20] ^= 1;
	assert_int_equal(secret_new_from(value.bytes, value.len, &row), 0);
	change.raw = row;
	assert_int_equal(vault_commit(server()->vault, &change, 1), 0);
	assert_int_equal(vault_new_term(server()->vault), 0);
	do
		r = rewrap_step(&rewrap, server()->vault, server()->secrets, &fault);
	while (r > 0);
	assert_int_equal(r, -TACIT_E_CORRUPT);
	assert_string_equal(fault.what, "k/065 version 2");
	assert_true(rewrap_is_due(server()->vault));
	assert_non_null(keys_term(vault_keys(server()->vault), 1));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_data_key_comes_over_and_the_old_term_goes),
	    TEST(the_value_itself_is_not_sealed_again),
	    TEST(values_of_both_terms_are_read_in_between),
	    TEST(a_new_process_goes_on_with_it),
	    TEST(a_second_term_in_the_middle_loses_nothing),
	    TEST(what_is_written_meanwhile_is_under_the_new_term),
	    TEST(too_many_terms_are_refused),
	    TEST(a_damaged_row_keeps_its_term),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

/* The vault's own calls: records, revisions, walks. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fixture fixture;
static char store_path[128];

/* A store with one client and one secret. It lies closed when a test begins. */
static int setup(void **state)
{
	cleanup_secret struct secret *value = text_secret("value");
	const struct secret_metadata none = {0};
	const struct secret_entry *entry;
	struct server *server = &fixture.home.server;

	(void)state;
	fixture_make(&fixture);
	(void)snprintf(store_path, sizeof(store_path), "%s/" STORE_FILE, fixture.dir);
	fixture_open(&fixture);
	assert_int_equal(secrets_put(server->secrets, "other/token", value, &none, &entry), 0);
	assert_int_equal(clients_put(server->clients, "frontend", ROLE_CLIENT, 0), 0);
	fixture_close(&fixture);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

static void put_record(struct vault *vault, const char *name, struct row_key *ret_key)
{
	cleanup_secret struct secret *record = text_secret(name);
	struct vault_change change = {.record = record};

	vault_row_key(vault, RECORD_AUTHORITY, name, &change.key);
	*ret_key = change.key;
	assert_int_equal(vault_commit(vault, &change, 1), 0);
}

/* Not only the set tells: a record by itself knows where it belongs. */
static void a_record_opens_only_under_its_own_key(void **state)
{
	struct row_key keys[2];
	struct raw_row rows[2];
	struct vault *vault;

	(void)state;
	fixture_open(&fixture);
	vault = fixture.home.server.vault;
	put_record(vault, "left", &keys[0]);
	put_record(vault, "right", &keys[1]);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store_value value;

		assert_int_equal(vault_get_raw(vault, &keys[1 - i], &value), 0);
		rows[i] = (struct raw_row){.value = value.bytes, .value_len = value.len};
		memcpy(rows[i].key, keys[i].bytes, keys[i].len);
		rows[i].key_len = keys[i].len;
	}
	fixture_close(&fixture);
	for (size_t i = 0; i < COUNT(rows); i++)
		raw_row_put(store_path, &rows[i]);

	assert_int_equal(fixture_try_open(&fixture, HOME_CHECK, NULL), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct secret *record = NULL;

		assert_int_equal(
		    vault_get(fixture.home.server.vault, &keys[i], &record), -TACIT_E_CORRUPT);
		assert_null(record);
		free(rows[i].value);
	}
}

/* While the server runs it notices at its next write, and does not write over it. */
static void a_head_that_changed_under_us_stops_commits(void **state)
{
	struct raw_rows rows;
	struct raw_row *head;
	struct server *server = &fixture.home.server;
	uint64_t revision;

	(void)state;
	raw_rows_read(store_path, &rows);
	fixture_open(&fixture);
	revision = vault_revision(server->vault);
	head = raw_rows_find(&rows, RECORD_HEAD);
	raw_row_put(store_path, head);
	assert_int_equal(secrets_delete(server->secrets, "other/token"), -TACIT_E_CORRUPT);
	assert_int_equal(vault_revision(server->vault), revision);
	assert_non_null(secrets_find(server->secrets, "other/token", false));
	raw_rows_free(&rows);
}

static void the_revision_counts_commits(void **state)
{
	struct server *server = &fixture.home.server;
	uint64_t revision;

	(void)state;
	fixture_open(&fixture);
	revision = vault_revision(server->vault);
	assert_int_equal(secrets_delete(server->secrets, "other/token"), 0);
	assert_int_equal(clients_revoke(server->clients, "frontend"), 0);
	assert_int_equal(vault_revision(server->vault), revision + 2);
	fixture_close(&fixture);
	fixture_open(&fixture);
	assert_in_range(vault_revision(server->vault), revision + 3, revision + 4);
}

static int count_row(void *context, const struct row_key *key, const struct secret *record)
{
	size_t *count = context;

	assert_int_equal(key->bytes[0], RECORD_CLIENT);
	assert_true(secret_len(record) > 0);
	(*count)++;
	return 0;
}

static void each_visits_one_kind(void **state)
{
	size_t count = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(
	    vault_each(fixture.home.server.vault, RECORD_CLIENT, count_row, &count), 0);
	assert_int_equal(count, 2); /* admin, frontend */
}

/* Enough records of kind Q, which is nobody's, that reading and opening them are two threads'. */
#define MANY       320
#define MANY_BYTES 8192

static void many_put(struct vault *vault)
{
	struct vault_change changes[32];
	cleanup_secret struct secret *record = NULL;
	char name[16];

	assert_int_equal(secret_new(MANY_BYTES, &record), 0);
	assert_non_null(secret_space(record, MANY_BYTES));
	secret_grew(record, MANY_BYTES);
	for (size_t i = 0; i < MANY; i++) {
		struct vault_change *change = &changes[i % COUNT(changes)];

		*change = (struct vault_change){.record = record};
		(void)snprintf(name, sizeof(name), "%zu", i);
		vault_row_key(vault, (enum record_kind)'Q', name, &change->key);
		if ((i + 1) % COUNT(changes) == 0)
			assert_int_equal(vault_commit(vault, changes, COUNT(changes)), 0);
	}
}

struct many {
	size_t visited;
	size_t end_at; /* 0: goes on to the end */
	struct row_key last;
};

static int many_visit(void *context, const struct row_key *key, const struct secret *record)
{
	struct many *many = context;

	if (secret_len(record) != MANY_BYTES ||
	    (many->visited > 0 && memcmp(key->bytes, many->last.bytes, key->len) <= 0))
		return -EBADMSG;

	many->last = *key;
	return ++many->visited == many->end_at ? 7 : 0;
}

static int many_walk(struct many *many)
{
	return vault_each(fixture.home.server.vault, (enum record_kind)'Q', many_visit, many);
}

static void many_records_are_visited_in_order_and_none_after_the_end(void **state)
{
	struct many all = {0};

	(void)state;
	fixture_open(&fixture);
	many_put(fixture.home.server.vault);
	assert_int_equal(many_walk(&all), 0);
	assert_int_equal(all.visited, MANY);
	for (size_t i = 1; i <= MANY; i += 53) {
		struct many some = {.end_at = i};

		assert_int_equal(many_walk(&some), 7);
		assert_int_equal(some.visited, i);
	}
	fixture_close(&fixture);
}

static void one_altered_record_of_many_is_found(void **state)
{
	struct raw_rows rows;
	size_t altered = 0;

	(void)state;
	fixture_open(&fixture);
	many_put(fixture.home.server.vault);
	fixture_close(&fixture);
	raw_rows_read(store_path, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		struct many all = {0};

		if (rows.items[i].key[0] != 'Q' || i % 80 != 0)
			continue;
		altered++;
		rows.items[i].value[MANY_BYTES / 2] ^= 1;
		raw_row_put(store_path, &rows.items[i]);
		assert_int_equal(fixture_try_open(&fixture, HOME_CHECK, NULL), 0);
		assert_int_equal(many_walk(&all), -TACIT_E_CORRUPT);
		assert_in_range(all.visited, 0, MANY - 1);
		fixture_close(&fixture);
		rows.items[i].value[MANY_BYTES / 2] ^= 1;
		raw_row_put(store_path, &rows.items[i]);
	}
	assert_in_range(altered, 3, 5);
	raw_rows_free(&rows);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_record_opens_only_under_its_own_key),
	    TEST(a_head_that_changed_under_us_stops_commits),
	    TEST(the_revision_counts_commits),
	    TEST(each_visits_one_kind),
	    TEST(many_records_are_visited_in_order_and_none_after_the_end),
	    TEST(one_altered_record_of_many_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

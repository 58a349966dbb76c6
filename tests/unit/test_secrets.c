/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fixture.h"
#include "tacit/codec.h"
#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fixture fixture;
static struct secrets *secrets;

static int setup(void **state)
{
	(void)state;
	fixture_make(&fixture);
	fixture_open(&fixture);
	secrets = fixture.home.server.secrets;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

static void reopen(void)
{
	fixture_close(&fixture);
	fixture_open(&fixture);
	secrets = fixture.home.server.secrets;
}

static const struct secret_metadata none;

static int put_with(const char *name, const char *text, const struct secret_metadata *metadata)
{
	cleanup_secret struct secret *value = text_secret(text);
	const struct secret_entry *entry = NULL;
	int r = secrets_put(secrets, name, value, metadata, &entry);

	if (r == 0)
		assert_ptr_equal(entry, secrets_find(secrets, name, false));
	return r;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(put_with(name, text, &none), 0);
}

/* `text` NULL: it cannot be had. */
static void assert_value(const char *name, uint32_t version, const char *text)
{
	const struct secret_entry *entry = secrets_find(secrets, name, true);
	cleanup_secret struct secret *value = NULL;
	int r;

	assert_non_null(entry);
	r = secrets_open_value(secrets, entry, version, &value);
	assert_int_equal(r, text ? 0 : -TACIT_E_NOT_FOUND);
	if (text)
		assert_true(secret_equals(value, text, strlen(text)));
}

static uint32_t current(const char *name)
{
	return secrets_find(secrets, name, true)->current;
}

static void puts_make_versions(void **state)
{
	(void)state;
	put("web/a", "one");
	put("web/a", "two");
	put("web/a", "");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(current("web/a"), 3);
		assert_value("web/a", 1, "one");
		assert_value("web/a", 2, "two");
		assert_value("web/a", 3, "");
		assert_value("web/a", 0, "");
		assert_value("web/a", 4, NULL);
		reopen();
	}
}

static void every_byte_of_the_largest_value_comes_back(void **state)
{
	static uint8_t bytes[512000];
	cleanup_secret struct secret *value = NULL, *again = NULL;
	const struct secret_entry *entry;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(secret_new_from(bytes, sizeof(bytes), &value), 0);
	assert_int_equal(secrets_put(secrets, "large", value, &none, &entry), 0);
	reopen();
	entry = secrets_find(secrets, "large", false);
	assert_int_equal(secrets_open_value(secrets, entry, 0, &again), 0);
	assert_true(secret_equals(again, bytes, sizeof(bytes)));
	assert_int_equal(secret_entry_version(entry, 1)->size, sizeof(bytes));
}

static void only_the_last_versions_are_kept(void **state)
{
	char text[16];

	(void)state;
	for (int i = 1; i <= SECRET_VERSIONS_KEPT + 5; i++) {
		(void)snprintf(text, sizeof(text), "value %d", i);
		put("a", text);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    secrets_find(secrets, "a", false)->versions_count, SECRET_VERSIONS_KEPT);
		for (uint32_t version = 1; version <= 5; version++)
			assert_value("a", version, NULL);
		assert_value("a", 6, "value 6");
		assert_value("a", SECRET_VERSIONS_KEPT + 5, text);
		reopen();
	}
	assert_int_equal(fixture_check((fixture_close(&fixture), &fixture), NULL), 0);
}

static size_t versions_of(const char *name)
{
	return secrets_find(secrets, name, false)->versions_count;
}

static void the_number_of_kept_versions_can_be_another(void **state)
{
	(void)state;
	secrets_set_kept(secrets, SECRET_VERSIONS_MAX);
	for (int i = 1; i <= SECRET_VERSIONS_MAX + 3; i++)
		put("a", "value");
	assert_int_equal(versions_of("a"), SECRET_VERSIONS_MAX);
	assert_value("a", 3, NULL);
	assert_value("a", 4, "value");
	/* Less than there is takes effect with the next put, all at once. */
	secrets_set_kept(secrets, 2);
	assert_int_equal(versions_of("a"), SECRET_VERSIONS_MAX);
	put("a", "newest");
	assert_int_equal(versions_of("a"), 2);
	assert_value("a", SECRET_VERSIONS_MAX + 2, NULL);
	assert_value("a", SECRET_VERSIONS_MAX + 3, "value");
	secrets_set_kept(secrets, 1);
	put("a", "only");
	assert_int_equal(versions_of("a"), 1);
	assert_value("a", 0, "only");
	assert_int_equal(fixture_check((fixture_close(&fixture), &fixture), NULL), 0);
}

static void keep(const char *name, uint16_t number)
{
	const struct secret_metadata metadata = {.kept = &number};

	assert_int_equal(secrets_set_metadata(secrets, name, &metadata), 0);
}

/* The numbers in the list, those that are destroyed in brackets. */
static void assert_versions(const char *name, const char *expected)
{
	const struct secret_entry *entry = secrets_find(secrets, name, true);
	char text[200] = "";

	for (size_t i = 0; i < entry->versions_count; i++) {
		bool is_kept = entry->versions[i].state == VERSION_KEPT;
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof(text) - len, "%s%s%u%s", len ? " " : "",
		    is_kept ? "" : "(", entry->versions[i].number, is_kept ? "" : ")");
	}
	assert_string_equal(text, expected);
}

static void a_secret_can_have_a_number_of_its_own(void **state)
{
	const uint16_t three = 3;
	const struct secret_metadata metadata = {.kept = &three};

	(void)state;
	secrets_set_kept(secrets, 5);
	assert_int_equal(put_with("a", "1", &metadata), 0);
	for (int i = 2; i <= 7; i++)
		put("a", "value");
	for (int i = 1; i <= 7; i++)
		put("b", "value");
	for (int i = 0; i < 2; i++) {
		assert_versions("a", "5 6 7");
		assert_versions("b", "3 4 5 6 7");
		assert_int_equal(secrets_find(secrets, "a", false)->kept, 3);
		assert_int_equal(secrets_find(secrets, "b", false)->kept, 0);
		reopen();
	}
	/* More than the server's number, too; and back to that. */
	secrets_set_kept(secrets, 2);
	keep("a", 4);
	put("a", "8");
	assert_versions("a", "5 6 7 8");
	keep("a", 0);
	assert_versions("a", "7 8");
	assert_int_equal(fixture_check((fixture_close(&fixture), &fixture), NULL), 0);
}

/* What was rolled back to is what is in use; and no number is given twice. */
static void the_current_version_is_spared(void **state)
{
	(void)state;
	for (int i = 1; i <= 5; i++)
		put("a", i == 2 ? "two" : "value");
	assert_int_equal(secrets_rollback(secrets, "a", 2), 0);
	keep("a", 3);
	assert_versions("a", "2 4 5");
	keep("a", 1);
	for (int i = 0; i < 2; i++) {
		assert_versions("a", "2 (5)");
		assert_value("a", 0, "two");
		assert_value("a", 5, NULL);
		reopen();
	}
	keep("a", 1);
	assert_versions("a", "2 (5)");
	put("a", "six");
	assert_versions("a", "6");
	assert_value("a", 0, "six");
	assert_int_equal(fixture_check((fixture_close(&fixture), &fixture), NULL), 0);
}

static void all_versions_but_one_go_in_one_piece(void **state)
{
	(void)state;
	put("a", "value");
	keep("a", SECRET_VERSIONS_MAX);
	for (int i = 2; i <= SECRET_VERSIONS_MAX + 1; i++)
		put("a", "value");
	assert_int_equal(versions_of("a"), SECRET_VERSIONS_MAX);
	keep("a", 1);
	assert_versions("a", "257");
	assert_int_equal(fixture_check((fixture_close(&fixture), &fixture), NULL), 0);
}

/* Records from before a secret could have a number of its own are as they would be today. */
static void records_without_a_number_are_as_before(void **state)
{
	cleanup_secret struct secret *before = NULL, *now = NULL, *with = NULL;
	cleanup_draft struct secret_draft draft = {0}, again = {0};
	const struct secret_version version = {.number = 7, .size = 9, .created = 11};
	struct encoder encoder;

	(void)state;
	assert_int_equal(secret_new(256, &before), 0);
	encoder = (struct encoder){.out = before};
	encode_text(&encoder, "web/a");
	encode_text(&encoder, "a");
	encode_text(&encoder, "A_FILE");
	encode_u32(&encoder, 0400);
	encode_u8(&encoder, 0);
	encode_u32(&encoder, 7);
	encode_u32(&encoder, 1);
	encode_u32(&encoder, 7);
	encode_u32(&encoder, 9);
	encode_u64(&encoder, 11);
	encode_u8(&encoder, 0);

	secret_draft_begin(&draft, "web/a");
	draft.current = 7;
	assert_int_equal(secret_draft_add_version(&draft, &version), 0);
	assert_int_equal(secret_draft_encode(&draft, &now), 0);
	assert_true(secret_equals(now, secret_bytes(before), secret_len(before)));
	draft.kept = 200;
	assert_int_equal(secret_draft_encode(&draft, &with), 0);
	assert_int_equal(secret_len(with), secret_len(now) + 4);
	assert_int_equal(secret_draft_decode(&again, with), 0);
	assert_int_equal(again.kept, 200);
	assert_int_equal(secret_draft_decode(&again, before), 0);
	assert_int_equal(again.kept, 0);
	assert_string_equal(again.name, "web/a");
	assert_int_equal(again.versions_count, 1);
}

/* Zero has no form of its own, and nothing may follow. */
static void a_record_has_one_form(void **state)
{
	static const uint32_t bad[] = {0, SECRET_VERSIONS_MAX + 1, UINT32_MAX};
	cleanup_draft struct secret_draft draft = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		cleanup_secret struct secret *record = NULL;
		struct encoder encoder;

		secret_draft_begin(&draft, "a");
		assert_int_equal(secret_draft_encode(&draft, &record), 0);
		encoder = (struct encoder){.out = record};
		encode_u32(&encoder, bad[i]);
		assert_int_equal(secret_draft_decode(&draft, record), -TACIT_E_CORRUPT);
	}
}

/* All rows of a secret with as many versions as can be go in one commit. */
static void a_secret_with_all_versions_is_destroyed_in_one_piece(void **state)
{
	(void)state;
	secrets_set_kept(secrets, SECRET_VERSIONS_MAX);
	for (int i = 1; i <= SECRET_VERSIONS_MAX; i++)
		put("a", "value");
	assert_int_equal(secrets_destroy(secrets, "a", 0), 0);
	assert_null(secrets_find(secrets, "a", false));
	assert_int_equal(fixture_check((fixture_close(&fixture), &fixture), NULL), 0);
}

static void rollback_makes_an_older_version_current(void **state)
{
	(void)state;
	put("a", "one");
	put("a", "two");
	assert_int_equal(secrets_rollback(secrets, "a", 1), 0);
	assert_value("a", 0, "one");
	/* The next one is new in any case: nobody is to take it for the old second. */
	put("a", "three");
	assert_int_equal(current("a"), 3);
	assert_value("a", 2, "two");
	assert_int_equal(secrets_rollback(secrets, "a", 4), -TACIT_E_NOT_FOUND);
	assert_int_equal(secrets_rollback(secrets, "a", 0), -TACIT_E_NOT_FOUND);
	assert_int_equal(secrets_rollback(secrets, "b", 1), -TACIT_E_NOT_FOUND);
	assert_value("a", 0, "three");
}

static void a_deleted_secret_is_hidden_and_comes_back(void **state)
{
	(void)state;
	put("a", "one");
	put("a", "two");
	assert_int_equal(secrets_delete(secrets, "a"), 0);
	reopen();
	assert_null(secrets_find(secrets, "a", false));
	assert_non_null(secrets_find(secrets, "a", true));
	assert_int_equal(secrets_delete(secrets, "a"), -TACIT_E_NOT_FOUND);
	assert_int_equal(secrets_set_metadata(secrets, "a", &(struct secret_metadata){.file = "x"}),
	    -TACIT_E_NOT_FOUND);

	assert_int_equal(secrets_rollback(secrets, "a", 1), 0);
	assert_non_null(secrets_find(secrets, "a", false));
	assert_value("a", 0, "one");

	assert_int_equal(secrets_delete(secrets, "a"), 0);
	put("a", "three");
	assert_int_equal(current("a"), 3);
	assert_non_null(secrets_find(secrets, "a", false));
}

static void a_destroyed_version_cannot_be_had_again(void **state)
{
	(void)state;
	put("a", "one");
	put("a", "two");
	put("a", "three");
	assert_int_equal(secrets_destroy(secrets, "a", 3), -TACIT_E_CONFLICT);
	assert_int_equal(secrets_destroy(secrets, "a", 2), 0);
	for (int i = 0; i < 2; i++) {
		assert_value("a", 2, NULL);
		assert_value("a", 1, "one");
		assert_value("a", 3, "three");
		assert_int_equal(secrets_rollback(secrets, "a", 2), -TACIT_E_NOT_FOUND);
		assert_int_equal(secrets_destroy(secrets, "a", 2), -TACIT_E_NOT_FOUND);
		assert_int_equal(secret_entry_version(secrets_find(secrets, "a", false), 2)->state,
		    VERSION_DESTROYED);
		reopen();
	}
	assert_int_equal(fixture_check((fixture_close(&fixture), &fixture), NULL), 0);
}

static void a_destroyed_secret_is_gone_with_all_versions(void **state)
{
	(void)state;
	put("a", "one");
	put("a", "two");
	assert_int_equal(secrets_destroy(secrets, "a", 0), 0);
	reopen();
	assert_null(secrets_find(secrets, "a", false));
	assert_value("a", 1, NULL);
	assert_value("a", 2, NULL);
	assert_value("a", 0, NULL);
	assert_int_equal(secrets_destroy(secrets, "a", 0), -TACIT_E_NOT_FOUND);
	assert_int_equal(secrets_destroy(secrets, "b", 0), -TACIT_E_NOT_FOUND);
	put("a", "three");
	assert_int_equal(current("a"), 3);
	assert_value("a", 0, "three");
	assert_value("a", 1, NULL);
}

static const struct raw_row *first_version(const struct raw_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct raw_row *row = &rows->items[i];

		if (row->key[0] == RECORD_VERSION && row->key[row->key_len - 1] == 1)
			return row;
	}

	fail_msg("no row of version 1");
	abort();
}

/* The sealed data key is what must go: without it the rest is noise for ever. */
static void destroying_removes_the_row_from_the_files(void **state)
{
	struct raw_rows rows;
	const struct raw_row *row;

	(void)state;
	put("a", "the value that is to be destroyed");
	put("a", "another");
	raw_rows_read(fixture_path(&fixture, STORE_FILE), &rows);
	row = first_version(&rows);
	assert_true(files_hold(&fixture, row->value + 12, 72));
	assert_int_equal(secrets_destroy(secrets, "a", 1), 0);
	assert_false(files_hold(&fixture, row->value + 12, 72));
	assert_false(files_hold(&fixture, row->value + 12 + 24, 24));
	assert_value("a", 0, "another");
	raw_rows_free(&rows);
}

static void a_smaller_number_takes_effect_at_once(void **state)
{
	struct raw_rows rows;
	const struct raw_row *row;

	(void)state;
	put("a", "the value that is to be destroyed");
	put("a", "another");
	put("a", "the last");
	raw_rows_read(fixture_path(&fixture, STORE_FILE), &rows);
	row = first_version(&rows);
	assert_true(files_hold(&fixture, row->value + 12, 72));
	keep("a", 1);
	assert_versions("a", "3");
	assert_false(files_hold(&fixture, row->value + 12, 72));
	assert_value("a", 0, "the last");
	raw_rows_free(&rows);
	assert_int_equal(fixture_check((fixture_close(&fixture), &fixture), NULL), 0);
}

/*
 * Rows of values under each other's keys, read by somebody who does not look at the set: not even
 * two versions of one secret, made in the same second and of the same size, can be swapped.
 */
static void a_value_opens_only_as_what_it_is(void **state)
{
	struct raw_rows rows;
	size_t values[3], count = 0;

	(void)state;
	put("a", "one");
	put("a", "two");
	put("b", "six");
	raw_rows_read(fixture_path(&fixture, STORE_FILE), &rows);
	for (size_t i = 0; i < rows.count; i++)
		if (rows.items[i].key[0] == RECORD_VERSION && count < COUNT(values))
			values[count++] = i;
	assert_int_equal(count, COUNT(values));
	fixture_close(&fixture);
	for (size_t i = 0; i < count; i++) {
		struct raw_row moved = rows.items[values[i]];

		moved.value = rows.items[values[(i + 1) % count]].value;
		raw_row_put(fixture_path(&fixture, STORE_FILE), &moved);
	}

	assert_int_equal(fixture_try_open(&fixture, HOME_CHECK, NULL), 0);
	secrets = fixture.home.server.secrets;
	for (size_t i = 0; i < secrets_count(secrets); i++) {
		const struct secret_entry *entry = secrets_at(secrets, i);

		for (size_t j = 0; j < entry->versions_count; j++) {
			struct secret *value = NULL;

			assert_int_equal(
			    secrets_open_value(secrets, entry, entry->versions[j].number, &value),
			    -TACIT_E_CORRUPT);
			assert_null(value);
		}
	}
	raw_rows_free(&rows);
}

static void metadata_has_defaults_and_can_be_changed(void **state)
{
	const struct secret_entry *entry;

	(void)state;
	put("web/db_password", "x");
	entry = secrets_find(secrets, "web/db_password", false);
	assert_string_equal(entry->file, "db_password");
	assert_string_equal(entry->env, "DB_PASSWORD_FILE");
	assert_int_equal(entry->mode, 0400);

	/* The variable follows the file until it has been given a name of its own. */
	assert_int_equal(secrets_set_metadata(secrets, "web/db_password",
	                     &(struct secret_metadata){.file = "pg.pass"}),
	    0);
	reopen();
	entry = secrets_find(secrets, "web/db_password", false);
	assert_string_equal(entry->file, "pg.pass");
	assert_string_equal(entry->env, "PG_PASS_FILE");
	assert_int_equal(entry->current, 1);

	assert_int_equal(put_with("web/db_password", "y",
	                     &(struct secret_metadata){.env = "PGPASSFILE", .mode = "0440"}),
	    0);
	assert_int_equal(secrets_set_metadata(secrets, "web/db_password",
	                     &(struct secret_metadata){.file = "other"}),
	    0);
	reopen();
	entry = secrets_find(secrets, "web/db_password", false);
	assert_string_equal(entry->env, "PGPASSFILE");
	assert_string_equal(entry->file, "other");
	assert_int_equal(entry->mode, 0440);
	assert_int_equal(entry->current, 2);
}

static void bad_input_changes_nothing(void **state)
{
	static const struct {
		const char *name;
		struct secret_metadata metadata;
		int r;
	} rows[] = {
	    {"", {0}, -TACIT_E_INVALID_NAME},
	    {"a//b", {0}, -TACIT_E_INVALID_NAME},
	    {"../a", {0}, -TACIT_E_INVALID_NAME},
	    {"a b", {0}, -TACIT_E_INVALID_NAME},
	    {"a", {.file = "../x"}, -TACIT_E_INVALID_NAME},
	    {"a", {.file = ""}, -TACIT_E_INVALID_NAME},
	    {"a", {.env = "1A"}, -TACIT_E_INVALID_ENV},
	    {"a", {.env = "TACIT_TOKEN"}, -TACIT_E_INVALID_ENV},
	    {"a", {.mode = "0600"}, -TACIT_E_INVALID_MODE},
	    {"a", {.mode = "4755"}, -TACIT_E_INVALID_MODE},
	    {"a", {.mode = ""}, -TACIT_E_INVALID_MODE},
	};
	uint64_t revision = vault_revision(fixture.home.server.vault);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(put_with(rows[i].name, "x", &rows[i].metadata), rows[i].r);
	assert_int_equal(secrets_count(secrets), 0);
	assert_int_equal(vault_revision(fixture.home.server.vault), revision);
}

static void names_are_kept_in_order(void **state)
{
	static const char *const names[] = {
	    "b", "a/b", "a", "a.b", "a/a", "B", "_", "a-b", "a/b/c"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		put(names[i], names[i]);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(secrets_count(secrets), COUNT(names));
		for (size_t i = 1; i < COUNT(names); i++)
			assert_true(strcmp(secrets_at(secrets, i - 1)->name,
			                secrets_at(secrets, i)->name) < 0);
		for (size_t i = 0; i < COUNT(names); i++)
			assert_value(names[i], 0, names[i]);
		reopen();
	}
	assert_string_equal(secrets_at(secrets, secrets_lower_bound(secrets, "a/"))->name, "a/a");
	assert_int_equal(secrets_lower_bound(secrets, "c"), COUNT(names));
}

/*
 * No file may grow while this holds: what a full disk does, without needing one. The log of the
 * database starts anew after a reopening, so that the next commit has to make it larger.
 */
static void disk_full(bool full)
{
	const struct rlimit limit = {
	    .rlim_cur = full ? 0 : RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_failed_commit_leaves_everything_as_it_was(void **state)
{
	int r[5];
	uint64_t revision;

	(void)state;
	put("a", "one");
	put("a", "two");
	put("gone", "x");
	assert_int_equal(secrets_delete(secrets, "gone"), 0);
	reopen();
	revision = vault_revision(fixture.home.server.vault);

	disk_full(true);
	r[0] = put_with("a", "three", &(struct secret_metadata){.file = "other"});
	r[1] = put_with("new", "x", &none);
	r[2] = secrets_delete(secrets, "a");
	r[3] = secrets_rollback(secrets, "gone", 1);
	r[4] = secrets_destroy(secrets, "a", 1);
	disk_full(false);
	for (size_t i = 0; i < COUNT(r); i++)
		assert_true(r[i] == -TACIT_E_STORE_FULL || r[i] == -TACIT_E_STORE_UNAVAILABLE);

	for (int round = 0; round < 2; round++) {
		assert_int_equal(secrets_count(secrets), 2);
		assert_int_equal(current("a"), 2);
		assert_value("a", 1, "one");
		assert_value("a", 0, "two");
		assert_string_equal(secrets_find(secrets, "a", false)->file, "a");
		assert_null(secrets_find(secrets, "gone", false));
		assert_int_equal(vault_revision(fixture.home.server.vault), revision);
		if (round == 0) {
			reopen();
			revision += 2; /* the mark of the audit log, at the end and at the start */
		}
	}
	/* And it goes on once there is room again. */
	put("a", "three");
	assert_value("a", 3, "three");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(puts_make_versions),
	    TEST(every_byte_of_the_largest_value_comes_back),
	    TEST(only_the_last_versions_are_kept),
	    TEST(the_number_of_kept_versions_can_be_another),
	    TEST(a_secret_can_have_a_number_of_its_own),
	    TEST(a_smaller_number_takes_effect_at_once),
	    TEST(the_current_version_is_spared),
	    TEST(all_versions_but_one_go_in_one_piece),
	    TEST(records_without_a_number_are_as_before),
	    TEST(a_record_has_one_form),
	    TEST(a_secret_with_all_versions_is_destroyed_in_one_piece),
	    TEST(rollback_makes_an_older_version_current),
	    TEST(a_deleted_secret_is_hidden_and_comes_back),
	    TEST(a_destroyed_version_cannot_be_had_again),
	    TEST(a_destroyed_secret_is_gone_with_all_versions),
	    TEST(destroying_removes_the_row_from_the_files),
	    TEST(a_value_opens_only_as_what_it_is),
	    TEST(metadata_has_defaults_and_can_be_changed),
	    TEST(bad_input_changes_nothing),
	    TEST(names_are_kept_in_order),
	    TEST(a_failed_commit_leaves_everything_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include <sqlite3.h>

#include "fixture.h"
#include "store/store.h"
#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fixture fixture;
static char path[128];

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(&fixture);
	(void)snprintf(path, sizeof(path), "%s/" STORE_FILE, fixture.dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

static struct store *opened(enum store_mode mode)
{
	struct store *store = NULL;

	assert_int_equal(store_open(path, mode, &store, NULL), 0);
	return store;
}

static struct store_op op(enum store_op_kind kind, const char *key, const char *value)
{
	return (struct store_op){
	    .kind = kind,
	    .key = (const uint8_t *)key,
	    .key_len = strlen(key),
	    .value = (const uint8_t *)value,
	    .value_len = value ? strlen(value) : 0,
	};
}

static void put(struct store *store, const char *key, const char *value)
{
	const struct store_op ops[] = {op(STORE_PUT, key, value)};

	assert_int_equal(store_commit(store, ops, 1), 0);
}

/* NULL: it is absent. */
static void assert_holds(struct store *store, const char *key, const char *value)
{
	cleanup_store_value struct store_value got = {0};
	int r = store_get(store, (const uint8_t *)key, strlen(key), &got);

	if (!value) {
		assert_int_equal(r, -TACIT_E_NOT_FOUND);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(got.len, strlen(value));
	assert_memory_equal(got.bytes, value, got.len);
}

static void get_returns_what_was_put(void **state)
{
	struct store *store = opened(STORE_CREATE);

	(void)state;
	put(store, "key", "value");
	put(store, "empty", "");
	put(store, "key", "another");
	assert_holds(store, "key", "another");
	assert_holds(store, "empty", "");
	assert_holds(store, "ke", NULL);
	assert_holds(store, "key2", NULL);
	store_close(store);

	store = opened(STORE_WRITE);
	assert_holds(store, "key", "another");
	store_close(store);
}

static void commit_does_all_or_nothing(void **state)
{
	const struct store_op ops[] = {
	    op(STORE_PUT, "a", "new"),
	    op(STORE_DELETE, "b", NULL),
	    op(STORE_PUT, "c", "new"),
	    op(STORE_EXPECT, "d", "not so"),
	};
	struct store *store = opened(STORE_CREATE);

	(void)state;
	put(store, "a", "old");
	put(store, "b", "old");
	put(store, "d", "old");
	assert_int_equal(store_commit(store, ops, COUNT(ops)), -TACIT_E_CONFLICT);
	assert_holds(store, "a", "old");
	assert_holds(store, "b", "old");
	assert_holds(store, "c", NULL);

	assert_int_equal(store_commit(store, ops, COUNT(ops) - 1), 0);
	assert_holds(store, "a", "new");
	assert_holds(store, "b", NULL);
	assert_holds(store, "c", "new");
	store_close(store);
}

static void commit_judges_expectations(void **state)
{
	static const struct {
		const char *key, *value;
		int r;
	} rows[] = {
	    {"there", "value", 0},
	    {"there", "valu", -TACIT_E_CONFLICT},
	    {"there", "value2", -TACIT_E_CONFLICT},
	    {"there", "", -TACIT_E_CONFLICT},
	    {"there", NULL, -TACIT_E_CONFLICT},
	    {"empty", "", 0},
	    {"empty", NULL, -TACIT_E_CONFLICT},
	    {"absent", NULL, 0},
	    {"absent", "", -TACIT_E_CONFLICT},
	};
	struct store *store = opened(STORE_CREATE);

	(void)state;
	put(store, "there", "value");
	put(store, "empty", "");
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct store_op ops[] = {op(STORE_EXPECT, rows[i].key, rows[i].value)};

		assert_int_equal(store_commit(store, ops, 1), rows[i].r);
	}
	store_close(store);
}

/* The keys that a walk sees, each in brackets, with the bytes of their values that it gets. */
static char seen[512];

static int see(void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	size_t at = strlen(seen);
	const size_t *stop_after = context;

	(void)value;
	(void)snprintf(seen + at, sizeof(seen) - at, "[");
	for (size_t i = 0; i < key_len; i++)
		(void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen),
		    key[i] >= 0x20 && key[i] < 0x7f ? "%c" : "%02x", key[i]);
	(void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), ":%zu]", len);
	return stop_after && strlen(seen) > *stop_after ? 77 : 0;
}

static void assert_range(
    struct store *store, const char *prefix, size_t prefix_len, const char *expected)
{
	seen[0] = '\0';
	assert_int_equal(
	    store_range(store, (const uint8_t *)prefix, prefix_len, 100, see, NULL), 0);
	assert_string_equal(seen, expected);
}

static void range_is_ordered_and_keeps_to_the_prefix(void **state)
{
	static const char *const keys[] = {
	    "b", "a", "ab", "\xff", "\xff\xff", "a\xff", "a\xff\xff", "a\xff\xff!", "\x01", "c"};
	struct store *store = opened(STORE_CREATE);

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++)
		put(store, keys[i], "v");
	assert_range(
	    store, NULL, 0, "[01:1][a:1][ab:1][aff:1][affff:1][affff!:1][b:1][c:1][ff:1][ffff:1]");
	assert_range(store, "a", 1, "[a:1][ab:1][aff:1][affff:1][affff!:1]");
	assert_range(store, "a\xff", 2, "[aff:1][affff:1][affff!:1]");
	assert_range(store, "\xff", 1, "[ff:1][ffff:1]");
	assert_range(store, "\xff\xff", 2, "[ffff:1]");
	assert_range(store, "\xff\xff\xff", 3, "");
	assert_range(store, "d", 1, "");
	store_close(store);
}

static int keep_value(
    void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	(void)key;
	(void)key_len;
	assert_int_equal(len, 10);
	memcpy(context, value, 4);
	return 0;
}

static void range_cuts_values_and_tells_their_length(void **state)
{
	struct store *store = opened(STORE_CREATE);
	char start[5] = "";

	(void)state;
	put(store, "a", "0123456789");
	assert_int_equal(store_range(store, NULL, 0, 4, keep_value, start), 0);
	assert_string_equal(start, "0123");
	store_close(store);
}

static void range_ends_when_the_visit_says_so(void **state)
{
	struct store *store = opened(STORE_CREATE);
	size_t stop_after = 0;

	(void)state;
	put(store, "a", "");
	put(store, "b", "");
	seen[0] = '\0';
	assert_int_equal(store_range(store, NULL, 0, 4, see, &stop_after), 77);
	assert_string_equal(seen, "[a:0]");
	/* And nothing is left locked. */
	put(store, "c", "");
	store_close(store);
}

static void open_tells_what_is_in_the_way(void **state)
{
	static const char text[] =
	    "This is a letter and not a database, and it is long enough to be "
	    "one: 0123456789012345678901234567890123456789";
	struct store *store = NULL;
	struct fault fault = {0};
	sqlite3 *db;

	(void)state;
	assert_int_equal(store_open(path, STORE_WRITE, &store, &fault), -ENOENT);
	assert_string_equal(fault.what, path);
	assert_int_equal(store_open(path, STORE_READ_ONLY, &store, &fault), -ENOENT);

	file_write(path, text, sizeof(text));
	assert_int_equal(store_open(path, STORE_CREATE, &store, &fault), -EEXIST);
	assert_int_equal(store_open(path, STORE_WRITE, &store, &fault), -TACIT_E_NOT_A_STORE);
	assert_int_equal(store_open(path, STORE_READ_ONLY, &store, &fault), -TACIT_E_NOT_A_STORE);
	file_write(path, "", 0);
	assert_int_equal(store_open(path, STORE_WRITE, &store, &fault), -TACIT_E_NOT_A_STORE);

	/* A sound database of somebody else. */
	(void)unlink(path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=1; CREATE TABLE records(key, value)",
	                     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(store_open(path, STORE_WRITE, &store, &fault), -TACIT_E_NOT_A_STORE);
	assert_null(store);
}

static void another_writer_is_locked_out(void **state)
{
	struct store *store = opened(STORE_CREATE);
	const struct store_op ops[] = {op(STORE_PUT, "a", "2")};
	sqlite3 *other;

	(void)state;
	put(store, "a", "1");
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_commit(store, ops, 1), -TACIT_E_STORE_LOCKED);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_commit(store, ops, 1), 0);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	store_close(store);
}

static void a_reader_sees_one_snapshot_beside_a_writer(void **state)
{
	struct store *writer = opened(STORE_CREATE);
	struct store *reader;
	const struct store_op ops[] = {op(STORE_PUT, "c", "3")};

	(void)state;
	put(writer, "a", "1");
	reader = opened(STORE_READ_ONLY);
	assert_holds(reader, "a", "1");
	put(writer, "a", "2");
	put(writer, "b", "2");
	assert_holds(reader, "a", "1");
	assert_range(reader, NULL, 0, "[a:1]");
	assert_int_equal(store_commit(reader, ops, 1), -TACIT_E_STORE_READ_ONLY);
	store_close(reader);
	assert_holds(writer, "a", "2");
	store_close(writer);
}

static void paths_with_odd_characters_are_just_paths(void **state)
{
	static const char *const names[] = {"a b", "a?immutable=1", "a#b", "a%20b", "ä"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct store *store;

		(void)snprintf(path, sizeof(path), "%s/%s", fixture.dir, names[i]);
		store = opened(STORE_CREATE);
		put(store, "a", "1");
		store_close(store);
		assert_int_equal(access(path, F_OK), 0);
		store = opened(STORE_READ_ONLY);
		assert_holds(store, "a", "1");
		store_close(store);
	}
}

static void triggers_have_no_say(void **state)
{
	struct store *store = opened(STORE_CREATE);
	sqlite3 *other;

	(void)state;
	store_close(store);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other,
	                     "CREATE TRIGGER swallow BEFORE INSERT ON records"
	                     " BEGIN SELECT RAISE(IGNORE); END",
	                     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	store = opened(STORE_WRITE);
	put(store, "a", "1");
	assert_holds(store, "a", "1");
	store_close(store);
}

static void scrub_leaves_nothing_of_what_was_deleted(void **state)
{
	static const char value[] = "bytes that must not be found any more once they are deleted";
	struct store *store = opened(STORE_CREATE);
	const struct store_op ops[] = {op(STORE_DELETE, "a", NULL)};

	(void)state;
	put(store, "a", value);
	put(store, "b", "stays");
	assert_true(files_hold(&fixture, value, sizeof(value) - 1));
	assert_int_equal(store_commit(store, ops, 1), 0);
	store_scrub(store);
	assert_false(files_hold(&fixture, value, sizeof(value) - 1));
	assert_holds(store, "b", "stays");
	store_close(store);
}

static void scrub_is_made_up_for_when_a_reader_was_in_the_way(void **state)
{
	static const char value[] = "bytes that must not be found any more once they are deleted";
	struct store *store = opened(STORE_CREATE), *reader;
	const struct store_op ops[] = {op(STORE_DELETE, "a", NULL)};

	(void)state;
	put(store, "a", value);
	reader = opened(STORE_READ_ONLY);
	assert_holds(reader, "a", value);
	assert_int_equal(store_commit(store, ops, 1), 0);
	store_scrub(store);
	assert_true(files_hold(&fixture, value, sizeof(value) - 1));
	store_close(reader);
	put(store, "b", "another");
	assert_false(files_hold(&fixture, value, sizeof(value) - 1));
	store_close(store);
}

static off_t size_of_file(void)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

/* Half a megabyte in rows of 2 KiB; `count` of them are deleted again. */
static struct store *filled_and_emptied(int count)
{
	struct store *store = opened(STORE_CREATE);
	char key[16], value[2048];

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < 256; i++) {
		(void)snprintf(key, sizeof(key), "key-%d", i);
		put(store, key, value);
	}
	store_scrub(store);
	for (int i = 0; i < count; i++) {
		struct store_op delete;

		(void)snprintf(key, sizeof(key), "key-%d", i);
		delete = op(STORE_DELETE, key, NULL);
		assert_int_equal(store_commit(store, &delete, 1), 0);
	}
	return store;
}

static void space_of_deleted_rows_is_given_back_in_steps(void **state)
{
	struct store *store = filled_and_emptied(250);
	off_t before = size_of_file();
	int steps = 1;

	(void)state;
	assert_in_range(before, 256 * 2000, 256 * 5000);
	while (store_reclaim(store) > 0)
		steps++;
	assert_in_range(steps, 2, 10);
	assert_in_range(size_of_file(), 4096, before / 10);
	assert_int_equal(store_reclaim(store), 0);
	assert_int_equal(store_check(store, NULL), 0);
	put(store, "key", "value");
	assert_holds(store, "key", "value");
	store_close(store);
}

/* New rows will fill it soon. */
static void a_little_free_space_is_kept(void **state)
{
	struct store *store = filled_and_emptied(40);
	off_t before = size_of_file();

	(void)state;
	assert_int_equal(store_reclaim(store), 0);
	store_scrub(store);
	assert_int_equal(size_of_file(), before);
	store_close(store);
}

static void check_finds_a_damaged_file(void **state)
{
	struct store *store = opened(STORE_CREATE);
	struct fault fault = {0};
	cleanup_free uint8_t *bytes = NULL;
	char key[16], value[512] = "";
	size_t len;
	int r;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	for (int i = 0; i < 64; i++) {
		(void)snprintf(key, sizeof(key), "key-%d", i);
		put(store, key, value);
	}
	assert_int_equal(store_check(store, &fault), 0);
	store_close(store);

	bytes = file_read(path, &len);
	memset(bytes + 4096, 0xa5, 64); /* the head of the second page */
	file_write(path, bytes, len);
	r = store_open(path, STORE_READ_ONLY, &store, &fault);
	if (r == 0) {
		r = store_check(store, &fault);
		store_close(store);
	}
	assert_int_equal(r, -TACIT_E_STORE_CORRUPT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(get_returns_what_was_put),
	    TEST(commit_does_all_or_nothing),
	    TEST(commit_judges_expectations),
	    TEST(range_is_ordered_and_keeps_to_the_prefix),
	    TEST(range_cuts_values_and_tells_their_length),
	    TEST(range_ends_when_the_visit_says_so),
	    TEST(open_tells_what_is_in_the_way),
	    TEST(another_writer_is_locked_out),
	    TEST(a_reader_sees_one_snapshot_beside_a_writer),
	    TEST(paths_with_odd_characters_are_just_paths),
	    TEST(triggers_have_no_say),
	    TEST(scrub_leaves_nothing_of_what_was_deleted),
	    TEST(scrub_is_made_up_for_when_a_reader_was_in_the_way),
	    TEST(check_finds_a_damaged_file),
	    TEST(space_of_deleted_rows_is_given_back_in_steps),
	    TEST(a_little_free_space_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

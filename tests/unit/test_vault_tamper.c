/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "fixture.h"
#include "tacit/fd.h"

/* What is done to the database behind the server's back is found: rows, files, schema. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fixture fixture;
static char store_path[128];

/*
 * A store with everything in it: CA, two clients with grants, three secrets, one of them with
 * versions. It lies closed when a test begins.
 */
static int setup(void **state)
{
	const struct secret_metadata none = {0};
	const struct secret_entry *entry;
	struct server *server = &fixture.home.server;

	(void)state;
	fixture_make(&fixture);
	(void)snprintf(store_path, sizeof(store_path), "%s/" STORE_FILE, fixture.dir);
	fixture_open(&fixture);
	for (int i = 0; i < 5; i++) {
		static const char *const names[] = {
		    "web/db_password", "web/api_key", "other/token", "web/api_key", "web/api_key"};
		cleanup_secret struct secret *value =
		    text_secret("MARKER-OF-A-VALUE, behind which there is a body of some length");

		assert_int_equal(secrets_put(server->secrets, names[i], value, &none, &entry), 0);
	}
	assert_int_equal(clients_put(server->clients, "frontend", ROLE_CLIENT, 0), 0);
	assert_int_equal(clients_grant(server->clients, "frontend", "web/**", false), 0);
	fixture_close(&fixture);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

static bool check_passes(void)
{
	return fixture_check(&fixture, NULL) == 0;
}

static bool serve_starts(void)
{
	struct fault fault = {0};
	bool starts = fixture_try_open(&fixture, HOME_SERVE, &fault) == 0;

	if (starts)
		fixture_close(&fixture);
	else
		assert_true(fault.err < 0 && fault.what[0]);
	return starts;
}

/*
 * `check` reads everything. `serve` leaves the versions to whoever reads one: it authenticates by
 * itself then, and which of them there are is said by rows that serve has looked at.
 */
static bool is_version(const struct raw_row *row)
{
	return row->key[0] == RECORD_VERSION;
}

/* `row`, and `other` if it is not NULL, are what was put, changed or removed. */
static void assert_found(const char *what, const struct raw_row *row, const struct raw_row *other)
{
	bool only_versions = is_version(row) && (!other || is_version(other));

	if (check_passes())
		fail_msg("check passes: %s, kind %c", what, row->key[0]);
	if (!only_versions && serve_starts())
		fail_msg("serve starts: %s, kind %c", what, row->key[0]);
}

static void an_untouched_store_is_whole(void **state)
{
	(void)state;
	assert_true(check_passes());
	assert_true(serve_starts());
	assert_true(check_passes());
}

static void the_database_tells_nothing(void **state)
{
	/* Five bytes at least: shorter ones turn up in ciphertext by chance. */
	static const char *const texts[] = {"db_password", "api_key", "other/token", "token",
	    "frontend", "admin", "web/**", "MARKER-OF-A-VALUE", "127.0.0.1", "BEGIN CERTIFICATE",
	    "PRIVATE KEY", "DB_PASSWORD_FILE", "client"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		if (files_hold(&fixture, texts[i], strlen(texts[i])))
			fail_msg("%s stands in the database", texts[i]);
	/* While it is open the log and the shared memory are there too. */
	fixture_open(&fixture);
	for (size_t i = 0; i < COUNT(texts); i++)
		if (files_hold(&fixture, texts[i], strlen(texts[i])))
			fail_msg("%s stands in the open database", texts[i]);
	/* The search itself works. */
	assert_true(files_hold(&fixture, "records", 7));
}

static void flip(const struct raw_row *row, size_t byte, unsigned bit)
{
	row->value[byte] ^= (uint8_t)(1U << bit);
	raw_row_put(store_path, row);
	if (check_passes())
		fail_msg("check passes: row of kind %c, byte %zu, bit %u", row->key[0], byte, bit);
	if (!is_version(row) && serve_starts())
		fail_msg("serve starts: row of kind %c, byte %zu, bit %u", row->key[0], byte, bit);
	row->value[byte] ^= (uint8_t)(1U << bit);
}

/* Every byte of short rows, and a sample of long ones; each bit has its turn. */
static void a_flipped_bit_is_found_in_every_row(void **state)
{
	struct raw_rows rows;

	(void)state;
	raw_rows_read(store_path, &rows);
	assert_in_range(rows.count, 11, 20);
	for (size_t i = 0; i < rows.count; i++) {
		const struct raw_row *row = &rows.items[i];
		size_t step = row->value_len > 256 ? row->value_len / 61 : 3;

		for (size_t byte = 0; byte < row->value_len; byte += step)
			flip(row, byte, (unsigned)(byte / step + i) % 8);
		flip(row, row->value_len - 1, 0);
		raw_row_put(store_path, row);
	}
	assert_true(check_passes());
	raw_rows_free(&rows);
}

static void a_flipped_bit_of_a_key_is_found(void **state)
{
	struct raw_rows rows;

	(void)state;
	raw_rows_read(store_path, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		for (size_t byte = 0; byte < rows.items[i].key_len; byte += 5) {
			struct raw_row moved = rows.items[i];

			moved.key[byte] ^= (uint8_t)(1U << (byte % 8));
			raw_row_delete(store_path, &rows.items[i]);
			raw_row_put(store_path, &moved);
			assert_found("a row under another key", &rows.items[i], &moved);
			raw_row_delete(store_path, &moved);
			raw_row_put(store_path, &rows.items[i]);
		}
	}
	assert_true(check_passes());
	raw_rows_free(&rows);
}

static void a_shortened_or_lengthened_row_is_found(void **state)
{
	struct raw_rows rows;

	(void)state;
	raw_rows_read(store_path, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		struct raw_row *row = &rows.items[i];
		size_t len = row->value_len;
		const size_t lengths[] = {0, 1, 11, 12, 39, 40, 41, 123, 124, len - 1};

		for (size_t j = 0; j < COUNT(lengths); j++) {
			if (lengths[j] >= len)
				continue;
			row->value_len = lengths[j];
			raw_row_put(store_path, row);
			assert_found("a shortened row", row, NULL);
		}
		row->value[len] = 0; /* there is room for one: see raw_row_take() */
		row->value_len = len + 1;
		raw_row_put(store_path, row);
		assert_found("a lengthened row", row, NULL);
		row->value_len = len;
		raw_row_put(store_path, row);
	}
	assert_true(check_passes());
	raw_rows_free(&rows);
}

static void two_swapped_rows_are_found(void **state)
{
	struct raw_rows rows;

	(void)state;
	raw_rows_read(store_path, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		for (size_t j = i + 1; j < rows.count; j++) {
			struct raw_row left = rows.items[i], right = rows.items[j];

			left.value = rows.items[j].value;
			left.value_len = rows.items[j].value_len;
			right.value = rows.items[i].value;
			right.value_len = rows.items[i].value_len;
			raw_row_put(store_path, &left);
			raw_row_put(store_path, &right);
			assert_found("two rows with each other's content", &left, &right);
			raw_row_put(store_path, &rows.items[i]);
			raw_row_put(store_path, &rows.items[j]);
		}
	}
	assert_true(check_passes());
	raw_rows_free(&rows);
}

static void a_removed_row_is_found(void **state)
{
	struct raw_rows rows;

	(void)state;
	raw_rows_read(store_path, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		raw_row_delete(store_path, &rows.items[i]);
		assert_found("a row is missing", &rows.items[i], NULL);
		raw_row_put(store_path, &rows.items[i]);
	}
	assert_true(check_passes());
	raw_rows_free(&rows);
}

static void a_duplicated_row_is_found(void **state)
{
	struct raw_rows rows;

	(void)state;
	raw_rows_read(store_path, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		struct raw_row copy = rows.items[i];

		/* Of a kind that nothing reads, too: only the set tells. */
		for (int kind = 0; kind < 2; kind++) {
			copy.key[kind ? 0 : copy.key_len - 1] ^= 0x15;
			raw_row_put(store_path, &copy);
			assert_found("a row is there twice", &copy, NULL);
			raw_row_delete(store_path, &copy);
			copy = rows.items[i];
		}
	}
	assert_true(check_passes());
	raw_rows_free(&rows);
}

/* Keeps what `kind`'s row was before `change`, and puts it back behind the server's back. */
static void assert_rollback_found(enum record_kind kind, void (*change)(struct server *server))
{
	struct raw_rows before, after;
	size_t rolled_back = 0;

	raw_rows_read(store_path, &before);
	fixture_open(&fixture);
	change(&fixture.home.server);
	fixture_close(&fixture);
	assert_true(check_passes());
	raw_rows_read(store_path, &after);
	for (size_t i = 0; i < before.count; i++) {
		const struct raw_row *old = &before.items[i];

		for (size_t j = 0; j < after.count; j++) {
			const struct raw_row *now = &after.items[j];

			if (old->key[0] != (uint8_t)kind || now->key_len != old->key_len ||
			    memcmp(now->key, old->key, old->key_len) != 0 ||
			    (now->value_len == old->value_len &&
			        memcmp(now->value, old->value, old->value_len) == 0))
				continue;
			raw_row_put(store_path, old);
			assert_found("a row from before", old, NULL);
			raw_row_put(store_path, now);
			rolled_back++;
		}
	}
	assert_int_equal(rolled_back, 1);
	assert_true(check_passes());
	raw_rows_free(&before);
	raw_rows_free(&after);
}

static void change_by_revoking(struct server *server)
{
	assert_int_equal(clients_revoke(server->clients, "frontend"), 0);
}

static void change_by_ungranting(struct server *server)
{
	assert_int_equal(clients_ungrant(server->clients, "frontend", "web/**"), 0);
}

static void change_by_deleting(struct server *server)
{
	assert_int_equal(secrets_delete(server->secrets, "other/token"), 0);
}

static void change_nothing(struct server *server)
{
	(void)server;
}

static void a_rolled_back_row_is_found(void **state)
{
	(void)state;
	assert_rollback_found(RECORD_CLIENT, change_by_ungranting);
	assert_rollback_found(RECORD_CLIENT, change_by_revoking);
	assert_rollback_found(RECORD_SECRET, change_by_deleting);
	/* The head and the mark of the audit log change with each start. */
	assert_rollback_found(RECORD_HEAD, change_nothing);
	assert_rollback_found(RECORD_AUDIT_MARK, change_nothing);
}

struct copy {
	void *bytes;
	size_t len;
};

static struct copy copy_take(const char *path)
{
	struct copy copy = {0};

	copy.bytes = file_read(path, &copy.len);
	return copy;
}

static void copy_put_back(struct copy *copy, const char *path)
{
	file_write(path, copy->bytes, copy->len);
	free(copy->bytes);
	copy->bytes = NULL;
}

/* Something is done, and recorded, as the routes do it. */
static void revoke_and_record(void)
{
	static const struct audit_event event = {.event = "client.revoke", .subject = "frontend"};

	assert_int_equal(audit_write(fixture.home.server.audit, &event), 0);
	assert_int_equal(clients_revoke(fixture.home.server.clients, "frontend"), 0);
}

static bool log_holds(const char *text)
{
	size_t len;
	char *log = (char *)file_read(fixture_path(&fixture, AUDIT_FILE), &len);
	bool holds = memmem(log, len, text, strlen(text)) != NULL;

	free(log);
	return holds;
}

/* Each of its rows is good, and they belong together; but the log has gone on without them. */
static void a_whole_database_from_before_is_told_by_the_log(void **state)
{
	struct copy store = copy_take(store_path);
	struct fault fault = {0};

	(void)state;
	fixture_open(&fixture);
	revoke_and_record();
	fixture_close(&fixture);
	assert_true(check_passes());

	copy_put_back(&store, store_path);
	assert_int_equal(fixture_check(&fixture, &fault), -TACIT_E_CORRUPT);
	fixture_close(&fixture);
	assert_non_null(strstr(fault.why, "rolled back"));
	fixture_open(&fixture);
	assert_int_equal(fixture.audit.behind_from, fixture.audit.behind_to);
	assert_true(fixture.audit.behind_from > 0);
	fixture_close(&fixture);
	assert_true(log_holds("\"event\":\"store.rolled_back\",\"subject\":\"lines "));
}

/* A crash leaves a log that is ahead of the last mark, and so may a full disk's. */
static void a_crash_is_not_taken_for_that(void **state)
{
	struct copy store, log;

	(void)state;
	fixture_open(&fixture);
	revoke_and_record();
	vault_scrub(fixture.home.server.vault); /* all of it is in the one file */
	store = copy_take(store_path);
	log = copy_take(fixture_path(&fixture, AUDIT_FILE));
	fixture_close(&fixture);

	copy_put_back(&store, store_path);
	copy_put_back(&log, fixture_path(&fixture, AUDIT_FILE));
	assert_true(check_passes());
	fixture_open(&fixture);
	assert_int_equal(fixture.audit.behind_from, 0);
	fixture_close(&fixture);
	assert_false(log_holds("store.rolled_back"));
}

static void a_row_from_another_store_is_found(void **state)
{
	struct fixture ours = fixture, other;
	char other_path[128];
	struct raw_rows rows;

	(void)state;
	assert_int_equal(setup(NULL), 0); /* makes another one in `fixture` */
	other = fixture;
	(void)snprintf(other_path, sizeof(other_path), "%s", store_path);
	fixture = ours;
	(void)snprintf(store_path, sizeof(store_path), "%s/" STORE_FILE, fixture.dir);

	raw_rows_read(other_path, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		raw_row_put(store_path, &rows.items[i]);
		assert_found("a row of another store", &rows.items[i], NULL);
		raw_row_delete(store_path, &rows.items[i]);
	}
	raw_rows_free(&rows);
	fixture_remove(&other);
}

/* Bytes of the file that belong to no row: anything may come of it but a crash or a lie. */
static void a_damaged_file_never_gives_wrong_values(void **state)
{
	size_t len;
	cleanup_free uint8_t *bytes = file_read(store_path, &len);
	uint64_t random = 20261124;
	unsigned refused = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		cleanup_secret struct secret *value = NULL;
		size_t at = random_next(&random) % len;
		uint8_t saved = bytes[at];
		const struct secret_entry *entry;

		bytes[at] ^= (uint8_t)(1 + random_next(&random) % 255);
		file_write(store_path, bytes, len);
		bytes[at] = saved;
		if (fixture_try_open(&fixture, HOME_CHECK, NULL) < 0) {
			refused++;
			continue;
		}
		entry = secrets_find(fixture.home.server.secrets, "web/db_password", false);
		if (entry && secrets_open_value(fixture.home.server.secrets, entry, 0, &value) == 0)
			assert_true(secret_equals(value,
			    "MARKER-OF-A-VALUE, behind which there is a body of some length", 62));
		fixture_close(&fixture);
	}
	assert_in_range(refused, 20, 299);
}

/* --- the schema as it is, not as we think it is ---------------------------------------------- */

static sqlite3 *database(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(store_path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	return db;
}

/* Whether SQLite did it; a constraint of the schema may forbid it. */
static bool execute(const char *sql)
{
	sqlite3 *db = database();
	int r = sqlite3_exec(db, sql, NULL, NULL, NULL);

	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_true(r == SQLITE_OK || r == SQLITE_CONSTRAINT);
	return r == SQLITE_OK;
}

struct texts {
	char items[64][64];
	int count;
};

static int take_text(void *context, int columns, char **values, char **names)
{
	struct texts *texts = context;

	(void)columns;
	(void)names;
	assert_true(texts->count < 64);
	(void)snprintf(texts->items[texts->count++], 64, "%s", values[0]);
	return 0;
}

static struct texts select_texts(const char *sql)
{
	sqlite3 *db = database();
	struct texts texts = {.count = 0};

	assert_int_equal(sqlite3_exec(db, sql, take_text, &texts, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return texts;
}

/* How a value becomes another one; `%1$s` is the column. */
static const char *const alterations[] = {
    "zeroblob(length(\"%1$s\"))",
    "substr(\"%1$s\",1,length(\"%1$s\")-1)",
    "CAST(\"%1$s\"||x'00' AS BLOB)",
    "x''",
    "NULL",
    "0",
    "'text'",
};

static void alter(
    const char *table, const char *column, const char *alteration, int row, size_t *altered)
{
	char value[256], sql[768], what[128];
	size_t len;
	cleanup_free uint8_t *saved = file_read(store_path, &len);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(value, sizeof(value), alteration, column);
#pragma GCC diagnostic pop
	(void)snprintf(sql, sizeof(sql),
	    "UPDATE \"%s\" SET \"%s\"=%s WHERE \"key\"="
	    "(SELECT \"key\" FROM \"%s\" ORDER BY \"key\" LIMIT 1 OFFSET %d)",
	    table, column, value, table, row);
	if (execute(sql)) {
		(void)snprintf(
		    what, sizeof(what), "%s.%s of row %d is %s", table, column, row, value);
		if (check_passes())
			fail_msg("check passes: %s", what);
		(*altered)++;
	}
	file_write(store_path, saved, len);
}

static void every_column_of_every_table_is_under_guard(void **state)
{
	struct texts tables = select_texts("SELECT name FROM sqlite_master WHERE type='table'");
	size_t altered = 0;

	(void)state;
	assert_in_range(tables.count, 1, 64);
	for (int t = 0; t < tables.count; t++) {
		char sql[256];
		struct texts columns, rows;

		(void)snprintf(
		    sql, sizeof(sql), "SELECT name FROM pragma_table_info('%s')", tables.items[t]);
		columns = select_texts(sql);
		(void)snprintf(
		    sql, sizeof(sql), "SELECT hex(\"key\") FROM \"%s\"", tables.items[t]);
		rows = select_texts(sql);
		assert_in_range(columns.count, 2, 64);
		assert_in_range(rows.count, 11, 64);
		for (int c = 0; c < columns.count; c++)
			for (int r = 0; r < rows.count; r++)
				for (size_t a = 0; a < COUNT(alterations); a++)
					alter(tables.items[t], columns.items[c], alterations[a], r,
					    &altered);
	}
	assert_in_range(altered, 11 * 2 * 5, 10000);
	assert_true(check_passes());
}

static void changes_of_the_schema_are_found(void **state)
{
	static const char *const changes[] = {
	    "DROP TABLE records",
	    "DELETE FROM records",
	    "ALTER TABLE records RENAME TO others",
	    "ALTER TABLE records ADD COLUMN other",
	    "CREATE TABLE other(a)",
	    "CREATE INDEX i ON records(value)",
	    "CREATE VIEW v AS SELECT * FROM records",
	    "CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END",
	    "PRAGMA user_version=2",
	    "PRAGMA application_id=1",
	};
	size_t len;
	cleanup_free uint8_t *saved = file_read(store_path, &len);

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		assert_true(execute(changes[i]));
		if (check_passes())
			fail_msg("check passes: %s", changes[i]);
		file_write(store_path, saved, len);
	}
	assert_true(check_passes());
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_untouched_store_is_whole),
	    TEST(the_database_tells_nothing),
	    TEST(a_flipped_bit_is_found_in_every_row),
	    TEST(a_flipped_bit_of_a_key_is_found),
	    TEST(a_shortened_or_lengthened_row_is_found),
	    TEST(two_swapped_rows_are_found),
	    TEST(a_removed_row_is_found),
	    TEST(a_duplicated_row_is_found),
	    TEST(a_rolled_back_row_is_found),
	    TEST(a_whole_database_from_before_is_told_by_the_log),
	    TEST(a_crash_is_not_taken_for_that),
	    TEST(a_row_from_another_store_is_found),
	    TEST(a_damaged_file_never_gives_wrong_values),
	    TEST(every_column_of_every_table_is_under_guard),
	    TEST(changes_of_the_schema_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

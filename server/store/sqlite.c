/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

/* "TACT", so that file(1) and we can tell whose database it is. */
#define APPLICATION_ID  0x54414354

#define BUSY_TIMEOUT_MS 1000

struct store {
	sqlite3 *db;
	sqlite3_stmt *get;
	sqlite3_stmt *put;
	sqlite3_stmt *delete;
	sqlite3_stmt *begin_read;
	sqlite3_stmt *begin;
	sqlite3_stmt *commit;
	sqlite3_stmt *rollback;
	bool scrub_due; /* store_scrub() has to be tried again */
	bool still;     /* nothing was written since store_reclaim() had nothing to do */
	bool reclaims;  /* between the first and the last step of store_reclaim() */
};

static const struct {
	int sqlite;
	int err;
} error_rows[] = {
    {SQLITE_OK, 0},
    {SQLITE_DONE, 0},
    {SQLITE_ROW, 0},
    {SQLITE_NOMEM, -ENOMEM},
    {SQLITE_BUSY, -TACIT_E_STORE_LOCKED},
    {SQLITE_LOCKED, -TACIT_E_STORE_LOCKED},
    {SQLITE_FULL, -TACIT_E_STORE_FULL},
    {SQLITE_READONLY, -TACIT_E_STORE_READ_ONLY},
    {SQLITE_PERM, -TACIT_E_STORE_READ_ONLY},
    {SQLITE_CANTOPEN, -TACIT_E_STORE_READ_ONLY},
    {SQLITE_CORRUPT, -TACIT_E_STORE_CORRUPT},
    {SQLITE_NOTADB, -TACIT_E_NOT_A_STORE},
};

static int error_from(int sqlite)
{
	for (size_t i = 0; i < sizeof(error_rows) / sizeof(error_rows[0]); i++)
		if (error_rows[i].sqlite == (sqlite & 0xff))
			return error_rows[i].err;

	return -TACIT_E_STORE_UNAVAILABLE;
}

static int store_exec(struct store *store, const char *sql)
{
	return error_from(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

/*
 * WAL with synchronous=FULL: a commit is one fsync, and it is on disk before it is acknowledged.
 * SQLite 3.40 has a bug in resetting the WAL when several connections checkpoint; only the one
 * writer does here, since readers open read-only and never checkpoint on close.
 */
static const char connection_pragmas[] = "PRAGMA trusted_schema=OFF;"
                                         "PRAGMA cell_size_check=ON;"
                                         "PRAGMA temp_store=MEMORY;"
                                         "PRAGMA secure_delete=ON;"
                                         "PRAGMA synchronous=FULL;"
                                         "PRAGMA wal_autocheckpoint=4000;";

static int schema_create(struct store *store)
{
	/* Pages that deletions have left can be cut off later only if this is said first. */
	return store_exec(store, "PRAGMA auto_vacuum=INCREMENTAL;"
	                         "PRAGMA journal_mode=WAL;"
	                         "PRAGMA application_id=0x54414354;"
	                         "PRAGMA user_version=1;"
	                         "CREATE TABLE records(key BLOB PRIMARY KEY, value BLOB NOT NULL)"
	                         " WITHOUT ROWID;");
}

static int pragma_int(struct store *store, const char *sql, int *ret_value)
{
	sqlite3_stmt *statement = NULL;
	int r = error_from(sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL));

	if (r == 0)
		r = error_from(sqlite3_step(statement));
	if (r == 0)
		*ret_value = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	return r;
}

static int schema_verify(struct store *store)
{
	int application_id = 0, user_version = 0;
	int r = pragma_int(store, "PRAGMA application_id", &application_id);

	if (r == 0)
		r = pragma_int(store, "PRAGMA user_version", &user_version);
	if (r == 0 && (application_id != APPLICATION_ID || user_version != 1))
		r = -TACIT_E_NOT_A_STORE;

	return r;
}

static int statements_prepare(struct store *store)
{
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} rows[] = {
	    {&store->get, "SELECT value FROM records WHERE key=?1"},
	    {&store->put, "INSERT INTO records VALUES(?1,?2)"
	                  " ON CONFLICT(key) DO UPDATE SET value=?2"},
	    {&store->delete, "DELETE FROM records WHERE key=?1"},
	    {&store->begin_read, "BEGIN"},
	    {&store->begin, "BEGIN IMMEDIATE"},
	    {&store->commit, "COMMIT"},
	    {&store->rollback, "ROLLBACK"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = sqlite3_prepare_v3(
		    store->db, rows[i].sql, -1, SQLITE_PREPARE_PERSISTENT, rows[i].statement, NULL);

		if (r != SQLITE_OK)
			return error_from(r);
	}

	return 0;
}

static int store_setup(struct store *store, enum store_mode mode)
{
	int r;

	(void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	(void)sqlite3_db_config(
	    store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, mode == STORE_READ_ONLY, NULL);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* Whoever can write the file must not have a say in what a statement does. */
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_extended_result_codes(store->db, 1);

	r = store_exec(store, connection_pragmas);
	if (r == 0)
		r = mode == STORE_CREATE ? schema_create(store) : schema_verify(store);
	if (r == 0)
		r = statements_prepare(store);

	return r;
}

/* SQLite's own answers would be "cannot open" for most of what can be told apart before. */
static int path_check(const char *path, enum store_mode mode)
{
	bool exists = access(path, F_OK) == 0;

	if (mode == STORE_CREATE)
		return exists ? -EEXIST : 0;
	if (!exists)
		return -errno;
	if (access(path, R_OK) < 0)
		return -errno;
	if (mode == STORE_WRITE && access(path, W_OK) < 0)
		return errno == EROFS || errno == EACCES ? -TACIT_E_STORE_READ_ONLY : -errno;

	return 0;
}

#define URI_MAX_BYTES (3 * PATH_MAX + 32)

static int path_quote(const char *path, char ret_uri[static URI_MAX_BYTES])
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                            "0123456789/._-";
	size_t len = 0;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;

	for (; *path; path++)
		len += (size_t)snprintf(ret_uri + len, URI_MAX_BYTES - len,
		    strchr(plain, *path) ? "%c" : "%%%02X", (unsigned char)*path);
	return 0;
}

/* Whether nobody can be writing: no log of a writer is there, and none could be made here. */
static bool path_is_still(const char *path)
{
	char other[PATH_MAX];
	int len = snprintf(other, sizeof(other), "%s-wal", path);
	char *slash;

	if ((size_t)len >= sizeof(other) || access(other, F_OK) == 0)
		return false;

	slash = strrchr(other, '/');
	if (slash)
		slash[1] = '\0';
	return access(slash ? other : ".", W_OK) < 0;
}

/*
 * SQLite opens a database in WAL mode only where it can share memory through a file beside it. In
 * a directory that cannot be written to it has to be told that the database stands still.
 */
static int path_for_sqlite(
    const char *path, enum store_mode mode, char ret_uri[static URI_MAX_BYTES])
{
	char quoted[URI_MAX_BYTES];
	bool still = mode == STORE_READ_ONLY && path_is_still(path);
	int r = path_quote(path, quoted);

	if (r < 0)
		return r;

	(void)snprintf(ret_uri, URI_MAX_BYTES, "file:%s%s", quoted, still ? "?immutable=1" : "");
	return 0;
}

int store_open(
    const char *path, enum store_mode mode, struct store **ret_store, struct fault *fault)
{
	static const int flags[] = {
	    [STORE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	    [STORE_WRITE] = SQLITE_OPEN_READWRITE,
	    [STORE_READ_ONLY] = SQLITE_OPEN_READONLY,
	};
	char uri[URI_MAX_BYTES];
	struct store *store;
	int r = path_check(path, mode);

	if (r == 0)
		r = path_for_sqlite(path, mode, uri);
	if (r < 0)
		return fault_set(fault, r, "%s", path);

	store = calloc(1, sizeof(*store));
	if (!store)
		return fault_set(fault, -ENOMEM, "%s", path);

	r = error_from(sqlite3_open_v2(
	    uri, &store->db, flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL));
	if (r == 0)
		r = store_setup(store, mode);
	if (r < 0) {
		store_close(store);
		return fault_set(fault, r, "%s", path);
	}

	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;

	(void)sqlite3_finalize(store->get);
	(void)sqlite3_finalize(store->put);
	(void)sqlite3_finalize(store->delete);
	(void)sqlite3_finalize(store->begin_read);
	(void)sqlite3_finalize(store->begin);
	(void)sqlite3_finalize(store->commit);
	(void)sqlite3_finalize(store->rollback);
	(void)sqlite3_close(store->db);
	free(store);
}

void store_value_free(struct store_value *value)
{
	free(value->bytes);
	*value = (struct store_value){0};
}

static int value_copy(sqlite3_stmt *statement, struct store_value *ret_value)
{
	const void *bytes = sqlite3_column_blob(statement, 0);
	size_t len = (size_t)sqlite3_column_bytes(statement, 0);
	uint8_t *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;

	if (len > 0)
		memcpy(copy, bytes, len);
	*ret_value = (struct store_value){.bytes = copy, .len = len};
	return 0;
}

static int statement_run(sqlite3_stmt *statement)
{
	int step = sqlite3_step(statement);

	(void)sqlite3_reset(statement);
	return error_from(step);
}

/*
 * Reads go on in one transaction until the next commit: taking and leaving SQLite's locks would be
 * three system calls for each of them, and we are the only writer. It ends before a commit begins,
 * so that it never holds up a checkpoint.
 */
static void read_begin(struct store *store)
{
	if (sqlite3_get_autocommit(store->db))
		(void)statement_run(store->begin_read);
}

static void read_end(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		(void)statement_run(store->rollback);
}

int store_get(
    struct store *store, const uint8_t *key, size_t key_len, struct store_value *ret_value)
{
	int step, r;

	read_begin(store);
	(void)sqlite3_bind_blob(store->get, 1, key, (int)key_len, SQLITE_STATIC);
	step = sqlite3_step(store->get);
	if (step == SQLITE_ROW)
		r = value_copy(store->get, ret_value);
	else
		r = step == SQLITE_DONE ? -TACIT_E_NOT_FOUND : error_from(step);
	(void)sqlite3_reset(store->get);
	return r;
}

/* The first key behind all that start with `prefix`; false when there is none (0xff...). */
static bool prefix_end(const uint8_t *prefix, size_t len, uint8_t ret_end[], size_t *ret_len)
{
	if (len > 0)
		memcpy(ret_end, prefix, len);
	while (len > 0 && ret_end[len - 1] == 0xff)
		len--;
	if (len == 0)
		return false;

	ret_end[len - 1]++;
	*ret_len = len;
	return true;
}

static int range_walk(sqlite3_stmt *statement,
    int (*visit)(void *, const uint8_t *, size_t, const uint8_t *, size_t), void *context)
{
	int step, r;

	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		r = visit(context, sqlite3_column_blob(statement, 0),
		    (size_t)sqlite3_column_bytes(statement, 0), sqlite3_column_blob(statement, 1),
		    (size_t)sqlite3_column_int64(statement, 2));
		if (r != 0)
			return r;
	}

	return error_from(step);
}

#define PREFIX_MAX_BYTES 64

int store_range(struct store *store, const uint8_t *prefix, size_t prefix_len,
    size_t value_max_bytes,
    int (*visit)(
        void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len),
    void *context)
{
	/* The end has to be a term of its own, or SQLite walks on through all that follows. */
#define RANGE_FROM "SELECT key, substr(value,1,?2), length(value) FROM records WHERE key>=?1"
	static const char to_end[] = RANGE_FROM " ORDER BY key";
	static const char to_key[] = RANGE_FROM " AND key<?3 ORDER BY key";
	uint8_t end[PREFIX_MAX_BYTES];
	size_t end_len;
	bool ends;
	sqlite3_stmt *statement = NULL;
	int r;

	if (prefix_len > PREFIX_MAX_BYTES)
		return -EINVAL;
	ends = prefix_end(prefix, prefix_len, end, &end_len);
	r = sqlite3_prepare_v2(store->db, ends ? to_key : to_end, -1, &statement, NULL);
	if (r != SQLITE_OK)
		return error_from(r);

	(void)sqlite3_bind_blob(
	    statement, 1, prefix_len ? (const void *)prefix : "", (int)prefix_len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)value_max_bytes);
	if (ends)
		(void)sqlite3_bind_blob(statement, 3, end, (int)end_len, SQLITE_STATIC);
	r = range_walk(statement, visit, context);
	(void)sqlite3_finalize(statement);
	return r;
}

static int op_expect(struct store *store, const struct store_op *op)
{
	cleanup_store_value struct store_value value = {0};
	int r = store_get(store, op->key, op->key_len, &value);

	if (r == -TACIT_E_NOT_FOUND)
		return op->value ? -TACIT_E_CONFLICT : 0;
	if (r < 0)
		return r;
	if (!op->value || !value.bytes || value.len != op->value_len ||
	    memcmp(value.bytes, op->value, value.len) != 0)
		return -TACIT_E_CONFLICT;

	return 0;
}

static int op_write(struct store *store, const struct store_op *op)
{
	sqlite3_stmt *statement = op->kind == STORE_PUT ? store->put : store->delete;
	int step;

	(void)sqlite3_bind_blob(statement, 1, op->key, (int)op->key_len, SQLITE_STATIC);
	if (op->kind == STORE_PUT)
		(void)sqlite3_bind_blob(statement, 2, op->value, (int)op->value_len, SQLITE_STATIC);
	step = sqlite3_step(statement);
	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return error_from(step);
}

static int commit_ops(struct store *store, const struct store_op ops[], size_t count)
{
	int r = statement_run(store->begin);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = ops[i].kind == STORE_EXPECT ? op_expect(store, &ops[i])
		                                : op_write(store, &ops[i]);
	if (r == 0)
		r = statement_run(store->commit);
	/* SQLite's own number for a full disk is lost where it fails to grow its shared memory. */
	if (r == -TACIT_E_STORE_UNAVAILABLE && sqlite3_system_errno(store->db) == ENOSPC)
		r = -TACIT_E_STORE_FULL;
	/* Some errors have rolled back already; then there is nothing to undo. */
	if (r < 0 && !sqlite3_get_autocommit(store->db))
		(void)statement_run(store->rollback);

	return r;
}

/*
 * secure_delete overwrites a deleted row in the database, but not the copy of it that stands in
 * the write-ahead log: that goes when the log is truncated.
 */
void store_scrub(struct store *store)
{
	read_end(store);
	(void)sqlite3_busy_timeout(store->db, 0);
	store->scrub_due = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
	                       NULL, NULL) != SQLITE_OK;
	(void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
}

int store_commit(struct store *store, const struct store_op ops[], size_t count)
{
	int r;

	read_end(store);
	store->still = false;
	r = commit_ops(store, ops, count);
	if (r == 0 && store->scrub_due)
		store_scrub(store);

	return r;
}

#define RECLAIM_MIN_PAGES  64
#define RECLAIM_STEP_PAGES 128
#define RECLAIM_SQL        "PRAGMA incremental_vacuum(128)"

/* Below a quarter of the file new rows will soon fill the space. */
static int reclaim_is_worth_it(struct store *store, int *ret_free_pages)
{
	int pages = 0, free_pages = 0;
	int r = pragma_int(store, "PRAGMA freelist_count", &free_pages);

	if (r == 0)
		r = pragma_int(store, "PRAGMA page_count", &pages);
	if (r < 0)
		return r;

	*ret_free_pages = free_pages;
	return store->reclaims ? free_pages > 0
	                       : free_pages >= RECLAIM_MIN_PAGES && free_pages >= pages / 4;
}

int store_reclaim(struct store *store)
{
	int free_pages = 0, r;

	if (store->still)
		return 0;

	read_end(store);
	r = reclaim_is_worth_it(store, &free_pages);
	store->still = r == 0;
	if (r <= 0)
		return r;

	r = store_exec(store, RECLAIM_SQL);
	if (r < 0)
		return r;

	store->reclaims = free_pages > RECLAIM_STEP_PAGES;
	/* The file gets shorter when the log that says so is written back. */
	if (!store->reclaims)
		store_scrub(store);
	return store->reclaims;
}

/* Tables, views and triggers that we have not made do nothing here, but are no part of a store. */
static int objects_check(struct store *store, struct fault *fault)
{
	int others = 0;
	int r = pragma_int(store,
	    "SELECT count(*) FROM sqlite_schema WHERE type<>'table' OR name<>'records'", &others);

	if (r == 0 && others > 0)
		return fault_set_why(fault, -TACIT_E_STORE_CORRUPT,
		    "there are objects in it that are not ours", "schema");

	return r < 0 ? fault_set(fault, r, "schema") : 0;
}

int store_check(struct store *store, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	const char *finding;
	int r = objects_check(store, fault);

	if (r < 0)
		return r;

	r = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	if (r != SQLITE_ROW) {
		(void)sqlite3_finalize(statement);
		return fault_set(fault, error_from(r), "integrity check");
	}

	finding = (const char *)sqlite3_column_text(statement, 0);
	r = finding && !strcmp(finding, "ok") ? 0 : -TACIT_E_STORE_CORRUPT;
	if (r < 0)
		(void)fault_set(fault, r, "%s", finding ? finding : "integrity check");
	(void)sqlite3_finalize(statement);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite_private.h"

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

int sqlite_error(int result)
{
	for (size_t i = 0; i < sizeof(error_rows) / sizeof(error_rows[0]); i++)
		if (error_rows[i].sqlite == (result & 0xff))
			return error_rows[i].err;

	return -TACIT_E_STORE_UNAVAILABLE;
}

int sqlite_exec(struct store *store, const char *sql)
{
	return sqlite_error(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

int sqlite_number(struct store *store, const char *sql, int *ret_value)
{
	sqlite3_stmt *statement = NULL;
	int r = sqlite_error(sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL));

	if (r == 0)
		r = sqlite_error(sqlite3_step(statement));
	if (r == 0)
		*ret_value = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	return r;
}

int sqlite_run(sqlite3_stmt *statement)
{
	int step = sqlite3_step(statement);

	(void)sqlite3_reset(statement);
	return sqlite_error(step);
}

/*
 * Reads go on in one transaction until the next commit: taking and leaving SQLite's locks would be
 * three system calls for each of them, and we are the only writer. It ends before a commit begins,
 * so that it never holds up a checkpoint.
 */
static void read_begin(struct store *store)
{
	if (sqlite3_get_autocommit(store->db))
		(void)sqlite_run(store->begin_read);
}

void sqlite_read_end(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		(void)sqlite_run(store->rollback);
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
		r = step == SQLITE_DONE ? -TACIT_E_NOT_FOUND : sqlite_error(step);
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

	return sqlite_error(step);
}

#define PREFIX_MAX_BYTES 64

int store_range(struct store *store, const uint8_t *prefix, size_t prefix_len,
    size_t value_max_bytes,
    int (*visit)(
        void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len),
    void *context)
{
	/*
	 * The end has to be a term of its own, or SQLite walks on through all that follows; and a
	 * value that is not cut is not copied.
	 */
#define RANGE_OF(value) "SELECT key, " value ", length(value) FROM records WHERE key>=?1"
	static const char *const statements[2][2] = {
	    {RANGE_OF("substr(value,1,?2)") " ORDER BY key",
	        RANGE_OF("substr(value,1,?2)") " AND key<?3 ORDER BY key"},
	    {RANGE_OF("value") " ORDER BY key", RANGE_OF("value") " AND key<?3 ORDER BY key"},
	};
	bool whole = value_max_bytes >= INT32_MAX; /* SQLite's rows are smaller */
	uint8_t end[PREFIX_MAX_BYTES];
	size_t end_len;
	bool ends;
	sqlite3_stmt *statement = NULL;
	int r;

	if (prefix_len > PREFIX_MAX_BYTES)
		return -EINVAL;
	ends = prefix_end(prefix, prefix_len, end, &end_len);
	r = sqlite3_prepare_v2(store->db, statements[whole][ends], -1, &statement, NULL);
	if (r != SQLITE_OK)
		return sqlite_error(r);

	(void)sqlite3_bind_blob(
	    statement, 1, prefix_len ? (const void *)prefix : "", (int)prefix_len, SQLITE_STATIC);
	if (!whole)
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
	return sqlite_error(step);
}

static int commit_ops(struct store *store, const struct store_op ops[], size_t count)
{
	int r = sqlite_run(store->begin);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = ops[i].kind == STORE_EXPECT ? op_expect(store, &ops[i])
		                                : op_write(store, &ops[i]);
	if (r == 0)
		r = sqlite_run(store->commit);
	/* SQLite's own number for a full disk is lost where it fails to grow its shared memory. */
	if (r == -TACIT_E_STORE_UNAVAILABLE && sqlite3_system_errno(store->db) == ENOSPC)
		r = -TACIT_E_STORE_FULL;
	/* Some errors have rolled back already; then there is nothing to undo. */
	if (r < 0 && !sqlite3_get_autocommit(store->db))
		(void)sqlite_run(store->rollback);

	return r;
}

int store_commit(struct store *store, const struct store_op ops[], size_t count)
{
	int r;

	sqlite_read_end(store);
	store->still = false;
	r = sqlite_choose_sync(store);
	if (r == 0)
		r = commit_ops(store, ops, count);
	if (r == 0 && store->scrub_due)
		store_scrub(store);

	return r;
}

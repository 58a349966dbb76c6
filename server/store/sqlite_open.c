/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sqlite_private.h"
#include "tacit/fd.h"

/* "TACT", so that file(1) and we can tell whose database it is. */
#define APPLICATION_ID 0x54414354

/*
 * WAL with synchronous=FULL: a commit is one fsync, and it is on disk before it is acknowledged
 * (store_set_lazy() changes who waits for that, not that it is waited for).
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
	return sqlite_exec(store, "PRAGMA auto_vacuum=INCREMENTAL;"
	                          "PRAGMA journal_mode=WAL;"
	                          "PRAGMA application_id=0x54414354;"
	                          "PRAGMA user_version=1;"
	                          "CREATE TABLE records(key BLOB PRIMARY KEY, value BLOB NOT NULL)"
	                          " WITHOUT ROWID;");
}

static int schema_verify(struct store *store)
{
	int application_id = 0, user_version = 0;
	int r = sqlite_number(store, "PRAGMA application_id", &application_id);

	if (r == 0)
		r = sqlite_number(store, "PRAGMA user_version", &user_version);
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
			return sqlite_error(r);
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

	r = sqlite_exec(store, connection_pragmas);
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
	store->wal_fd = -1;
	store->synced = true;

	r = sqlite_error(sqlite3_open_v2(
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
	fd_cleanup(&store->wal_fd);
	free(store);
}

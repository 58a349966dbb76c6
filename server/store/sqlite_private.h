/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SQLITE_PRIVATE_H
#define TACIT_SERVER_SQLITE_PRIVATE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "store/store.h"

/*
 * What the files of the embedded engine share: sqlite.c (rows and commits), sqlite_sync.c (who
 * waits for the disk), sqlite_open.c (the file, its schema and settings) and sqlite_upkeep.c
 * (scrubbing, shrinking, checking). SQL is in
 * these alone.
 */
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
	int wal_fd;     /* of the write-ahead log, for store_sync(); -1 before store_lazy_begin() */
	bool lazy;      /* what store_set_lazy() wants */
	bool synced;    /* what SQLite does: each commit waits for the disk */
	bool scrub_due; /* store_scrub() has to be tried again */
	bool still;     /* nothing was written since store_reclaim() had nothing to do */
	bool reclaims;  /* between the first and the last step of store_reclaim() */
};

/* SQLite's result as one of the store's errors; 0 for a good one. */
int sqlite_error(int result);

/* Runs statements that give no rows. */
int sqlite_exec(struct store *store, const char *sql);

/* The one number that a statement gives. */
int sqlite_number(struct store *store, const char *sql, int *ret_value);

/* One step of a prepared statement, which is ready for the next use after it. */
int sqlite_run(sqlite3_stmt *statement);

/* Before each commit, between transactions: whether SQLite is to wait for the disk. */
int sqlite_choose_sync(struct store *store);

/* Ends the transaction that reads go on in: see sqlite.c. */
void sqlite_read_end(struct store *store);

#endif

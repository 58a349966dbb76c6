/* SPDX-License-Identifier: MIT */
#include <sqlite3.h>
#include <string.h>

#include "sqlite_private.h"

/*
 * secure_delete overwrites a deleted row in the database, but not the copy of it that stands in
 * the write-ahead log: that goes when the log is truncated.
 */
void store_scrub(struct store *store)
{
	sqlite_read_end(store);
	(void)sqlite3_busy_timeout(store->db, 0);
	store->scrub_due = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
	                       NULL, NULL) != SQLITE_OK;
	(void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
}

#define RECLAIM_MIN_PAGES  64
#define RECLAIM_STEP_PAGES 128
#define RECLAIM_SQL        "PRAGMA incremental_vacuum(128)"

/* Below a quarter of the file new rows will soon fill the space. */
static int reclaim_is_worth_it(struct store *store, int *ret_free_pages)
{
	int pages = 0, free_pages = 0;
	int r = sqlite_number(store, "PRAGMA freelist_count", &free_pages);

	if (r == 0)
		r = sqlite_number(store, "PRAGMA page_count", &pages);
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

	sqlite_read_end(store);
	r = reclaim_is_worth_it(store, &free_pages);
	store->still = r == 0;
	if (r <= 0)
		return r;

	r = sqlite_exec(store, RECLAIM_SQL);
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
	int r = sqlite_number(store,
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
		return fault_set(fault, sqlite_error(r), "integrity check");
	}

	finding = (const char *)sqlite3_column_text(statement, 0);
	r = finding && !strcmp(finding, "ok") ? 0 : -TACIT_E_STORE_CORRUPT;
	if (r < 0)
		(void)fault_set(fault, r, "%s", finding ? finding : "integrity check");
	(void)sqlite3_finalize(statement);
	return r;
}

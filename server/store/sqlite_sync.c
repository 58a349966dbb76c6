/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "sqlite_private.h"
#include "tacit/fd.h"

/* The compiler of SQL is asked only where this changes, which is seldom. */
int sqlite_choose_sync(struct store *store)
{
	int r;

	if (store->synced != store->lazy)
		return 0;

	r = sqlite_exec(
	    store, store->lazy ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL");
	if (r == 0)
		store->synced = !store->lazy;
	return r;
}

/*
 * The log is one file for as long as the connection is open, and with synchronous=NORMAL SQLite
 * itself syncs it before it copies from it into the database, and when it begins it anew. So what
 * is left to us is to sync it after the commits that count (sqlite.org/wal.html, "Checkpointing").
 * SQLite takes no locks on that file which closing a descriptor of our own could drop.
 */
int store_lazy_begin(struct store *store)
{
	const char *path = sqlite3_filename_wal(sqlite3_db_filename(store->db, "main"));

	fd_cleanup(&store->wal_fd);
	store->wal_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return store->wal_fd < 0 ? -TACIT_E_STORE_UNAVAILABLE : 0;
}

void store_set_lazy(struct store *store, bool lazy)
{
	store->lazy = lazy;
}

int store_sync(struct store *store)
{
	return fdatasync(store->wal_fd) < 0 ? -TACIT_E_STORE_UNAVAILABLE : 0;
}

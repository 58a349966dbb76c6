/* SPDX-License-Identifier: MIT */
/*
 * The peer of durable writes: nothing but SQLite, with the settings of server/store/sqlite_open.c,
 * and a row of the same size in a table of the same form, one commit for each.
 *
 *	sqlite_loop FILE COUNT BYTES
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_BYTES 21

static double seconds_of(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void check(int result, int expected)
{
	if (result == expected)
		return;

	(void)fprintf(stderr, "sqlite_loop: %s\n", sqlite3_errstr(result));
	exit(2);
}

static sqlite3 *database_open(const char *path)
{
	sqlite3 *db = NULL;

	check(sqlite3_open(path, &db), SQLITE_OK);
	check(sqlite3_exec(db,
	          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
	          "PRAGMA wal_autocheckpoint=4000;"
	          "CREATE TABLE records(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
	          NULL, NULL, NULL),
	    SQLITE_OK);
	return db;
}

int main(int argc, char *argv[])
{
	uint8_t key[KEY_BYTES] = {0}, *value;
	uint64_t random = 20261124;
	sqlite3_stmt *put = NULL;
	sqlite3 *db;
	double cpu_s, wall_s;
	long count;
	int bytes;

	if (argc != 4)
		return 2;

	db = database_open(argv[1]);
	count = strtol(argv[2], NULL, 10);
	bytes = (int)strtol(argv[3], NULL, 10);
	value = calloc(1, (size_t)bytes);
	check(
	    sqlite3_prepare_v2(db, "INSERT INTO records VALUES(?1,?2)", -1, &put, NULL), SQLITE_OK);

	cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	wall_s = seconds_of(CLOCK_MONOTONIC);
	for (long i = 0; i < count; i++) {
		/* A key of hash bytes, as ours are: xorshift. */
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		memcpy(key, &random, sizeof(random));
		check(sqlite3_bind_blob(put, 1, key, sizeof(key), SQLITE_STATIC), SQLITE_OK);
		check(sqlite3_bind_blob(put, 2, value, bytes, SQLITE_STATIC), SQLITE_OK);
		check(sqlite3_step(put), SQLITE_DONE);
		check(sqlite3_reset(put), SQLITE_OK);
	}
	cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_s;
	wall_s = seconds_of(CLOCK_MONOTONIC) - wall_s;

	printf("ops=%ld ops_per_s=%.1f cpu_us=%.2f\n", count, (double)count / wall_s,
	    cpu_s * 1e6 / (double)count);
	(void)sqlite3_finalize(put);
	(void)sqlite3_close(db);
	free(value);
	return 0;
}

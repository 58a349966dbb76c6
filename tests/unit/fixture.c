/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit_mark.h"
#include "audit_verify.h"
#include "tacit/fd.h"

void fixture_make_dir(struct fixture *fixture)
{
	*fixture = (struct fixture){.dirfd = -1};
	(void)snprintf(fixture->dir, sizeof(fixture->dir), "%s/tacit-test-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(fixture->dir));
	fixture->dirfd = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->dirfd >= 0);
}

static void config_of(const struct fixture *fixture, struct config *ret_config)
{
	*ret_config = (struct config){.url = FIXTURE_URL};
	(void)snprintf(ret_config->dir, sizeof(ret_config->dir), "%s", fixture->dir);
}

void fixture_make(struct fixture *fixture)
{
	struct config config;
	struct fault fault = {0};

	fixture_make_dir(fixture);
	config_of(fixture, &config);
	if (home_create(&config, &fault) < 0)
		fail_msg("%s: %s", fault.what, fault.why[0] ? fault.why : err_text(fault.err));
}

int fixture_try_open(struct fixture *fixture, enum home_use use, struct fault *fault)
{
	struct config config;
	int r;

	assert_false(fixture->open);
	config_of(fixture, &config);
	r = home_open(&config, use, &fixture->home, &fixture->audit, fault);
	fixture->open = r == 0;
	return r;
}

void fixture_open(struct fixture *fixture)
{
	struct fault fault = {0};

	if (fixture_try_open(fixture, HOME_SERVE, &fault) < 0)
		fail_msg("%s: %s", fault.what, fault.why[0] ? fault.why : err_text(fault.err));
}

void fixture_close(struct fixture *fixture)
{
	if (fixture->open)
		home_close(&fixture->home);
	fixture->open = false;
}

void fixture_remove(struct fixture *fixture)
{
	DIR *dir;
	const struct dirent *entry;

	fixture_close(fixture);
	dir = fdopendir(fixture->dirfd);
	while (dir && (entry = readdir(dir)))
		(void)unlinkat(fixture->dirfd, entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	(void)rmdir(fixture->dir);
}

int fixture_check(struct fixture *fixture, struct fault *fault)
{
	struct audit_findings findings;
	struct audit_mark mark;
	uint64_t count;
	int r = fixture_try_open(fixture, HOME_CHECK, fault);

	if (r < 0)
		return r;

	r = vault_check_store(fixture->home.server.vault, fault);
	if (r == 0)
		r = vault_check_set(fixture->home.server.vault, VAULT_WHOLE, &count, fault);
	if (r == 0)
		r = secrets_check(fixture->home.server.secrets, &count, fault);
	if (r == 0)
		r = audit_mark_load(fixture->home.server.vault, &mark);
	if (r == 0)
		r = audit_verify(fixture->dirfd, vault_keys(fixture->home.server.vault), &mark,
		    &findings, fault);
	fixture_close(fixture);
	return r;
}

struct secret *text_secret(const char *text)
{
	struct secret *secret;

	assert_int_equal(secret_new_from(text, strlen(text), &secret), 0);
	return secret;
}

const char *fixture_path(const struct fixture *fixture, const char *file)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", fixture->dir, file);
	return path;
}

static sqlite3 *raw_open(const char *path)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	return db;
}

static void raw_row_take(sqlite3_stmt *statement, struct raw_rows *rows)
{
	struct raw_row *row;

	rows->items = reallocarray(rows->items, rows->count + 1, sizeof(*rows->items));
	assert_non_null(rows->items);
	row = &rows->items[rows->count++];
	row->key_len = (size_t)sqlite3_column_bytes(statement, 0);
	assert_true(row->key_len <= sizeof(row->key));
	memcpy(row->key, sqlite3_column_blob(statement, 0), row->key_len);
	row->value_len = (size_t)sqlite3_column_bytes(statement, 1);
	row->value = malloc(row->value_len + 1);
	assert_non_null(row->value);
	memcpy(row->value, sqlite3_column_blob(statement, 1), row->value_len);
}

void raw_rows_read(const char *path, struct raw_rows *ret_rows)
{
	sqlite3 *db = raw_open(path);
	sqlite3_stmt *statement;

	*ret_rows = (struct raw_rows){0};
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT key, value FROM records ORDER BY key", -1,
	                     &statement, NULL),
	    SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW)
		raw_row_take(statement, ret_rows);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void raw_rows_free(struct raw_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->items[i].value);
	free(rows->items);
}

static void raw_execute(const char *path, const char *sql, const struct raw_row *row, bool value)
{
	sqlite3 *db = raw_open(path);
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(
	    sqlite3_bind_blob(statement, 1, row->key, (int)row->key_len, SQLITE_STATIC), SQLITE_OK);
	if (value)
		assert_int_equal(
		    sqlite3_bind_blob(statement, 2, row->value, (int)row->value_len, SQLITE_STATIC),
		    SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void raw_row_put(const char *path, const struct raw_row *row)
{
	raw_execute(path, "INSERT OR REPLACE INTO records VALUES(?1,?2)", row, true);
}

void raw_row_delete(const char *path, const struct raw_row *row)
{
	raw_execute(path, "DELETE FROM records WHERE key=?1", row, false);
}

struct raw_row *raw_rows_find(struct raw_rows *rows, enum record_kind kind)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->items[i].key[0] == (uint8_t)kind)
			return &rows->items[i];

	fail_msg("no row of kind %c", (char)kind);
	return NULL;
}

uint8_t *file_read(const char *path, size_t *ret_len)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = fd < 0 ? 0 : (size_t)lseek(fd, 0, SEEK_END);
	uint8_t *bytes = malloc(size + 1);

	assert_true(fd >= 0 && bytes && lseek(fd, 0, SEEK_SET) == 0);
	assert_int_equal(fd_read_full(fd, bytes, size, ret_len), 0);
	return bytes;
}

void file_write(const char *path, const void *bytes, size_t len)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes, len), 0);
}

bool files_hold(const struct fixture *fixture, const void *bytes, size_t len)
{
	static const char *const files[] = {STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *path = fixture_path(fixture, files[i]);
		cleanup_free uint8_t *content = NULL;
		size_t content_len;

		if (access(path, F_OK) < 0)
			continue;
		content = file_read(path, &content_len);
		if (memmem(content, content_len, bytes, len))
			return true;
	}

	return false;
}

uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

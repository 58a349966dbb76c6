/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TEST_FIXTURE_H
#define TACIT_TEST_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "home.h"

/*
 * A real store in a directory of its own, in memory where there is a tmpfs, and ways to tamper
 * with its files behind the server's back. What cannot be made fails the test.
 */
struct fixture {
	char dir[64];
	int dirfd;
	bool open;
	struct home home;
	struct audit_state audit; /* what opening has found */
};

#define FIXTURE_URL "https://127.0.0.1:8443"

/* Just the directory. */
void fixture_make_dir(struct fixture *fixture);
/* The directory with a new store, not open. */
void fixture_make(struct fixture *fixture);
void fixture_open(struct fixture *fixture);
int fixture_try_open(struct fixture *fixture, enum home_use use, struct fault *fault);
void fixture_close(struct fixture *fixture);
void fixture_remove(struct fixture *fixture);

/* All that `tacit-server check` looks at. 0 or the first error, with its fault. */
int fixture_check(struct fixture *fixture, struct fault *fault);

struct secret *text_secret(const char *text);
/* The path of a file of the store; valid until the next call. */
const char *fixture_path(const struct fixture *fixture, const char *file);

/* Rows of the database, by another connection than the server's. */
struct raw_row {
	uint8_t key[64];
	size_t key_len;
	uint8_t *value;
	size_t value_len;
};

struct raw_rows {
	struct raw_row *items;
	size_t count;
};

void raw_rows_read(const char *path, struct raw_rows *ret_rows);
void raw_rows_free(struct raw_rows *rows);
void raw_row_put(const char *path, const struct raw_row *row);
void raw_row_delete(const char *path, const struct raw_row *row);
/* The first row of that kind; it must be there. */
struct raw_row *raw_rows_find(struct raw_rows *rows, enum record_kind kind);

/* A whole file, malloc(3)ed. */
uint8_t *file_read(const char *path, size_t *ret_len);
void file_write(const char *path, const void *bytes, size_t len);
/* Whether a file, and its log and shared memory if there, holds these bytes anywhere. */
bool files_hold(const struct fixture *fixture, const void *bytes, size_t len);

/* xorshift64*; the same numbers each time. */
uint64_t random_next(uint64_t *state);

#endif

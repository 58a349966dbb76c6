/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_STORE_H
#define TACIT_SERVER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tacit/err.h"

/*
 * The storage engine: an ordered map from byte strings to byte strings with atomic commits. It
 * knows nothing of secrets; everything that it is handed is sealed already. sqlite*.c is the
 * embedded engine, and all that has SQL; another one has to offer just these calls.
 *
 * Errors of every call: -TACIT_E_STORE_UNAVAILABLE, _STORE_FULL, _STORE_READ_ONLY, _STORE_LOCKED,
 * _STORE_CORRUPT, -ENOMEM. One thread at a time, but for store_sync().
 */
struct store;

enum store_mode {
	STORE_CREATE,    /* a new, empty one; -EEXIST when there is one */
	STORE_WRITE,     /* an existing one, of which the caller is the only writer */
	STORE_READ_ONLY, /* beside a writer or not */
};

/* `path` names it in faults too. -TACIT_E_NOT_A_STORE for a foreign file, -ENOENT. */
int store_open(
    const char *path, enum store_mode mode, struct store **ret_store, struct fault *fault);
void store_close(struct store *store);

struct store_value {
	uint8_t *bytes; /* owned; malloc */
	size_t len;
};

void store_value_free(struct store_value *value);
#define cleanup_store_value __attribute__((cleanup(store_value_free)))

/* -TACIT_E_NOT_FOUND when there is no such key. */
int store_get(
    struct store *store, const uint8_t *key, size_t key_len, struct store_value *ret_value);

/*
 * Calls `visit` for each key that starts with `prefix`, in order, within one snapshot. A value is
 * cut to its first `value_max_bytes` bytes; `value_len` is its real length. A visit that returns
 * other than 0 ends the walk with that result. The bytes are only lent.
 */
int store_range(struct store *store, const uint8_t *prefix, size_t prefix_len,
    size_t value_max_bytes,
    int (*visit)(
        void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len),
    void *context);

enum store_op_kind {
	STORE_PUT,
	STORE_DELETE,
	STORE_EXPECT, /* the key holds just this value; NULL: it is absent */
};

struct store_op {
	enum store_op_kind kind;
	const uint8_t *key;
	size_t key_len;
	const uint8_t *value;
	size_t value_len;
};

/*
 * Does all of `ops` in one durable transaction or none of them. -TACIT_E_CONFLICT when an
 * expectation does not hold.
 */
int store_commit(struct store *store, const struct store_op ops[], size_t count);

/*
 * For one who commits often and can wait for the disk elsewhere. Once store_lazy_begin() was
 * called, store_set_lazy() says for the commits that follow whether they wait for the disk
 * themselves (as they do at first), or whether store_sync() is to be called before anybody hears of
 * them; until then a crash of the machine may undo the last of them, in order.
 *
 * store_sync() may be called by any thread, whatever another one does: all commits that were made
 * before are on the disk when it returns 0. After an error that cannot be said of any of them.
 */
int store_lazy_begin(struct store *store);
void store_set_lazy(struct store *store, bool lazy);
int store_sync(struct store *store);

/*
 * Makes sure that no copy of what was deleted is left in the engine's files: now, or, when a reader
 * beside us holds on to it, at one of the next commits. It costs several fsyncs.
 */
void store_scrub(struct store *store);

/*
 * Once a quarter of the files is space that deletions have left, gives it back to the file system
 * step by step: as much in one call as is done within some milliseconds. 1 when there is more to
 * give back, 0 when not.
 */
int store_reclaim(struct store *store);

/* The engine's own check of its file; the first finding in `fault`. -TACIT_E_STORE_CORRUPT. */
int store_check(struct store *store, struct fault *fault);

#endif

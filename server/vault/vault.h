/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_VAULT_H
#define TACIT_SERVER_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "keys.h"
#include "store/store.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * The vault is the store with keys: records go in and come out in the clear, and below it there
 * is only ciphertext. A row's key is `kind | BLAKE2b-128 of the name under the name key [|
 * version]`, so that the database tells no names; the key is the record's associated data, so that
 * rows cannot be swapped.
 *
 * The head record holds the revision (which counts commits) and two set hashes, one over the rows
 * of versions and one over all others: the XOR of BLAKE2b-256 of each row under the set key. They
 * are kept up in each transaction, so that a row that was removed, added or rolled back behind our
 * back is found (Bellare and Micciancio, "A New Paradigm for Collision-free Hashing", 1997, the
 * XHASH family; keyed here).
 */
struct vault;

enum record_kind {
	RECORD_AUTHORITY = 'A', /* the CA's and the server's key and certificate */
	RECORD_CLIENT = 'C',
	RECORD_HEAD = 'H',
	RECORD_TOKEN = 'J',      /* a join token */
	RECORD_AUDIT_MARK = 'L', /* see audit_mark.h */
	RECORD_SECRET = 'S',     /* what a secret is, and which versions it has */
	RECORD_TERM = 'T',       /* a key of the keyring */
	RECORD_VERSION = 'V',    /* one value, see version_row.h */
};

#define ROW_KEY_MAX_BYTES 21

struct row_key {
	uint8_t bytes[ROW_KEY_MAX_BYTES];
	size_t len;
};

void vault_row_key(
    const struct vault *vault, enum record_kind kind, const char *name, struct row_key *ret_key);
/* The row of one version of a secret. */
void vault_version_key(
    const struct vault *vault, const char *name, uint32_t version, struct row_key *ret_key);

/*
 * Takes `store` and `keys` over in any case. vault_create writes the first head and term 1;
 * vault_open reads the head and all terms. -TACIT_E_CORRUPT when one does not authenticate.
 */
int vault_create(struct store *store, struct keys *keys, struct vault **ret_vault);
int vault_open(
    struct store *store, struct keys *keys, struct vault **ret_vault, struct fault *fault);
void vault_close(struct vault *vault);

/*
 * Puts a new term into the keyring; from now on it is the one in use. -TACIT_E_CONFLICT when there
 * are too many old ones still.
 */
int vault_new_term(struct vault *vault);
/* Destroys a term. Whatever is still sealed under it is lost: see rewrap.h. */
int vault_drop_term(struct vault *vault, uint32_t term);

const struct keys *vault_keys(const struct vault *vault);
uint64_t vault_revision(const struct vault *vault);

/* Opens one record. -TACIT_E_NOT_FOUND, -TACIT_E_CORRUPT, the errors of store.h. */
int vault_get(struct vault *vault, const struct row_key *key, struct secret **ret_record);

/* The bytes of a row as they are stored: for versions, which have a form of their own. */
int vault_get_raw(struct vault *vault, const struct row_key *key, struct store_value *ret_value);

/*
 * Opens every record of one kind in turn; a `visit` that returns other than 0 ends it. Where there
 * are many, a thread of its own visits them while this one goes on reading.
 */
int vault_each(struct vault *vault, enum record_kind kind,
    int (*visit)(void *context, const struct row_key *key, const struct secret *record),
    void *context);

/* Calls `visit` for each row of `kind` with its raw bytes. */
int vault_each_raw(struct vault *vault, enum record_kind kind,
    int (*visit)(void *context, const struct row_key *key, const uint8_t *bytes, size_t len),
    void *context);

struct vault_change {
	struct row_key key;
	const struct secret *record; /* sealed on the way; NULL */
	const struct secret *raw;    /* stored as it is; NULL. Both NULL: the row is deleted */
};

/*
 * Makes all changes in one commit, or none; the revision goes up by one. It is durable, unless
 * vault_set_lazy() says otherwise. The errors of
 * store.h, -TACIT_E_CORRUPT when the head was altered under us.
 */
int vault_commit(struct vault *vault, const struct vault_change changes[], size_t count);

/* Who waits for the disk: see store_lazy_begin() and the two behind it. */
int vault_lazy_begin(struct vault *vault);
void vault_set_lazy(struct vault *vault, bool lazy);
int vault_sync(struct vault *vault);

/* After rows were deleted: see store_scrub(). */
void vault_scrub(struct vault *vault);

/*
 * Gives a part of the space of deleted records back to the file system; see store_reclaim(). 1 when
 * there is more to give back, 0 when not.
 */
int vault_reclaim(struct vault *vault);

/* The storage engine's own check of its file. -TACIT_E_STORE_CORRUPT. */
int vault_check_store(struct vault *vault, struct fault *fault);

enum vault_scope {
	VAULT_INDEX, /* what decides: all rows but the versions. What was walked is not read again
	              */
	VAULT_WHOLE,
};

/*
 * Recomputes set hashes from the rows. -TACIT_E_CORRUPT when rows were altered, added, removed
 * or rolled back; *ret_rows is how many there are.
 */
int vault_check_set(
    struct vault *vault, enum vault_scope scope, uint64_t *ret_rows, struct fault *fault);

#endif

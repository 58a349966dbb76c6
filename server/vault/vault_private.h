/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_VAULT_PRIVATE_H
#define TACIT_SERVER_VAULT_PRIVATE_H

#include <stdbool.h>

#include "vault.h"

/*
 * What the vault's files share: vault.c (opening it, the keyring), vault_record.c (rows and what is
 * sealed in them), vault_commit.c (changes), vault_walk.c (going through rows) and vault_set.c
 * (whether they are all there).
 */

#define SET_HASH_BYTES 32

/*
 * As much of a row as goes into the set hash. The nonces and tags stand within it, and they commit
 * to the rest: a record has 40 bytes of them, a version 124 (see version_row.h).
 */
#define ROW_COMMITMENT_BYTES 128

/* A set of rows: its hash, and how many rows were added to it. */
struct row_set {
	uint8_t hash[SET_HASH_BYTES];
	uint64_t rows;
};

/*
 * The rows in two sets, so that a start does not have to go through all values: those that say
 * what is, and the versions, each of which is bound to the former and authenticates by itself.
 */
enum row_set_kind { ROW_SET_INDEX, ROW_SET_VERSIONS, ROW_SETS };

struct set_hashes {
	uint8_t of[ROW_SETS][SET_HASH_BYTES];
};

struct vault {
	struct store *store;
	struct keys *keys;
	uint64_t revision;
	struct set_hashes set_hashes;
	struct row_key head_key;
	struct secret *sealed_head; /* as it stands in the store */

	/* What walks have seen of whole kinds since the last commit, by the kind's letter. */
	struct {
		bool whole;
		struct row_set set;
	} seen['Z' - 'A' + 1];
};

/* Where the row of something lies. */
void row_key_for(
    const struct keys *keys, enum record_kind kind, const char *name, struct row_key *ret_key);

/* *ret_sealed is the caller's. -ENOMEM. */
int record_seal(const struct vault *vault, const struct row_key *key, const struct secret *record,
    struct secret **ret_sealed);

/* *ret_record is the caller's. -TACIT_E_CORRUPT when the row does not authenticate; -ENOMEM. */
int record_open(const struct vault *vault, const struct row_key *key, const uint8_t *bytes,
    size_t len, struct secret **ret_record);

/* The same into `record`. `ad` is room for the associated data, to be used again and again. */
int record_open_into(const struct vault *vault, const struct row_key *key, const uint8_t *bytes,
    size_t len, struct secret *ad, struct secret *record);

enum row_set_kind row_set_of(const uint8_t *key, size_t key_len);

/* Adds a row to a set's hash, or takes it out again. */
void set_hash_toggle(const struct keys *keys, uint8_t set_hash[static SET_HASH_BYTES],
    const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len);

void row_set_add(struct row_set *set, const struct keys *keys, const uint8_t *key, size_t key_len,
    const uint8_t *value, size_t value_len);

/* `other` has none of the rows that `set` has. */
void row_set_join(struct row_set *set, const struct row_set *other);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_KEYS_H
#define TACIT_SERVER_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "master.h"
#include "seal.h"
#include "tacit/envelope.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * The top of the key hierarchy:
 *
 *   master key   from a file, a passphrase (Argon2id) or a systemd credential; never stored sealed
 *   └ root key   random, sealed under the master key in DIR/seal.json
 *     ├ record key, name key, set key, audit key, entity-tag key, backup key, term key: derived
 *     └ keyring terms: random, numbered, sealed under the term key in the store
 *       └ one random data key for each version of a secret, sealed under a term
 */

/* There are two terms while data keys are on their way from the old one to the new one. */
#define TERMS_MAX 4

struct keyring_term {
	uint32_t number; /* 1, 2, ...; 0: the place is free */
	uint8_t key[ENVELOPE_KEY_BYTES];
};

/* Lives in memory of its own from sodium_malloc: guarded, locked, not dumped, wiped. */
struct keys {
	uint8_t store_id[STORE_ID_BYTES];
	uint8_t root[ENVELOPE_KEY_BYTES];
	uint8_t record[ENVELOPE_KEY_BYTES]; /* seals everything but values */
	uint8_t name[ENVELOPE_KEY_BYTES];   /* hashes names into row keys */
	uint8_t set[ENVELOPE_KEY_BYTES];    /* hashes rows into the set hash */
	uint8_t audit[ENVELOPE_KEY_BYTES];  /* chains audit lines */
	uint8_t etag[ENVELOPE_KEY_BYTES];   /* makes entity tags of bundles */
	uint8_t backup[ENVELOPE_KEY_BYTES]; /* authenticates backups */
	uint8_t wrap[ENVELOPE_KEY_BYTES];   /* seals keyring terms */
	uint32_t term;                      /* the one in use; terms start at 1 */
	struct keyring_term terms[TERMS_MAX];
};

/*
 * Makes new keys and writes DIR/seal.json. Without a source the master key is made in
 * DIR/master.key; a key file that does not exist yet is made too. Keyring term 1 is made but not
 * stored: see vault.h.
 */
int keys_create(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault);

/*
 * Opens DIR/seal.json. An empty source means what `init` was told, or the systemd credential
 * `tacit-master-key`. -TACIT_E_NOT_A_STORE when there is no seal, -TACIT_E_WRONG_KEY,
 * -TACIT_E_KEY_MODE, -errno. No terms are loaded.
 */
int keys_open(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault);

/* What the new master key of a store is. */
struct new_master {
	bool by_passphrase;
	const char *key_file; /* absolute; NULL: it came by descriptor, or is made in DIR */
	const struct secret *material; /* the key or the passphrase; NULL: a key is made in DIR */
};

/* -TACIT_E_CONFLICT when it is the old one: that would go on opening the store. */
int keys_check_new(int dirfd, const struct new_master *master, struct fault *fault);

/*
 * Seals the root key under a new master key, in one rename: until then the old one opens the store,
 * and from then on the new one. A key that is made in DIR waits in DIR/master.key.new while that
 * happens, and a crash at any step is mended by keys_settle().
 */
int keys_rekey(
    int dirfd, const struct keys *keys, const struct new_master *master, struct fault *fault);

/* What the only writer does at its start: finishes, or clears away, what a crash has left. */
int keys_settle(int dirfd, struct fault *fault);

/* Opens a seal with what master_find() gives. -TACIT_E_WRONG_KEY, -ENOMEM. */
int keys_unseal(const struct seal *seal, const struct secret *material, struct keys **ret_keys);

void keys_free(struct keys *keys);

/* A term of the keyring; NULL when there is no such one. */
const uint8_t *keys_term(const struct keys *keys, uint32_t number);
/* Puts a term in, which becomes the one in use if its number is the highest. -TACIT_E_CORRUPT. */
int keys_add_term(struct keys *keys, uint32_t number, const uint8_t key[static ENVELOPE_KEY_BYTES]);
bool keys_is_full(const struct keys *keys);
/* Forgets one, wiped. */
void keys_remove_term(struct keys *keys, uint32_t number);
/* The number of a term that is not the one in use; 0: there is none. */
uint32_t keys_old_term(const struct keys *keys);

#endif

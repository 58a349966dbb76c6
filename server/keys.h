/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_KEYS_H
#define TACIT_SERVER_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "tacit/envelope.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * The top of the key hierarchy:
 *
 *   master key   from a file, a passphrase (Argon2id) or a systemd credential; never stored sealed
 *   └ root key   random, sealed under the master key in DIR/seal.json
 *     ├ record key, name key, set key, audit key, entity-tag key, term key: derived from it
 *     └ keyring terms: random, numbered, sealed under the term key in the store
 *       └ one random data key for each version of a secret, sealed under a term
 */
#define STORE_ID_BYTES 16
#define SALT_BYTES     16
#define TERMS_MAX      256

/* Lives in memory of its own from sodium_malloc: guarded, locked, not dumped, wiped. */
struct keys {
	uint8_t store_id[STORE_ID_BYTES];
	uint8_t root[ENVELOPE_KEY_BYTES];
	uint8_t record[ENVELOPE_KEY_BYTES]; /* seals everything but values */
	uint8_t name[ENVELOPE_KEY_BYTES];   /* hashes names into row keys */
	uint8_t set[ENVELOPE_KEY_BYTES];    /* hashes rows into the set hash */
	uint8_t audit[ENVELOPE_KEY_BYTES];  /* chains audit lines */
	uint8_t etag[ENVELOPE_KEY_BYTES];   /* makes entity tags of bundles */
	uint8_t wrap[ENVELOPE_KEY_BYTES];   /* seals keyring terms */
	uint32_t term;                      /* the one in use; terms start at 1 */
	uint8_t terms[TERMS_MAX][ENVELOPE_KEY_BYTES];
};

/* Where the master key comes from. At most one of the two is set. */
struct key_source {
	const char *key_file;        /* 32 bytes */
	const char *passphrase_file; /* a trailing newline does not count */
};

#define MASTER_KEY_FILE "master.key"
#define SEAL_FILE       "seal.json"

/*
 * Makes new keys and writes DIR/seal.json. Without a source the master key is made in
 * DIR/master.key; a key file that does not exist yet is made too. Keyring term 1 is made but not
 * stored: see vault.h.
 */
int keys_create(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault);

/*
 * Opens DIR/seal.json. An empty source means what `init` was told, or the systemd credential
 * `tacit-master-key`. -TACIT_E_NOT_A_STORE when there is no seal, -TACIT_E_WRONG_KEY, -errno.
 * No terms are loaded.
 */
int keys_open(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault);

void keys_free(struct keys *keys);

#endif

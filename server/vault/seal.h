/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SEAL_H
#define TACIT_SERVER_SEAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "tacit/envelope.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * DIR/seal.json: the root key sealed under the master key, and where that one comes from. Nothing
 * of it is secret but `sealed_root`, which is sealed.
 */
#define SEAL_FILE      "seal.json"
#define SEAL_MAX_BYTES 16384

#define STORE_ID_BYTES 16
#define SALT_BYTES     16

struct seal {
	uint8_t store_id[STORE_ID_BYTES];
	bool by_passphrase;      /* else the master key is a file */
	char key_file[PATH_MAX]; /* where it was found or made; relative to DIR without a `/` */
	uint8_t salt[SALT_BYTES];
	int64_t argon2_passes;
	int64_t argon2_bytes;
	uint8_t sealed_root[ENVELOPE_KEY_BYTES + ENVELOPE_OVERHEAD_BYTES];
};

/* A fresh salt and today's parameters; the rest stays. */
void seal_refresh(struct seal *seal);

/* -TACIT_E_NOT_A_STORE when there is none, or when it is not one; -errno. */
int seal_read(int dirfd, struct seal *ret_seal, struct fault *fault);
/* -EEXIST when there is one. */
int seal_create(int dirfd, const struct seal *seal);
/* Takes the place of the one that is there, in one rename. */
int seal_replace(int dirfd, const struct seal *seal);

/* The text of the file. -TACIT_E_NOT_A_STORE, -ENOMEM. */
int seal_print(const struct seal *seal, struct secret **ret_text);
int seal_parse(const void *text, size_t len, struct seal *ret_seal);

/*
 * Seals the root key, bound to everything that decides how it opens, and opens it again.
 * -TACIT_E_WRONG_KEY.
 */
int seal_close_root(struct seal *seal, const uint8_t master[static ENVELOPE_KEY_BYTES],
    const uint8_t root[static ENVELOPE_KEY_BYTES]);
int seal_open_root(const struct seal *seal, const uint8_t master[static ENVELOPE_KEY_BYTES],
    struct secret **ret_root);

#endif

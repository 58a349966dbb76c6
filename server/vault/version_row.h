/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_VERSION_ROW_H
#define TACIT_SERVER_VERSION_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "tacit/secret.h"

/*
 * The row of one version of a secret, besides which nothing is needed to open it but the keyring:
 *
 *   term (4) | created (8) | data key, sealed under the term (72) | value, sealed under the data
 * key
 *
 * What the row is bound to is associated data: store, name, number and created of both envelopes,
 * and the term of the first one. The value is bound to its term by way of its data key, which opens
 * nothing else; so a new term needs the data key sealed again, and not the value.
 *
 * The first 124 bytes hold both nonces and tags and so commit to all of the row: see vault_set.c.
 */
#define VERSION_HEAD_BYTES 12
#define WRAPPED_KEY_BYTES  (ENVELOPE_KEY_BYTES + ENVELOPE_OVERHEAD_BYTES)
#define VERSION_MIN_BYTES  (VERSION_HEAD_BYTES + WRAPPED_KEY_BYTES + ENVELOPE_OVERHEAD_BYTES)

/* Seals a value under a data key of its own, and that one under the term in use. -ENOMEM. */
int version_row_seal(const struct keys *keys, const char *name, uint32_t number, int64_t created,
    const struct secret *value, struct secret **ret_row);

/* -TACIT_E_CORRUPT, -ENOMEM. */
int version_row_open(const struct keys *keys, const char *name, uint32_t number, const uint8_t *row,
    size_t len, struct secret **ret_value);

/* The term that a row says its data key is sealed under; 0 for what is no row. */
uint32_t version_row_term(const uint8_t *row, size_t len);

/* The same row with its data key sealed under the term in use. -TACIT_E_CORRUPT, -ENOMEM. */
int version_row_rewrap(const struct keys *keys, const char *name, uint32_t number,
    const uint8_t *row, size_t len, struct secret **ret_row);

#endif

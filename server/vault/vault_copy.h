/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_VAULT_COPY_H
#define TACIT_SERVER_VAULT_COPY_H

#include <stddef.h>
#include <stdint.h>

#include "tacit/err.h"

/*
 * The rows of a vault as they lie there, sealed: out of one store for a backup, and into a new one.
 * No key is needed, and nothing is understood of what is copied.
 */
typedef int vault_copy_visit(
    void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len);

/*
 * Calls `visit` for every row of the store at `path`, from one snapshot; somebody else may go on
 * writing. A visit that returns other than 0 ends it. The errors of store.h.
 */
int vault_copy_read(const char *path, vault_copy_visit *visit, void *context, struct fault *fault);

/* Makes a new store out of rows that are added one after the other. */
struct vault_copy;

int vault_copy_create(const char *path, struct vault_copy **ret_copy, struct fault *fault);
int vault_copy_add(struct vault_copy *copy, const uint8_t *key, size_t key_len,
    const uint8_t *value, size_t value_len);
/* All rows are on disk when it returns 0. */
int vault_copy_finish(struct vault_copy *copy);
/* NULL is allowed. */
void vault_copy_free(struct vault_copy *copy);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SECRETS_H
#define TACIT_SERVER_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secret_entry.h"
#include "tacit/secret.h"
#include "vault.h"

/*
 * All secrets of the store, without their values: names, metadata and versions are kept in
 * memory, sorted by name. Values are opened one at a time, when somebody reads them.
 */
struct secrets;

/* Older versions than this many are destroyed by a put; a secret may have a number of its own. */
#define SECRET_VERSIONS_KEPT 16

/* Another number than SECRET_VERSIONS_KEPT, from 1 to SECRET_VERSIONS_MAX. */
void secrets_set_kept(struct secrets *secrets, uint32_t versions);

/* -TACIT_E_CORRUPT, -ENOMEM, the errors of vault.h. */
int secrets_load(struct vault *vault, struct secrets **ret_secrets, struct fault *fault);
void secrets_free(struct secrets *secrets);

size_t secrets_count(const struct secrets *secrets);
/* The entry at `index` in the order of names. Pointers hold until the next change. */
const struct secret_entry *secrets_at(const struct secrets *secrets, size_t index);
/* The index of the first name that is not less than `name`. */
size_t secrets_lower_bound(const struct secrets *secrets, const char *name);
/* NULL when there is none, or when it is deleted and `with_deleted` is not set. */
const struct secret_entry *secrets_find(
    const struct secrets *secrets, const char *name, bool with_deleted);

/* Opens a value; `number` 0 is the current one. -TACIT_E_NOT_FOUND also when it is destroyed. */
int secrets_open_value(struct secrets *secrets, const struct secret_entry *entry, uint32_t number,
    struct secret **ret_value);

/*
 * A new version, which becomes the current one; a deleted secret comes back. *ret_entry is the
 * entry as it is now, borrowed until the next change. -TACIT_E_INVALID_NAME, those of
 * secret_metadata_check(), and the errors of vault.h. Nothing has changed when it fails, nor when
 * one of those below does.
 */
int secrets_put(struct secrets *secrets, const char *name, const struct secret *value,
    const struct secret_metadata *metadata, const struct secret_entry **ret_entry);

/* Hides a secret; its versions stay. -TACIT_E_NOT_FOUND. */
int secrets_delete(struct secrets *secrets, const char *name);

/*
 * Makes an older, kept version the current one again, also of a deleted secret.
 * -TACIT_E_NOT_FOUND.
 */
int secrets_rollback(struct secrets *secrets, const char *name, uint32_t number);

/*
 * Destroys one version, or with 0 all of them, and with them the secret: its data key is gone, from
 * the files of the store too. -TACIT_E_CONFLICT for the current version of a secret that is not
 * deleted.
 */
int secrets_destroy(struct secrets *secrets, const char *name, uint32_t number);

/* Versions that are over a new limit are destroyed along with it, as secrets_destroy() does. */
/* -TACIT_E_NOT_FOUND, or what secret_metadata_check() returns. */
int secrets_set_metadata(
    struct secrets *secrets, const char *name, const struct secret_metadata *metadata);

/*
 * Opens every version that is kept; *ret_versions is how many. The first that does not open is in
 * `fault`, with the error of secrets_open_value().
 */
int secrets_check(struct secrets *secrets, uint64_t *ret_versions, struct fault *fault);

#endif

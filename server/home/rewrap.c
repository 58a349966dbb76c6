/* SPDX-License-Identifier: MIT */
#include "rewrap.h"

#include <errno.h>
#include <stdio.h>

#include "version_row.h"

bool rewrap_is_due(const struct vault *vault)
{
	return keys_old_term(vault_keys(vault)) != 0;
}

/* The rows of one commit. */
struct batch {
	struct vault_change changes[REWRAP_STEP_ROWS];
	struct secret *rows[REWRAP_STEP_ROWS];
	size_t count;
	size_t bytes;
};

static void batch_cleanup(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		secret_free(batch->rows[i]);
}
#define cleanup_batch __attribute__((cleanup(batch_cleanup)))

static bool batch_is_full(const struct batch *batch)
{
	return batch->count == REWRAP_STEP_ROWS || batch->bytes >= REWRAP_STEP_BYTES;
}

static int batch_add(struct batch *batch, struct vault *vault, const char *name, uint32_t number)
{
	cleanup_store_value struct store_value row = {0};
	struct vault_change *change = &batch->changes[batch->count];
	const struct keys *keys = vault_keys(vault);
	int r;

	vault_version_key(vault, name, number, &change->key);
	r = vault_get_raw(vault, &change->key, &row);
	if (r < 0)
		return r == -TACIT_E_NOT_FOUND ? -TACIT_E_CORRUPT : r;
	if (version_row_term(row.bytes, row.len) == keys->term)
		return 0;

	r = version_row_rewrap(keys, name, number, row.bytes, row.len, &batch->rows[batch->count]);
	if (r < 0)
		return r;

	change->raw = batch->rows[batch->count++];
	batch->bytes += row.len;
	return 0;
}

/* All versions of one secret that fit. 1 when some are left for another commit. */
static int batch_add_entry(
    struct batch *batch, struct vault *vault, const struct secret_entry *entry, struct fault *fault)
{
	for (size_t i = 0; i < entry->versions_count; i++) {
		const struct secret_version *version = &entry->versions[i];
		int r;

		if (version->state == VERSION_DESTROYED)
			continue;
		if (batch_is_full(batch))
			return 1;
		r = batch_add(batch, vault, entry->name, version->number);
		if (r < 0)
			return fault_set(fault, r, "%s version %u", entry->name, version->number);
	}

	return 0;
}

/* Looks at this many secrets in one step at most, so that it is short where all is done already. */
#define STEP_ENTRIES 256

/* Fills a batch, starting behind `from`. 1 when there is more. */
static int batch_fill(struct batch *batch, struct rewrap *rewrap, struct vault *vault,
    const struct secrets *secrets, struct fault *fault)
{
	size_t index = secrets_lower_bound(secrets, rewrap->name);
	size_t end = index + STEP_ENTRIES;

	for (; index < secrets_count(secrets) && index < end; index++) {
		const struct secret_entry *entry = secrets_at(secrets, index);
		int r = batch_add_entry(batch, vault, entry, fault);

		/* Its versions that are done are passed over the next time. */
		(void)snprintf(rewrap->name, sizeof(rewrap->name), "%s", entry->name);
		if (r != 0)
			return r;
	}

	return index < secrets_count(secrets);
}

int rewrap_step(
    struct rewrap *rewrap, struct vault *vault, const struct secrets *secrets, struct fault *fault)
{
	cleanup_batch struct batch batch = {0};
	uint32_t term = vault_keys(vault)->term;
	/* What was brought to a term that is an old one by now has to be brought on. */
	struct rewrap next = rewrap->term == term ? *rewrap : (struct rewrap){.term = term};
	int more = batch_fill(&batch, &next, vault, secrets, fault);
	int r = more < 0 ? more : 0;

	if (r == 0 && batch.count > 0)
		r = vault_commit(vault, batch.changes, batch.count);
	if (r < 0)
		return more < 0 ? r : fault_set(fault, r, "keyring");

	next.rows += batch.count;
	*rewrap = next;
	if (more > 0)
		return 1;

	r = vault_drop_term(vault, keys_old_term(vault_keys(vault)));
	return r < 0 ? fault_set(fault, r, "keyring") : rewrap_is_due(vault);
}

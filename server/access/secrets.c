/* SPDX-License-Identifier: MIT */
#include "secrets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "entries_sort.h"
#include "secrets_private.h"
#include "version_row.h"

int secrets_reserve(struct secrets *secrets)
{
	size_t capacity = secrets->capacity ? secrets->capacity * 2 : 64;
	struct secret_entry **entries;

	if (secrets->count < secrets->capacity)
		return 0;

	entries = reallocarray(secrets->entries, capacity, sizeof(struct secret_entry *));
	if (!entries)
		return -ENOMEM;

	secrets->entries = entries;
	secrets->capacity = capacity;
	return 0;
}

struct load {
	struct secrets *secrets;
	struct secret_draft draft; /* used again and again */
};

/* That the row is where this name's row has to be is in its associated data. */
static int entry_load(void *context, const struct row_key *key, const struct secret *record)
{
	struct load *load = context;
	struct secrets *secrets = load->secrets;
	int r = secret_draft_decode(&load->draft, record);

	(void)key;
	if (r == 0)
		r = secrets_reserve(secrets);
	if (r == 0)
		r = secret_draft_finish(&load->draft, &secrets->entries[secrets->count]);
	if (r == 0)
		secrets->count++;

	return r;
}

int secrets_load(struct vault *vault, struct secrets **ret_secrets, struct fault *fault)
{
	struct secrets *secrets = calloc(1, sizeof(*secrets));
	struct load load = {.secrets = secrets};
	int r;

	if (!secrets)
		return fault_set(fault, -ENOMEM, "secrets");

	secrets->kept = SECRET_VERSIONS_KEPT;
	secrets->vault = vault;
	r = vault_each(vault, RECORD_SECRET, entry_load, &load);
	secret_draft_free(&load.draft);
	if (r == 0)
		r = entries_sort(secrets->entries, secrets->count);
	if (r < 0) {
		secrets_free(secrets);
		return fault_set(fault, r, "record of a secret");
	}

	*ret_secrets = secrets;
	return 0;
}

void secrets_set_kept(struct secrets *secrets, uint32_t versions)
{
	secrets->kept = versions;
}

void secrets_free(struct secrets *secrets)
{
	if (!secrets)
		return;

	for (size_t i = 0; i < secrets->count; i++)
		secret_entry_free(secrets->entries[i]);
	free(secrets->entries);
	free(secrets);
}

size_t secrets_count(const struct secrets *secrets)
{
	return secrets->count;
}

const struct secret_entry *secrets_at(const struct secrets *secrets, size_t index)
{
	return secrets->entries[index];
}

size_t secrets_lower_bound(const struct secrets *secrets, const char *name)
{
	size_t low = 0, high = secrets->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(secrets->entries[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}

	return low;
}

const struct secret_entry *secrets_find(
    const struct secrets *secrets, const char *name, bool with_deleted)
{
	size_t index = secrets_lower_bound(secrets, name);
	const struct secret_entry *entry;

	if (index == secrets->count || strcmp(secrets->entries[index]->name, name) != 0)
		return NULL;

	entry = secrets->entries[index];
	return entry->deleted && !with_deleted ? NULL : entry;
}

int secrets_open_value(struct secrets *secrets, const struct secret_entry *entry, uint32_t number,
    struct secret **ret_value)
{
	uint32_t wanted = number ? number : entry->current;
	const struct secret_version *version = secret_entry_version(entry, wanted);
	cleanup_store_value struct store_value row = {0};
	struct row_key key;
	int r;

	if (!version || version->state == VERSION_DESTROYED)
		return -TACIT_E_NOT_FOUND;

	vault_version_key(secrets->vault, entry->name, wanted, &key);
	r = vault_get_raw(secrets->vault, &key, &row);
	if (r < 0) /* a version that should be there */
		return r == -TACIT_E_NOT_FOUND ? -TACIT_E_CORRUPT : r;

	return version_row_open(
	    vault_keys(secrets->vault), entry->name, wanted, row.bytes, row.len, ret_value);
}

int secrets_check(struct secrets *secrets, uint64_t *ret_versions, struct fault *fault)
{
	uint64_t versions = 0;

	for (size_t i = 0; i < secrets->count; i++) {
		const struct secret_entry *entry = secrets->entries[i];

		for (size_t j = 0; j < entry->versions_count; j++) {
			cleanup_secret struct secret *value = NULL;
			int r;

			if (entry->versions[j].state == VERSION_DESTROYED)
				continue;
			r = secrets_open_value(secrets, entry, entry->versions[j].number, &value);
			if (r == 0 && secret_len(value) != entry->versions[j].size)
				r = -TACIT_E_CORRUPT;
			if (r < 0)
				return fault_set(fault, r, "%s version %u", entry->name,
				    entry->versions[j].number);
			versions++;
		}
	}

	*ret_versions = versions;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "secrets_private.h"
#include "version_row.h"

/* A change of one secret: what it becomes, and the rows that come and go with it. */
struct change {
	struct secret_draft draft;
	struct vault_change rows[SECRET_VERSIONS_MAX + 4];
	size_t count;
	struct secret *record;
	struct secret *version_row;
};

static void change_free(struct change *change)
{
	secret_draft_free(&change->draft);
	secret_free(change->record);
	secret_free(change->version_row);
}
#define cleanup_change __attribute__((cleanup(change_free)))

static int change_begin(
    const struct secrets *secrets, struct change *change, const char *name, bool with_deleted)
{
	const struct secret_entry *entry = secrets_find(secrets, name, with_deleted);

	return entry ? secret_draft_from_entry(&change->draft, entry) : -TACIT_E_NOT_FOUND;
}

static int change_add_record(struct secrets *secrets, struct change *change)
{
	struct vault_change *row = &change->rows[change->count];
	int r = secret_draft_encode(&change->draft, &change->record);

	if (r < 0)
		return r;

	vault_row_key(secrets->vault, RECORD_SECRET, change->draft.name, &row->key);
	row->record = change->record;
	change->count++;
	return 0;
}

static uint32_t draft_next_number(const struct secret_draft *draft)
{
	uint32_t count = draft->versions_count;

	return count ? draft->versions[count - 1].number + 1 : 1;
}

static int change_add_version(
    struct secrets *secrets, struct change *change, const struct secret *value)
{
	struct secret_draft *draft = &change->draft;
	const struct secret_version version = {
	    .number = draft_next_number(draft),
	    .size = (uint32_t)secret_len(value),
	    .created = time(NULL),
	};
	struct vault_change *row = &change->rows[change->count];
	int r = version_row_seal(vault_keys(secrets->vault), draft->name, version.number,
	    version.created, value, &change->version_row);

	if (r == 0)
		r = secret_draft_add_version(draft, &version);
	if (r < 0)
		return r;

	vault_version_key(secrets->vault, draft->name, version.number, &row->key);
	row->raw = change->version_row;
	change->count++;
	draft->current = version.number;
	return 0;
}

static void change_destroy_version(
    struct secrets *secrets, struct change *change, struct secret_version *version)
{
	version->state = VERSION_DESTROYED;
	vault_version_key(secrets->vault, change->draft.name, version->number,
	    &change->rows[change->count++].key);
}

/*
 * Destroys what is over the limit, the oldest first, and forgets it, to keep the list short. The
 * current version is spared, also where it is an old one that was rolled back to. What is newer
 * goes before it then, but the last one is not forgotten, so that no number is given twice.
 */
static void change_trim_versions(struct secrets *secrets, struct change *change)
{
	struct secret_draft *draft = &change->draft;
	uint32_t limit = draft->kept > 0 ? draft->kept : secrets->kept;

	for (uint32_t i = 0; draft->versions_count > limit && i < draft->versions_count;) {
		struct secret_version *version = &draft->versions[i];

		if (version->number == draft->current) {
			i++;
			continue;
		}
		if (version->state == VERSION_KEPT)
			change_destroy_version(secrets, change, version);
		if (i == draft->versions_count - 1)
			break;
		secret_draft_drop_version(draft, i);
	}
}

/* Puts `entry` where the one of its name is, or in between. There is room: see secrets_reserve. */
static void entries_place(struct secrets *secrets, struct secret_entry *entry)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it was made, or r would be < 0 */
	size_t index = secrets_lower_bound(secrets, entry->name);

	if (index < secrets->count && !strcmp(secrets->entries[index]->name, entry->name)) {
		secret_entry_free(secrets->entries[index]);
	} else {
		memmove(secrets->entries + index + 1, secrets->entries + index,
		    (secrets->count - index) * sizeof(secrets->entries[0]));
		secrets->count++;
	}
	secrets->entries[index] = entry;
}

/* Writes the change and shows it; on failure neither has happened. */
static int change_commit(struct secrets *secrets, struct change *change)
{
	struct secret_entry *entry = NULL;
	int r = change_add_record(secrets, change);

	if (r == 0)
		r = secrets_reserve(secrets);
	if (r == 0)
		r = secret_draft_finish(&change->draft, &entry);
	if (r == 0)
		r = vault_commit(secrets->vault, change->rows, change->count);
	if (r < 0) {
		secret_entry_free(entry);
		return r;
	}

	entries_place(secrets, entry);
	return 0;
}

int secrets_put(struct secrets *secrets, const char *name, const struct secret *value,
    const struct secret_metadata *metadata, const struct secret_entry **ret_entry)
{
	cleanup_change struct change change = {0};
	int r;

	if (!name_is_secret(name))
		return -TACIT_E_INVALID_NAME;

	r = change_begin(secrets, &change, name, true);
	if (r == -TACIT_E_NOT_FOUND) {
		secret_draft_begin(&change.draft, name);
		r = 0;
	}
	if (r == 0)
		r = secret_draft_set_metadata(&change.draft, metadata);
	if (r == 0)
		r = change_add_version(secrets, &change, value);
	if (r < 0)
		return r;

	change.draft.deleted = false;
	change_trim_versions(secrets, &change);
	r = change_commit(secrets, &change);
	if (r == 0)
		*ret_entry = secrets_find(secrets, name, false);
	return r;
}

int secrets_delete(struct secrets *secrets, const char *name)
{
	cleanup_change struct change change = {0};
	int r = change_begin(secrets, &change, name, false);

	if (r < 0)
		return r;

	change.draft.deleted = true;
	return change_commit(secrets, &change);
}

int secrets_rollback(struct secrets *secrets, const char *name, uint32_t number)
{
	const struct secret_entry *entry = secrets_find(secrets, name, true);
	const struct secret_version *version = entry ? secret_entry_version(entry, number) : NULL;
	cleanup_change struct change change = {0};
	int r;

	if (!version || version->state == VERSION_DESTROYED)
		return -TACIT_E_NOT_FOUND;

	r = change_begin(secrets, &change, name, true);
	if (r < 0)
		return r;

	change.draft.current = number;
	change.draft.deleted = false;
	return change_commit(secrets, &change);
}

/* Number 0 means all; returns whether there was any. */
static bool change_destroy_versions(struct secrets *secrets, struct change *change, uint32_t number)
{
	struct secret_draft *draft = &change->draft;
	bool found = false;

	for (uint32_t i = 0; i < draft->versions_count; i++) {
		struct secret_version *version = &draft->versions[i];

		if ((number && version->number != number) || version->state == VERSION_DESTROYED)
			continue;
		change_destroy_version(secrets, change, version);
		found = true;
	}

	return found;
}

int secrets_destroy(struct secrets *secrets, const char *name, uint32_t number)
{
	cleanup_change struct change change = {0};
	struct secret_draft *draft = &change.draft;
	int r = change_begin(secrets, &change, name, true);

	if (r < 0)
		return r;
	if (number != 0 && number == draft->current && !draft->deleted)
		return -TACIT_E_CONFLICT;
	if (!change_destroy_versions(secrets, &change, number))
		return -TACIT_E_NOT_FOUND;

	draft->deleted |= number == 0;
	r = change_commit(secrets, &change);
	if (r == 0)
		vault_scrub(secrets->vault);
	return r;
}

int secrets_set_metadata(
    struct secrets *secrets, const char *name, const struct secret_metadata *metadata)
{
	cleanup_change struct change change = {0};
	int r = change_begin(secrets, &change, name, false);
	bool is_less;

	if (r == 0)
		r = secret_draft_set_metadata(&change.draft, metadata);
	if (r < 0)
		return r;

	if (metadata->kept)
		change_trim_versions(secrets, &change);
	is_less = change.count > 0;
	r = change_commit(secrets, &change);
	if (r == 0 && is_less)
		vault_scrub(secrets->vault);
	return r;
}

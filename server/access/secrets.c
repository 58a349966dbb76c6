/* SPDX-License-Identifier: MIT */
#include "secrets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "version_row.h"

struct secrets {
	struct vault *vault;
	struct secret_entry **entries; /* sorted by name */
	size_t count;
	size_t capacity;
	uint32_t kept; /* versions of each */
};

static int entries_reserve(struct secrets *secrets)
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
		r = entries_reserve(secrets);
	if (r == 0)
		r = secret_draft_finish(&load->draft, &secrets->entries[secrets->count]);
	if (r == 0)
		secrets->count++;

	return r;
}

static int entry_order(const void *left, const void *right)
{
	const struct secret_entry *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
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
	if (r < 0) {
		secrets_free(secrets);
		return fault_set(fault, r, "record of a secret");
	}

	if (secrets->count > 0)
		qsort(secrets->entries, secrets->count, sizeof(secrets->entries[0]), entry_order);
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

/* Destroys what is over the limit, and forgets the oldest destroyed ones to keep the list short. */
static void change_trim_versions(struct secrets *secrets, struct change *change)
{
	struct secret_draft *draft = &change->draft;
	uint32_t excess =
	    draft->versions_count > secrets->kept ? draft->versions_count - secrets->kept : 0;

	for (uint32_t i = 0; i < excess; i++)
		if (draft->versions[i].state == VERSION_KEPT)
			change_destroy_version(secrets, change, &draft->versions[i]);
	secret_draft_drop_versions(draft, excess);
}

/* Puts `entry` where the one of its name is, or in between. There is room: see entries_reserve. */
static void entries_place(struct secrets *secrets, struct secret_entry *entry)
{
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
		r = entries_reserve(secrets);
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

	if (r == 0)
		r = secret_draft_set_metadata(&change.draft, metadata);

	return r < 0 ? r : change_commit(secrets, &change);
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

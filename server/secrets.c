/* SPDX-License-Identifier: MIT */
#include "secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tacit/codec.h"
#include "tacit/fd.h"
#include "version_row.h"

struct secrets {
	struct vault *vault;
	struct secret_entry **entries; /* sorted by name */
	size_t count;
	size_t capacity;
};

static void entry_free(struct secret_entry *entry)
{
	if (!entry)
		return;

	free(entry->name);
	free(entry->file);
	free(entry->env);
	free(entry->versions);
	free(entry);
}

static void entry_cleanup(struct secret_entry **entry)
{
	entry_free(*entry);
	*entry = NULL;
}
#define cleanup_entry __attribute__((cleanup(entry_cleanup)))

static int text_replace(char **text, const char *with)
{
	char *copy = strdup(with);

	if (!copy)
		return -ENOMEM;

	free(*text);
	*text = copy;
	return 0;
}

static struct secret_entry *entry_new(const char *name)
{
	cleanup_entry struct secret_entry *entry = calloc(1, sizeof(*entry));
	char env[NAME_MAX_BYTES + 6];
	struct secret_entry *taken = entry;

	if (!entry)
		return NULL;

	name_default_env(name_default_file(name), env);
	entry->mode = 0400;
	if (text_replace(&entry->name, name) < 0 ||
	    text_replace(&entry->file, name_default_file(name)) < 0 ||
	    text_replace(&entry->env, env) < 0)
		return NULL;

	entry = NULL;
	return taken;
}

/* Changes are made on a copy, which takes the entry's place once it is on disk. */
static struct secret_entry *entry_copy(const struct secret_entry *entry)
{
	cleanup_entry struct secret_entry *copy = entry_new(entry->name);
	struct secret_entry *taken = copy;

	/* One more slot: most changes add a version. */
	if (!copy || text_replace(&copy->file, entry->file) < 0 ||
	    text_replace(&copy->env, entry->env) < 0)
		return NULL;
	copy->versions = calloc(entry->versions_count + 1, sizeof(*copy->versions));
	if (!copy->versions)
		return NULL;

	copy->mode = entry->mode;
	copy->deleted = entry->deleted;
	copy->current = entry->current;
	copy->versions_count = entry->versions_count;
	if (entry->versions_count > 0)
		memcpy(copy->versions, entry->versions,
		    entry->versions_count * sizeof(*copy->versions));
	copy = NULL;
	return taken;
}

static int entry_encode(const struct secret_entry *entry, struct secret **ret_record)
{
	cleanup_secret struct secret *record = NULL;
	struct encoder encoder;

	if (secret_new(256, &record) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = record};
	encode_text(&encoder, entry->name);
	encode_text(&encoder, entry->file);
	encode_text(&encoder, entry->env);
	encode_u32(&encoder, entry->mode);
	encode_u8(&encoder, entry->deleted);
	encode_u32(&encoder, entry->current);
	encode_u32(&encoder, (uint32_t)entry->versions_count);
	for (size_t i = 0; i < entry->versions_count; i++) {
		encode_u32(&encoder, entry->versions[i].number);
		encode_u32(&encoder, entry->versions[i].size);
		encode_u64(&encoder, (uint64_t)entry->versions[i].created);
		encode_u8(&encoder, (uint8_t)entry->versions[i].state);
	}
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_record = secret_take(&record);
	return 0;
}

static void version_decode(struct decoder *decoder, struct secret_version *ret_version)
{
	ret_version->number = decode_u32(decoder);
	ret_version->size = decode_u32(decoder);
	ret_version->created = (int64_t)decode_u64(decoder);
	ret_version->state = decode_u8(decoder) == VERSION_KEPT ? VERSION_KEPT : VERSION_DESTROYED;
}

static int entry_decode(const struct secret *record, struct secret_entry **ret_entry)
{
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};
	char name[NAME_MAX_BYTES + 1], file[NAME_MAX_BYTES + 1], env[NAME_MAX_BYTES + 6];
	cleanup_entry struct secret_entry *entry = NULL;

	decode_text(&decoder, name, sizeof(name));
	decode_text(&decoder, file, sizeof(file));
	decode_text(&decoder, env, sizeof(env));
	entry = entry_new(name);
	if (!entry || text_replace(&entry->file, file) < 0 || text_replace(&entry->env, env) < 0)
		return -ENOMEM;

	entry->mode = decode_u32(&decoder);
	entry->deleted = decode_u8(&decoder) != 0;
	entry->current = decode_u32(&decoder);
	entry->versions_count = decode_u32(&decoder);
	if (decoder.failed || entry->versions_count > decoder.left)
		return -TACIT_E_CORRUPT;
	entry->versions = calloc(entry->versions_count + 1, sizeof(*entry->versions));
	if (!entry->versions)
		return -ENOMEM;
	for (size_t i = 0; i < entry->versions_count; i++)
		version_decode(&decoder, &entry->versions[i]);
	if (decode_end(&decoder) < 0 || !name_is_secret(name))
		return -TACIT_E_CORRUPT;

	*ret_entry = entry;
	entry = NULL;
	return 0;
}

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
	struct fault *fault;
};

static int entry_load(void *context, const struct row_key *key, const struct secret *record)
{
	struct load *load = context;
	struct secrets *secrets = load->secrets;
	cleanup_entry struct secret_entry *entry = NULL;
	struct row_key expected;
	int r = entry_decode(record, &entry);

	if (r < 0)
		return r;
	vault_row_key(secrets->vault, RECORD_SECRET, entry->name, &expected);
	if (expected.len != key->len || memcmp(expected.bytes, key->bytes, key->len) != 0)
		return -TACIT_E_CORRUPT;
	if (entries_reserve(secrets) < 0)
		return -ENOMEM;

	secrets->entries[secrets->count++] = entry;
	entry = NULL;
	return 0;
}

static int entry_order(const void *left, const void *right)
{
	const struct secret_entry *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

int secrets_load(struct vault *vault, struct secrets **ret_secrets, struct fault *fault)
{
	struct secrets *secrets = calloc(1, sizeof(*secrets));
	struct load load = {.secrets = secrets, .fault = fault};
	int r;

	if (!secrets)
		return fault_set(fault, -ENOMEM, "secrets");

	secrets->vault = vault;
	r = vault_each(vault, RECORD_SECRET, entry_load, &load);
	if (r < 0) {
		secrets_free(secrets);
		return fault_set(fault, r, "record of a secret");
	}

	if (secrets->count > 0)
		qsort(secrets->entries, secrets->count, sizeof(secrets->entries[0]), entry_order);
	*ret_secrets = secrets;
	return 0;
}

void secrets_free(struct secrets *secrets)
{
	if (!secrets)
		return;

	for (size_t i = 0; i < secrets->count; i++)
		entry_free(secrets->entries[i]);
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

static struct secret_version *version_find(const struct secret_entry *entry, uint32_t number)
{
	for (size_t i = entry->versions_count; i > 0; i--)
		if (entry->versions[i - 1].number == number)
			return &entry->versions[i - 1];

	return NULL;
}

const struct secret_version *secret_entry_version(const struct secret_entry *entry, uint32_t number)
{
	return version_find(entry, number);
}

int secrets_open_value(struct secrets *secrets, const struct secret_entry *entry, uint32_t number,
    struct secret **ret_value)
{
	uint32_t wanted = number ? number : entry->current;
	const struct secret_version *version = version_find(entry, wanted);
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

int secret_metadata_check(const struct secret_metadata *metadata)
{
	mode_t mode;

	if (metadata->file && !name_is_file(metadata->file))
		return -TACIT_E_INVALID_NAME;
	if (metadata->env && !name_is_env(metadata->env))
		return -TACIT_E_INVALID_ENV;

	return metadata->mode ? name_parse_mode(metadata->mode, &mode) : 0;
}

static int entry_set_metadata(struct secret_entry *entry, const struct secret_metadata *metadata)
{
	int r = secret_metadata_check(metadata);

	if (r < 0)
		return r;
	if (metadata->file) {
		/* A variable of the default form follows the file. */
		char before[NAME_MAX_BYTES + 6], after[NAME_MAX_BYTES + 6];

		name_default_env(entry->file, before);
		name_default_env(metadata->file, after);
		if (!strcmp(entry->env, before) && text_replace(&entry->env, after) < 0)
			return -ENOMEM;
		if (text_replace(&entry->file, metadata->file) < 0)
			return -ENOMEM;
	}
	if (metadata->env && text_replace(&entry->env, metadata->env) < 0)
		return -ENOMEM;
	if (metadata->mode)
		(void)name_parse_mode(metadata->mode, &entry->mode);

	return 0;
}

/* A change of one secret: its record, and the rows of versions that come and go with it. */
struct entry_change {
	struct vault_change rows[SECRET_VERSIONS_KEPT + 8];
	size_t count;
	struct secret *record;
	struct secret *version_row;
};

static void entry_change_free(struct entry_change *change)
{
	secret_free(change->record);
	secret_free(change->version_row);
}
#define cleanup_change __attribute__((cleanup(entry_change_free)))

static int change_add_record(
    struct secrets *secrets, struct entry_change *change, const struct secret_entry *entry)
{
	struct vault_change *row = &change->rows[change->count];
	int r = entry_encode(entry, &change->record);

	if (r < 0)
		return r;

	vault_row_key(secrets->vault, RECORD_SECRET, entry->name, &row->key);
	row->record = change->record;
	change->count++;
	return 0;
}

static int change_add_version(struct secrets *secrets, struct entry_change *change,
    struct secret_entry *entry, const struct secret *value)
{
	uint32_t number =
	    entry->versions_count ? entry->versions[entry->versions_count - 1].number + 1 : 1;
	int64_t created = time(NULL);
	struct vault_change *row = &change->rows[change->count];
	int r = version_row_seal(
	    vault_keys(secrets->vault), entry->name, number, created, value, &change->version_row);

	if (r < 0)
		return r;

	vault_version_key(secrets->vault, entry->name, number, &row->key);
	row->raw = change->version_row;
	change->count++;
	entry->versions[entry->versions_count++] = (struct secret_version){
	    .number = number, .size = (uint32_t)secret_len(value), .created = created};
	entry->current = number;
	return 0;
}

static void change_destroy_version(struct secrets *secrets, struct entry_change *change,
    const struct secret_entry *entry, struct secret_version *version)
{
	version->state = VERSION_DESTROYED;
	vault_version_key(
	    secrets->vault, entry->name, version->number, &change->rows[change->count++].key);
}

/* Destroys what is over the limit, and forgets the oldest destroyed ones to keep the list short. */
static void change_trim_versions(
    struct secrets *secrets, struct entry_change *change, struct secret_entry *entry)
{
	size_t excess = entry->versions_count > SECRET_VERSIONS_KEPT
	                    ? entry->versions_count - SECRET_VERSIONS_KEPT
	                    : 0;

	for (size_t i = 0; i < excess; i++)
		if (entry->versions[i].state == VERSION_KEPT)
			change_destroy_version(secrets, change, entry, &entry->versions[i]);
	memmove(entry->versions, entry->versions + excess,
	    (entry->versions_count - excess) * sizeof(*entry->versions));
	entry->versions_count -= excess;
}

/* Puts `entry` where the one of its name is, or in between. There is room: see entries_reserve. */
static void entries_place(struct secrets *secrets, struct secret_entry *entry)
{
	size_t index = secrets_lower_bound(secrets, entry->name);

	if (index < secrets->count && !strcmp(secrets->entries[index]->name, entry->name)) {
		entry_free(secrets->entries[index]);
	} else {
		memmove(secrets->entries + index + 1, secrets->entries + index,
		    (secrets->count - index) * sizeof(secrets->entries[0]));
		secrets->count++;
	}
	secrets->entries[index] = entry;
}

/* Writes the change and shows it; on failure neither has happened. */
static int change_commit(
    struct secrets *secrets, struct entry_change *change, struct secret_entry **entry)
{
	int r = change_add_record(secrets, change, *entry);

	if (r == 0)
		r = entries_reserve(secrets);
	if (r == 0)
		r = vault_commit(secrets->vault, change->rows, change->count);
	if (r < 0)
		return r;

	entries_place(secrets, *entry);
	*entry = NULL;
	return 0;
}

static struct secret_entry *entry_copy_or_new(const struct secrets *secrets, const char *name)
{
	const struct secret_entry *old = secrets_find(secrets, name, true);
	cleanup_entry struct secret_entry *fresh = old ? NULL : entry_new(name);

	if (!old && !fresh)
		return NULL;

	return entry_copy(old ? old : fresh);
}

int secrets_put(struct secrets *secrets, const char *name, const struct secret *value,
    const struct secret_metadata *metadata, const struct secret_entry **ret_entry)
{
	cleanup_entry struct secret_entry *entry = NULL;
	cleanup_change struct entry_change change = {0};
	int r;

	if (!name_is_secret(name))
		return -TACIT_E_INVALID_NAME;
	entry = entry_copy_or_new(secrets, name);
	if (!entry)
		return -ENOMEM;

	r = entry_set_metadata(entry, metadata);
	if (r == 0)
		r = change_add_version(secrets, &change, entry, value);
	if (r < 0)
		return r;

	entry->deleted = false;
	change_trim_versions(secrets, &change, entry);
	r = change_commit(secrets, &change, &entry);
	if (r == 0)
		*ret_entry = secrets_find(secrets, name, false);
	return r;
}

static int entry_copy_existing(const struct secrets *secrets, const char *name, bool with_deleted,
    struct secret_entry **ret_entry)
{
	const struct secret_entry *entry = secrets_find(secrets, name, with_deleted);

	if (!entry)
		return -TACIT_E_NOT_FOUND;

	*ret_entry = entry_copy(entry);
	return *ret_entry ? 0 : -ENOMEM;
}

int secrets_delete(struct secrets *secrets, const char *name)
{
	cleanup_entry struct secret_entry *entry = NULL;
	cleanup_change struct entry_change change = {0};
	int r = entry_copy_existing(secrets, name, false, &entry);

	if (r < 0)
		return r;

	entry->deleted = true;
	return change_commit(secrets, &change, &entry);
}

int secrets_rollback(struct secrets *secrets, const char *name, uint32_t number)
{
	cleanup_entry struct secret_entry *entry = NULL;
	cleanup_change struct entry_change change = {0};
	const struct secret_version *version;
	int r = entry_copy_existing(secrets, name, true, &entry);

	if (r < 0)
		return r;
	version = version_find(entry, number);
	if (!version || version->state == VERSION_DESTROYED)
		return -TACIT_E_NOT_FOUND;

	entry->current = number;
	entry->deleted = false;
	return change_commit(secrets, &change, &entry);
}

int secrets_destroy(struct secrets *secrets, const char *name, uint32_t number)
{
	cleanup_entry struct secret_entry *entry = NULL;
	cleanup_change struct entry_change change = {0};
	int r = entry_copy_existing(secrets, name, true, &entry);
	bool found = false;

	if (r < 0)
		return r;
	if (number != 0 && number == entry->current && !entry->deleted)
		return -TACIT_E_CONFLICT;

	for (size_t i = 0; i < entry->versions_count; i++) {
		struct secret_version *version = &entry->versions[i];

		if ((number && version->number != number) || version->state == VERSION_DESTROYED)
			continue;
		change_destroy_version(secrets, &change, entry, version);
		found = true;
	}
	if (!found)
		return -TACIT_E_NOT_FOUND;

	entry->deleted |= number == 0;
	r = change_commit(secrets, &change, &entry);
	if (r == 0)
		vault_scrub(secrets->vault);
	return r;
}

int secrets_set_metadata(
    struct secrets *secrets, const char *name, const struct secret_metadata *metadata)
{
	cleanup_entry struct secret_entry *entry = NULL;
	cleanup_change struct entry_change change = {0};
	int r = entry_copy_existing(secrets, name, false, &entry);

	if (r == 0)
		r = entry_set_metadata(entry, metadata);

	return r < 0 ? r : change_commit(secrets, &change, &entry);
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

/* SPDX-License-Identifier: MIT */
#include "secret_entry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/codec.h"
#include "tacit/err.h"

void secret_entry_free(struct secret_entry *entry)
{
	free(entry);
}

const struct secret_version *secret_entry_version(const struct secret_entry *entry, uint32_t number)
{
	for (size_t i = entry->versions_count; i > 0; i--)
		if (entry->versions[i - 1].number == number)
			return &entry->versions[i - 1];

	return NULL;
}

void secret_draft_free(struct secret_draft *draft)
{
	free(draft->versions);
	draft->versions = NULL;
	draft->versions_room = 0;
}

void secret_draft_begin(struct secret_draft *draft, const char *name)
{
	(void)snprintf(draft->name, sizeof(draft->name), "%s", name);
	(void)snprintf(draft->file, sizeof(draft->file), "%s", name_default_file(name));
	name_default_env(draft->file, draft->env);
	draft->mode = 0400;
	draft->kept = 0;
	draft->deleted = false;
	draft->current = 0;
	draft->versions_count = 0;
}

static int draft_reserve(struct secret_draft *draft, uint32_t count)
{
	struct secret_version *versions;

	if (count <= draft->versions_room)
		return 0;

	versions = reallocarray(draft->versions, count, sizeof(*versions));
	if (!versions)
		return -ENOMEM;

	draft->versions = versions;
	draft->versions_room = count;
	return 0;
}

int secret_draft_from_entry(struct secret_draft *draft, const struct secret_entry *entry)
{
	/* One more: most changes add a version. */
	if (draft_reserve(draft, entry->versions_count + 1) < 0)
		return -ENOMEM;

	(void)snprintf(draft->name, sizeof(draft->name), "%s", entry->name);
	(void)snprintf(draft->file, sizeof(draft->file), "%s", entry->file);
	(void)snprintf(draft->env, sizeof(draft->env), "%s", entry->env);
	draft->mode = entry->mode;
	draft->kept = entry->kept;
	draft->deleted = entry->deleted;
	draft->current = entry->current;
	draft->versions_count = entry->versions_count;
	memcpy(draft->versions, entry->versions, entry->versions_count * sizeof(*draft->versions));
	return 0;
}

int secret_draft_add_version(struct secret_draft *draft, const struct secret_version *version)
{
	if (draft_reserve(draft, draft->versions_count + 1) < 0)
		return -ENOMEM;

	draft->versions[draft->versions_count++] = *version;
	return 0;
}

void secret_draft_drop_version(struct secret_draft *draft, uint32_t index)
{
	draft->versions_count--;
	memmove(draft->versions + index, draft->versions + index + 1,
	    (draft->versions_count - index) * sizeof(*draft->versions));
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

static void draft_set_file(struct secret_draft *draft, const char *file)
{
	char by_default[sizeof(draft->env)];
	bool follows;

	name_default_env(draft->file, by_default);
	follows = !strcmp(draft->env, by_default);
	(void)snprintf(draft->file, sizeof(draft->file), "%s", file);
	if (follows)
		name_default_env(draft->file, draft->env);
}

int secret_draft_set_metadata(struct secret_draft *draft, const struct secret_metadata *metadata)
{
	int r = secret_metadata_check(metadata);

	if (r < 0)
		return r;

	if (metadata->file)
		draft_set_file(draft, metadata->file);
	if (metadata->env)
		(void)snprintf(draft->env, sizeof(draft->env), "%s", metadata->env);
	if (metadata->mode)
		(void)name_parse_mode(metadata->mode, &draft->mode);
	if (metadata->kept)
		draft->kept = *metadata->kept;
	return 0;
}

int secret_draft_encode(const struct secret_draft *draft, struct secret **ret_record)
{
	cleanup_secret struct secret *record = NULL;
	struct encoder encoder;

	if (secret_new(256, &record) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = record};
	encode_text(&encoder, draft->name);
	encode_text(&encoder, draft->file);
	encode_text(&encoder, draft->env);
	encode_u32(&encoder, draft->mode);
	encode_u8(&encoder, draft->deleted);
	encode_u32(&encoder, draft->current);
	encode_u32(&encoder, draft->versions_count);
	for (size_t i = 0; i < draft->versions_count; i++) {
		encode_u32(&encoder, draft->versions[i].number);
		encode_u32(&encoder, draft->versions[i].size);
		encode_u64(&encoder, (uint64_t)draft->versions[i].created);
		encode_u8(&encoder, (uint8_t)draft->versions[i].state);
	}
	if (draft->kept > 0)
		encode_u32(&encoder, draft->kept);
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

/* There is one way to write each record: 0 is left out. */
static uint16_t kept_decode(struct decoder *decoder)
{
	uint32_t kept;

	if (decoder->left == 0)
		return 0;

	kept = decode_u32(decoder);
	if (kept == 0 || kept > SECRET_VERSIONS_MAX)
		decoder->failed = true;
	return (uint16_t)kept;
}

int secret_draft_decode(struct secret_draft *draft, const struct secret *record)
{
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};

	decode_text(&decoder, draft->name, sizeof(draft->name));
	decode_text(&decoder, draft->file, sizeof(draft->file));
	decode_text(&decoder, draft->env, sizeof(draft->env));
	draft->mode = decode_u32(&decoder);
	draft->deleted = decode_u8(&decoder) != 0;
	draft->current = decode_u32(&decoder);
	draft->versions_count = decode_u32(&decoder);
	if (decoder.failed || draft->versions_count > decoder.left)
		return -TACIT_E_CORRUPT;
	if (draft_reserve(draft, draft->versions_count) < 0)
		return -ENOMEM;

	for (size_t i = 0; i < draft->versions_count; i++)
		version_decode(&decoder, &draft->versions[i]);
	draft->kept = kept_decode(&decoder);
	return decode_end(&decoder) < 0 || !name_is_secret(draft->name) ? -TACIT_E_CORRUPT : 0;
}

/* Copies a text to the end of what is there, and moves the end. */
static const char *block_add(char **end, const char *text, size_t len)
{
	char *copy = *end;

	memcpy(copy, text, len + 1);
	*end += len + 1;
	return copy;
}

int secret_draft_finish(const struct secret_draft *draft, struct secret_entry **ret_entry)
{
	size_t versions_bytes = draft->versions_count * sizeof(*draft->versions);
	size_t name_len = strlen(draft->name), env_len = strlen(draft->env);
	size_t file_len = strlen(draft->file);
	bool file_is_in_name = !strcmp(draft->file, name_default_file(draft->name));
	size_t texts_bytes = name_len + env_len + 2 + (file_is_in_name ? 0 : file_len + 1);
	struct secret_entry *entry = malloc(sizeof(*entry) + versions_bytes + texts_bytes);
	struct secret_version *versions;
	char *end;

	if (!entry)
		return -ENOMEM;

	versions = (struct secret_version *)(entry + 1);
	if (versions_bytes > 0)
		memcpy(versions, draft->versions, versions_bytes);
	end = (char *)versions + versions_bytes;
	*entry = (struct secret_entry){
	    .versions = versions,
	    .versions_count = draft->versions_count,
	    .current = draft->current,
	    .mode = draft->mode,
	    .kept = draft->kept,
	    .deleted = draft->deleted,
	};
	entry->name = block_add(&end, draft->name, name_len);
	entry->env = block_add(&end, draft->env, env_len);
	entry->file = file_is_in_name ? name_default_file(entry->name)
	                              : block_add(&end, draft->file, file_len);
	*ret_entry = entry;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "tacit/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/err.h"
#include "tacit/json.h"
#include "tacit/proto.h"

static struct bundle_item *bundle_grow(struct bundle *bundle)
{
	struct bundle_item *items =
	    reallocarray(bundle->items, bundle->count + 1, sizeof(*bundle->items));

	if (!items)
		return NULL;

	bundle->items = items;
	memset(&items[bundle->count], 0, sizeof(*items));
	return &items[bundle->count++];
}

int bundle_add(struct bundle *bundle, const char *name, struct secret *value)
{
	struct bundle_item *item = bundle_grow(bundle);

	if (!item) {
		secret_free(value);
		return -ENOMEM;
	}

	(void)snprintf(item->name, sizeof(item->name), "%s", name);
	(void)snprintf(item->file, sizeof(item->file), "%s", name_default_file(item->name));
	name_default_env(item->file, item->env);
	item->mode = 0400;
	item->value = value;
	return 0;
}

void bundle_free(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++)
		secret_free(bundle->items[i].value);
	free(bundle->items);
	*bundle = (struct bundle){0};
}

struct bundle_item *bundle_find(const struct bundle *bundle, const char *name)
{
	for (size_t i = 0; i < bundle->count; i++)
		if (!strcmp(bundle->items[i].name, name))
			return &bundle->items[i];

	return NULL;
}

/*
 * Printed by hand, not through json.h: names, files and variables have grammars without a
 * character that JSON would escape, and a value goes straight from one secret into the other.
 */
static int item_print(struct secret *text, const struct bundle_item *item)
{
	char head[3 * NAME_MAX_BYTES + 128];
	int head_len = snprintf(head, sizeof(head),
	    "{\"name\":\"%s\",\"version\":%u,\"file\":\"%s\",\"env\":\"%s\",\"mode\":\"%04o\","
	    "\"value\":\"",
	    item->name, item->version, item->file, item->env, (unsigned)item->mode);

	if (secret_append(text, head, (size_t)head_len) < 0 ||
	    secret_append_base64(text, secret_bytes(item->value), secret_len(item->value)) < 0)
		return -ENOMEM;

	return secret_append_text(text, "\"}");
}

int bundle_print(const struct bundle *bundle, struct secret **ret_text)
{
	cleanup_secret struct secret *text = NULL;
	char head[64];

	if (secret_new(256 + bundle->count * 256, &text) < 0)
		return -ENOMEM;

	(void)snprintf(head, sizeof(head), "{\"revision\":%llu,\"secrets\":[",
	    (unsigned long long)bundle->revision);
	if (secret_append_text(text, head) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < bundle->count; i++)
		if ((i > 0 && secret_append_text(text, ",") < 0) ||
		    item_print(text, &bundle->items[i]) < 0)
			return -ENOMEM;
	if (secret_append_text(text, "]}") < 0)
		return -ENOMEM;

	*ret_text = secret_take(&text);
	return 0;
}

struct item_texts {
	const char *name, *file, *env, *mode, *value;
};

/* The texts become paths and variables: nothing is taken that its grammar does not allow. */
static int item_check(const struct json *json, struct item_texts *ret_texts, int64_t *ret_version)
{
	struct item_texts texts = {
	    .name = json_text_at(json, "name"),
	    .file = json_text_at(json, "file"),
	    .env = json_text_at(json, "env"),
	    .mode = json_text_at(json, "mode"),
	    .value = json_text_at(json, "value"),
	};

	if (!texts.name || !texts.file || !texts.env || !texts.mode || !texts.value)
		return -TACIT_E_MALFORMED;
	if (!name_is_secret(texts.name) || !name_is_file(texts.file))
		return -TACIT_E_MALFORMED;
	if (strlen(texts.env) > NAME_MAX_BYTES + 5)
		return -TACIT_E_MALFORMED;
	if (json_int_at(json, "version", ret_version) < 0 || *ret_version < 0 ||
	    *ret_version > UINT32_MAX)
		return -TACIT_E_MALFORMED;

	*ret_texts = texts;
	return 0;
}

/* A default variable may start with a digit, which name_is_env would not take. */
static bool item_env_is_good(const struct bundle_item *item, const char *env)
{
	return !strcmp(item->env, env) || name_is_env(env);
}

static int item_parse(const struct json *json, struct bundle *bundle)
{
	struct item_texts texts;
	struct secret *value;
	struct bundle_item *item;
	int64_t version;
	int r = item_check(json, &texts, &version);

	if (r < 0)
		return r;
	if (bundle_find(bundle, texts.name))
		return -TACIT_E_MALFORMED;

	r = secret_from_base64(texts.value, strlen(texts.value), &value);
	if (r < 0)
		return r;
	r = bundle_add(bundle, texts.name, value);
	if (r < 0)
		return r;

	item = &bundle->items[bundle->count - 1];
	(void)snprintf(item->file, sizeof(item->file), "%s", texts.file);
	name_default_env(item->file, item->env);
	if (!item_env_is_good(item, texts.env) || secret_len(value) > PROTO_VALUE_MAX_BYTES ||
	    name_parse_mode(texts.mode, &item->mode) < 0)
		return -TACIT_E_MALFORMED;
	(void)snprintf(item->env, sizeof(item->env), "%s", texts.env);
	item->version = (uint32_t)version;
	return 0;
}

int bundle_parse(const void *bytes, size_t len, struct bundle *ret_bundle)
{
	cleanup_json struct json *json = NULL;
	cleanup_bundle struct bundle bundle = {0};
	const struct json *secrets;
	int64_t revision;

	if (json_parse(bytes, len, &json, NULL) < 0 || !json_holds_object(json))
		return -TACIT_E_MALFORMED;

	secrets = json_array_at(json, "secrets");
	if (!secrets || json_count(secrets) > BUNDLE_ITEMS_MAX ||
	    json_int_at(json, "revision", &revision) < 0 || revision < 0)
		return -TACIT_E_MALFORMED;

	bundle.revision = (uint64_t)revision;
	for (size_t i = 0; i < json_count(secrets); i++) {
		int r = item_parse(json_item(secrets, i), &bundle);

		if (r < 0)
			return r;
	}

	*ret_bundle = bundle;
	bundle = (struct bundle){0};
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "selection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/fd.h"

#define SPEC_SEPARATORS " \t\r\n;"

static int set_file(struct selection_item *item, const char *value)
{
	if (!name_is_file(value))
		return -TACIT_E_INVALID_NAME;

	(void)snprintf(item->file, sizeof(item->file), "%s", value);
	return 0;
}

static int set_env(struct selection_item *item, const char *value)
{
	if (!name_is_env(value))
		return -TACIT_E_INVALID_ENV;

	(void)snprintf(item->env, sizeof(item->env), "%s", value);
	return 0;
}

static int set_mode(struct selection_item *item, const char *value)
{
	return name_parse_mode(value, &item->mode);
}

static int set_optional(struct selection_item *item, const char *value)
{
	(void)value;
	item->optional = true;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct selection_item *item, const char *value);
} attributes[] = {
    {"env=", set_env},
    {"file=", set_file},
    {"mode=", set_mode},
    {"optional", set_optional},
};

/* A key that ends with `=` takes the rest as its value, one without must be all there is. */
static int attribute_parse(struct selection_item *item, const char *text)
{
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		size_t key_len = strlen(attributes[i].key);

		if (strncmp(text, attributes[i].key, key_len) != 0)
			continue;
		if (attributes[i].key[key_len - 1] != '=' && text[key_len] != '\0')
			continue;

		return attributes[i].set(item, text + key_len);
	}

	return -TACIT_E_USAGE;
}

/* NAME or NAME=FILE. */
static int head_parse(struct selection_item *item, char *text)
{
	char *equals = strchr(text, '=');

	if (equals)
		*equals = '\0';
	if (!name_is_secret(text))
		return -TACIT_E_INVALID_NAME;

	(void)snprintf(item->name, sizeof(item->name), "%s", text);
	return equals ? set_file(item, equals + 1) : 0;
}

static int spec_parse(const char *text, struct selection_item *ret_item)
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy;
	int r;

	if (!copy)
		return -ENOMEM;

	r = head_parse(ret_item, strsep(&rest, ","));
	while (r == 0 && rest)
		r = attribute_parse(ret_item, strsep(&rest, ","));

	return r;
}

static bool selection_names(const struct selection *selection, const char *name)
{
	for (size_t i = 0; i < selection->count; i++)
		if (!strcmp(selection->items[i].name, name))
			return true;

	return false;
}

int selection_add(struct selection *selection, const char *text, struct fault *fault)
{
	struct selection_item item = {0};
	struct selection_item *items;
	int r = spec_parse(text, &item);

	if (r < 0)
		return fault_set(fault, r, "--secret %s", text);
	if (selection_names(selection, item.name))
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "selected twice", "--secret %s", item.name);

	items = reallocarray(selection->items, selection->count + 1, sizeof(*items));
	if (!items)
		return fault_set(fault, -ENOMEM, "--secret %s", item.name);

	items[selection->count++] = item;
	selection->items = items;
	return 0;
}

int selection_add_all(struct selection *selection, const char *text, struct fault *fault)
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy;
	char *spec;

	if (!copy)
		return fault_set(fault, -ENOMEM, "TACIT_SECRETS");

	while ((spec = strsep(&rest, SPEC_SEPARATORS)) != NULL) {
		int r = *spec ? selection_add(selection, spec, fault) : 0;

		if (r < 0)
			return r;
	}

	return 0;
}

static void item_shape(struct bundle_item *item, const struct selection_item *wish)
{
	char default_env[sizeof(item->env)];

	name_default_env(item->file, default_env);
	if (wish->file[0]) {
		bool env_is_default = !strcmp(item->env, default_env);

		(void)snprintf(item->file, sizeof(item->file), "%s", wish->file);
		if (env_is_default)
			name_default_env(item->file, item->env);
	}
	if (wish->env[0])
		(void)snprintf(item->env, sizeof(item->env), "%s", wish->env);
	if (wish->mode)
		item->mode = wish->mode;
}

/* Moves one item, with its value, from `from` to the end of `to`, which has room for it. */
static int item_select(
    struct bundle *from, const struct selection_item *wish, struct bundle *to, struct fault *fault)
{
	struct bundle_item *item = bundle_find(from, wish->name);

	if (!item && wish->optional)
		return 0;
	if (!item)
		return fault_set(fault, -TACIT_E_NOT_FOUND, "%s", wish->name);

	to->items[to->count] = *item;
	item->value = NULL;
	item_shape(&to->items[to->count++], wish);
	return 0;
}

int selection_apply(const struct selection *selection, struct bundle *bundle, struct fault *fault)
{
	cleanup_bundle struct bundle chosen = {.revision = bundle->revision};
	struct bundle all = *bundle;

	if (selection->count == 0)
		return 0;

	chosen.items = calloc(selection->count, sizeof(*chosen.items));
	if (!chosen.items)
		return fault_set(fault, -ENOMEM, "secrets");

	for (size_t i = 0; i < selection->count; i++) {
		int r = item_select(bundle, &selection->items[i], &chosen, fault);

		if (r < 0)
			return r;
	}

	*bundle = chosen;
	chosen = all; /* the rest goes */
	return 0;
}

void selection_free(struct selection *selection)
{
	free(selection->items);
	*selection = (struct selection){0};
}

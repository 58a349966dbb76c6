/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "must.h"
#include "tacit/bundle.h"
#include "tacit/err.h"
#include "tacit/proto.h"

/* The agent makes paths and variables of these, so what was accepted must be harmless. */
static void check_item(const struct bundle *bundle, const struct bundle_item *item)
{
	char default_env[NAME_MAX_BYTES + 6];

	must(name_is_secret(item->name));
	must(name_is_file(item->file) && !strchr(item->file, '/'));
	name_default_env(item->file, default_env);
	must(name_is_env(item->env) || !strcmp(item->env, default_env));
	must(item->mode == 0400 || item->mode == 0440);
	must(secret_len(item->value) <= PROTO_VALUE_MAX_BYTES);
	must(bundle_find(bundle, item->name) == item);
}

static void check_same(const struct bundle *left, const struct bundle *right)
{
	must(left->revision == right->revision && left->count == right->count);
	for (size_t i = 0; i < left->count; i++) {
		const struct bundle_item *a = &left->items[i], *b = &right->items[i];

		must(!strcmp(a->name, b->name) && !strcmp(a->file, b->file));
		must(!strcmp(a->env, b->env) && a->mode == b->mode && a->version == b->version);
		must(secret_equals(a->value, secret_bytes(b->value), secret_len(b->value)));
	}
}

static void check_bundle(const struct bundle *bundle)
{
	cleanup_secret struct secret *text = NULL;
	cleanup_bundle struct bundle back = {0};

	must(bundle->count <= BUNDLE_ITEMS_MAX);
	for (size_t i = 0; i < bundle->count; i++)
		check_item(bundle, &bundle->items[i]);

	must(bundle_print(bundle, &text) == 0);
	must(bundle_parse(secret_bytes(text), secret_len(text), &back) == 0);
	check_same(bundle, &back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_bundle struct bundle bundle = {0};

	if (bundle_parse(bytes, len, &bundle) == 0)
		check_bundle(&bundle);
	else
		must(!bundle.items && bundle.count == 0 && bundle.revision == 0);

	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>

#include "tacit/env_file.h"
#include "tacit/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What was accepted must keep what the header promises. */
static void check_bundle(const struct bundle *bundle)
{
	if (bundle->count > BUNDLE_ITEMS_MAX)
		abort();

	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_item *item = &bundle->items[i];

		if (!name_is_env(item->name) || !name_is_env(item->env) ||
		    !name_is_file(item->file) || secret_len(item->value) > PROTO_VALUE_MAX_BYTES ||
		    bundle_find(bundle, item->name) != item)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_secret struct secret *text = NULL;
	cleanup_bundle struct bundle bundle = {0};
	unsigned line = 0;

	if (secret_new_from(bytes, len, &text) < 0)
		return 0;

	int err = env_file_parse(text, &bundle, &line);

	if (err == 0)
		check_bundle(&bundle);
	else if (line == 0 || bundle.count != 0)
		abort();

	return 0;
}

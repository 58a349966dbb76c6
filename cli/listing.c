/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <errno.h>
#include <stdlib.h>

#include "tacit/err.h"

int listing_new(const struct listing_shape *shape, bool wants_json, struct listing *ret_listing)
{
	struct listing *listing = ret_listing;

	*listing = (struct listing){.shape = shape};
	if (!wants_json)
		return table_new(shape->columns, &listing->table);

	listing->json = open_memstream(&listing->json_text, &listing->json_text_len);

	return listing->json ? 0 : -ENOMEM;
}

void listing_free(struct listing *listing)
{
	table_free(&listing->table);
	if (listing->json)
		(void)fclose(listing->json);

	free(listing->json_text);
	*listing = (struct listing){0};
}

static int add_json(struct listing *listing, const struct json *item)
{
	cleanup_secret struct secret *text = NULL;
	int err = json_print(item, &text);

	if (err < 0)
		return err;

	if (listing->count > 0)
		(void)fputc(',', listing->json);

	(void)fwrite(secret_bytes(text), 1, secret_len(text), listing->json);

	return ferror(listing->json) ? -ENOMEM : 0;
}

int listing_add(struct listing *listing, const struct json *item)
{
	int err = 0;

	if (listing->json)
		err = add_json(listing, item);
	else
		listing->shape->add_row(&listing->table, item);

	listing->count++;

	return err;
}

int listing_add_all(struct listing *listing, const struct json *answer)
{
	const struct json *items = json_array_at(answer, listing->shape->key);
	int err = items ? 0 : -TACIT_E_PROTOCOL;

	for (size_t i = 0; err == 0 && i < json_count(items); i++) {
		const struct json *item = json_item(items, i);

		err = json_holds_object(item) ? listing_add(listing, item) : -TACIT_E_PROTOCOL;
	}

	return err;
}

int listing_show(struct listing *listing)
{
	if (!listing->json)
		return table_show(&listing->table);

	if (fflush(listing->json) != 0)
		return -ENOMEM;

	errno = 0; /* as in table_print() */
	(void)printf("{\"%s\":[%s]}\n", listing->shape->key, listing->json_text);

	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;

	return errno ? -errno : -EIO;
}

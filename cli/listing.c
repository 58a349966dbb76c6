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

	json_free(listing->also);
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

/* A text or a number; -TACIT_E_PROTOCOL for anything else. */
static int copy_member(struct json *to, const struct json *from, const char *key)
{
	const char *text = json_text_at(from, key);
	int64_t number;

	if (text)
		return json_set_text(to, key, text);

	return json_int_at(from, key, &number) < 0 ? -TACIT_E_PROTOCOL
	                                           : json_set_int(to, key, number);
}

static int keep_also(struct listing *listing, const struct json *answer)
{
	int err;

	if (!listing->json || !listing->shape->also || listing->also)
		return 0;

	listing->also = json_new_object();
	err = listing->also ? 0 : -ENOMEM;
	for (const char *const *key = listing->shape->also; err == 0 && *key; key++)
		err = copy_member(listing->also, answer, *key);
	return err;
}

int listing_add_all(struct listing *listing, const struct json *answer)
{
	const struct json *items = json_array_at(answer, listing->shape->key);
	int err = items ? keep_also(listing, answer) : -TACIT_E_PROTOCOL;

	for (size_t i = 0; err == 0 && i < json_count(items); i++) {
		const struct json *item = json_item(items, i);

		err = json_holds_object(item) ? listing_add(listing, item) : -TACIT_E_PROTOCOL;
	}

	return err;
}

/* What goes beside the array, without the braces around it. */
static int print_also(const struct listing *listing)
{
	cleanup_secret struct secret *text = NULL;
	int err = listing->also ? json_print(listing->also, &text) : 0;

	if (err < 0 || !text)
		return err;

	(void)printf(",%.*s", (int)(secret_len(text) - 2), (const char *)secret_bytes(text) + 1);
	return 0;
}

int listing_show(struct listing *listing)
{
	int err;

	if (!listing->json)
		return table_show(&listing->table);

	if (fflush(listing->json) != 0)
		return -ENOMEM;

	errno = 0; /* as in table_print() */
	(void)printf("{\"%s\":[%s]", listing->shape->key, listing->json_text);
	err = print_also(listing);
	if (err < 0)
		return err;
	(void)puts("}");

	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;

	return errno ? -errno : -EIO;
}

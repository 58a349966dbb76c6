/* SPDX-License-Identifier: MIT */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "table.h"

/*
 * What `ls`, `versions`, `client ls`, `grants` and `import` print: a table, or with --json one
 * object whose first member is the array of the same things. Nothing shows before all is there.
 */
struct listing_shape {
	const char *key; /* of the array: "secrets" */
	const struct table_column *columns;
	void (*add_row)(struct table *table, const struct json *item);
	const char *const *also; /* texts and numbers beside the array, for --json; NULL for none */
};

struct listing {
	const struct listing_shape *shape; /* borrowed */
	struct table table;
	FILE *json; /* NULL when a table is wanted */
	char *json_text;
	size_t json_text_len;
	struct json *also; /* what goes beside it, as the answer that was added first has it */
	size_t count;
};

/* 0 or -ENOMEM. */
int listing_new(const struct listing_shape *shape, bool wants_json, struct listing *ret_listing);
void listing_free(struct listing *listing);
#define cleanup_listing __attribute__((cleanup(listing_free)))

/* 0 or -ENOMEM. `item` stays the caller's. */
int listing_add(struct listing *listing, const struct json *item);

/* Adds everything in the array of the shape's key in `answer`; -TACIT_E_PROTOCOL without one. */
int listing_add_all(struct listing *listing, const struct json *answer);

/* Prints to stdout. 0, -ENOMEM or -errno. */
int listing_show(struct listing *listing);

#endif

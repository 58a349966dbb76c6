/* SPDX-License-Identifier: MIT */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "tacit/json.h"

/*
 * Aligned tables. Cells are added one by one, row by row; an error sticks and is asked for when
 * the table is shown.
 */
#define TABLE_COLUMNS_MAX 8

struct table_column {
	const char *title;
	bool right; /* numbers */
};

struct table {
	const struct table_column *columns; /* ends with a column whose title is NULL */
	FILE *stream;
	char *text; /* every cell, each behind the other with its NUL */
	size_t text_len;
	size_t cell_count;
};

/* 0 or -ENOMEM. `columns` is borrowed. */
int table_new(const struct table_column *columns, struct table *ret_table);
void table_free(struct table *table);
#define cleanup_table __attribute__((cleanup(table_free)))

void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A member of a JSON object as the next cell; `-` when it is not there. */
void table_add_text(struct table *table, const struct json *object, const char *key);
void table_add_int(struct table *table, const struct json *object, const char *key);

/*
 * Prints titles and rows. `width` is what may be used, 0 for as much as it takes: where that is
 * less the widest columns are cut, and each cut shows as `…`. Bytes that are not printable ASCII
 * become `?`, since what a server sends is not to steer a terminal. 0, -ENOMEM or -errno.
 */
int table_print(struct table *table, FILE *out, size_t width, bool bold_titles);

/* One cell, cut to `width` as above; it is not padded. */
void table_print_cell(FILE *out, const char *cell, size_t width);

/* Of the terminal that stdout is; 0 when it is none. */
size_t table_width(void);

/* Prints to stdout as that is: cut and bold only on a terminal, never bold with NO_COLOR. */
int table_show(struct table *table);

#endif

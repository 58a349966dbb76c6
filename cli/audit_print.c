/* SPDX-License-Identifier: MIT */
#include "audit_print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "table.h"

#define CELL_BYTES  64
#define WHERE_BYTES 4096

/* What a line is in the columns; the last one, which secrets or what else, is as long as it is. */
struct row {
	char cells[AUDIT_COLUMNS - 1][CELL_BYTES];
	char where[WHERE_BYTES];
};

static const char *const titles[AUDIT_COLUMNS] = {
    "TIME", "CLIENT", "PEER", "EVENT", "STATUS", "WHAT"};

static void where_add(struct row *row, const char *before, const char *text)
{
	size_t len = strlen(row->where);

	(void)snprintf(row->where + len, WHERE_BYTES - len, "%s%s", before, text);
}

static void where_add_secret(struct row *row, const struct json *secret)
{
	const char *name = json_text_at(secret, "name");
	char version[32];
	int64_t number;

	where_add(row, row->where[0] ? ", " : "", name ? name : "?");
	if (json_int_at(secret, "version", &number) == 0) {
		(void)snprintf(version, sizeof(version), "%" PRId64, number);
		where_add(row, " v", version);
	}
}

static void row_fill(const struct json *entry, struct row *row)
{
	static const char *const keys[] = {"time", "client", "peer", "event"};
	const struct json *secrets = json_array_at(entry, "secrets");
	const char *subject = json_text_at(entry, "subject");
	int64_t status;

	*row = (struct row){0};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *text = json_text_at(entry, keys[i]);

		(void)snprintf(row->cells[i], CELL_BYTES, "%s", text ? text : "-");
	}
	if (json_int_at(entry, "status", &status) == 0)
		(void)snprintf(row->cells[4], CELL_BYTES, "%" PRId64, status);
	else
		(void)snprintf(row->cells[4], CELL_BYTES, "-");
	for (size_t i = 0; secrets && i < json_count(secrets); i++)
		where_add_secret(row, json_item(secrets, i));
	if (subject)
		where_add(row, row->where[0] ? "; " : "", subject);
}

static void widen(struct audit_printer *printer, size_t column, const char *text)
{
	size_t len = strlen(text);

	if (len > printer->widths[column])
		printer->widths[column] = len;
}

/* A table's columns, but for the last one, which takes what is left of the line. */
static void print_row(struct audit_printer *printer, const struct row *row, size_t width)
{
	size_t used = 0;

	for (size_t i = 0; i < AUDIT_COLUMNS - 1; i++) {
		widen(printer, i, row->cells[i]);
		table_print_cell(stdout, row->cells[i], printer->widths[i]);
		(void)printf("%*s  ", (int)(printer->widths[i] - strlen(row->cells[i])), "");
		used += printer->widths[i] + 2;
	}

	table_print_cell(stdout, row->where, width > used + 8 ? width - used : SIZE_MAX);
	(void)putchar('\n');
}

static void begin(struct audit_printer *printer, size_t width)
{
	struct row row = {0};

	if (printer->began)
		return;

	for (size_t i = 0; i < AUDIT_COLUMNS - 1; i++)
		(void)snprintf(row.cells[i], CELL_BYTES, "%s", titles[i]);
	(void)snprintf(row.where, WHERE_BYTES, "%s", titles[AUDIT_COLUMNS - 1]);
	print_row(printer, &row, width);
	printer->began = true;
}

static int print_json(const struct json *entry)
{
	cleanup_secret struct secret *text = NULL;
	int err = json_print(entry, &text);

	if (err < 0)
		return err;

	(void)fwrite(secret_bytes(text), 1, secret_len(text), stdout);
	(void)putchar('\n');
	return 0;
}

static int flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;

	return errno ? -errno : -EIO;
}

/* The widths of a page are known before its first line is printed. */
static void print_table(struct audit_printer *printer, const struct json *entries)
{
	size_t width = table_width();
	struct row row;

	for (size_t i = 0; i < json_count(entries); i++) {
		row_fill(json_item(entries, i), &row);
		for (size_t j = 0; j < AUDIT_COLUMNS - 1; j++)
			widen(printer, j, row.cells[j]);
	}
	begin(printer, width);
	for (size_t i = 0; i < json_count(entries); i++) {
		row_fill(json_item(entries, i), &row);
		print_row(printer, &row, width);
	}
}

int audit_print(struct audit_printer *printer, const struct json *entries)
{
	int err = 0;

	errno = 0; /* as in table_print() */
	if (!printer->wants_json)
		print_table(printer, entries);
	for (size_t i = 0; printer->wants_json && err == 0 && i < json_count(entries); i++)
		err = print_json(json_item(entries, i));

	return err < 0 ? err : flush();
}

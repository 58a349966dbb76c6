/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMN_GAP       2
#define COLUMN_MIN_WIDTH 4
#define TERMINAL_WIDTH   80 /* where the terminal does not know */
#define BOLD             "\033[1m"
#define PLAIN            "\033[0m"
#define ELLIPSIS         "\xe2\x80\xa6"

int table_new(const struct table_column *columns, struct table *ret_table)
{
	struct table *table = ret_table;

	*table = (struct table){.columns = columns};
	table->stream = open_memstream(&table->text, &table->text_len);

	return table->stream ? 0 : -ENOMEM;
}

void table_free(struct table *table)
{
	if (table->stream)
		(void)fclose(table->stream);

	free(table->text);
	*table = (struct table){0};
}

void table_add(struct table *table, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vfprintf(table->stream, format, arguments);
	va_end(arguments);
	(void)fputc('\0', table->stream);
	table->cell_count++;
}

void table_add_text(struct table *table, const struct json *object, const char *key)
{
	const char *text = json_text_at(object, key);

	table_add(table, "%s", text && *text ? text : "-");
}

void table_add_int(struct table *table, const struct json *object, const char *key)
{
	int64_t value;

	if (json_int_at(object, key, &value) == 0)
		table_add(table, "%" PRId64, value);
	else
		table_add(table, "-");
}

static size_t column_count(const struct table *table)
{
	size_t count = 0;

	while (table->columns[count].title)
		count++;

	return count;
}

static void measure(const struct table *table, size_t count, size_t widths[TABLE_COLUMNS_MAX])
{
	const char *cell = table->text;

	for (size_t i = 0; i < count; i++)
		widths[i] = strlen(table->columns[i].title);

	for (size_t i = 0; i < table->cell_count; i++) {
		size_t len = strlen(cell);

		if (len > widths[i % count])
			widths[i % count] = len;
		cell += len + 1;
	}
}

static size_t widest_column(size_t count, const size_t widths[TABLE_COLUMNS_MAX])
{
	size_t widest = 0;

	for (size_t i = 1; i < count; i++) {
		if (widths[i] > widths[widest])
			widest = i;
	}

	return widest;
}

/* Takes from the widest column until the line fits, or until nothing is left to take. */
static void squeeze(size_t count, size_t widths[TABLE_COLUMNS_MAX], size_t width)
{
	size_t total = (count - 1) * COLUMN_GAP;

	for (size_t i = 0; i < count; i++)
		total += widths[i];

	for (; total > width; total--) {
		size_t widest = widest_column(count, widths);

		if (widths[widest] <= COLUMN_MIN_WIDTH)
			return;
		widths[widest]--;
	}
}

static void print_blanks(FILE *out, size_t count)
{
	(void)fprintf(out, "%*s", (int)count, "");
}

void table_print_cell(FILE *out, const char *cell, size_t width)
{
	size_t len = strlen(cell);
	size_t shown = len > width ? width - 1 : len;

	for (size_t i = 0; i < shown; i++)
		(void)fputc(cell[i] >= ' ' && cell[i] <= '~' ? cell[i] : '?', out);

	if (len > width)
		(void)fputs(ELLIPSIS, out);
}

/* The last column is not padded: blanks at the end of a line are of no use to anybody. */
static void print_padded(FILE *out, const char *cell, size_t width, bool right, bool last)
{
	size_t len = strlen(cell);
	size_t padding = len < width ? width - len : 0;

	if (right)
		print_blanks(out, padding);

	table_print_cell(out, cell, width);
	if (!right && !last)
		print_blanks(out, padding);

	if (last)
		(void)fputc('\n', out);
	else
		print_blanks(out, COLUMN_GAP);
}

static void print_titles(const struct table *table, FILE *out, size_t count,
    const size_t widths[TABLE_COLUMNS_MAX], bool bold)
{
	if (bold)
		(void)fputs(BOLD, out);

	for (size_t i = 0; i < count; i++) {
		const struct table_column *column = &table->columns[i];

		print_padded(out, column->title, widths[i], column->right, i + 1 == count);
	}

	if (bold)
		(void)fputs(PLAIN, out);
}

int table_print(struct table *table, FILE *out, size_t width, bool bold_titles)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	size_t count = column_count(table);

	assert(count > 0 && count <= TABLE_COLUMNS_MAX);

	if (fflush(table->stream) != 0 || ferror(table->stream))
		return -ENOMEM;

	errno = 0; /* an early write(2) that fails tells stdio, and only later us */
	measure(table, count, widths);
	if (width > 0)
		squeeze(count, widths, width);

	print_titles(table, out, count, widths, bold_titles);

	const char *cell = table->text;

	for (size_t i = 0; i < table->cell_count; i++) {
		size_t at = i % count;

		print_padded(out, cell, widths[at], table->columns[at].right, at + 1 == count);
		cell += strlen(cell) + 1;
	}

	if (fflush(out) == 0 && !ferror(out))
		return 0;

	return errno ? -errno : -EIO;
}

static size_t terminal_width(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return TERMINAL_WIDTH;

	return size.ws_col;
}

/* https://no-color.org: any text but the empty one switches colour off. */
static bool wants_bold(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return !(no_color && *no_color) && terminal && strcmp(terminal, "dumb") != 0;
}

size_t table_width(void)
{
	return isatty(STDOUT_FILENO) ? terminal_width() : 0;
}

int table_show(struct table *table)
{
	if (!isatty(STDOUT_FILENO))
		return table_print(table, stdout, 0, false);

	return table_print(table, stdout, terminal_width(), wants_bold());
}

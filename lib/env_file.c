/* SPDX-License-Identifier: MIT */
#include "tacit/env_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "tacit/err.h"
#include "tacit/name.h"
#include "tacit/proto.h"

struct reader {
	const char *at;
	const char *end;
	unsigned line; /* of `at` */
};

static bool reader_sees(const struct reader *reader, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(reader->end - reader->at) >= len && memcmp(reader->at, text, len) == 0;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && is_blank(*reader->at))
		reader->at++;
}

/* Moves to `to` and counts the lines that are passed. */
static void reader_advance(struct reader *reader, const char *to)
{
	for (; reader->at < to; reader->at++) {
		if (*reader->at == '\n')
			reader->line++;
	}
}

static const char *line_end(const struct reader *reader)
{
	const char *newline = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));

	return newline ? newline : reader->end;
}

static void skip_line(struct reader *reader)
{
	const char *end = line_end(reader);

	reader_advance(reader, end < reader->end ? end + 1 : end);
}

static bool at_line_end(const struct reader *reader)
{
	return reader->at == reader->end || *reader->at == '\n';
}

/* `export` is a keyword only with a blank behind it: `export=1` sets a variable of that name. */
static void skip_export(struct reader *reader)
{
	if (!reader_sees(reader, "export ") && !reader_sees(reader, "export\t"))
		return;

	struct reader ahead = *reader;

	ahead.at += strlen("export");
	skip_blanks(&ahead);
	if (!reader_sees(&ahead, "="))
		*reader = ahead;
}

/* The variable must be one, and so must the one that will hold the path of its file. */
static bool name_is_usable(const char *name)
{
	char path_env[NAME_MAX_BYTES + 6];

	if (!name_is_env(name) || !name_is_secret(name))
		return false;

	name_default_env(name, path_env);

	return name_is_env(path_env);
}

static int read_name(struct reader *reader, char ret_name[static NAME_MAX_BYTES + 1])
{
	const char *start = reader->at;
	const char *equals = memchr(start, '=', (size_t)(line_end(reader) - start));

	if (!equals)
		return -TACIT_E_MALFORMED;

	size_t len = (size_t)(equals - start);

	while (len > 0 && is_blank(start[len - 1]))
		len--;
	if (len > NAME_MAX_BYTES)
		return -TACIT_E_INVALID_ENV;

	memcpy(ret_name, start, len);
	ret_name[len] = '\0';
	if (!name_is_usable(ret_name))
		return -TACIT_E_INVALID_ENV;

	reader->at = equals + 1;

	return 0;
}

/* NULL when the quote that `reader` stands behind is never closed. */
static const char *closing_quote(const struct reader *reader, char quote)
{
	for (const char *at = reader->at; at < reader->end; at++) {
		if (*at == quote)
			return at;
		if (quote == '"' && *at == '\\')
			at++;
	}

	return NULL;
}

/* What `\` and `letter` stand for, or 0 where the two stand for themselves. */
static char escape_meaning(char letter)
{
	static const char meanings[][2] = {
	    {'n', '\n'},
	    {'r', '\r'},
	    {'t', '\t'},
	    {'"', '"'},
	    {'\\', '\\'},
	    {'$', '$'},
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (meanings[i][0] == letter)
			return meanings[i][1];
	}

	return 0;
}

/* Writes what stands between quotes; the result is never longer. Returns its length. */
static size_t unquote(const char *from, const char *to, bool escapes, uint8_t *ret_bytes)
{
	size_t len = 0;

	while (from < to) {
		bool pair = to - from >= 2;
		char meaning = '\0';

		if (escapes && pair && *from == '\\')
			meaning = escape_meaning(from[1]);
		if (meaning != '\0') {
			ret_bytes[len++] = (uint8_t)meaning;
			from += 2;
		} else if (pair && from[0] == '\r' && from[1] == '\n') {
			from++;
		} else {
			ret_bytes[len++] = (uint8_t)*from++;
		}
	}

	return len;
}

static int read_quoted(struct reader *reader, char quote, struct secret *value)
{
	reader->at++;

	const char *close = closing_quote(reader, quote);

	if (!close)
		return -TACIT_E_MALFORMED;

	uint8_t *space = secret_space(value, (size_t)(close - reader->at));

	if (!space)
		return -ENOMEM;

	secret_grew(value, unquote(reader->at, close, quote == '"', space));
	reader_advance(reader, close + 1);
	skip_blanks(reader);
	if (!at_line_end(reader) && *reader->at != '#')
		return -TACIT_E_MALFORMED;

	return 0;
}

/* `#` starts a comment only behind a blank: a value may hold one, or start with it. */
static const char *bare_end(const char *start, const char *end)
{
	for (const char *at = start; at + 1 < end; at++) {
		if (is_blank(at[0]) && at[1] == '#')
			return at;
	}

	return end;
}

static int read_bare(struct reader *reader, struct secret *value)
{
	const char *start = reader->at;
	const char *end = bare_end(start, line_end(reader));

	while (start < end && is_blank(*start))
		start++;
	while (end > start && is_blank(end[-1]))
		end--;

	return secret_append(value, start, (size_t)(end - start));
}

static int read_value(struct reader *reader, struct secret **ret_value)
{
	cleanup_secret struct secret *value = NULL;
	struct reader ahead = *reader;
	int err = secret_new(0, &value);

	if (err < 0)
		return err;

	skip_blanks(&ahead);
	if (reader_sees(&ahead, "'") || reader_sees(&ahead, "\"")) {
		*reader = ahead;
		err = read_quoted(reader, *ahead.at, value);
	} else {
		err = read_bare(reader, value);
	}
	if (err < 0)
		return err;
	if (secret_len(value) > PROTO_VALUE_MAX_BYTES)
		return -TACIT_E_TOO_LARGE;

	*ret_value = secret_take(&value);

	return 0;
}

static int keep_variable(struct bundle *bundle, const char *name, struct secret *value)
{
	struct bundle_item *earlier = bundle_find(bundle, name);

	if (earlier) {
		secret_free(earlier->value);
		earlier->value = value;

		return 0;
	}
	if (bundle->count == BUNDLE_ITEMS_MAX) {
		secret_free(value);

		return -TACIT_E_TOO_LARGE;
	}

	return bundle_add(bundle, name, value);
}

/* Reads from the start of a line through its entry, if it holds one, to the start of the next. */
static int read_entry(struct reader *reader, struct bundle *bundle)
{
	char name[NAME_MAX_BYTES + 1];
	struct secret *value = NULL;

	skip_blanks(reader);
	if (at_line_end(reader) || *reader->at == '#') {
		skip_line(reader);

		return 0;
	}

	skip_export(reader);

	int err = read_name(reader, name);

	if (err == 0)
		err = read_value(reader, &value);
	if (err == 0)
		err = keep_variable(bundle, name, value);
	if (err == 0)
		skip_line(reader);

	return err;
}

static void skip_byte_order_mark(struct reader *reader)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (reader_sees(reader, mark))
		reader->at += strlen(mark);
}

/* No variable can hold a NUL, and a file with one is most likely not a .env file at all. */
static int refuse_nul(const struct reader *reader, unsigned *ret_line)
{
	struct reader scan = *reader;
	const char *nul = memchr(scan.at, '\0', (size_t)(scan.end - scan.at));

	if (!nul)
		return 0;

	reader_advance(&scan, nul);
	*ret_line = scan.line;

	return -TACIT_E_MALFORMED;
}

static int read_entries(struct reader *reader, struct bundle *bundle, unsigned *ret_line)
{
	while (reader->at < reader->end) {
		unsigned line = reader->line;
		int err = read_entry(reader, bundle);

		if (err < 0) {
			*ret_line = line;

			return err;
		}
	}

	return 0;
}

int env_file_parse(const struct secret *text, struct bundle *ret_bundle, unsigned *ret_line)
{
	cleanup_bundle struct bundle bundle = {0};
	const char *start = (const char *)secret_bytes(text);
	struct reader reader = {.at = start, .end = start + secret_len(text), .line = 1};
	unsigned line = 1;

	skip_byte_order_mark(&reader);

	int err = refuse_nul(&reader, &line);

	if (err == 0)
		err = read_entries(&reader, &bundle, &line);
	if (err < 0) {
		if (ret_line)
			*ret_line = line;

		return err;
	}

	*ret_bundle = bundle;
	bundle = (struct bundle){0};

	return 0;
}

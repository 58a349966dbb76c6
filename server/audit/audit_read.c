/* SPDX-License-Identifier: MIT */
#include "audit_read.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_files.h"
#include "audit_line.h"
#include "tacit/fd.h"
#include "tacit/name.h"

#define BLOCK_BYTES ((size_t)65536)

/* A line, without its newline; what is longer than a line can be is `is_damaged`. */
struct found {
	const char *text;
	size_t len;
	bool is_damaged;
};

/* Lines of one file, from an offset on. */
struct lines {
	int fd;
	off_t offset; /* of what is in `bytes` */
	size_t at, len;
	char bytes[BLOCK_BYTES];
};

static void lines_seek(struct lines *lines, off_t offset)
{
	lines->offset = offset;
	lines->at = 0;
	lines->len = 0;
}

/* Moves what is left to the front and reads on. 0 at the end of the file. */
static ssize_t lines_fill(struct lines *lines)
{
	ssize_t got;

	memmove(lines->bytes, lines->bytes + lines->at, lines->len - lines->at);
	lines->offset += (off_t)lines->at;
	lines->len -= lines->at;
	lines->at = 0;
	got = pread(lines->fd, lines->bytes + lines->len, BLOCK_BYTES - lines->len,
	    lines->offset + (off_t)lines->len);
	if (got < 0)
		return -errno;

	lines->len += (size_t)got;
	return got;
}

/* 1 and the next whole line, 0 at the end; -errno. A block without a newline is damage. */
static int lines_next(struct lines *lines, struct found *ret_line)
{
	for (;;) {
		char *start = lines->bytes + lines->at;
		size_t left = lines->len - lines->at;
		const char *newline = memchr(start, '\n', left);
		ssize_t got;

		if (newline || left == BLOCK_BYTES) {
			size_t len = newline ? (size_t)(newline - start) : left;

			*ret_line = (struct found){.text = start,
			    .len = len,
			    .is_damaged = !newline || len >= AUDIT_LINE_MAX_BYTES};
			lines->at += len + (newline ? 1 : 0);
			return 1;
		}
		got = lines_fill(lines);
		if (got <= 0)
			return (int)got;
	}
}

/* Whether the line is in front of all that is asked for. */
static bool line_is_before(const struct audit_query *query, const struct found *line)
{
	const char *time = audit_line_time(line->text, line->len);

	return audit_line_sequence(line->text, line->len) <= query->after ||
	       (query->since && time && memcmp(time, query->since, AUDIT_TIME_BYTES - 1) < 0);
}

/*
 * Where the file has its first line that is asked for, or a line not far in front of that. Halves
 * the file until what is left can be read through.
 */
static int lines_search(struct lines *lines, const struct audit_query *query)
{
	struct stat status;
	off_t low = 0, high;

	if (fstat(lines->fd, &status) < 0)
		return -errno;

	for (high = status.st_size; high - low > (off_t)BLOCK_BYTES;) {
		off_t middle = low + (high - low) / 2;
		struct found line;
		int r;

		lines_seek(lines, middle);
		r = lines_next(lines, &line); /* from somewhere inside of it */
		middle = lines->offset + (off_t)lines->at;
		if (r > 0)
			r = lines_next(lines, &line);
		if (r < 0)
			return r;
		if (r == 0 || middle >= high || line.is_damaged ||
		    audit_line_sequence(line.text, line.len) == 0)
			break;
		if (line_is_before(query, &line))
			low = middle;
		else
			high = middle;
	}

	lines_seek(lines, low);
	return 0;
}

/* The member of that key, which `key` gives with all that stands in front of the text. */
static const char *member(const struct found *line, const char *key, size_t *ret_len)
{
	const char *end = line->text + line->len;
	const char *at = memmem(line->text, line->len, key, strlen(key));
	const char *quote;

	if (!at)
		return NULL;
	at += strlen(key);
	quote = memchr(at, '"', (size_t)(end - at));
	if (!quote)
		return NULL;

	*ret_len = (size_t)(quote - at);
	return at;
}

/* A subject is the client's name, or begins with it: `web: app/...`. */
static bool line_has_client(const struct found *line, const char *client)
{
	size_t client_len = strlen(client), len;
	const char *text = member(line, ",\"client\":\"", &len);

	if (text && len == client_len && !memcmp(text, client, len))
		return true;

	text = member(line, ",\"subject\":\"", &len);
	return text && len >= client_len && !memcmp(text, client, client_len) &&
	       (len == client_len || text[client_len] == ':');
}

static bool line_has_secret(const struct found *line, const char *pattern)
{
	struct found rest = *line;
	const char *text;
	size_t len;

	while ((text = member(&rest, "{\"name\":\"", &len))) {
		char name[NAME_MAX_BYTES + 1];

		rest.len -= (size_t)(text - rest.text);
		rest.text = text;
		if (len > NAME_MAX_BYTES)
			continue;
		memcpy(name, text, len);
		name[len] = '\0';
		if (pattern_matches(pattern, name))
			return true;
	}

	return false;
}

/* A page in the making. */
struct reading {
	const struct audit_query *query;
	struct audit_page page;
	uint64_t bytes_left;
};

static int page_add(struct reading *reading, const struct found *line)
{
	struct json *entry = NULL;

	if (json_parse(line->text, line->len, &entry, NULL) < 0) {
		reading->page.damaged++;
		return 0;
	}

	return json_append(reading->page.entries, entry);
}

static int read_line(struct reading *reading, const struct found *line)
{
	const struct audit_query *query = reading->query;
	uint64_t sequence = audit_line_sequence(line->text, line->len);

	if (line->is_damaged || sequence == 0) {
		reading->page.damaged++;
		return 0;
	}
	if (sequence <= query->after)
		return 0;

	reading->page.next = sequence;
	if (line_is_before(query, line) ||
	    (query->client && !line_has_client(line, query->client)) ||
	    (query->secret && !line_has_secret(line, query->secret)))
		return 0;

	return page_add(reading, line);
}

/* 1 when the page is full. */
static int read_lines(struct reading *reading, struct lines *lines)
{
	struct found line;
	int r;

	while ((r = lines_next(lines, &line)) > 0) {
		r = read_line(reading, &line);
		if (r < 0)
			return r;
		if (json_count(reading->page.entries) >= reading->query->limit)
			return 1;
		/* What lies in front of `after` costs nothing, so that each page gets further. */
		if (reading->page.next == reading->query->after)
			continue;
		if (reading->bytes_left <= line.len)
			return 1;
		reading->bytes_left -= line.len;
	}

	return r;
}

static int read_file(struct reading *reading, int dirfd, const char *name)
{
	cleanup_fd int fd = audit_log_file_open(dirfd, name);
	cleanup_free struct lines *lines = calloc(1, sizeof(*lines));
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* removed since it was listed */
	if (!lines)
		return -ENOMEM;

	lines->fd = fd;
	r = lines_search(lines, reading->query);
	return r < 0 ? r : read_lines(reading, lines);
}

/* The last file whose first line is in front of what is asked for: it is in there, or follows. */
static size_t files_search(
    int dirfd, const struct audit_files *files, const struct audit_query *query)
{
	for (size_t i = files->count; i > 1; i--) {
		cleanup_fd int fd = audit_log_file_open(dirfd, files->items[i - 1].name);
		char start[64];
		ssize_t got = fd < 0 ? -1 : pread(fd, start, sizeof(start), 0);
		const struct found line = {.text = start, .len = got < 0 ? 0 : (size_t)got};

		if (files->items[i - 1].first > 0 && line_is_before(query, &line))
			return i - 1;
	}

	return 0;
}

int audit_read(int dirfd, const struct audit_query *query, struct audit_page *ret_page)
{
	cleanup_audit_files struct audit_files files = {0};
	struct reading reading = {.query = query,
	    .page = {.entries = json_new_array(), .next = query->after},
	    .bytes_left = query->max_bytes};
	int r = reading.page.entries ? audit_files_list(dirfd, &files) : -ENOMEM;

	for (size_t i = files_search(dirfd, &files, query); r == 0 && i < files.count; i++)
		r = read_file(&reading, dirfd, files.items[i].name);
	if (r < 0) {
		json_free(reading.page.entries);
		return r;
	}
	reading.page.more = r > 0;

	*ret_page = reading.page;
	return 0;
}

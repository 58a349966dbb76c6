/* SPDX-License-Identifier: MIT */
#include "audit_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_files.h"
#include "audit_line.h"
#include "tacit/fd.h"

struct walk {
	int dirfd;
	const struct keys *keys;
	const struct audit_mark *mark;
	uint64_t bytes_left;

	struct audit_place place;
	const char *name;   /* of the file */
	uint64_t file_line; /* lines of it that were good */
	off_t file_offset;  /* behind them */
	struct audit_findings findings;
	struct fault *fault;
};

static int walk_breaks(struct walk *walk)
{
	return fault_set_why(walk->fault, -TACIT_E_CORRUPT, "the chain breaks here", "%s line %llu",
	    walk->name, (unsigned long long)walk->file_line + 1);
}

static int walk_line(struct walk *walk, const char *text, size_t len)
{
	const struct audit_mark *chain = &walk->place.chain, *mark = walk->mark;
	bool gap;

	if (audit_line_verify(walk->keys, text, len, &walk->place, &gap) < 0 ||
	    (chain->sequence == mark->sequence &&
	        memcmp(chain->mac, mark->mac, AUDIT_MAC_BYTES) != 0))
		return walk_breaks(walk);

	walk->findings.lines++;
	walk->findings.gaps += gap;
	walk->file_line++;
	walk->file_offset += (off_t)len + 1;
	return 0;
}

/*
 * 1 at the file's end, 0 when there was enough of it. What stands behind the last newline is being
 * written, or torn by a crash: audit_open mends it. Behind it there is no other file.
 */
static int walk_lines(struct walk *walk, FILE *file)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&text, &size, file)) > 0 && text[len - 1] == '\n') {
		int r = walk_line(walk, text, (size_t)len - 1);

		if (r < 0)
			return r;
		if (walk->bytes_left <= (uint64_t)len)
			return 0;
		walk->bytes_left -= (uint64_t)len;
	}

	if (ferror(file))
		return fault_set(walk->fault, -EIO, "%s", walk->name);
	return len > 0 && strcmp(walk->name, AUDIT_FILE) != 0 ? walk_breaks(walk) : 1;
}

static int walk_file(struct walk *walk)
{
	cleanup_fd int fd = audit_log_file_open(walk->dirfd, walk->name);
	cleanup_file FILE *file = fd < 0 ? NULL : fdopen(fd, "re");

	if (!file)
		return fault_set(walk->fault, fd < 0 ? fd : -errno, "%s", walk->name);

	(void)fd_take(&fd); /* the stream closes it */
	if (fseeko(file, walk->file_offset, SEEK_SET) < 0)
		return fault_set(walk->fault, -errno, "%s", walk->name);
	return walk_lines(walk, file);
}

static void walk_begin_file(struct walk *walk, const char *name)
{
	walk->name = name;
	walk->file_line = 0;
	walk->file_offset = 0;
	walk->place.heads_file = true;
}

/* Only the log itself can show that its end is missing; a cut file in front breaks the chain. */
static int walk_end(const struct walk *walk)
{
	uint64_t last = walk->place.chain.sequence;

	if (last > walk->mark->sequence && walk->mark->is_end)
		return fault_set_why(walk->fault, -TACIT_E_CORRUPT,
		    "lines stand behind the end that the store knows: it was rolled back",
		    AUDIT_FILE);
	if (last >= walk->mark->sequence && last > 0)
		return 1;

	return fault_set_why(walk->fault, -TACIT_E_CORRUPT, "lines are missing at its end",
	    AUDIT_FILE " behind line %llu", (unsigned long long)walk->file_line);
}

/* 1 at the end of the log, 0 when bytes_left is used up. The walk is at `index`, or new. */
static int walk_on(struct walk *walk, const struct audit_files *files, size_t index)
{
	int r = 1;

	if (files->count == 0 || strcmp(files->items[files->count - 1].name, AUDIT_FILE) != 0)
		return fault_set(walk->fault, -ENOENT, AUDIT_FILE);
	if (!walk->name) {
		walk_begin_file(walk, files->items[index].name);
		walk->findings.files = 1;
	}

	for (r = walk_file(walk); r > 0 && index + 1 < files->count; r = walk_file(walk)) {
		walk_begin_file(walk, files->items[++index].name);
		walk->findings.files++;
	}
	return r > 0 ? walk_end(walk) : r;
}

int audit_verify(int dirfd, const struct keys *keys, const struct audit_mark *mark,
    struct audit_findings *ret_findings, struct fault *fault)
{
	cleanup_audit_files struct audit_files files = {0};
	struct walk walk = {
	    .dirfd = dirfd, .keys = keys, .mark = mark, .bytes_left = UINT64_MAX, .fault = fault};
	int r = audit_files_list(dirfd, &files);

	if (r < 0)
		return fault_set(fault, r, AUDIT_FILE);
	r = walk_on(&walk, &files, 0);
	if (r < 0)
		return r;

	*ret_findings = walk.findings;
	return 0;
}

/* The text of a cursor: numbers, then the mac of the line before. */

static void cursor_print(
    const struct walk *walk, uint64_t file_first, char cursor[static AUDIT_CURSOR_BYTES])
{
	char mac[2 * AUDIT_MAC_BYTES + 1];

	(void)sodium_bin2hex(mac, sizeof(mac), walk->place.chain.mac, AUDIT_MAC_BYTES);
	(void)snprintf(cursor, AUDIT_CURSOR_BYTES,
	    "%" PRIu64 ".%" PRIu64 ".%" PRId64 ".%" PRIu64 ".%s", file_first, walk->file_line,
	    (int64_t)walk->file_offset, walk->place.chain.sequence, mac);
}

static int cursor_number(const char **at, uint64_t *ret_number)
{
	char *end;

	if (**at < '0' || **at > '9')
		return -TACIT_E_MALFORMED;
	errno = 0;
	*ret_number = strtoull(*at, &end, 10);
	if (errno || *end != '.')
		return -TACIT_E_MALFORMED;

	*at = end + 1;
	return 0;
}

static int cursor_parse(const char *cursor, struct walk *walk, uint64_t *ret_file_first)
{
	struct audit_mark *chain = &walk->place.chain;
	uint64_t offset;
	size_t len;

	if (cursor_number(&cursor, ret_file_first) < 0 ||
	    cursor_number(&cursor, &walk->file_line) < 0 || cursor_number(&cursor, &offset) < 0 ||
	    offset > INT64_MAX || cursor_number(&cursor, &chain->sequence) < 0 ||
	    sodium_hex2bin(chain->mac, AUDIT_MAC_BYTES, cursor, strlen(cursor), NULL, &len, NULL) !=
	        0 ||
	    len != AUDIT_MAC_BYTES)
		return -TACIT_E_MALFORMED;

	walk->file_offset = (off_t)offset;
	return 0;
}

static int walk_resume(
    struct walk *walk, const struct audit_files *files, const char *cursor, size_t *ret_index)
{
	uint64_t file_first;

	if (cursor_parse(cursor, walk, &file_first) < 0)
		return fault_set(walk->fault, -TACIT_E_MALFORMED, "cursor");
	for (size_t i = 0; i < files->count; i++) {
		if (files->items[i].first == file_first) {
			walk->name = files->items[i].name;
			*ret_index = i;
			return 0;
		}
	}

	return fault_set_why(
	    walk->fault, -TACIT_E_CONFLICT, "a file was removed meanwhile", AUDIT_FILE);
}

static uint64_t file_first(const struct audit_files *files, const char *name)
{
	for (size_t i = 0; i < files->count; i++)
		if (name && !strcmp(files->items[i].name, name))
			return files->items[i].first;

	return 0;
}

int audit_verify_some(int dirfd, const struct keys *keys, const struct audit_mark *mark,
    uint64_t max_bytes, char cursor[static AUDIT_CURSOR_BYTES], struct audit_findings *ret_findings,
    struct fault *fault)
{
	cleanup_audit_files struct audit_files files = {0};
	struct walk walk = {
	    .dirfd = dirfd, .keys = keys, .mark = mark, .bytes_left = max_bytes, .fault = fault};
	size_t index = 0;
	int r = audit_files_list(dirfd, &files);

	if (r < 0)
		return fault_set(fault, r, AUDIT_FILE);
	if (cursor[0])
		r = walk_resume(&walk, &files, cursor, &index);
	if (r == 0)
		r = walk_on(&walk, &files, index);
	if (r < 0)
		return r;

	*ret_findings = walk.findings;
	if (r > 0)
		cursor[0] = '\0';
	else
		cursor_print(&walk, file_first(&files, walk.name), cursor);
	return 0;
}

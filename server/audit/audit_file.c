/* SPDX-License-Identifier: MIT */
#include "audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_line.h"
#include "tacit/fd.h"

int audit_file_open(int dirfd, int flags, struct audit_file *ret_file)
{
	int fd =
	    openat(dirfd, AUDIT_FILE, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	if (fd < 0)
		return -errno;

	*ret_file = (struct audit_file){.fd = fd};
	return 0;
}

void audit_file_close(struct audit_file *file)
{
	(void)fdatasync(file->fd);
	fd_cleanup(&file->fd);
}

/*
 * Whether the file is as we left it, so that the next line continues the chain. What is left of a
 * line that did not go out whole is cut off here, if that was not possible at once.
 */
static int file_check(struct audit_file *file)
{
	struct stat status;

	if (fstat(file->fd, &status) < 0)
		return -errno;
	if (status.st_nlink == 0)
		return -ENOENT;
	if (status.st_size == file->size)
		return 0;
	if (!file->torn || status.st_size < file->size)
		return -ESTALE;
	if (ftruncate(file->fd, file->size) < 0)
		return -errno;

	file->torn = false;
	return 0;
}

int audit_file_append(struct audit_file *file, const char *bytes, size_t len)
{
	int r = file_check(file);

	if (r < 0)
		return r;

	r = fd_write_all(file->fd, bytes, len);
	if (r < 0) {
		file->torn = ftruncate(file->fd, file->size) < 0;
		return r;
	}

	file->size += (off_t)len;
	return 0;
}

/*
 * The last two whole lines, which is what it takes to check the last one, and half a line that may
 * stand behind them.
 */
#define LOG_END_BYTES (3 * AUDIT_LINE_MAX_BYTES)

struct log_end {
	char bytes[LOG_END_BYTES];
	bool is_all;       /* the whole file */
	size_t len;        /* whole lines only */
	size_t torn_bytes; /* what stood behind the last newline */
	off_t size;        /* of the file without the torn end */
};

static int log_end_read(int fd, struct log_end *ret_end)
{
	struct stat status;
	off_t start;
	ssize_t got;
	const char *newline;

	if (fstat(fd, &status) < 0)
		return -errno;

	start = status.st_size > (off_t)LOG_END_BYTES ? status.st_size - (off_t)LOG_END_BYTES : 0;
	got = pread(fd, ret_end->bytes, LOG_END_BYTES, start);
	if (got < 0)
		return -errno;

	newline = memrchr(ret_end->bytes, '\n', (size_t)got);
	ret_end->is_all = start == 0;
	ret_end->len = newline ? (size_t)(newline - ret_end->bytes) + 1 : 0;
	ret_end->torn_bytes = (size_t)got - ret_end->len;
	ret_end->size = start + (off_t)ret_end->len;
	return 0;
}

/* The line in front of `end`, which is itself the start of one; NULL when there is none. */
static const char *line_before(const struct log_end *log, const char *end)
{
	const char *newline;

	if (end == log->bytes)
		return NULL;

	newline = memrchr(log->bytes, '\n', (size_t)(end - 1 - log->bytes));
	if (newline)
		return newline + 1;
	return log->is_all ? log->bytes : NULL;
}

/* The mac of the line before is all that it takes; whether that line is good is audit_verify's. */
static int place_before(const struct log_end *log, const char *last, struct audit_place *ret_place)
{
	const char *before = line_before(log, last);
	size_t len;

	*ret_place = (struct audit_place){.heads_file = before == NULL};
	if (!before)
		return log->is_all ? 0 : -TACIT_E_CORRUPT;

	len = (size_t)(last - before) - 1;
	return audit_line_chain(before, len, &ret_place->chain);
}

static int chain_resume(
    const struct log_end *log, const struct keys *keys, struct audit_mark *ret_chain)
{
	const char *last_end = log->bytes + log->len;
	const char *last = line_before(log, last_end);
	struct audit_place place;
	bool gap;
	int r = last ? place_before(log, last, &place) : -TACIT_E_CORRUPT;

	if (r == 0)
		r = audit_line_verify(keys, last, (size_t)(last_end - last) - 1, &place, &gap);
	if (r == 0)
		*ret_chain = place.chain;
	return r;
}

int audit_file_end(int fd, const struct keys *keys, struct audit_end *ret_end)
{
	cleanup_free struct log_end *log = calloc(1, sizeof(*log));
	struct audit_end end = {0};
	int r = log ? log_end_read(fd, log) : -ENOMEM;

	if (r == 0 && log->len > 0)
		r = chain_resume(log, keys, &end.chain);
	if (r < 0)
		return r;

	end.torn_bytes = log->torn_bytes;
	end.size = log->size;
	*ret_end = end;
	return 0;
}

static int replacement_find(
    const struct audit_file *file, int dirfd, enum audit_replacement *ret_replacement)
{
	struct stat ours, theirs;
	bool is_there = fstatat(dirfd, AUDIT_FILE, &theirs, AT_SYMLINK_NOFOLLOW) == 0;

	if (fstat(file->fd, &ours) < 0 || (!is_there && errno != ENOENT))
		return -errno;

	if (is_there && ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
		*ret_replacement = AUDIT_FILE_SAME;
	else
		*ret_replacement = ours.st_nlink == 0 ? AUDIT_FILE_DELETED : AUDIT_FILE_MOVED;
	return 0;
}

static int file_open_empty(int dirfd, struct audit_file *ret_file)
{
	struct audit_file file = {.fd = -1};
	struct stat status;
	int r = audit_file_open(dirfd, O_CREAT, &file);

	if (r < 0)
		return r;
	if (fstat(file.fd, &status) < 0 || status.st_size > 0 || fchmod(file.fd, 0600) < 0) {
		fd_cleanup(&file.fd);
		return -EEXIST;
	}

	*ret_file = file;
	return 0;
}

int audit_file_replace(struct audit_file *file, int dirfd, enum audit_replacement *ret_replacement)
{
	struct audit_file fresh = {.fd = -1};
	int r = replacement_find(file, dirfd, ret_replacement);

	if (r < 0 || *ret_replacement == AUDIT_FILE_SAME)
		return r;

	/* Half a line that stays behind would break the chain there. */
	if (file->torn && ftruncate(file->fd, file->size) < 0)
		return -errno;
	r = file_open_empty(dirfd, &fresh);
	if (r < 0)
		return r;

	audit_file_close(file);
	*file = fresh;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "audit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_line.h"
#include "tacit/fd.h"

void audit_files_free(struct audit_files *files)
{
	free(files->items);
	*files = (struct audit_files){0};
}

/* O_NONBLOCK: somebody may have put a pipe there. */
int audit_log_file_open(int dirfd, const char *name)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;

	return S_ISREG(status.st_mode) ? fd_take(&fd) : -EINVAL;
}

static bool is_moved(const char *name)
{
	size_t len = sizeof(AUDIT_FILE) - 1;

	return !strncmp(name, AUDIT_FILE, len) && (name[len] == '.' || name[len] == '-');
}

uint64_t audit_log_file_first(int dirfd, const char *name)
{
	cleanup_fd int fd = audit_log_file_open(dirfd, name);
	char start[64];
	ssize_t got = fd < 0 ? -1 : pread(fd, start, sizeof(start), 0);

	return got < 0 ? 0 : audit_line_sequence(start, (size_t)got);
}

static int files_add(struct audit_files *files, const char *name, uint64_t first)
{
	struct audit_log_file *items =
	    reallocarray(files->items, files->count + 1, sizeof(files->items[0]));

	if (!items)
		return -ENOMEM;

	files->items = items;
	items[files->count] = (struct audit_log_file){.first = first};
	(void)strncpy(items[files->count++].name, name, NAME_MAX);
	return 0;
}

static int file_order(const void *left, const void *right)
{
	const struct audit_log_file *a = left, *b = right;

	return (a->first > b->first) - (a->first < b->first);
}

static int files_add_moved(int dirfd, DIR *dir, struct audit_files *files)
{
	const struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(dir))) {
		uint64_t first =
		    is_moved(entry->d_name) ? audit_log_file_first(dirfd, entry->d_name) : 0;

		if (first > 0)
			r = files_add(files, entry->d_name, first);
	}

	if (files->count > 0)
		qsort(files->items, files->count, sizeof(files->items[0]), file_order);
	return r;
}

int audit_files_list(int dirfd, struct audit_files *ret_files)
{
	cleanup_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_audit_files struct audit_files files = {0};
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r;

	if (!dir)
		return -errno;

	(void)fd_take(&fd); /* the stream closes it */
	r = files_add_moved(dirfd, dir, &files);
	(void)closedir(dir);
	if (r == 0 && faccessat(dirfd, AUDIT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = files_add(&files, AUDIT_FILE, audit_log_file_first(dirfd, AUDIT_FILE));
	if (r < 0)
		return r;

	*ret_files = files;
	files = (struct audit_files){0};
	return 0;
}

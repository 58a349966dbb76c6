/* SPDX-License-Identifier: MIT */
#include "tacit/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>

void fd_cleanup(int *fd)
{
	int saved_errno = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved_errno;
}

void file_cleanup(FILE **file)
{
	if (*file)
		(void)fclose(*file);
	*file = NULL;
}

void free_cleanup(void *pointer)
{
	void **owner = pointer;

	free(*owner);
	*owner = NULL;
}

int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

int fd_write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t written = write(fd, at, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		if (written == 0)
			return -EIO; /* rather than trying for ever */
		at += written;
		len -= (size_t)written;
	}

	return 0;
}

int fd_read_full(int fd, void *buffer, size_t size, size_t *ret_len)
{
	char *at = buffer;
	size_t len = 0;

	while (len < size) {
		ssize_t got = read(fd, at + len, size - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
	}

	*ret_len = len;
	return 0;
}

#define TEMPORARY_NAME_BYTES 32

/* Opens a new file under a name that nobody can guess; the name is needed for the rename. */
static int temporary_create(int dirfd, mode_t mode, char ret_name[static TEMPORARY_NAME_BYTES])
{
	uint64_t random;
	int fd;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;

	(void)snprintf(
	    ret_name, TEMPORARY_NAME_BYTES, ".tacit-%016llx", (unsigned long long)random);
	fd = openat(dirfd, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

/* The mode is set on the descriptor, since open(2) subtracts the umask. */
static int temporary_fill(int fd, mode_t mode, const void *bytes, size_t len)
{
	int r = fd_write_all(fd, bytes, len);

	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;

	return 0;
}

/* `rename_flags` is 0, or RENAME_NOREPLACE to fail with EEXIST over an existing file. */
static int file_put(
    int dirfd, const char *name, mode_t mode, const void *bytes, size_t len, unsigned rename_flags)
{
	/* What dirfd is may be O_PATH or AT_FDCWD, and a failure here must come before the file. */
	cleanup_fd int sync_fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char temporary[TEMPORARY_NAME_BYTES];
	cleanup_fd int fd = -1;
	int r;

	if (sync_fd < 0)
		return -errno;

	fd = temporary_create(dirfd, mode, temporary);
	if (fd < 0)
		return fd;

	r = temporary_fill(fd, mode, bytes, len);
	if (r == 0 && renameat2(dirfd, temporary, dirfd, name, rename_flags) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, temporary, 0);
		return r;
	}

	return fsync(sync_fd) < 0 ? -errno : 0;
}

int fd_create_file(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len)
{
	return file_put(dirfd, name, mode, bytes, len, RENAME_NOREPLACE);
}

int fd_replace_file(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len)
{
	return file_put(dirfd, name, mode, bytes, len, 0);
}

bool fd_is_memory(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;

	return fs.f_type == TMPFS_MAGIC || (unsigned long)fs.f_type == RAMFS_MAGIC;
}

/* SPDX-License-Identifier: MIT */
#include "install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tacit/fd.h"

#define STAGED_NAME_BYTES 64

/* No secret can have such a name, since no file name starts with a dot. */
static void staged_name(pid_t pid, size_t index, char ret_name[static STAGED_NAME_BYTES])
{
	(void)snprintf(ret_name, STAGED_NAME_BYTES, ".staged-%ld-%zu", (long)pid, index);
}

static int path_fault(
    struct fault *fault, int err, const struct secrets_dir *dir, const struct bundle_item *item)
{
	return fault_set(fault, err, "%s/%s", dir->path, item->file);
}

static int file_fill(int fd, const struct bundle_item *item)
{
	int r = fd_write_all(fd, secret_bytes(item->value), secret_len(item->value));

	if (r < 0)
		return r;

	/* Not left to openat, which subtracts the umask. */
	return fchmod(fd, item->mode) < 0 ? -errno : 0;
}

/* A name that is taken was left by a run that had our PID and was killed. */
static int staged_open(int dir_fd, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags, 0400);

	if (fd < 0 && errno == EEXIST && unlinkat(dir_fd, name, 0) == 0)
		fd = openat(dir_fd, name, flags, 0400);

	return fd < 0 ? -errno : fd;
}

static int file_stage(int dir_fd, size_t index, const struct bundle_item *item)
{
	char name[STAGED_NAME_BYTES];
	cleanup_fd int fd = -1;
	int r;

	staged_name(getpid(), index, name);
	fd = staged_open(dir_fd, name);
	if (fd < 0)
		return fd;

	r = file_fill(fd, item);
	if (r < 0)
		(void)unlinkat(dir_fd, name, 0);

	return r;
}

static void unstage(int dir_fd, pid_t pid, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		char name[STAGED_NAME_BYTES];

		staged_name(pid, i, name);
		(void)unlinkat(dir_fd, name, 0);
	}
}

static int stage_all(
    const struct secrets_dir *dir, const struct bundle *bundle, struct fault *fault)
{
	for (size_t i = 0; i < bundle->count; i++) {
		int r = file_stage(dir->fd, i, &bundle->items[i]);

		if (r < 0) {
			unstage(dir->fd, getpid(), 0, i);
			return path_fault(fault, r, dir, &bundle->items[i]);
		}
	}

	return 0;
}

/* How many were renamed stands in *ret_done, after a failure too. */
static int rename_all(const struct secrets_dir *dir, const struct bundle *bundle, size_t *ret_done,
    struct fault *fault)
{
	*ret_done = 0;
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_item *item = &bundle->items[i];
		char name[STAGED_NAME_BYTES];
		int err;

		staged_name(getpid(), i, name);
		if (renameat(dir->fd, name, dir->fd, item->file) == 0) {
			(*ret_done)++;
			continue;
		}

		err = -errno;
		unstage(dir->fd, getpid(), i, bundle->count);
		return path_fault(fault, err, dir, item);
	}

	return 0;
}

/* The one thing that a rename can fail on, found before the first one. */
static int targets_check(
    const struct secrets_dir *dir, const struct bundle *bundle, struct fault *fault)
{
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_item *item = &bundle->items[i];
		struct stat st;

		if (fstatat(dir->fd, item->file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			return path_fault(fault, -EISDIR, dir, item);
	}

	return 0;
}

/* Files are listed before they are made: one that is not listed would never be removed. */
static int files_list(const struct bundle *bundle, struct text_list *files, struct fault *fault)
{
	for (size_t i = 0; i < bundle->count; i++) {
		const char *file = bundle->items[i].file;

		if (!text_list_holds(files, file) && text_list_add(files, file, strlen(file)) < 0)
			return fault_set(fault, -ENOMEM, "%s", file);
	}

	return 0;
}

static int sweep(const struct secrets_dir *dir, const struct bundle *bundle, size_t *ret_done,
    struct fault *fault)
{
	int r = targets_check(dir, bundle, fault);

	*ret_done = 0;
	if (r == 0)
		r = stage_all(dir, bundle, fault);
	if (r == 0)
		r = rename_all(dir, bundle, ret_done, fault);

	return r;
}

int install_bundle(const struct secrets_dir *dir, const struct bundle *bundle,
    struct text_list *files, struct fault *fault)
{
	size_t done = 0;
	int r = files_list(bundle, files, fault);

	if (r == 0)
		r = sweep(dir, bundle, &done, fault);
	for (size_t i = 0; r < 0 && i < done; i++)
		(void)unlinkat(dir->fd, bundle->items[i].file, 0);

	return r;
}

int install_replace(const struct secrets_dir *dir, const struct bundle *bundle, struct fault *fault)
{
	size_t done;

	return sweep(dir, bundle, &done, fault);
}

void install_unstage(const struct secrets_dir *dir, pid_t pid)
{
	/* What was renamed before it died left gaps; no bundle is larger than this. */
	unstage(dir->fd, pid, 0, BUNDLE_ITEMS_MAX);
}

void install_remove(const struct secrets_dir *dir, const struct text_list *files)
{
	for (size_t i = 0; i < files->count; i++)
		(void)unlinkat(dir->fd, files->texts[i], 0);
}

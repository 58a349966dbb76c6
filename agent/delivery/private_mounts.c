/* SPDX-License-Identifier: MIT */
#include "private_mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tacit/fd.h"

#define RUN        "/run"
#define SAFE_FLAGS (MS_NOSUID | MS_NODEV)

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}
#define cleanup_dir __attribute__((cleanup(dir_cleanup)))

static int ramfs_mount(const char *path)
{
	return mount("ramfs", path, "ramfs", SAFE_FLAGS | MS_NOEXEC, "mode=0700") < 0 ? -errno : 0;
}

/* An empty thing to bind the other one over: a directory, or a file for all else. */
static int place_make(const char *path, mode_t mode)
{
	cleanup_fd int fd = -1;

	if (S_ISDIR(mode))
		return mkdir(path, 0755) < 0 ? -errno : 0;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
	return fd < 0 ? -errno : 0;
}

static int link_copy(int old_fd, const char *name, const char *path)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(old_fd, name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;

	target[len] = '\0';
	return symlink(target, path) < 0 ? -errno : 0;
}

/* Through the descriptor: the old /run lies under the new one already. */
static int entry_bind(int old_fd, const char *name)
{
	char from[NAME_MAX + 64];
	char to[NAME_MAX + sizeof(RUN) + 1];
	struct stat st;
	int r;

	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", old_fd, name);
	(void)snprintf(to, sizeof(to), RUN "/%s", name);
	if (fstatat(old_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return link_copy(old_fd, name, to);

	r = place_make(to, st.st_mode);
	if (r == 0 && mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		r = -errno;

	return r;
}

static int entries_bind(int old_fd, struct fault *fault)
{
	int own_fd = openat(old_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *dir = own_fd < 0 ? NULL : fdopendir(own_fd);
	const struct dirent *entry;

	if (!dir)
		return fault_set(fault, -errno, "--private: " RUN);

	while ((entry = readdir(dir)) != NULL) {
		int r;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		r = entry_bind(old_fd, entry->d_name);
		if (r < 0 && r != -ENOENT) /* it went while we looked */
			return fault_set(fault, r, "--private: " RUN "/%s", entry->d_name);
	}

	return 0;
}

/* Whoever could not make files in the old /run cannot in the new one. */
static int run_close(bool was_writable)
{
	if (was_writable)
		return 0;

	return mount(NULL, RUN, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE_FLAGS, NULL) < 0
	           ? -errno
	           : 0;
}

static int run_rebuild(const char *path, struct fault *fault)
{
	cleanup_fd int old_fd = open(RUN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool was_writable;
	int r;

	if (old_fd < 0)
		return fault_set(fault, -errno, "--private: " RUN);

	was_writable = faccessat(old_fd, ".", W_OK, AT_EACCESS) == 0;
	if (mount("tmpfs", RUN, "tmpfs", SAFE_FLAGS, "mode=0755") < 0)
		return fault_set(fault, -errno, "--private: tmpfs at " RUN);
	r = entries_bind(old_fd, fault);
	if (r < 0)
		return r;

	r = mkdir(path, 0700) < 0 ? -errno : ramfs_mount(path);
	if (r == 0)
		r = run_close(was_writable);
	return r < 0 ? fault_set(fault, r, "--private: %s", path) : 0;
}

static bool is_in_run(const char *path)
{
	size_t len = strlen(RUN "/");

	return strncmp(path, RUN "/", len) == 0 && !strchr(path + len, '/');
}

/* A working directory that was covered itself is found again by its name. */
static void cwd_keep(const char *cwd)
{
	if (cwd)
		(void)!chdir(cwd);
}

int private_mount(const char *path, struct fault *fault)
{
	char cwd_buffer[PATH_MAX];
	const char *cwd = getcwd(cwd_buffer, sizeof(cwd_buffer));
	struct stat st;
	int r;

	if (stat(path, &st) == 0)
		r = ramfs_mount(path);
	else
		r = -errno;
	if (r == -ENOENT && is_in_run(path))
		r = run_rebuild(path, fault);
	else if (r == -ENOENT)
		return fault_set_why(fault, r,
		    "no such directory; --private hides one that exists, or makes one in " RUN,
		    "--private: %s", path);
	else if (r < 0)
		return fault_set(fault, r, "--private: ramfs at %s", path);

	if (r == 0)
		cwd_keep(cwd);
	return r;
}

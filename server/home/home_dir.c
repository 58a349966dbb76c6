/* SPDX-License-Identifier: MIT */
#include "home_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "owner.h"
#include "tacit/fd.h"
#include "user.h"

void home_path(const struct config *config, const char *file, char ret_path[static HOME_PATH_BYTES])
{
	(void)snprintf(ret_path, HOME_PATH_BYTES, "%s/%s", config->dir, file);
}

int home_dir_open(const struct config *config, struct fault *fault)
{
	int fd = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fault_set(fault, -errno, "%s", config->dir) : fd;
}

int home_dir_check(int dirfd, const struct config *config, struct fault *fault)
{
	struct stat status;

	if (fstat(dirfd, &status) < 0)
		return fault_set(fault, -errno, "%s", config->dir);
	if ((status.st_uid != geteuid() && geteuid() != 0) || (status.st_mode & 077) != 0)
		return fault_set_why(fault, -TACIT_E_INSECURE_DIR,
		    "other users can reach into it; chmod 0700 it", "%s", config->dir);

	return 0;
}

int home_dir_lock(int dirfd, const struct config *config, struct fault *fault)
{
	cleanup_fd int fd =
	    openat(dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = 0;

	if (fd < 0)
		r = errno == EROFS ? -TACIT_E_STORE_READ_ONLY : -errno;
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK ? -TACIT_E_STORE_LOCKED : -errno;
	if (r < 0)
		return fault_set(fault, r, "%s/" LOCK_FILE, config->dir);

	return fd_take(&fd);
}

static bool dir_is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool empty = dir != NULL;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			empty = false;
	if (dir)
		(void)closedir(dir);
	return empty;
}

static int not_empty(const struct config *config, struct fault *fault)
{
	return fault_set_why(
	    fault, -ENOTEMPTY, "not empty; a new store needs a new directory", "%s", config->dir);
}

int home_check_new(const struct config *config, struct fault *fault)
{
	cleanup_fd int dirfd = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return errno == ENOENT ? 0 : fault_set(fault, -errno, "%s", config->dir);

	return dir_is_empty(dirfd) ? 0 : not_empty(config, fault);
}

/* The directory was empty: everything in it is what we have made. */
static void home_remove(int dirfd, const struct config *config, bool dir_is_ours)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd, entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	if (dir_is_ours)
		(void)rmdir(config->dir);
}

/* So that every file in it is its owner's. */
static int fill_as_owner(
    const struct config *config, home_filler *fill, void *context, int dirfd, struct fault *fault)
{
	int r = owner_assume(config, dirfd, fault);

	if (r < 0)
		return r;

	r = fill(config, context, dirfd, fault);
	user_resume();
	return r;
}

/* Into a directory that is empty: what was made in it goes away again on failure. */
static int dir_fill(const struct config *config, home_filler *fill, void *context, int dirfd,
    bool dir_is_ours, struct fault *fault)
{
	int r = home_dir_check(dirfd, config, fault);

	if (r == 0)
		r = fill_as_owner(config, fill, context, dirfd, fault);
	if (r < 0)
		home_remove(dirfd, config, dir_is_ours);

	return r;
}

/* A new user has no ~/.local/share; whoever writes there first makes it (XDG Base Directory). */
static void make_parents(const char *path)
{
	char parent[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		(void)mkdir(parent, 0700);
	}
}

/* A path that somebody has typed is not guessed at. */
static bool make_dir(const struct config *config)
{
	if (config->dir_is_default)
		make_parents(config->dir);

	return mkdir(config->dir, 0700) == 0;
}

int home_make(const struct config *config, home_filler *fill, void *context, struct fault *fault)
{
	mode_t saved_umask = umask(0077);
	bool dir_is_ours = make_dir(config);
	cleanup_fd int dirfd = -1;
	int r = dir_is_ours || errno == EEXIST ? 0 : fault_set(fault, -errno, "%s", config->dir);

	if (r == 0) {
		dirfd = home_dir_open(config, fault);
		r = dirfd < 0 ? dirfd : 0;
	}
	if (r == 0 && !dir_is_empty(dirfd))
		r = not_empty(config, fault);
	if (r == 0)
		r = dir_fill(config, fill, context, dirfd, dir_is_ours, fault);
	(void)umask(saved_umask);
	return r;
}

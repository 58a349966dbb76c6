/* SPDX-License-Identifier: MIT */
#include "secrets_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secrets_dir_private.h"
#include "tacit/fd.h"

#define DEFAULT_PATH "/run/secrets"
#define SHM_PATH     "/dev/shm"

/* Never tightened to 0700 and never given away, even by root, who owns them all. */
static const char *const shared_places[] = {
    "/",
    "/dev",
    "/dev/shm",
    "/run",
    "/run/lock",
    "/run/user",
    "/tmp",
    "/var/tmp",
};

static bool is_shared_place(const struct stat *st)
{
	for (size_t i = 0; i < sizeof(shared_places) / sizeof(shared_places[0]); i++) {
		struct stat place;

		if (stat(shared_places[i], &place) == 0 && place.st_dev == st->st_dev &&
		    place.st_ino == st->st_ino)
			return true;
	}

	return false;
}

/* Bind mounts of one file system on itself differ in no device number, so ask statx(2) first. */
static bool is_mount_root(int fd)
{
	struct statx stx;
	struct stat st;
	struct stat parent;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) == 0 &&
	    (stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;

	return fstat(fd, &st) == 0 && fstatat(fd, "..", &parent, 0) == 0 &&
	       st.st_dev != parent.st_dev;
}

static int memory_dir_open(const char *path, int *ret_fd)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!fd_is_memory(fd))
		return -TACIT_E_NOT_MEMORY;

	*ret_fd = fd_take(&fd);
	return 0;
}

static int own_dir_make_numbered(int *base_fd, const char *base_path, struct secrets_dir *ret_dir)
{
	char name[64];

	(void)snprintf(
	    name, sizeof(name), "tacit-%lu-%ld", (unsigned long)geteuid(), (long)getpid());
	return own_dir_make(base_fd, base_path, name, ret_dir);
}

/* Uses the directory itself, which we own. */
static int dir_take(int *fd, const struct stat *st, const char *path, struct secrets_dir *ret_dir)
{
	if ((st->st_mode & 07777) != 0700 && fchmod(*fd, 0700) < 0)
		return -errno;
	if (faccessat(*fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return -errno;

	*ret_dir = SECRETS_DIR_NONE;
	ret_dir->is_mount = is_mount_root(*fd);
	(void)snprintf(ret_dir->path, sizeof(ret_dir->path), "%s", path);
	ret_dir->fd = fd_take(fd);
	return 0;
}

/* An existing directory: itself where it is ours, else one of our own inside it. */
static int existing_dir(const char *path, bool outlives_us, struct secrets_dir *ret_dir)
{
	cleanup_fd int fd = -1;
	struct stat st;
	int r = memory_dir_open(path, &fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == geteuid() && !is_shared_place(&st))
		return dir_take(&fd, &st, path, ret_dir);
	if (outlives_us)
		return -TACIT_E_INSECURE_DIR;

	return own_dir_make_numbered(&fd, path, ret_dir);
}

static int shm_dir(struct secrets_dir *ret_dir)
{
	cleanup_fd int fd = -1;
	int r = memory_dir_open(SHM_PATH, &fd);

	return r < 0 ? r : own_dir_make_numbered(&fd, SHM_PATH, ret_dir);
}

static int xdg_dir(struct secrets_dir *ret_dir)
{
	const char *path = getenv("XDG_RUNTIME_DIR");
	cleanup_fd int fd = -1;
	struct stat st;
	char name[64];
	int r;

	if (!path || path[0] != '/')
		return -ENOENT;

	r = memory_dir_open(path, &fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid())
		return -EACCES;

	(void)snprintf(name, sizeof(name), "tacit-%ld", (long)getpid());
	return own_dir_make(&fd, path, name, ret_dir);
}

static int default_dir(bool outlives_us, struct secrets_dir *ret_dir, struct fault *fault)
{
	if (existing_dir(DEFAULT_PATH, outlives_us, ret_dir) == 0)
		return 0;
	if (outlives_us)
		return fault_set_why(fault, -TACIT_E_NO_MEMORY_DIR,
		    "not a tmpfs of this user's own; name a directory in memory with --dir", "%s",
		    DEFAULT_PATH);
	if (shm_dir(ret_dir) == 0 || xdg_dir(ret_dir) == 0)
		return 0;

	return fault_set(fault, -TACIT_E_NO_MEMORY_DIR, "directory for secrets");
}

/* Absolute, and without slashes at the end, behind which O_NOFOLLOW would follow a link. */
static int path_normalise(const char *path, char ret_path[static PATH_MAX])
{
	char cwd[PATH_MAX];
	int len;

	if (path[0] == '/')
		len = snprintf(ret_path, PATH_MAX, "%s", path);
	else if (getcwd(cwd, sizeof(cwd)))
		len = snprintf(ret_path, PATH_MAX, "%s/%s", cwd, path);
	else
		return -errno;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;

	while (len > 1 && ret_path[len - 1] == '/')
		ret_path[--len] = '\0';

	return 0;
}

int secrets_dir_path(const char *wished_path, char ret_path[static PATH_MAX])
{
	return path_normalise(wished_path ? wished_path : DEFAULT_PATH, ret_path);
}

/* Splits an absolute path at its last slash; the parent is opened. */
static int parent_open(char *path, const char **ret_name, int *ret_fd)
{
	char *slash = strrchr(path, '/');
	int r;

	*slash = '\0';
	r = memory_dir_open(path[0] ? path : "/", ret_fd);
	*ret_name = slash + 1;
	return r;
}

/* A wished directory that does not exist yet. Its parent decides whether it will be in memory. */
static int new_dir(const char *path, struct secrets_dir *ret_dir)
{
	struct secrets_dir dir = SECRETS_DIR_NONE;
	char parent[PATH_MAX];
	const char *name;
	int r;

	(void)snprintf(parent, sizeof(parent), "%s", path);
	r = parent_open(parent, &name, &dir.base_fd);
	if (r < 0)
		return r;
	if (mkdirat(dir.base_fd, name, 0700) < 0) {
		r = -errno;
		secrets_dir_close(&dir);
		return r;
	}

	(void)snprintf(dir.name, sizeof(dir.name), "%s", name);
	(void)snprintf(dir.path, sizeof(dir.path), "%s", path);
	r = own_dir_enter(&dir);
	if (r < 0) {
		secrets_dir_remove(&dir);
		return r;
	}

	*ret_dir = dir;
	return 0;
}

static int wished_dir(
    const struct secrets_dir_wish *wish, struct secrets_dir *ret_dir, struct fault *fault)
{
	char path[PATH_MAX];
	int r = path_normalise(wish->path, path);

	if (r == 0)
		r = existing_dir(path, wish->outlives_us, ret_dir);
	if (r == -ENOENT)
		r = new_dir(path, ret_dir);

	if (r == -TACIT_E_INSECURE_DIR)
		return fault_set_why(fault, r,
		    "belongs to another user; name a new directory inside it", "%s", wish->path);
	if (r == -ENOTDIR)
		return fault_set_why(
		    fault, r, "not a directory, or a symbolic link", "%s", wish->path);
	if (r < 0)
		return fault_set(fault, r, "%s", wish->path);

	return 0;
}

int secrets_dir_find(
    const struct secrets_dir_wish *wish, struct secrets_dir *ret_dir, struct fault *fault)
{
	if (wish->path)
		return wished_dir(wish, ret_dir, fault);

	return default_dir(wish->outlives_us, ret_dir, fault);
}

void secrets_dir_hand_over(const char *wished_path, uid_t uid, gid_t gid)
{
	cleanup_fd int fd = -1;
	struct secrets_dir made = SECRETS_DIR_NONE;
	struct stat st;
	char path[PATH_MAX];
	int r = secrets_dir_path(wished_path, path);

	if (r == 0)
		r = memory_dir_open(path, &fd);
	if (r == -ENOENT && wished_path && new_dir(path, &made) == 0) {
		if (fchown(made.fd, uid, gid) < 0)
			secrets_dir_remove(&made);
		secrets_dir_close(&made);
		return;
	}
	if (r == 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && !is_shared_place(&st))
		(void)!fchown(fd, uid, gid);
}

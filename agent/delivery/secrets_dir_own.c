/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "owner.h"
#include "secrets_dir_private.h"
#include "tacit/fd.h"

#define OWNER_SUFFIX ".owner"
#define NAMES_TRIED  64

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}
#define cleanup_dir __attribute__((cleanup(dir_cleanup)))

static DIR *dir_list(int fd)
{
	int own_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own_fd < 0 ? NULL : fdopendir(own_fd);

	if (!dir && own_fd >= 0)
		(void)close(own_fd);

	return dir;
}

static void owner_link_name(const char *name, char ret_link[static NAME_MAX + 1])
{
	(void)snprintf(ret_link, NAME_MAX + 1, ".%s%s", name, OWNER_SUFFIX);
}

static void dir_empty(int fd)
{
	cleanup_dir DIR *dir = dir_list(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		(void)unlinkat(fd, entry->d_name, 0);
}

/* Whether `name` is a real directory, no link, and the user's own. */
static bool is_own_dir(int base_fd, const char *name)
{
	struct stat st;

	return fstatat(base_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

static void own_dir_remove(int base_fd, const char *name)
{
	cleanup_fd int fd = -1;

	if (!is_own_dir(base_fd, name))
		return;

	fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		dir_empty(fd);
	(void)unlinkat(base_fd, name, AT_REMOVEDIR);
}

/* Takes ".tacit-1001-7.owner" apart into "tacit-1001-7"; false for any other name. */
static bool owner_link_parse(const char *link, char ret_name[static NAME_MAX + 1])
{
	size_t len = strlen(link);
	size_t suffix_len = strlen(OWNER_SUFFIX);

	if (strncmp(link, ".tacit-", strlen(".tacit-")) != 0 || len <= suffix_len + 1 ||
	    strcmp(link + len - suffix_len, OWNER_SUFFIX) != 0)
		return false;

	(void)snprintf(ret_name, NAME_MAX + 1, "%.*s", (int)(len - suffix_len - 1), link + 1);
	return true;
}

/*
 * The link must be the user's own: in a directory that is writable for all, another user could
 * have put one there to have our directory swept while we live.
 */
static bool owner_link_is_dead(int base_fd, const char *link)
{
	struct stat st;
	char text[OWNER_TEXT_BYTES];
	ssize_t len;

	if (fstatat(base_fd, link, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode) ||
	    st.st_uid != geteuid())
		return false;

	len = readlinkat(base_fd, link, text, sizeof(text) - 1);
	if (len < 0)
		return false;

	text[len] = '\0';
	return owner_is_dead(text);
}

void secrets_dir_sweep(int base_fd)
{
	cleanup_dir DIR *dir = dir_list(base_fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		char name[NAME_MAX + 1];

		if (!owner_link_parse(entry->d_name, name) ||
		    !owner_link_is_dead(base_fd, entry->d_name))
			continue;
		own_dir_remove(base_fd, name);
		(void)unlinkat(base_fd, entry->d_name, 0);
	}
}

/*
 * Makes a directory under a name that nobody has. The owner link comes first, so that there is no
 * moment at which a directory could be left behind without one. Without /proc there is none.
 */
static int own_dir_create(struct secrets_dir *dir, const char *name)
{
	char link[NAME_MAX + 1];
	char owner[OWNER_TEXT_BYTES];
	int err;

	dir->has_owner = owner_print(0, owner) == 0;
	owner_link_name(name, link);
	if (dir->has_owner && symlinkat(owner, dir->base_fd, link) < 0)
		return -errno;

	if (mkdirat(dir->base_fd, name, 0700) == 0) {
		(void)snprintf(dir->name, sizeof(dir->name), "%s", name);
		return 0;
	}

	err = -errno;
	if (dir->has_owner)
		(void)unlinkat(dir->base_fd, link, 0);
	return err;
}

static int own_dir_create_free(struct secrets_dir *dir, const char *wanted)
{
	int r = own_dir_create(dir, wanted);

	/* Taken: by a living run in another container that shares this directory, or by a foe. */
	for (unsigned i = 2; r == -EEXIST && i < NAMES_TRIED; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%s.%u", wanted, i);
		r = own_dir_create(dir, name);
	}

	return r;
}

int own_dir_enter(struct secrets_dir *dir)
{
	struct stat st;

	dir->fd = openat(dir->base_fd, dir->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir->fd < 0 || fchmod(dir->fd, 0700) < 0 || fstat(dir->fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || !fd_is_memory(dir->fd))
		return -TACIT_E_INSECURE_DIR;

	return 0;
}

int own_dir_make(int *base_fd, const char *base_path, const char *name, struct secrets_dir *ret_dir)
{
	struct secrets_dir dir = SECRETS_DIR_NONE;
	int r;

	secrets_dir_sweep(*base_fd);
	dir.base_fd = *base_fd;
	r = own_dir_create_free(&dir, name);
	if (r < 0)
		return r;

	*base_fd = -1;
	r = own_dir_enter(&dir);
	if (r == 0 && snprintf(dir.path, sizeof(dir.path), "%s/%s", base_path, dir.name) >=
	                  (int)sizeof(dir.path))
		r = -ENAMETOOLONG;
	if (r < 0) {
		secrets_dir_remove(&dir);
		return r;
	}

	*ret_dir = dir;
	return 0;
}

void secrets_dir_note_command(const struct secrets_dir *dir, pid_t command)
{
	char link[NAME_MAX + 1];
	char next[NAME_MAX + 1];
	char owner[OWNER_TEXT_BYTES];

	if (!dir->has_owner || owner_print(command, owner) < 0)
		return;

	owner_link_name(dir->name, link);
	(void)snprintf(next, sizeof(next), ".%s.next", dir->name);
	if (symlinkat(owner, dir->base_fd, next) == 0 &&
	    renameat(dir->base_fd, next, dir->base_fd, link) < 0)
		(void)unlinkat(dir->base_fd, next, 0);
}

void secrets_dir_remove(struct secrets_dir *dir)
{
	char link[NAME_MAX + 1];

	if (dir->base_fd >= 0 && dir->name[0])
		own_dir_remove(dir->base_fd, dir->name);
	if (dir->has_owner) {
		owner_link_name(dir->name, link);
		(void)unlinkat(dir->base_fd, link, 0);
	}
	secrets_dir_close(dir);
}

void secrets_dir_close(struct secrets_dir *dir)
{
	fd_cleanup(&dir->fd);
	fd_cleanup(&dir->base_fd);
	*dir = SECRETS_DIR_NONE;
}

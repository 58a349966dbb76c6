/* SPDX-License-Identifier: MIT */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin.h"
#include "audit.h"
#include "home.h"
#include "restore_private.h"
#include "sealed_file.h"
#include "tacit/fd.h"

/* Says where in the file it went wrong, as far as that helps. */
static int walk_verdict(const struct restore *restore, int r, struct fault *fault)
{
	if (r == -TACIT_E_CORRUPT)
		return fault_set_why(
		    fault, r, "damaged or altered; nothing was restored", "%s", restore->path);
	if (r == -TACIT_E_CUT_OFF)
		return fault_set_why(fault, -TACIT_E_CORRUPT,
		    "its end is missing; nothing was restored", "%s", restore->path);

	return r < 0 ? fault_set(fault, r, "%s", restore->path) : 0;
}

struct opened {
	struct secret *material;
	struct keys *keys;
};

static void opened_cleanup(struct opened *opened)
{
	secret_free(opened->material);
	keys_free(opened->keys);
}
#define cleanup_opened __attribute__((cleanup(opened_cleanup)))

static bool source_is_given(const struct key_source *source)
{
	return source->key_file || source->passphrase_file || source->key_fd ||
	       source->passphrase_fd || getenv("CREDENTIALS_DIRECTORY");
}

/*
 * The key that was named, or the one that lies where it lay. That path is not authenticated yet,
 * but a file that does not open the seal is put aside again.
 */
static int material_find(
    const struct restore *restore, struct secret **ret_material, struct fault *fault)
{
	const struct key_source *source = &restore->config->key_source;

	if (restore->seal.by_passphrase || source_is_given(source))
		return master_find(AT_FDCWD, source, &restore->seal, ret_material, fault);
	if (restore->key_path[0] == '/' &&
	    master_read_file(AT_FDCWD, restore->key_path, ret_material, NULL) == 0)
		return 0;

	return fault_set_why(fault, -TACIT_E_WRONG_KEY,
	    "not in the backup, nor where it was; give your copy with --key-file", "master key");
}

static int seal_unlock(struct restore *restore, struct opened *opened, struct fault *fault)
{
	int r = material_find(restore, &opened->material, fault);

	if (r < 0)
		return r;

	r = keys_unseal(&restore->seal, opened->material, &opened->keys);
	restore->keys = opened->keys;
	return r < 0
	           ? fault_set_why(fault, r, "the master key does not open it", "%s", restore->path)
	           : 0;
}

/* The master key goes back to where it was: into the directory, or where it was named now. */
static int place_key(struct restore *restore, const struct secret *material, struct fault *fault)
{
	const char *named = restore->config->key_source.key_file;
	cleanup_free char *absolute = NULL;
	int r;

	if (restore->seal.by_passphrase)
		return 0;
	if (!strcmp(restore->seal.key_file, MASTER_KEY_FILE)) {
		r = fd_create_file(restore->dirfd, MASTER_KEY_FILE, 0400, secret_bytes(material),
		    secret_len(material));
		return r < 0 ? fault_set(fault, r, MASTER_KEY_FILE) : 0;
	}
	if (!named)
		return 0;

	absolute = realpath(named, NULL);
	if (!absolute)
		return fault_set(fault, -errno, "%s", named);
	(void)snprintf(restore->seal.key_file, sizeof(restore->seal.key_file), "%s", absolute);
	return 0;
}

/* seal.json comes last: until it is there, nothing takes the directory for a store. */
static int fill(struct restore *restore, const struct opened *opened, struct fault *fault)
{
	char path[PATH_MAX + 32];
	int r;

	(void)snprintf(path, sizeof(path), "%s/" STORE_FILE, restore->config->dir);
	r = vault_copy_create(path, &restore->rows, fault);
	if (r < 0)
		return r;
	r = restore_walk(restore);
	if (r == 0)
		r = vault_copy_finish(restore->rows);
	vault_copy_free(restore->rows);
	restore->rows = NULL;
	if (r < 0)
		return walk_verdict(restore, r, fault);

	r = place_key(restore, opened->material, fault);
	if (r < 0)
		return r;
	r = seal_create(restore->dirfd, &restore->seal);
	return r < 0 ? fault_set(fault, r, SEAL_FILE) : 0;
}

/* What the mac has vouched for is looked at as a store, too: that it is whole, and that it opens.
 */
static int revive(const struct config *config, struct keys *keys, struct fault *fault)
{
	static const struct audit_event restored = {.event = "store.restored"};
	struct audit_state audit;
	struct home home;
	int r = home_begin(config, HOME_SERVE, &home, fault);

	if (r < 0) {
		keys_free(keys);
		return r;
	}

	r = home_load(config, HOME_SERVE, keys, &home, &audit, fault);
	if (r == 0)
		r = home_verify(&home, fault);
	if (r == 0 && audit_write(home.server.audit, &restored) < 0)
		r = fault_set(fault, -TACIT_E_AUDIT_UNAVAILABLE, AUDIT_FILE);
	if (r == 0)
		r = admin_issue_file(&home, fault);
	if (r == 0)
		r = sealed_file_write(home.dirfd, home.server.authority, fault);
	home_close(&home);
	return r;
}

struct filling {
	struct restore *restore;
	struct opened *opened;
};

static int fill_directory(
    const struct config *config, void *context, int dirfd, struct fault *fault)
{
	struct filling *filling = context;
	struct keys *keys = filling->opened->keys;
	int r;

	filling->restore->dirfd = dirfd;
	r = fill(filling->restore, filling->opened, fault);
	if (r < 0)
		return r;

	filling->opened->keys = NULL; /* they go with the store */
	return revive(config, keys, fault);
}

/* Without a key first: the seal is in there, and a broken file needs no key to be so. */
static int check(struct restore *restore, struct opened *opened, struct fault *fault)
{
	int r = walk_verdict(restore, restore_walk(restore), fault);

	if (r == 0)
		r = seal_unlock(restore, opened, fault);
	if (r < 0)
		return r;

	r = restore_walk(restore);
	if (r == -TACIT_E_CORRUPT)
		return fault_set_why(fault, r,
		    "not made by this store, or altered; nothing was restored", "%s",
		    restore->path);
	return walk_verdict(restore, r, fault);
}

static int backup_open(struct restore *restore, struct fault *fault)
{
	struct stat status = {0};
	int r = 0;

	restore->fd = open(restore->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (restore->fd < 0 || fstat(restore->fd, &status) < 0)
		r = -errno;
	if (r == 0 && !S_ISREG(status.st_mode))
		return fault_set_why(fault, -EINVAL,
		    "not a file; it is read more than once, so that nothing is written before all "
		    "of it was checked",
		    "%s", restore->path);
	if (r < 0)
		return fault_set(fault, r, "%s", restore->path);

	restore->size = (uint64_t)status.st_size;
	return 0;
}

int restore_verify(
    const char *path, struct progress *progress, int64_t *ret_begun, struct fault *fault)
{
	struct restore restore = {.path = path, .progress = progress, .fd = -1, .dirfd = -1};
	int r = backup_open(&restore, fault);

	if (r == 0)
		r = walk_verdict(&restore, restore_walk(&restore), fault);
	fd_cleanup(&restore.fd);
	if (r == 0)
		*ret_begun = restore.begun;
	return r;
}

int restore_from(const struct config *config, const char *path, struct progress *progress,
    int64_t *ret_begun, struct fault *fault)
{
	struct restore restore = {
	    .config = config, .path = path, .progress = progress, .fd = -1, .dirfd = -1};
	cleanup_opened struct opened opened = {0};
	struct filling filling = {.restore = &restore, .opened = &opened};
	int r = home_check_new(config, fault);

	if (r == 0)
		r = backup_open(&restore, fault);
	if (r == 0)
		r = check(&restore, &opened, fault);
	if (r == 0)
		r = home_make(config, fill_directory, &filling, fault);
	fd_cleanup(&restore.fd);
	if (r < 0)
		return r;

	*ret_begun = restore.begun;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin.h"
#include "audit.h"
#include "backup_file.h"
#include "home.h"
#include "tacit/codec.h"
#include "tacit/fd.h"
#include "vault_copy.h"

struct restore {
	const struct config *config;
	const char *path; /* of the backup */
	int fd;
	struct progress *progress;
	uint64_t size;

	int dirfd; /* where it goes; -1 while it is only checked */
	struct vault_copy *rows;
	int file_fd; /* being written; -1 */
	uint64_t file_left;

	const struct keys *keys; /* once the master key has opened the seal */
	bool has_seal;
	struct seal seal;
	char key_path[PATH_MAX]; /* where the key was when the backup was made; "" */
	int64_t begun;
};

static int malformed(void)
{
	return -TACIT_E_CORRUPT;
}

static int take_info(struct restore *restore, struct decoder *part)
{
	char version[64];

	restore->begun = (int64_t)decode_u64(part);
	decode_text(part, version, sizeof(version));
	decode_text(part, restore->key_path, sizeof(restore->key_path));
	return decode_end(part) < 0 ? malformed() : 0;
}

static int take_seal(struct restore *restore, const struct secret *text)
{
	if (restore->has_seal ||
	    seal_parse(secret_bytes(text), secret_len(text), &restore->seal) < 0)
		return malformed();

	restore->has_seal = true;
	return 0;
}

static int take_rows(struct restore *restore, struct decoder *part)
{
	while (part->left > 0 && !part->failed) {
		size_t key_len, value_len;
		const uint8_t *key = decode_bytes(part, &key_len);
		const uint8_t *value = decode_bytes(part, &value_len);
		int r = 0;

		if (part->failed)
			return malformed();
		if (restore->rows)
			r = vault_copy_add(restore->rows, key, key_len, value, value_len);
		if (r < 0)
			return r;
	}

	return part->failed ? malformed() : 0;
}

static int file_close(struct restore *restore)
{
	int r = 0;

	if (restore->file_left > 0)
		return malformed();
	if (restore->file_fd >= 0 && fsync(restore->file_fd) < 0)
		r = -errno;
	fd_cleanup(&restore->file_fd);
	restore->file_fd = -1;
	return r;
}

/* Nothing but the logs has a place here, and never a path. */
static bool is_log_name(const char *name)
{
	size_t len = strlen(AUDIT_FILE);

	return !strncmp(name, AUDIT_FILE, len) && !strchr(name, '/') &&
	       (name[len] == '\0' || name[len] == '.' || name[len] == '-');
}

static int take_file(struct restore *restore, struct decoder *part)
{
	char name[256];
	uint64_t size;

	decode_text(part, name, sizeof(name));
	size = decode_u64(part);
	if (decode_end(part) < 0 || !is_log_name(name) || file_close(restore) < 0)
		return malformed();

	restore->file_left = size;
	if (restore->dirfd < 0)
		return 0;

	restore->file_fd = openat(
	    restore->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return restore->file_fd < 0 ? -errno : 0;
}

static int take_data(struct restore *restore, const struct secret *part)
{
	cleanup_secret struct secret *piece = NULL;
	size_t len = secret_len(part);
	int r;

	if (len < ENVELOPE_OVERHEAD_BYTES || len - ENVELOPE_OVERHEAD_BYTES > restore->file_left)
		return malformed();

	restore->file_left -= len - ENVELOPE_OVERHEAD_BYTES;
	if (restore->file_fd < 0)
		return 0;

	r = backup_open_piece(restore->keys, part, &piece);
	return r < 0 ? r : fd_write_all(restore->file_fd, secret_bytes(piece), secret_len(piece));
}

static int take_part(struct restore *restore, enum backup_kind kind, const struct secret *part)
{
	struct decoder decoder = {.at = secret_bytes(part), .left = secret_len(part)};

	switch (kind) {
	case BACKUP_INFO:
		return take_info(restore, &decoder);
	case BACKUP_SEAL:
		return take_seal(restore, part);
	case BACKUP_ROWS:
		return take_rows(restore, &decoder);
	case BACKUP_FILE:
		return take_file(restore, &decoder);
	case BACKUP_DATA:
		return take_data(restore, part);
	case BACKUP_END:
		return restore->has_seal ? file_close(restore) : malformed();
	}

	return malformed();
}

/* Walks over the backup: to check it, and, with a directory, to write what is in it. */
static int walk(struct restore *restore)
{
	cleanup_free struct backup_reader *reader =
	    aligned_alloc(_Alignof(struct backup_reader), sizeof(*reader));
	enum backup_kind kind = BACKUP_INFO;
	int r = reader ? backup_read_begin(reader, restore->fd, restore->keys) : -ENOMEM;

	restore->has_seal = false;
	restore->file_fd = -1;
	restore->file_left = 0;
	while (r == 0 && kind != BACKUP_END) {
		cleanup_secret struct secret *part = NULL;

		r = backup_read_part(reader, &kind, &part);
		if (r == 0)
			r = take_part(restore, kind, part);
		progress_show(restore->progress, reader->sums.bytes / 1024, restore->size / 1024);
	}
	fd_cleanup(&restore->file_fd);
	return r;
}

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
	r = walk(restore);
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
	int r = walk_verdict(restore, walk(restore), fault);

	if (r == 0)
		r = seal_unlock(restore, opened, fault);
	if (r < 0)
		return r;

	r = walk(restore);
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
		r = walk_verdict(&restore, walk(&restore), fault);
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

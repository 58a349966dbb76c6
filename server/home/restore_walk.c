/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "backup_file.h"
#include "restore_private.h"
#include "tacit/codec.h"
#include "tacit/fd.h"

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

int restore_walk(struct restore *restore)
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

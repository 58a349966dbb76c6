/* SPDX-License-Identifier: MIT */
#include "backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "backup_file.h"
#include "home.h"
#include "owner.h"
#include "tacit/codec.h"
#include "tacit/fd.h"
#include "user.h"
#include "vault_copy.h"

#define PIECE_BYTES ((size_t)1 << 16)

struct backup {
	struct backup_writer writer;
	const struct keys *keys;
	const struct backup_output *output;
	struct secret *rows; /* that are not written yet */
};

static int backup_part(struct backup *backup, enum backup_kind kind, const struct secret *part)
{
	int r = backup_write_part(&backup->writer, kind, secret_bytes(part), secret_len(part));

	if (r == 0 && backup->output->progress)
		backup->output->progress(backup->output->context, backup->writer.sums.bytes);
	return r;
}

/* Where `restore` looks first, which is right on the same machine. */
static void key_path(const char *dir, const struct seal *seal, char ret_path[static PATH_MAX])
{
	cleanup_free char *absolute = realpath(dir, NULL);

	ret_path[0] = '\0';
	if (seal->by_passphrase || !seal->key_file[0])
		return;
	if (seal->key_file[0] == '/')
		(void)snprintf(ret_path, PATH_MAX, "%s", seal->key_file);
	else if (absolute)
		(void)snprintf(ret_path, PATH_MAX, "%s/%s", absolute, seal->key_file);
}

static int write_info(struct backup *backup, const char *dir, const struct seal *seal)
{
	char path[PATH_MAX];
	cleanup_secret struct secret *part = NULL;
	struct encoder encoder;

	key_path(dir, seal, path);
	if (secret_new(256, &part) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = part};
	encode_u64(&encoder, (uint64_t)time(NULL));
	encode_text(&encoder, TACIT_VERSION);
	encode_text(&encoder, path);
	return encode_end(&encoder) < 0 ? -ENOMEM : backup_part(backup, BACKUP_INFO, part);
}

static int write_head(struct backup *backup, int dirfd, const char *dir)
{
	cleanup_secret struct secret *text = NULL;
	struct seal seal;
	int r = seal_read(dirfd, &seal, NULL);

	if (r == 0)
		r = write_info(backup, dir, &seal);
	if (r == 0)
		r = seal_print(&seal, &text);

	return r < 0 ? r : backup_part(backup, BACKUP_SEAL, text);
}

static int rows_flush(struct backup *backup)
{
	int r = secret_len(backup->rows) > 0 ? backup_part(backup, BACKUP_ROWS, backup->rows) : 0;

	secret_reset(backup->rows);
	return r;
}

static int write_row(
    void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
	struct backup *backup = context;
	struct encoder encoder = {.out = backup->rows};

	encode_bytes(&encoder, key, key_len);
	encode_bytes(&encoder, value, value_len);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	return secret_len(backup->rows) < PIECE_BYTES ? 0 : rows_flush(backup);
}

static int write_rows(struct backup *backup, const char *dir, struct fault *fault)
{
	char path[PATH_MAX + 32];
	int r;

	(void)snprintf(path, sizeof(path), "%s/" STORE_FILE, dir);
	r = secret_new(2 * PIECE_BYTES, &backup->rows);
	if (r == 0)
		r = vault_copy_read(path, write_row, backup, fault);
	if (r == 0)
		r = rows_flush(backup);
	secret_free(backup->rows);
	return r;
}

static int write_file_head(struct backup *backup, const char *name, off_t size)
{
	cleanup_secret struct secret *part = NULL;
	struct encoder encoder;

	if (secret_new(300, &part) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = part};
	encode_text(&encoder, name);
	encode_u64(&encoder, (uint64_t)size);
	return encode_end(&encoder) < 0 ? -ENOMEM : backup_part(backup, BACKUP_FILE, part);
}

/*
 * How much of a log consists of whole lines: a server may be in the middle of one. What is no log
 * but, say, a compressed one is taken as it is.
 */
static off_t whole_lines(int fd)
{
	struct stat status;
	off_t end = fstat(fd, &status) < 0 ? 0 : status.st_size;
	char byte;

	if (pread(fd, &byte, 1, 0) != 1 || byte != '{')
		return end;

	while (end > 0 && pread(fd, &byte, 1, end - 1) == 1 && byte != '\n')
		end--;
	return end;
}

/* How many bytes. */
static int piece_read(int fd, off_t at, off_t size, struct secret *piece)
{
	size_t want = (size_t)(size - at) < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES;
	ssize_t got;

	secret_reset(piece);
	got = pread(fd, secret_space(piece, want), want, at);
	if (got <= 0)
		return got < 0 ? -errno : -TACIT_E_CUT_OFF;

	secret_grew(piece, (size_t)got);
	return (int)got;
}

static int write_file(struct backup *backup, const char *name, int fd)
{
	off_t size = whole_lines(fd), at = 0;
	cleanup_secret struct secret *piece = NULL;
	cleanup_secret struct secret *sealed = NULL;
	int r = write_file_head(backup, name, size);

	if (secret_new(PIECE_BYTES, &piece) < 0 ||
	    secret_new(PIECE_BYTES + ENVELOPE_OVERHEAD_BYTES, &sealed) < 0)
		return -ENOMEM;
	while (r == 0 && at < size) {
		int got = piece_read(fd, at, size, piece);

		if (got < 0)
			return got;
		at += got;
		r = backup_seal_piece(backup->keys, piece, sealed);
		if (r == 0)
			r = backup_part(backup, BACKUP_DATA, sealed);
	}

	return r;
}

/* The log and what was moved away from it under a name behind its own. */
static int is_log(const struct dirent *entry)
{
	return !strncmp(entry->d_name, AUDIT_FILE, strlen(AUDIT_FILE)) &&
	       (entry->d_name[strlen(AUDIT_FILE)] == '\0' ||
	           strchr(".-", entry->d_name[strlen(AUDIT_FILE)]));
}

struct logs {
	struct dirent **names;
	int *fds;
	int count;
};

static void logs_free(struct logs *logs)
{
	for (int i = 0; i < logs->count; i++) {
		if (logs->fds && logs->fds[i] >= 0)
			(void)close(logs->fds[i]);
		free(logs->names[i]);
	}
	free(logs->names);
	free(logs->fds);
	*logs = (struct logs){0};
}

static int logs_open(int dirfd, struct logs *logs)
{
	int r = 0;

	*logs = (struct logs){0};
	logs->count = scandirat(dirfd, ".", &logs->names, is_log, alphasort);
	if (logs->count < 0) {
		logs->count = 0;
		return -errno;
	}

	logs->fds = calloc((size_t)logs->count + 1, sizeof(*logs->fds));
	if (!logs->fds)
		return -ENOMEM;
	for (int i = 0; i < logs->count; i++) {
		logs->fds[i] =
		    openat(dirfd, logs->names[i]->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (logs->fds[i] < 0 && r == 0)
			r = -errno;
	}

	return r;
}

static bool logs_are_still_so(int dirfd, const struct logs *logs)
{
	struct dirent **names = NULL;
	int count = scandirat(dirfd, ".", &names, is_log, alphasort);
	bool same = count == logs->count;

	for (int i = 0; i < count; i++) {
		same = same && !strcmp(names[i]->d_name, logs->names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return same;
}

/* A log that is moved away between being seen and being opened would be missed: seen again. */
static int logs_settle(int dirfd, struct logs *logs)
{
	int r = -EAGAIN;

	for (int tries = 0; tries < 5; tries++) {
		r = logs_open(dirfd, logs);
		if (r == 0 && logs_are_still_so(dirfd, logs))
			return 0;
		logs_free(logs);
	}

	return r < 0 ? r : -EAGAIN;
}

static int write_logs(struct backup *backup, int dirfd)
{
	struct logs logs;
	int r = logs_settle(dirfd, &logs);

	if (r < 0)
		return r;

	for (int i = 0; r == 0 && i < logs.count; i++)
		r = write_file(backup, logs.names[i]->d_name, logs.fds[i]);
	logs_free(&logs);
	return r;
}

int backup_record(struct server *server, struct fault *fault)
{
	static const struct audit_event event = {.event = "store.backup", .status = 200};
	int r = audit_write(server->audit, &event);

	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

static int record_as_owner(
    const struct config *config, const struct secret *material, struct fault *fault)
{
	struct home home;
	int r = home_open_with(config, HOME_RECORD, material, &home, fault);

	if (r < 0)
		return r;

	r = backup_record(&home.server, fault);
	home_close(&home);
	return r;
}

int backup_record_alone(
    const struct config *config, const struct secret *material, struct fault *fault)
{
	cleanup_fd int dirfd = home_dir_open(config, fault);
	int r = dirfd < 0 ? dirfd : owner_assume(config, dirfd, fault);

	if (r < 0)
		return r;

	r = record_as_owner(config, material, fault);
	user_resume();
	return r == -TACIT_E_STORE_READ_ONLY
	           ? fault_set_why(fault, r,
	                 "nothing can be written here, and a backup is recorded in the audit log; "
	                 "copy the directory, and back up the copy",
	                 "%s", config->dir)
	           : r;
}

int backup_write(int dirfd, const char *dir, const struct keys *keys,
    const struct backup_output *output, struct fault *fault)
{
	/* See backup_file.h: not on the stack. */
	cleanup_free struct backup *backup =
	    aligned_alloc(_Alignof(struct backup), sizeof(*backup));
	struct fault first = {0};
	int r;

	if (!backup)
		return fault_set(fault, -ENOMEM, "backup of %s", dir);

	*backup = (struct backup){.keys = keys,
	    .writer = {.put = output->put, .context = output->context},
	    .output = output};
	r = backup_write_begin(&backup->writer, keys);
	if (r == 0)
		r = write_head(backup, dirfd, dir);
	if (r == 0)
		r = write_rows(backup, dir, &first);
	if (r == 0)
		r = write_logs(backup, dirfd);
	if (r == 0)
		r = backup_write_end(&backup->writer);
	if (r < 0 && first.err < 0 && fault)
		*fault = first;
	else if (r < 0)
		(void)fault_set(fault, r, "backup of %s", dir);
	return r;
}

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_BACKUP_FILE_H
#define TACIT_SERVER_BACKUP_FILE_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * The form of a backup. Rows are sealed as they are, and the log, which has names in it, is sealed
 * on the way, so a backup tells no more than the database does. In the form of codec.h:
 *
 *   "TACITBAK" | u32 1 | parts | end
 *   part = u8 kind | u32 length | as many bytes
 *
 *   'I'  u64 when it was begun, text the version of the program, text where the key lies  first
 *   'S'  the text of seal.json
 *   'R'  rows of the store: bytes the key, bytes the value, and so on
 *   'F'  text the name of a file, u64 its length; its bytes follow
 *   'D'  bytes of it, sealed under the log's backup key
 *   'E'  u64 how many bytes are in front, 32 checksum, 32 mac            last
 *
 * The checksum is BLAKE2b-256 of all bytes in front of the end: whoever has the file can check it.
 * The mac is the same under the backup key, which comes from the root key, and also of the
 * checksum: whoever has the master key can check that nobody has made the file up.
 */
#define BACKUP_CHECK_BYTES    32
#define BACKUP_PART_MAX_BYTES ((size_t)1 << 20)

enum backup_kind {
	BACKUP_INFO = 'I',
	BACKUP_SEAL = 'S',
	BACKUP_ROWS = 'R',
	BACKUP_FILE = 'F',
	BACKUP_DATA = 'D',
	BACKUP_END = 'E',
};

/* A piece of a file on its way into a backup, and out of one: -TACIT_E_CORRUPT. */
int backup_seal_piece(const struct keys *keys, const struct secret *piece, struct secret *sealed);
int backup_open_piece(
    const struct keys *keys, const struct secret *sealed, struct secret **ret_piece);

/*
 * The two sums over all bytes so far. libsodium wants its state aligned to 64 bytes, which the
 * stack of a sanitizer build is not (gcc 12 with detect_stack_use_after_return): what holds this
 * is on the heap.
 */
struct backup_sums {
	uint64_t bytes;
	crypto_generichash_state checksum;
	crypto_generichash_state mac;
};

struct backup_writer {
	int (*put)(void *context, const void *bytes, size_t len);
	void *context;
	struct backup_sums sums;
};

/* 0, -ENOMEM, or what `put` returns. */
int backup_write_begin(struct backup_writer *writer, const struct keys *keys);
int backup_write_part(
    struct backup_writer *writer, enum backup_kind kind, const void *bytes, size_t len);
int backup_write_end(struct backup_writer *writer);

struct backup_reader {
	int fd;
	bool keyed;
	struct backup_sums sums;
};

/*
 * Starts to read at the beginning of `fd`; without keys the mac is passed over. Each error is a
 * fault on its own: -TACIT_E_NOT_A_BACKUP, -TACIT_E_CUT_OFF, -TACIT_E_CORRUPT, -errno.
 */
int backup_read_begin(struct backup_reader *reader, int fd, const struct keys *keys);
/* The next part. BACKUP_END only when both sums are right and nothing follows. */
int backup_read_part(
    struct backup_reader *reader, enum backup_kind *ret_kind, struct secret **ret_part);

#endif

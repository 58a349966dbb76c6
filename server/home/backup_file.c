/* SPDX-License-Identifier: MIT */
#include "backup_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tacit/codec.h"
#include "tacit/fd.h"

static const uint8_t magic[12] = {'T', 'A', 'C', 'I', 'T', 'B', 'A', 'K', 0, 0, 0, 1};

#define PART_HEAD_BYTES 5
#define END_BYTES       (8 + 2 * BACKUP_CHECK_BYTES)

/* The mac binds each part to its place; what is left to say is which store it is of. */
static int piece_associate(const struct keys *keys, struct secret **ret_ad)
{
	cleanup_secret struct secret *ad = NULL;
	struct encoder encoder;

	if (secret_new(64, &ad) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = ad};
	encode_text(&encoder, "tacit/backup/1");
	encode_bytes(&encoder, keys->store_id, STORE_ID_BYTES);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_ad = secret_take(&ad);
	return 0;
}

static int piece_key(const struct keys *keys, struct secret **ret_key)
{
	cleanup_secret struct secret *key = NULL;

	if (secret_new(ENVELOPE_KEY_BYTES, &key) < 0)
		return -ENOMEM;

	envelope_derive(keys->backup, "tacitlog", 1, secret_space(key, ENVELOPE_KEY_BYTES));
	secret_grew(key, ENVELOPE_KEY_BYTES);
	*ret_key = secret_take(&key);
	return 0;
}

int backup_seal_piece(const struct keys *keys, const struct secret *piece, struct secret *sealed)
{
	size_t len = secret_len(piece) + ENVELOPE_OVERHEAD_BYTES;
	cleanup_secret struct secret *key = NULL;
	cleanup_secret struct secret *ad = NULL;
	uint8_t *space;

	secret_reset(sealed);
	space = secret_space(sealed, len);
	if (!space || piece_key(keys, &key) < 0 || piece_associate(keys, &ad) < 0)
		return -ENOMEM;

	envelope_seal(secret_bytes(key), secret_bytes(ad), secret_len(ad), secret_bytes(piece),
	    secret_len(piece), space);
	secret_grew(sealed, len);
	return 0;
}

int backup_open_piece(
    const struct keys *keys, const struct secret *sealed, struct secret **ret_piece)
{
	cleanup_secret struct secret *key = NULL;
	cleanup_secret struct secret *ad = NULL;

	if (piece_key(keys, &key) < 0 || piece_associate(keys, &ad) < 0)
		return -ENOMEM;

	return envelope_open(secret_bytes(key), secret_bytes(ad), secret_len(ad),
	    secret_bytes(sealed), secret_len(sealed), ret_piece);
}

static void sums_begin(struct backup_sums *sums, const struct keys *keys)
{
	static const uint8_t no_key[ENVELOPE_KEY_BYTES];

	sums->bytes = 0;
	(void)crypto_generichash_init(&sums->checksum, NULL, 0, BACKUP_CHECK_BYTES);
	(void)crypto_generichash_init(
	    &sums->mac, keys ? keys->backup : no_key, ENVELOPE_KEY_BYTES, BACKUP_CHECK_BYTES);
}

static void sums_add(struct backup_sums *sums, const void *bytes, size_t len)
{
	sums->bytes += len;
	(void)crypto_generichash_update(&sums->checksum, bytes, len);
	(void)crypto_generichash_update(&sums->mac, bytes, len);
}

static void u64_put(uint8_t *bytes, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* What the end says of everything in front of it. */
static void sums_end(struct backup_sums *sums, uint8_t ret_end[static END_BYTES])
{
	uint8_t *checksum = ret_end + 8, *mac = checksum + BACKUP_CHECK_BYTES;

	u64_put(ret_end, sums->bytes);
	(void)crypto_generichash_final(&sums->checksum, checksum, BACKUP_CHECK_BYTES);
	(void)crypto_generichash_update(&sums->mac, ret_end, 8 + BACKUP_CHECK_BYTES);
	(void)crypto_generichash_final(&sums->mac, mac, BACKUP_CHECK_BYTES);
}

static int put(struct backup_writer *writer, const void *bytes, size_t len)
{
	sums_add(&writer->sums, bytes, len);
	return writer->put(writer->context, bytes, len);
}

int backup_write_begin(struct backup_writer *writer, const struct keys *keys)
{
	sums_begin(&writer->sums, keys);
	return put(writer, magic, sizeof(magic));
}

static void part_head(enum backup_kind kind, size_t len, uint8_t ret_head[static PART_HEAD_BYTES])
{
	ret_head[0] = (uint8_t)kind;
	for (int i = 0; i < 4; i++)
		ret_head[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

int backup_write_part(
    struct backup_writer *writer, enum backup_kind kind, const void *bytes, size_t len)
{
	uint8_t head[PART_HEAD_BYTES];
	int r;

	if (len > BACKUP_PART_MAX_BYTES)
		return -TACIT_E_TOO_LARGE;

	part_head(kind, len, head);
	r = put(writer, head, sizeof(head));
	return r < 0 || len == 0 ? r : put(writer, bytes, len);
}

int backup_write_end(struct backup_writer *writer)
{
	uint8_t tail[PART_HEAD_BYTES + END_BYTES];

	part_head(BACKUP_END, END_BYTES, tail);
	sums_end(&writer->sums, tail + PART_HEAD_BYTES);
	return writer->put(writer->context, tail, sizeof(tail));
}

static int read_exactly(struct backup_reader *reader, void *buffer, size_t len)
{
	size_t got;
	int r = fd_read_full(reader->fd, buffer, len, &got);

	if (r < 0)
		return r;

	return got < len ? -TACIT_E_CUT_OFF : 0;
}

int backup_read_begin(struct backup_reader *reader, int fd, const struct keys *keys)
{
	uint8_t bytes[sizeof(magic)];
	int r;

	*reader = (struct backup_reader){.fd = fd, .keyed = keys != NULL};
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;

	sums_begin(&reader->sums, keys);
	r = read_exactly(reader, bytes, sizeof(bytes));
	if (r == -TACIT_E_CUT_OFF || (r == 0 && memcmp(bytes, magic, sizeof(magic)) != 0))
		return -TACIT_E_NOT_A_BACKUP;

	sums_add(&reader->sums, bytes, sizeof(bytes));
	return r;
}

static int end_check(struct backup_reader *reader, const struct secret *part)
{
	uint8_t end[END_BYTES], more;
	size_t checked = reader->keyed ? END_BYTES : END_BYTES - BACKUP_CHECK_BYTES, got;

	sums_end(&reader->sums, end);
	if (secret_len(part) != END_BYTES || sodium_memcmp(secret_bytes(part), end, checked) != 0)
		return -TACIT_E_CORRUPT;

	return fd_read_full(reader->fd, &more, 1, &got) < 0 || got > 0 ? -TACIT_E_CORRUPT : 0;
}

static bool is_kind(uint8_t byte)
{
	return byte != 0 && strchr("ISRFDE", byte);
}

int backup_read_part(
    struct backup_reader *reader, enum backup_kind *ret_kind, struct secret **ret_part)
{
	cleanup_secret struct secret *part = NULL;
	uint8_t head[PART_HEAD_BYTES];
	size_t len = 0;
	int r = read_exactly(reader, head, sizeof(head));

	if (r < 0)
		return r;
	for (int i = 0; i < 4; i++)
		len = len << 8 | head[1 + i];
	if (!is_kind(head[0]) || len > BACKUP_PART_MAX_BYTES)
		return -TACIT_E_CORRUPT;
	if (secret_new(len, &part) < 0)
		return -ENOMEM;
	r = read_exactly(reader, secret_space(part, len), len);
	if (r < 0)
		return r;

	secret_grew(part, len);
	if (head[0] == BACKUP_END) {
		r = end_check(reader, part);
		if (r < 0)
			return r;
	} else {
		sums_add(&reader->sums, head, sizeof(head));
		sums_add(&reader->sums, secret_bytes(part), len);
	}

	*ret_kind = (enum backup_kind)head[0];
	*ret_part = secret_take(&part);
	return 0;
}

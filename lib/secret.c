/* SPDX-License-Identifier: MIT */
#include "tacit/secret.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tacit/err.h"

/*
 * The arena: blocks of a power of two between 64 bytes and 8 KiB, carved from slabs and kept on one
 * free list for each size; anything larger has a mapping of its own. A slab is one page where that
 * holds two blocks, so that the agent stays within the 64 KiB of RLIMIT_MEMLOCK that older hosts
 * give a container.
 */
#define SLAB_MIN_BYTES  4096
#define BLOCK_MIN_BYTES 64
#define BLOCK_MAX_BYTES 8192
#define BLOCK_SIZES     8 /* 64, 128, ... 8192 */

_Static_assert(BLOCK_MIN_BYTES << (BLOCK_SIZES - 1) == BLOCK_MAX_BYTES, "block sizes");

struct block {
	struct block *next;
};

struct slab {
	struct slab *next;
	void *pages;
	size_t size;
};

static struct {
	pthread_mutex_t mutex;
	struct block *free[BLOCK_SIZES];
	struct slab *slabs;
} arena = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static atomic_bool arena_unlocked;

struct secret {
	uint8_t *bytes;
	size_t len;
	size_t capacity;
};

static void *pages_map(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;

	if (mlock(pages, size) < 0)
		atomic_store(&arena_unlocked, true);
	(void)madvise(pages, size, MADV_DONTDUMP);
	return pages;
}

static size_t pages_round(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

static size_t block_size(size_t index)
{
	return (size_t)BLOCK_MIN_BYTES << index;
}

static size_t block_index(size_t size)
{
	size_t index = 0;

	while (block_size(index) < size)
		index++;

	return index;
}

/* Cuts a new slab into blocks. Called with the mutex held. */
static void arena_grow(size_t index)
{
	size_t size = block_size(index);
	size_t slab_size = size > SLAB_MIN_BYTES / 2 ? 2 * size : SLAB_MIN_BYTES;
	struct slab *slab = malloc(sizeof(*slab));
	uint8_t *pages = slab ? pages_map(slab_size) : NULL;

	if (!pages) {
		free(slab);
		return;
	}

	*slab = (struct slab){.next = arena.slabs, .pages = pages, .size = slab_size};
	arena.slabs = slab;
	for (size_t at = 0; at + size <= slab_size; at += size) {
		struct block *block = (struct block *)(void *)(pages + at);

		block->next = arena.free[index];
		arena.free[index] = block;
	}
}

static void *arena_take(size_t index)
{
	struct block *block;

	(void)pthread_mutex_lock(&arena.mutex);
	if (!arena.free[index])
		arena_grow(index);
	block = arena.free[index];
	if (block)
		arena.free[index] = block->next;
	(void)pthread_mutex_unlock(&arena.mutex);

	return block;
}

static void arena_give(void *memory, size_t index)
{
	struct block *block = memory;

	(void)pthread_mutex_lock(&arena.mutex);
	block->next = arena.free[index];
	arena.free[index] = block;
	(void)pthread_mutex_unlock(&arena.mutex);
}

/* The size that is really given stands in *size. */
static void *memory_new(size_t *size)
{
	if (*size <= BLOCK_MAX_BYTES) {
		size_t index = block_index(*size);

		*size = block_size(index);
		return arena_take(index);
	}
	if (*size > SIZE_MAX / 2)
		return NULL;

	*size = pages_round(*size);
	return pages_map(*size);
}

static void memory_free(void *memory, size_t size)
{
	if (!memory)
		return;

	sodium_memzero(memory, size);
	if (size <= BLOCK_MAX_BYTES)
		arena_give(memory, block_index(size));
	else
		(void)munmap(memory, size);
}

int secret_new(size_t capacity, struct secret **ret_secret)
{
	struct secret *secret = calloc(1, sizeof(*secret));

	if (!secret)
		return -ENOMEM;

	secret->capacity = capacity;
	secret->bytes = memory_new(&secret->capacity);
	if (!secret->bytes) {
		free(secret);
		return -ENOMEM;
	}

	*ret_secret = secret;
	return 0;
}

int secret_new_from(const void *bytes, size_t len, struct secret **ret_secret)
{
	cleanup_secret struct secret *secret = NULL;

	if (secret_new(len, &secret) < 0 || secret_append(secret, bytes, len) < 0)
		return -ENOMEM;

	*ret_secret = secret_take(&secret);
	return 0;
}

#define READ_STEP_BYTES 4096

int secret_read(int fd, size_t max_bytes, struct secret **ret_secret)
{
	cleanup_secret struct secret *secret = NULL;

	if (secret_new(READ_STEP_BYTES, &secret) < 0)
		return -ENOMEM;

	for (;;) {
		uint8_t *space = secret_space(secret, READ_STEP_BYTES);
		ssize_t got;

		if (!space)
			return -ENOMEM;
		got = read(fd, space, READ_STEP_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		secret_grew(secret, (size_t)got);
		if (secret->len > max_bytes)
			return -TACIT_E_TOO_LARGE;
	}

	*ret_secret = secret_take(&secret);
	return 0;
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;

	memory_free(secret->bytes, secret->capacity);
	free(secret);
}

void secret_cleanup(struct secret **secret)
{
	secret_free(*secret);
	*secret = NULL;
}

struct secret *secret_take(struct secret **secret)
{
	struct secret *taken = *secret;

	*secret = NULL;
	return taken;
}

const uint8_t *secret_bytes(const struct secret *secret)
{
	return secret->bytes;
}

size_t secret_len(const struct secret *secret)
{
	return secret->len;
}

uint8_t *secret_space(struct secret *secret, size_t len)
{
	size_t capacity = secret->capacity * 2;
	uint8_t *bytes;

	if (len <= secret->capacity - secret->len)
		return secret->bytes + secret->len;
	if (len > SIZE_MAX / 4 || secret->len > SIZE_MAX / 4)
		return NULL;

	if (capacity < secret->len + len)
		capacity = secret->len + len;
	bytes = memory_new(&capacity);
	if (!bytes)
		return NULL;

	memcpy(bytes, secret->bytes, secret->len);
	memory_free(secret->bytes, secret->capacity);
	secret->bytes = bytes;
	secret->capacity = capacity;
	return bytes + secret->len;
}

void secret_grew(struct secret *secret, size_t len)
{
	secret->len += len;
}

int secret_append(struct secret *secret, const void *bytes, size_t len)
{
	uint8_t *space = secret_space(secret, len);

	if (!space)
		return -ENOMEM;

	if (len > 0)
		memcpy(space, bytes, len);
	secret_grew(secret, len);
	return 0;
}

int secret_append_text(struct secret *secret, const char *text)
{
	return secret_append(secret, text, strlen(text));
}

int secret_append_base64(struct secret *secret, const void *bytes, size_t len)
{
	/* libsodium counts and writes a NUL behind the text. */
	size_t text_size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
	uint8_t *space = secret_space(secret, text_size);

	if (!space)
		return -ENOMEM;

	(void)sodium_bin2base64(
	    (char *)space, text_size, bytes, len, sodium_base64_VARIANT_ORIGINAL);
	secret_grew(secret, text_size - 1);
	return 0;
}

/* In constant time, as the decoder is: the text is a secret. */
static bool is_ascii(const char *text, size_t len)
{
	unsigned char bits = 0;

	for (size_t i = 0; i < len; i++)
		bits |= (unsigned char)text[i];

	return bits < 0x80;
}

int secret_from_base64(const char *text, size_t len, struct secret **ret_secret)
{
	cleanup_secret struct secret *secret = NULL;
	size_t max_len = len / 4 * 3 + 3;
	size_t bytes_len;

	/* libsodium 1.0.18 takes any byte from 0x80 up for a digit, where char is signed. */
	if (!is_ascii(text, len))
		return -TACIT_E_MALFORMED;
	if (secret_new(max_len, &secret) < 0)
		return -ENOMEM;
	if (sodium_base642bin(secret->bytes, max_len, text, len, NULL, &bytes_len, NULL,
	        sodium_base64_VARIANT_ORIGINAL) != 0)
		return -TACIT_E_MALFORMED;

	secret_grew(secret, bytes_len);
	*ret_secret = secret_take(&secret);
	return 0;
}

void secret_reset(struct secret *secret)
{
	sodium_memzero(secret->bytes, secret->len);
	secret->len = 0;
}

bool secret_equals(const struct secret *secret, const void *bytes, size_t len)
{
	return secret->len == len && sodium_memcmp(secret->bytes, bytes, len) == 0;
}

bool secret_occurs_in(const struct secret *secret, const char *text, size_t text_len)
{
	return secret->len > 0 && memmem(text, text_len, secret->bytes, secret->len);
}

bool secret_memory_locked(void)
{
	return !atomic_load(&arena_unlocked);
}

void secret_memory_lock_again(void)
{
	for (const struct slab *slab = arena.slabs; slab; slab = slab->next)
		if (mlock(slab->pages, slab->size) < 0)
			atomic_store(&arena_unlocked, true);
}

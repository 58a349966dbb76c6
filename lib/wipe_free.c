/* SPDX-License-Identifier: MIT */
/*
 * The libraries that we use do not wipe what they free, and TLS records, base64 text, key material
 * and the plain text of answers pass through their buffers. So in the programs that hold values
 * every block is wiped on its way out, whoever had it.
 *
 * The server defines free and realloc, which take the C library's place for the whole process,
 * shared libraries included. In a static program they would be defined twice, by us and by the
 * archive's malloc.o, so the agent is linked with --wrap=free and --wrap=realloc, which sends every
 * call of every object here (WIPE_FREE_WRAPPED). Sanitizers bring their own, and get neither.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#ifdef WIPE_FREE_WRAPPED
#define wiping_free    __wrap_free
#define wiping_realloc __wrap_realloc
#define plain_free     __real_free
#else
#define wiping_free    free
#define wiping_realloc realloc
#define plain_free     __libc_free /* glibc's own name for what it would have exported as free */
#endif

void plain_free(void *memory);
void wiping_free(void *memory);
void *wiping_realloc(void *memory, size_t size);

__attribute__((visibility("default"))) void wiping_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	plain_free(memory);
}

/* glibc would free an old block that it had to move from without our seeing it. */
__attribute__((visibility("default"))) void *wiping_realloc(void *memory, size_t size)
{
	size_t old_size;
	void *moved;

	if (!memory)
		return malloc(size);
	if (size == 0) {
		wiping_free(memory);
		return NULL;
	}

	old_size = malloc_usable_size(memory);
	if (size <= old_size && size >= old_size / 2)
		return memory;

	moved = malloc(size);
	if (!moved)
		return NULL;

	memcpy(moved, memory, old_size < size ? old_size : size);
	wiping_free(memory);
	return moved;
}

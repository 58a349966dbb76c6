/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL, jansson and the C library do not wipe what they free, and TLS records, base64 text and
 * key material pass through their buffers. So the static agent is linked with --wrap=free and
 * --wrap=realloc, and every block is wiped on its way out, whoever had it.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	__real_free(memory);
}

/* Never grows in place by moving: the old block would be freed inside malloc, unwiped. */
void *__wrap_realloc(void *memory, size_t size)
{
	size_t old_size;
	void *moved;

	if (!memory || size == 0)
		return __real_realloc(memory, size);

	old_size = malloc_usable_size(memory);
	if (size <= old_size && size >= old_size / 2)
		return memory;

	moved = malloc(size);
	if (!moved)
		return NULL;

	memcpy(moved, memory, old_size < size ? old_size : size);
	__wrap_free(memory);
	return moved;
}

/* SPDX-License-Identifier: MIT */
/*
 * GnuTLS, libmicrohttpd and SQLite do not wipe what they free, and the plain text of answers passes
 * through their buffers. These definitions take the place of the C library's for the whole process,
 * shared libraries included, so that every block is wiped on its way out. Left out of sanitizer
 * builds, which bring their own.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own name for what it would have exported as free. */
void __libc_free(void *memory);

__attribute__((visibility("default"))) void free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	__libc_free(memory);
}

/* glibc would free an old block that it had to move from without our seeing it. */
__attribute__((visibility("default"))) void *realloc(void *memory, size_t size)
{
	size_t old_size;
	void *moved;

	if (!memory)
		return malloc(size);
	if (size == 0) {
		free(memory);
		return NULL;
	}

	old_size = malloc_usable_size(memory);
	if (size <= old_size && size >= old_size / 2)
		return memory;

	moved = malloc(size);
	if (!moved)
		return NULL;

	memcpy(moved, memory, old_size < size ? old_size : size);
	free(memory);
	return moved;
}

/* SPDX-License-Identifier: MIT */
#include "handover.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* A P-256 key, two certificates and several URLs are 2 KiB; the whole is two pages or four. */
#define SLOT_BYTES 7936

/* Written in turn: `newest` changes only when the other slot is whole. 0 is none. */
struct handover {
	atomic_uint newest;
	atomic_bool has_token;
	uint32_t lens[2];
	uint8_t slots[2][SLOT_BYTES];
};

int handover_new(struct handover **ret_handover)
{
	struct handover *handover = mmap(
	    NULL, sizeof(*handover), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (handover == MAP_FAILED)
		return -errno;

	(void)mlock(handover, sizeof(*handover));
	(void)madvise(handover, sizeof(*handover), MADV_DONTDUMP);
	*ret_handover = handover;
	return 0;
}

void handover_leave(struct handover *handover, const struct secret *text)
{
	unsigned next = atomic_load(&handover->newest) == 1 ? 2 : 1;

	if (secret_len(text) > SLOT_BYTES)
		return;

	memcpy(handover->slots[next - 1], secret_bytes(text), secret_len(text));
	handover->lens[next - 1] = (uint32_t)secret_len(text);
	atomic_store(&handover->newest, next);
	explicit_bzero(handover->slots[2 - next], SLOT_BYTES);
}

int handover_take(const struct handover *handover, struct secret **ret_text)
{
	unsigned newest = atomic_load(&handover->newest);

	if (newest == 0)
		return -ENOENT;

	return secret_new_from(handover->slots[newest - 1], handover->lens[newest - 1], ret_text);
}

void handover_note_token(struct handover *handover, bool is_presented)
{
	atomic_store(&handover->has_token, is_presented);
}

bool handover_has_token(const struct handover *handover)
{
	return atomic_load(&handover->has_token);
}

void handover_free(struct handover *handover)
{
	if (!handover)
		return;

	explicit_bzero(handover, sizeof(*handover));
	(void)munmap(handover, sizeof(*handover));
}

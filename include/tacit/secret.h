/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SECRET_H
#define TACIT_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A secret is a buffer in locked memory that is left out of core dumps and wiped when it is
 * freed. It has one owner; `const struct secret *` lends it, `secret_take` gives it away. There
 * is no function that copies one silently.
 *
 * All buffers come from one arena, so that hundreds of values fit under a small RLIMIT_MEMLOCK.
 * Where locking fails the memory is used unlocked: ask secret_memory_locked() and decide.
 */
struct secret;

/* An empty secret with room for `capacity` bytes (0 is allowed). Returns 0 or -ENOMEM. */
int secret_new(size_t capacity, struct secret **ret_secret);

/* A secret that holds a copy of `bytes`. The caller still owns, and wipes, the original. */
int secret_new_from(const void *bytes, size_t len, struct secret **ret_secret);

/* Reads `fd` to its end. -TACIT_E_TOO_LARGE when there is more than `max_bytes`; 0 or -errno. */
int secret_read(int fd, size_t max_bytes, struct secret **ret_secret);

/* Wipes and frees; NULL is allowed. */
void secret_free(struct secret *secret);
void secret_cleanup(struct secret **secret);
#define cleanup_secret __attribute__((cleanup(secret_cleanup)))

/* Gives the secret away: returns it and leaves NULL behind. */
struct secret *secret_take(struct secret **secret);

/* The content, not NUL-terminated, where it is until the next change. */
const uint8_t *secret_bytes(const struct secret *secret);
size_t secret_len(const struct secret *secret);

/*
 * Makes room for `len` more bytes behind the content and returns where they go; NULL when there
 * is no memory. Pointers into the secret from before are void. Call secret_grew() with what was
 * really written.
 */
uint8_t *secret_space(struct secret *secret, size_t len);
void secret_grew(struct secret *secret, size_t len);

/* Appends; returns 0 or -ENOMEM. */
int secret_append(struct secret *secret, const void *bytes, size_t len);
int secret_append_text(struct secret *secret, const char *text);
int secret_append_base64(struct secret *secret, const void *bytes, size_t len);

/*
 * Decodes standard base64 with padding, strictly: no white space, no stray bits.
 * -TACIT_E_MALFORMED otherwise.
 */
int secret_from_base64(const char *text, size_t len, struct secret **ret_secret);

/* Forgets the content (wiped) and keeps the room. */
void secret_reset(struct secret *secret);

/* Whether `secret` holds exactly these bytes; constant time for equal lengths. */
bool secret_equals(const struct secret *secret, const void *bytes, size_t len);

/* Whether `text` contains the whole of `secret`. An empty secret is contained in nothing. */
bool secret_occurs_in(const struct secret *secret, const char *text, size_t text_len);

/* Whether everything handed out so far lies in locked memory. */
bool secret_memory_locked(void);

/*
 * Locks the arena once more, in a child process: fork(2) passes no locks on. A secret of more
 * than half a slab (8 KiB) that was made before the fork stays unlocked there.
 */
void secret_memory_lock_again(void);

#endif

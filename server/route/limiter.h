/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LIMITER_H
#define TACIT_SERVER_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Limits how often something may happen for each key: at once up to a burst, and then at a steady
 * rate (the generic cell rate algorithm, ITU-T I.371: one number for each key). It is a fixed
 * table: two keys that fall on one place push each other out, which lets more through, never less,
 * and nobody can choose such keys, since their hash is keyed.
 *
 * Not thread-safe.
 */
struct limiter;

/* NULL when there is no memory. */
struct limiter *limiter_new(unsigned burst, int64_t interval_ms);
void limiter_free(struct limiter *limiter);

/* Whether it may happen now; then it counts. */
bool limiter_take(struct limiter *limiter, const char *key, int64_t now_ms);

/* As if it had never happened for this key. */
void limiter_forget(struct limiter *limiter, const char *key);

#endif

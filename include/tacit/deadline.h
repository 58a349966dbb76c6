/* SPDX-License-Identifier: MIT */
#ifndef TACIT_DEADLINE_H
#define TACIT_DEADLINE_H

#include <stdint.h>

/*
 * A deadline is a point on CLOCK_MONOTONIC in milliseconds. It is made once, at the edge, and
 * handed down unchanged, so that a total time holds through every phase.
 */
int64_t deadline_in_ms(int64_t timeout_ms);

/* Milliseconds that are left, 0 when it has passed, as poll(2) takes them (capped at INT_MAX). */
int deadline_left_ms(int64_t deadline_ms);

/*
 * Parses a duration as people type it: "30s", "10m", "12h", "90d", "500ms", "30" (seconds).
 * Returns 0 and the milliseconds, or -TACIT_E_MALFORMED; nothing over 100 years.
 */
int duration_parse(const char *text, int64_t *ret_ms);

#endif

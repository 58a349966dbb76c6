/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_BACKOFF_H
#define TACIT_AGENT_BACKOFF_H

#include <stdint.h>

/* How long to wait before the next try: twice as long each time, up to a limit. */
struct backoff {
	int64_t limit_ms;
	int64_t next_ms; /* 0: the first try is still to fail */
};

/*
 * The milliseconds to wait now. Half of them are chance, so that a hundred containers do not come
 * back in step.
 */
int64_t backoff_step(struct backoff *backoff);

/* Begins again with the shortest wait. */
void backoff_reset(struct backoff *backoff);

void sleep_ms(int64_t delay_ms);

#endif

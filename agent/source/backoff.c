/* SPDX-License-Identifier: MIT */
#include "backoff.h"

#include <sys/random.h>
#include <time.h>

#define FIRST_MS 100

static int64_t with_jitter(int64_t delay_ms)
{
	uint16_t random = 0;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return delay_ms / 2 + (delay_ms / 2) * random / UINT16_MAX;
}

int64_t backoff_step(struct backoff *backoff)
{
	int64_t delay_ms = backoff->next_ms > 0 ? backoff->next_ms : FIRST_MS;

	if (delay_ms > backoff->limit_ms)
		delay_ms = backoff->limit_ms;
	backoff->next_ms = delay_ms * 2;

	return with_jitter(delay_ms);
}

void backoff_reset(struct backoff *backoff)
{
	backoff->next_ms = 0;
}

void sleep_ms(int64_t delay_ms)
{
	const struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};

	(void)nanosleep(&delay, NULL);
}

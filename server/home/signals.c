/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <signal.h>
#include <time.h>

#include "unsealing.h"

static const int signals[] = {SIGTERM, SIGINT, SIGHUP, UNSEALING_SIGNAL};

static void signals_fill(sigset_t *ret_set)
{
	(void)sigemptyset(ret_set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaddset(ret_set, signals[i]);
}

void signals_block(void)
{
	sigset_t set;

	signals_fill(&set);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int signals_wait(int64_t wait_ms)
{
	const struct timespec timeout = {
	    .tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
	sigset_t set;
	int number;

	signals_fill(&set);
	number = sigtimedwait(&set, NULL, &timeout);
	return number < 0 ? 0 : number;
}

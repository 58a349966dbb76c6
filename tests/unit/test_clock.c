/* SPDX-License-Identifier: MIT */
#include "test_clock.h"

time_t clock_ahead_s;

time_t time(time_t *ret_now)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += clock_ahead_s;
	if (ret_now)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}

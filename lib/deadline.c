/* SPDX-License-Identifier: MIT */
#include "tacit/deadline.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "tacit/err.h"

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t deadline_in_ms(int64_t timeout_ms)
{
	int64_t now = now_ms();

	return timeout_ms > INT64_MAX - now ? INT64_MAX : now + timeout_ms;
}

int deadline_left_ms(int64_t deadline_ms)
{
	int64_t now = now_ms();

	if (deadline_ms <= now)
		return 0;

	return deadline_ms - now > INT_MAX ? INT_MAX : (int)(deadline_ms - now);
}

static const struct {
	const char *suffix;
	int64_t ms;
} duration_units[] = {
    {"", 1000},
    {"ms", 1},
    {"s", 1000},
    {"m", 60LL * 1000},
    {"h", 3600LL * 1000},
    {"d", 86400LL * 1000},
    {"w", 7 * 86400LL * 1000},
    {"y", 365 * 86400LL * 1000},
};

#define DURATION_MAX_MS (100LL * 365 * 86400 * 1000)

static int64_t duration_unit_ms(const char *suffix)
{
	for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++)
		if (!strcmp(duration_units[i].suffix, suffix))
			return duration_units[i].ms;

	return 0;
}

int duration_parse(const char *text, int64_t *ret_ms)
{
	int64_t number = 0;
	int64_t unit_ms;

	if (!isdigit((unsigned char)*text))
		return -TACIT_E_MALFORMED;
	for (; isdigit((unsigned char)*text); text++) {
		number = number * 10 + (*text - '0');
		if (number > DURATION_MAX_MS)
			return -TACIT_E_MALFORMED;
	}

	unit_ms = duration_unit_ms(text);
	if (unit_ms == 0 || number > DURATION_MAX_MS / unit_ms)
		return -TACIT_E_MALFORMED;

	*ret_ms = number * unit_ms;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "audit_time.h"

#include <stdbool.h>
#include <stdint.h>

#include "tacit/deadline.h"
#include "tacit/err.h"

static char *put_digits(char *at, int count, long value, char behind)
{
	for (int i = count - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	at[count] = behind;
	return at + count + 1;
}

/* There is one in each line, so it does without printf. */
void audit_time_print(const struct tm *utc, long ms, char ret_text[static AUDIT_TIME_BYTES])
{
	char *at = put_digits(ret_text, 4, utc->tm_year + 1900L, '-');

	at = put_digits(at, 2, utc->tm_mon + 1L, '-');
	at = put_digits(at, 2, utc->tm_mday, 'T');
	at = put_digits(at, 2, utc->tm_hour, ':');
	at = put_digits(at, 2, utc->tm_min, ':');
	at = put_digits(at, 2, utc->tm_sec, '.');
	at = put_digits(at, 3, ms, 'Z');
	*at = '\0';
}

static int digits(const char **at, int count, int min, int max, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return -TACIT_E_MALFORMED;
		value = value * 10 + (**at - '0');
	}
	if (value < min || value > max)
		return -TACIT_E_MALFORMED;

	*ret_value = value;
	return 0;
}

static bool literal(const char **at, char wanted)
{
	bool is_there = **at == wanted;

	*at += is_there;
	return is_there;
}

static int parse_date(const char **at, struct tm *tm)
{
	int r = digits(at, 4, 1970, 9999, &tm->tm_year);

	if (r < 0 || !literal(at, '-') || digits(at, 2, 1, 12, &tm->tm_mon) < 0 ||
	    !literal(at, '-') || digits(at, 2, 1, 31, &tm->tm_mday) < 0)
		return -TACIT_E_MALFORMED;

	tm->tm_year -= 1900;
	tm->tm_mon--;
	return 0;
}

static int parse_clock(const char **at, struct tm *tm, int *ret_ms)
{
	if (digits(at, 2, 0, 23, &tm->tm_hour) < 0 || !literal(at, ':') ||
	    digits(at, 2, 0, 59, &tm->tm_min) < 0 || !literal(at, ':') ||
	    digits(at, 2, 0, 60, &tm->tm_sec) < 0)
		return -TACIT_E_MALFORMED;
	if (!literal(at, '.'))
		return 0;
	if (**at < '0' || **at > '9')
		return -TACIT_E_MALFORMED;

	for (int weight = 100; **at >= '0' && **at <= '9'; (*at)++, weight /= 10)
		*ret_ms += (**at - '0') * weight;
	return 0;
}

static int parse_offset(const char **at, int *ret_s)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	if (literal(at, 'Z') || literal(at, 'z'))
		return 0;
	if (!(literal(at, '+') || literal(at, '-')) || digits(at, 2, 0, 23, &hours) < 0 ||
	    !literal(at, ':') || digits(at, 2, 0, 59, &minutes) < 0)
		return -TACIT_E_MALFORMED;

	*ret_s = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int parse_rfc3339(const char *at, int64_t *ret_ms)
{
	struct tm tm = {0};
	int ms = 0, offset_s = 0;

	if (parse_date(&at, &tm) < 0)
		return -TACIT_E_MALFORMED;
	if (*at && ((!literal(&at, 'T') && !literal(&at, 't') && !literal(&at, ' ')) ||
	               parse_clock(&at, &tm, &ms) < 0 || parse_offset(&at, &offset_s) < 0 || *at))
		return -TACIT_E_MALFORMED;

	*ret_ms = ((int64_t)timegm(&tm) - offset_s) * 1000 + ms;
	return 0;
}

int audit_time_parse(const char *text, char ret_time[static AUDIT_TIME_BYTES])
{
	struct timespec now;
	int64_t ms, ago_ms;
	time_t seconds;
	struct tm utc;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (duration_parse(text, &ago_ms) == 0)
		ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000 - ago_ms;
	else if (parse_rfc3339(text, &ms) < 0)
		return -TACIT_E_MALFORMED;
	if (ms < 0)
		ms = 0;

	seconds = (time_t)(ms / 1000);
	(void)gmtime_r(&seconds, &utc);
	audit_time_print(&utc, (long)(ms % 1000), ret_time);
	return 0;
}

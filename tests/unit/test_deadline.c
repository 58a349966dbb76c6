/* SPDX-License-Identifier: MIT */
#include "tacit/deadline.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "tacit/err.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND_MS    1000LL
#define DAY_MS       (86400 * SECOND_MS)
#define CENTURY_MS   (100 * 365 * DAY_MS)

struct duration_row {
	const char *text;
	int64_t ms; /* -1: refused */
};

static const struct duration_row duration_rows[] = {
    {"0", 0}, {"0ms", 0}, {"30", 30 * SECOND_MS}, {"030", 30 * SECOND_MS}, {"30s", 30 * SECOND_MS},
    {"500ms", 500}, {"1ms", 1}, {"10m", 600 * SECOND_MS}, {"12h", DAY_MS / 2}, {"90d", 90 * DAY_MS},
    {"2w", 14 * DAY_MS}, {"1y", 365 * DAY_MS},

    /* a hundred years and no more, in every unit */
    {"100y", CENTURY_MS}, {"101y", -1}, {"36500d", CENTURY_MS}, {"36501d", -1},
    {"876000h", CENTURY_MS}, {"876001h", -1}, {"3153600000", CENTURY_MS}, {"3153600001", -1},
    {"3153600000000ms", CENTURY_MS}, {"3153600000001ms", -1}, {"9223372036854775807", -1},
    {"9223372036854775808ms", -1}, {"18446744073709551617ms", -1},
    {"99999999999999999999999999999999", -1},

    {"", -1}, {" ", -1}, {"s", -1}, {"ms", -1}, {" 30", -1}, {"30 ", -1}, {"30 s", -1}, {"+30", -1},
    {"-30", -1}, {"-0", -1}, {"1.5h", -1}, {"1h30m", -1}, {"30S", -1}, {"30M", -1}, {"30sec", -1},
    {"30mss", -1}, {"0x10", -1}, {"1e3", -1}, {"inf", -1}, {"\xd9\xa3s", -1}, /* an Arabic digit */
};

static void durations_are_read_as_people_type_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(duration_rows); i++) {
		const struct duration_row *row = &duration_rows[i];
		int64_t ms = -77;
		int r = duration_parse(row->text, &ms);

		if (r != (row->ms < 0 ? -TACIT_E_MALFORMED : 0) ||
		    ms != (row->ms < 0 ? -77 : row->ms))
			fail_msg("\"%s\" gives %d and %lld", row->text, r, (long long)ms);
	}
}

static void a_deadline_counts_down(void **state)
{
	const struct timespec pause = {.tv_nsec = 30 * 1000000};
	int64_t deadline_ms = deadline_in_ms(10 * SECOND_MS);
	int left_ms = deadline_left_ms(deadline_ms);

	(void)state;
	assert_in_range(left_ms, 9000, 10000);
	(void)nanosleep(&pause, NULL);
	assert_in_range(deadline_left_ms(deadline_ms), 8000, left_ms - 29);
}

static void a_deadline_that_has_passed_leaves_nothing(void **state)
{
	static const int64_t timeouts_ms[] = {0, -1, -1000, -DAY_MS, INT64_MIN / 2};

	(void)state;
	for (size_t i = 0; i < COUNT(timeouts_ms); i++)
		assert_int_equal(deadline_left_ms(deadline_in_ms(timeouts_ms[i])), 0);
	assert_int_equal(deadline_left_ms(0), 0);
	assert_int_equal(deadline_left_ms(INT64_MIN), 0);
}

/* poll(2) takes an int, and "for ever" must not become a negative one or the past. */
static void a_far_deadline_is_capped(void **state)
{
	static const int64_t timeouts_ms[] = {
	    (int64_t)INT_MAX + DAY_MS, CENTURY_MS, INT64_MAX - 1, INT64_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(timeouts_ms); i++)
		assert_int_equal(deadline_left_ms(deadline_in_ms(timeouts_ms[i])), INT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations_are_read_as_people_type_them),
	    cmocka_unit_test(a_deadline_counts_down),
	    cmocka_unit_test(a_deadline_that_has_passed_leaves_nothing),
	    cmocka_unit_test(a_far_deadline_is_capped),
	};

	return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}

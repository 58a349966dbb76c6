/* SPDX-License-Identifier: MIT */
#include "limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW 1000000

static struct limiter *limiter;

static int setup(void **state)
{
	(void)state;
	limiter = limiter_new(3, 100);
	return limiter ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	limiter_free(limiter);
	return 0;
}

static int takes(const char *key, int64_t now_ms)
{
	int count = 0;

	while (count < 100 && limiter_take(limiter, key, now_ms))
		count++;
	return count;
}

static void a_burst_passes_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(takes("a", NOW), 3);
	assert_int_equal(takes("a", NOW), 0);
}

static void each_interval_lets_one_more_through(void **state)
{
	(void)state;
	assert_int_equal(takes("a", NOW), 3);
	assert_int_equal(takes("a", NOW + 99), 0);
	assert_int_equal(takes("a", NOW + 100), 1);
	assert_int_equal(takes("a", NOW + 350), 2);
}

/* What was not taken does not add up beyond the burst, and asking in vain costs nothing. */
static void after_a_rest_it_is_the_burst_again(void **state)
{
	(void)state;
	assert_int_equal(takes("a", NOW), 3);
	for (int i = 0; i < 1000; i++)
		assert_false(limiter_take(limiter, "a", NOW + 1));
	assert_int_equal(takes("a", NOW + 300), 3);
	assert_int_equal(takes("a", NOW + 1000000), 3);
}

static void keys_do_not_count_for_each_other(void **state)
{
	(void)state;
	assert_int_equal(takes("a", NOW), 3);
	assert_int_equal(takes("", NOW), 3);
	assert_int_equal(takes("b", NOW), 3);
}

/* Fewer places than keys: then more passes, never less. */
static void too_many_keys_let_more_through(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "%d", i);
		assert_true(limiter_take(limiter, key, NOW));
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_burst_passes_and_no_more),
	    TEST(each_interval_lets_one_more_through),
	    TEST(after_a_rest_it_is_the_burst_again),
	    TEST(keys_do_not_count_for_each_other),
	    TEST(too_many_keys_let_more_through),
	};

	return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tacit/deadline.h"
#include "watch.h"

struct sleeper {
	struct waiter waiter; /* first, so that a waiter is a sleeper */
	int woken;
};

static void count_wake(struct waiter *waiter)
{
	((struct sleeper *)(void *)waiter)->woken++;
}

static void sleeper_lie_down(
    struct watch *watch, struct sleeper *sleeper, const char *client, int64_t timeout_ms)
{
	*sleeper = (struct sleeper){.waiter = {.wake = count_wake}};
	(void)snprintf(sleeper->waiter.client, sizeof(sleeper->waiter.client), "%s", client);
	sleeper->waiter.until_ms = deadline_in_ms(timeout_ms);
	watch_add(watch, &sleeper->waiter);
}

static bool is_client(void *context, const char *client)
{
	return !strcmp(context, client);
}

static void notify_wakes_those_that_are_concerned_and_no_others(void **state)
{
	char name[] = "web";
	struct watch watch;
	struct sleeper web, other, web_too;

	(void)state;
	watch_init(&watch);
	sleeper_lie_down(&watch, &web, "web", 60000);
	sleeper_lie_down(&watch, &other, "other", 60000);
	sleeper_lie_down(&watch, &web_too, "web", 60000);
	watch_notify(&watch, is_client, name);
	assert_int_equal(web.woken, 1);
	assert_int_equal(web_too.woken, 1);
	assert_int_equal(other.woken, 0);
	watch_remove(&watch, &other.waiter);
	watch_destroy(&watch);
}

static void a_waiter_is_woken_once(void **state)
{
	char name[] = "web";
	struct watch watch;
	struct sleeper web;

	(void)state;
	watch_init(&watch);
	sleeper_lie_down(&watch, &web, "web", 0);
	watch_notify(&watch, is_client, name);
	watch_notify(&watch, is_client, name);
	watch_expire(&watch);
	watch_close(&watch);
	assert_int_equal(web.woken, 1);
	watch_destroy(&watch);
}

static void expire_wakes_those_whose_time_is_up(void **state)
{
	struct watch watch;
	struct sleeper early, late;

	(void)state;
	watch_init(&watch);
	sleeper_lie_down(&watch, &early, "web", 0);
	sleeper_lie_down(&watch, &late, "web", 60000);
	watch_expire(&watch);
	assert_int_equal(early.woken, 1);
	assert_int_equal(late.woken, 0);
	watch_remove(&watch, &late.waiter);
	watch_destroy(&watch);
}

static void a_removed_waiter_is_left_alone(void **state)
{
	char name[] = "web";
	struct watch watch;
	struct sleeper first, middle, last;

	(void)state;
	watch_init(&watch);
	sleeper_lie_down(&watch, &first, "web", 60000);
	sleeper_lie_down(&watch, &middle, "web", 60000);
	sleeper_lie_down(&watch, &last, "web", 60000);
	watch_remove(&watch, &middle.waiter);
	watch_remove(&watch, &middle.waiter);
	watch_notify(&watch, is_client, name);
	assert_int_equal(first.woken, 1);
	assert_int_equal(middle.woken, 0);
	assert_int_equal(last.woken, 1);
	watch_destroy(&watch);
}

static void close_wakes_all_and_everybody_who_comes_later(void **state)
{
	struct watch watch;
	struct sleeper before, after;

	(void)state;
	watch_init(&watch);
	sleeper_lie_down(&watch, &before, "web", 60000);
	watch_close(&watch);
	sleeper_lie_down(&watch, &after, "web", 60000);
	assert_int_equal(before.woken, 1);
	assert_int_equal(after.woken, 1);
	watch_destroy(&watch);
}

static void prefer_is_parsed_as_rfc_7240_says(void **state)
{
	static const struct {
		const char *prefer;
		int seconds;
	} rows[] = {
	    {NULL, 0},
	    {"", 0},
	    {"wait=50", 50},
	    {"WAIT=5", 5},
	    {"wait=0", 0},
	    {"wait=55", 55},
	    {"wait=56", WATCH_MAX_S},
	    {"wait=99999999999999999999", WATCH_MAX_S},
	    {"wait=-1", 0},
	    {"wait", 0},
	    {"wait=", 0},
	    {"wait=x", 0},
	    {"respond-async, wait=10", 10},
	    {"respond-async,wait=10;x=y, other", 10},
	    {"await=10", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(watch_parse_prefer(rows[i].prefer), rows[i].seconds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(notify_wakes_those_that_are_concerned_and_no_others),
	    cmocka_unit_test(a_waiter_is_woken_once),
	    cmocka_unit_test(expire_wakes_those_whose_time_is_up),
	    cmocka_unit_test(a_removed_waiter_is_left_alone),
	    cmocka_unit_test(close_wakes_all_and_everybody_who_comes_later),
	    cmocka_unit_test(prefer_is_parsed_as_rfc_7240_says),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "refusals.h"
#include "tacit/fd.h"

static struct fixture fixture;
static struct keys *keys;
static struct audit *audit;
static struct refusals *refusals;

#define NOW_MS ((int64_t)1000000)

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(&fixture);
	assert_int_equal(keys_create(fixture.dirfd, &(struct key_source){0}, &keys, NULL), 0);
	assert_int_equal(audit_create(fixture.dirfd, keys, &audit, NULL), 0);
	refusals = refusals_new();
	assert_non_null(refusals);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	refusals_free(refusals);
	audit_close(audit);
	keys_free(keys);
	fixture_remove(&fixture);
	return 0;
}

static int count_in_log(const char *text)
{
	size_t len;
	cleanup_free char *bytes = (char *)file_read(fixture_path(&fixture, AUDIT_FILE), &len);
	int count = 0;

	bytes[len] = '\0';
	for (const char *at = bytes; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static struct refusal refusal_of(const char *peer, const char *reason)
{
	return (struct refusal){.event = "tls.refused", .reason = reason, .peer = peer};
}

static void add(const char *peer, const char *reason, int64_t now_ms)
{
	const struct refusal refusal = refusal_of(peer, reason);

	refusals_add(refusals, &refusal, now_ms);
}

static void the_first_is_recorded_and_the_others_are_counted(void **state)
{
	(void)state;
	for (int i = 0; i < 42; i++)
		add("192.0.2.1:4000", "expired", NOW_MS + i);
	refusals_write(refusals, audit, NOW_MS + 100);
	refusals_write(refusals, audit, NOW_MS + 200);
	assert_int_equal(count_in_log("tls.refused"), 1);
	assert_int_equal(count_in_log("\"peer\":\"192.0.2.1\",\"subject\":\"expired\""), 1);

	refusals_write(refusals, audit, NOW_MS + REFUSALS_GROUP_MS);
	assert_int_equal(count_in_log("\"subject\":\"expired: 41 more in a minute\""), 1);
	assert_int_equal(count_in_log("tls.refused"), 2);
	refusals_write(refusals, audit, NOW_MS + (int64_t)2 * REFUSALS_GROUP_MS);
	refusals_write(refusals, audit, NOW_MS + (int64_t)3 * REFUSALS_GROUP_MS);
	assert_int_equal(count_in_log("tls.refused"), 2);
}

static void ports_make_no_difference_and_all_else_does(void **state)
{
	const struct refusal named = {
	    .event = "tls.refused", .reason = "expired", .client = "web", .peer = "192.0.2.1:1"};

	(void)state;
	add("192.0.2.1:1", "expired", NOW_MS);
	add("192.0.2.1:2", "expired", NOW_MS);
	add("192.0.2.2:1", "expired", NOW_MS);
	add("[2001:db8::1]:1", "expired", NOW_MS);
	add("[2001:db8::1]:2", "expired", NOW_MS);
	add("[2001:db8::2]", "expired", NOW_MS);
	add("192.0.2.1:1", "no certificate", NOW_MS);
	refusals_add(refusals, &named, NOW_MS);
	refusals_write(refusals, audit, NOW_MS);
	assert_int_equal(count_in_log("tls.refused"), 6);
	assert_int_equal(count_in_log("\"peer\":\"[2001:db8::1]\""), 1);
	assert_int_equal(count_in_log("\"client\":\"web\""), 1);
}

/* One that goes on gets a line a minute; one that was quiet for a minute begins anew. */
static void each_minute_has_its_line(void **state)
{
	(void)state;
	for (int minute = 0; minute < 5; minute++) {
		int64_t now_ms = NOW_MS + (int64_t)minute * REFUSALS_GROUP_MS;

		refusals_write(refusals, audit, now_ms);
		for (int i = 0; i < 10; i++)
			add("192.0.2.1:1", "expired", now_ms + 1);
		refusals_write(refusals, audit, now_ms + 2);
	}
	refusals_write(refusals, audit, REFUSALS_END);
	assert_in_range(count_in_log("more in a minute"), 4, 5);
	assert_in_range(count_in_log("tls.refused"), 5, 6);
}

static void a_flood_from_many_addresses_is_counted_together(void **state)
{
	(void)state;
	for (int i = 0; i < 10000; i++) {
		char peer[32];

		(void)snprintf(peer, sizeof(peer), "10.0.%d.%d:1", i / 250, i % 250);
		add(peer, "expired", NOW_MS);
	}
	refusals_write(refusals, audit, NOW_MS);
	assert_int_equal(count_in_log("tls.refused"), REFUSALS_MAX);
	refusals_write(refusals, audit, NOW_MS + REFUSALS_GROUP_MS);
	assert_int_equal(count_in_log("from many addresses: 9936 more in a minute"), 1);
	assert_int_equal(count_in_log("tls.refused"), REFUSALS_MAX + 1);

	/* Then there is room again. */
	add("192.0.2.1:1", "expired", NOW_MS + REFUSALS_GROUP_MS);
	refusals_write(refusals, audit, NOW_MS + REFUSALS_GROUP_MS);
	assert_int_equal(count_in_log("192.0.2.1"), 1);
}

static void what_cannot_be_written_is_written_later(void **state)
{
	const char *path = fixture_path(&fixture, AUDIT_FILE);
	size_t len;
	cleanup_free uint8_t *bytes = file_read(path, &len);

	(void)state;
	add("192.0.2.1:1", "expired", NOW_MS);
	add("192.0.2.1:1", "expired", NOW_MS);
	assert_int_equal(truncate(path, (off_t)len - 1), 0);
	refusals_write(refusals, audit, NOW_MS + REFUSALS_GROUP_MS);
	assert_int_equal(count_in_log("tls.refused"), 0);
	file_write(path, bytes, len);
	refusals_write(refusals, audit, NOW_MS + REFUSALS_GROUP_MS + 1);
	assert_int_equal(count_in_log("\"subject\":\"expired\""), 1);
	assert_int_equal(count_in_log("expired: 1 more"), 1);
	assert_int_equal(count_in_log("audit.resumed"), 0); /* no request was refused */
}

static void the_end_leaves_nothing_behind(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		add("192.0.2.1:1", "expired", NOW_MS);
	refusals_write(refusals, audit, REFUSALS_END);
	assert_int_equal(count_in_log("tls.refused"), 2);
	assert_int_equal(count_in_log("expired: 2 more"), 1);
}

static void a_caller_records_the_first_one_himself(void **state)
{
	const struct refusal refusal = refusal_of("192.0.2.1:1", "not accepted");

	(void)state;
	assert_true(refusals_count(refusals, &refusal, NOW_MS));
	assert_false(refusals_count(refusals, &refusal, NOW_MS));
	refusals_write(refusals, audit, NOW_MS);
	assert_int_equal(count_in_log("tls.refused"), 0);
	refusals_take_back(refusals, &refusal);
	assert_true(refusals_count(refusals, &refusal, NOW_MS));
	assert_false(refusals_count(refusals, &refusal, NOW_MS));
	refusals_write(refusals, audit, REFUSALS_END);
	assert_int_equal(count_in_log("not accepted: 1 more"), 1);
	assert_int_equal(count_in_log("tls.refused"), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_first_is_recorded_and_the_others_are_counted),
	    TEST(ports_make_no_difference_and_all_else_does),
	    TEST(each_minute_has_its_line),
	    TEST(a_flood_from_many_addresses_is_counted_together),
	    TEST(what_cannot_be_written_is_written_later),
	    TEST(the_end_leaves_nothing_behind),
	    TEST(a_caller_records_the_first_one_himself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit_read.h"
#include "fixture.h"
#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ALL_BYTES    UINT64_MAX

static struct fixture fixture;
static struct keys *keys;
static struct audit *audit;

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(&fixture);
	assert_int_equal(keys_create(fixture.dirfd, &(struct key_source){0}, &keys, NULL), 0);
	assert_int_equal(audit_create(fixture.dirfd, keys, &audit, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	audit_close(audit);
	keys_free(keys);
	fixture_remove(&fixture);
	return 0;
}

static void write_line(const char *client, const char *secret, const char *subject)
{
	const struct audit_secret secrets[] = {{.name = "first"}, {.name = secret, .version = 2}};
	const struct audit_event event = {.event = "secret.read",
	    .client = client,
	    .subject = subject,
	    .status = 200,
	    .secrets = secret ? secrets : NULL,
	    .secrets_count = secret ? 2 : 0};

	assert_int_equal(audit_write(audit, &event), 0);
}

static void write_lines(int count)
{
	for (int i = 0; i < count; i++)
		write_line("web", NULL, NULL);
}

static void rotate(const char *name)
{
	assert_int_equal(renameat(fixture.dirfd, AUDIT_FILE, fixture.dirfd, name), 0);
	assert_int_equal(audit_reopen(audit), 0);
}

static struct audit_page page;

static const struct json *read_page(struct audit_query query)
{
	json_free(page.entries);
	page = (struct audit_page){0};
	if (query.limit == 0)
		query.limit = 1000000;
	if (query.max_bytes == 0)
		query.max_bytes = ALL_BYTES;
	assert_int_equal(audit_read(fixture.dirfd, &query, &page), 0);
	return page.entries;
}

#define READ(...) read_page((struct audit_query){__VA_ARGS__})

static int64_t sequence_of(const struct json *entries, size_t index)
{
	int64_t sequence;

	assert_int_equal(json_int_at(json_item(entries, index), "seq", &sequence), 0);
	return sequence;
}

/* Its numbers are these, in this order. */
static void assert_sequence(const struct json *entries, int64_t from, int64_t to)
{
	assert_int_equal(json_count(entries), to - from + 1);
	for (size_t i = 0; i < json_count(entries); i++)
		assert_int_equal(sequence_of(entries, i), from + (int64_t)i);
}

static void all_lines_of_all_files_come_in_their_order(void **state)
{
	(void)state;
	write_lines(5);
	rotate("audit.log-b");
	write_lines(5);
	rotate("audit.log.a");
	write_lines(5);
	assert_sequence(READ(0), 1, 18); /* with audit.started and twice audit.continued */
	assert_int_equal(page.next, 18);
	assert_false(page.more);
	assert_int_equal(page.damaged, 0);
}

/* Large enough to be searched by halves, from every place. */
static void reading_goes_on_behind_any_line(void **state)
{
	(void)state;
	write_lines(700);
	rotate("audit.log.1");
	write_lines(700);
	for (uint64_t after = 0; after <= 1402; after += 23)
		assert_sequence(READ(.after = after), (int64_t)after + 1, 1402);
	assert_int_equal(json_count(READ(.after = 1402)), 0);
	assert_int_equal(page.next, 1402);
	assert_int_equal(json_count(READ(.after = INT64_MAX)), 0);
}

static void pages_are_bounded_by_lines_and_by_bytes(void **state)
{
	uint64_t after = 0, pages = 0;

	(void)state;
	write_lines(299);
	assert_sequence(READ(.limit = 7), 1, 7);
	assert_true(page.more);
	assert_int_equal(page.next, 7);
	do {
		const struct json *entries =
		    READ(.after = after, .client = "nobody", .max_bytes = 5000);

		assert_int_equal(json_count(entries), 0);
		assert_true(page.next > after);
		after = page.next;
		pages++;
	} while (page.more);
	assert_int_equal(after, 300);
	assert_in_range(pages, 5, 30);
}

static void a_client_is_found_by_what_it_did_and_by_what_was_done_to_it(void **state)
{
	static const struct {
		const char *client, *subject;
		bool is_found;
	} rows[] = {{"web", NULL, true}, {"web2", NULL, false}, {"admin", "web", true},
	    {"admin", "web: app/* (write)", true}, {"admin", "web2: app/*", false},
	    {"admin", "app/web", false}, {NULL, "web", true}, {NULL, NULL, false},
	    {"admin", "x\",\"client\":\"web\",\"y\":\"", false}};
	int64_t expected = 0;
	size_t found = 0;
	const struct json *entries;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		write_line(rows[i].client, NULL, rows[i].subject);
	entries = READ(.client = "web");
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!rows[i].is_found)
			continue;
		expected = (int64_t)i + 2;
		assert_int_equal(sequence_of(entries, found++), expected);
	}
	assert_int_equal(json_count(entries), found);
}

static void a_secret_is_found_by_name_and_by_pattern(void **state)
{
	static const struct {
		const char *pattern;
		size_t count;
	} rows[] = {{"web/a", 1}, {"web/*", 2}, {"web/**", 3}, {"**", 4}, {"web", 0}, {"first", 4},
	    {"other", 1}, {"a", 0}};

	(void)state;
	write_line("web", "web/a", NULL);
	write_line("web", "web/b", NULL);
	write_line("web", "web/c/d", NULL);
	write_line("web", "other", NULL);
	write_line("web", NULL, "web/a");
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t count = json_count(READ(.secret = rows[i].pattern));

		if (count != rows[i].count)
			fail_msg("%s: %zu", rows[i].pattern, count);
	}
}

static void filters_are_all_of_them(void **state)
{
	(void)state;
	write_line("web", "web/a", NULL);
	write_line("db", "web/a", NULL);
	write_line("web", "web/b", NULL);
	assert_sequence(READ(.client = "web", .secret = "web/a"), 2, 2);
	assert_sequence(READ(.client = "web", .secret = "web/*", .after = 2), 4, 4);
}

/* A log whose lines are a second apart from noon on. */
static void write_log_by_hand(const char *name, int from, int to)
{
	cleanup_free char *text = malloc((size_t)(to - from + 1) * 128);
	size_t len = 0;

	assert_non_null(text);
	for (int i = from; i <= to; i++)
		len += (size_t)sprintf(text + len,
		    "{\"seq\":%d,\"time\":\"2026-11-24T%02d:%02d:%02d.000Z\",\"event\":\"x\"}\n", i,
		    12 + i / 3600, i / 60 % 60, i % 60);
	file_write(fixture_path(&fixture, name), text, len);
}

static void reading_begins_at_a_time(void **state)
{
	static const struct {
		const char *since;
		int64_t first;
	} rows[] = {{"2026-11-24T12:00:00.000Z", 1}, {"2026-11-24T12:00:01.000Z", 1},
	    {"2026-11-24T12:00:01.001Z", 2}, {"2026-11-24T12:16:40.000Z", 1000},
	    {"2026-11-24T12:33:20.000Z", 2000}, {"2026-11-24T12:33:20.500Z", 2001},
	    {"2026-11-24T13:06:40.000Z", 4000}, {"2025-01-01T00:00:00.000Z", 1}};

	(void)state;
	write_log_by_hand("audit.log.1", 1, 2000);
	write_log_by_hand(AUDIT_FILE, 2001, 4000);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_sequence(READ(.since = rows[i].since), rows[i].first, 4000);
	assert_sequence(READ(.since = "2026-11-24T12:33:20.500Z", .after = 3000), 3001, 4000);
	assert_int_equal(json_count(READ(.since = "2027-01-01T00:00:00.000Z")), 0);
}

static void what_is_no_line_is_counted_and_hides_no_other(void **state)
{
	static char garbage[200000];
	static const char *const damages[] = {"", "x", "{}", "{\"seq\":x", "{\"seq\":5,\"broken",
	    "\xff\xfe\x00\x01", "{\"seq\":2,\"a\":1}}"};
	FILE *file;

	(void)state;
	memset(garbage, 'g', sizeof(garbage));
	file = fopen(fixture_path(&fixture, AUDIT_FILE), "w");
	assert_non_null(file);
	for (size_t i = 0; i < COUNT(damages); i++)
		(void)fprintf(file, "%s\n", damages[i]);
	(void)fwrite(garbage, 1, sizeof(garbage), file);
	(void)fprintf(file, "\n{\"seq\":7,\"a\":1}\n{\"seq\":8,\"a\":1}\n{\"seq\":9,");
	assert_int_equal(fclose(file), 0);

	assert_sequence(READ(0), 7, 8);
	assert_true(page.damaged >= COUNT(damages) + 1);
	assert_int_equal(page.next, 8);
}

static void without_a_file_there_is_nothing_to_read(void **state)
{
	(void)state;
	(void)unlinkat(fixture.dirfd, AUDIT_FILE, 0);
	assert_int_equal(json_count(READ(0)), 0);
	assert_int_equal(page.next, 0);
	assert_false(page.more);
}

static void times_are_understood_as_people_write_them(void **state)
{
	static const struct {
		const char *text, *time; /* NULL: refused */
	} rows[] = {{"2026-11-24T06:10:08Z", "2026-11-24T06:10:08.000Z"},
	    {"2026-11-24T06:10:08.5Z", "2026-11-24T06:10:08.500Z"},
	    {"2026-11-24T06:10:08.123456Z", "2026-11-24T06:10:08.123Z"},
	    {"2026-11-24t06:10:08z", "2026-11-24T06:10:08.000Z"},
	    {"2026-11-24 06:10:08+02:00", "2026-11-24T04:10:08.000Z"},
	    {"2026-11-24T23:30:00-01:00", "2026-11-25T00:30:00.000Z"},
	    {"2026-11-24", "2026-11-24T00:00:00.000Z"}, {"2026-11-24T06:10:08", NULL},
	    {"2026-11-24T06:10Z", NULL}, {"2026-13-24", NULL}, {"2026-11-32", NULL},
	    {"2026-11-24T24:00:00Z", NULL}, {"2026-11-24T06:10:08.Z", NULL},
	    {"2026-11-24T06:10:08ZZ", NULL}, {"2026-11-24T06:10:08+0200", NULL}, {"", NULL},
	    {"yesterday", NULL}, {"-10m", NULL}, {"10m ago", NULL}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char time[AUDIT_TIME_BYTES] = "";
		int r = audit_time_parse(rows[i].text, time);

		if (r != (rows[i].time ? 0 : -TACIT_E_MALFORMED))
			fail_msg("%s: %d", rows[i].text, r);
		if (rows[i].time)
			assert_string_equal(time, rows[i].time);
	}
}

static void a_duration_is_how_long_ago(void **state)
{
	char hour_ago[AUDIT_TIME_BYTES], expected[AUDIT_TIME_BYTES];
	time_t then = time(NULL) - 3600;
	struct tm utc;

	(void)state;
	assert_int_equal(audit_time_parse("1h", hour_ago), 0);
	(void)gmtime_r(&then, &utc);
	(void)strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M", &utc);
	if (utc.tm_sec < 58)
		assert_memory_equal(hour_ago, expected, 16);
	assert_int_equal(audit_time_parse("36500d", hour_ago), 0);
	assert_string_equal(hour_ago, "1970-01-01T00:00:00.000Z");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_lines_of_all_files_come_in_their_order),
	    TEST(reading_goes_on_behind_any_line),
	    TEST(pages_are_bounded_by_lines_and_by_bytes),
	    TEST(a_client_is_found_by_what_it_did_and_by_what_was_done_to_it),
	    TEST(a_secret_is_found_by_name_and_by_pattern),
	    TEST(filters_are_all_of_them),
	    TEST(reading_begins_at_a_time),
	    TEST(what_is_no_line_is_counted_and_hides_no_other),
	    TEST(without_a_file_there_is_nothing_to_read),
	    TEST(times_are_understood_as_people_write_them),
	    TEST(a_duration_is_how_long_ago),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	json_free(page.entries);
	return failed;
}

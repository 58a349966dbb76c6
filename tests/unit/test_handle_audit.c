/* SPDX-License-Identifier: MIT */
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

#include "asking.h"
#include "tacit/fd.h"

/* Reading and verifying the log by way of the routes. */

/* As the auditor who asks for the log, unless the question says otherwise. */
static int ask_audit(struct ask question)
{
	question.as = question.as ? question.as : "auditor";
	question.path = question.path ? question.path : "/v1/audit";
	return ask(question);
}

#define ASK_LOG(...) ask_audit((struct ask){__VA_ARGS__})

static uint64_t log_lines(void)
{
	struct audit_mark position;

	audit_position(server->audit, &position);
	return position.sequence;
}

static void write_lines(int count)
{
	static const struct audit_event event = {.event = "x", .client = "web"};

	for (int i = 0; i < count; i++)
		assert_int_equal(audit_write(server->audit, &event), 0);
}

static int setup(void **state)
{
	(void)state;
	asking_begin();
	assert_int_equal(clients_put(server->clients, "auditor", ROLE_AUDITOR, 0), 0);
	assert_int_equal(clients_put(server->clients, "other", ROLE_AUDITOR, 0), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	asking_end();
	return 0;
}

static void pages_lead_to_the_end(void **state)
{
	char after[24] = "0";
	size_t entries = 0, pages = 0;

	(void)state;
	write_lines(20);
	do {
		assert_int_equal(ASK_LOG(.after = after, .limit = "6"), 200);
		entries += answer_count("entries");
		(void)snprintf(after, sizeof(after), "%lld", (long long)answer_number("next"));
		pages++;
	} while (answer_holds("\"more\":true"));
	assert_int_equal(entries, 22); /* with audit.started, and that it was read */
	assert_int_equal(pages, 4);
	assert_int_equal(answer_number("next"), answer_number("last"));
}

static void reading_is_recorded_once_for_each_reader_and_question(void **state)
{
	uint64_t before = log_lines();

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(ASK_LOG(0), 200);
	assert_int_equal(log_lines(), before + 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ASK_LOG(.secret = "web/a"), 200);
	assert_int_equal(log_lines(), before + 2);
	assert_int_equal(ASK_LOG(.as = "other"), 200);
	assert_int_equal(log_lines(), before + 3);
	assert_int_equal(ASK_LOG(.client = "auditor", .after = "0"), 200);
	assert_true(answer_holds("\"event\":\"audit.read\",\"client\":\"auditor\""));
	assert_true(answer_holds("\"subject\":\"secret=web/a\""));
}

/* A line that could not be written is still due. */
static void reading_that_cannot_be_recorded_is_refused_each_time(void **state)
{
	const char *path = fixture_path(&fixture, AUDIT_FILE);
	size_t len;
	cleanup_free uint8_t *bytes = file_read(path, &len);

	(void)state;
	assert_int_equal(truncate(path, (off_t)len - 1), 0);
	assert_int_equal(ASK_LOG(0), 503);
	assert_int_equal(ASK_LOG(0), 503);
	file_write(path, bytes, len);
	assert_int_equal(ASK_LOG(0), 200);
	assert_true(answer_holds("audit.read"));
}

static void who_has_read_all_waits_until_there_is_more(void **state)
{
	char after[24];

	(void)state;
	assert_int_equal(ASK_LOG(0), 200);
	(void)snprintf(after, sizeof(after), "%llu", (unsigned long long)log_lines());
	route_tick(server);
	(void)ASK_LOG(.after = after, .may_wait = true);
	assert_true(answer.waits);
	route_tick(server);
	assert_int_equal(woken, 0);
	write_lines(1);
	route_tick(server);
	assert_int_equal(woken, 1);
	assert_int_equal(ASK_LOG(.after = after, .may_wait = true), 200);
	assert_false(answer.waits);
	assert_int_equal(answer_count("entries"), 1);
}

static void who_has_not_does_not_wait(void **state)
{
	(void)state;
	write_lines(2);
	assert_int_equal(ASK_LOG(.after = "1", .may_wait = true), 200);
	assert_false(answer.waits);
	assert_int_equal(ASK_LOG(.may_wait = true), 200);
	assert_false(answer.waits);
}

/* Where the file is gone there is nothing to show, and no reason to ask again at once. */
static void lines_that_are_gone_are_not_asked_for_for_ever(void **state)
{
	(void)state;
	write_lines(3);
	assert_int_equal(ASK_LOG(0), 200);
	(void)unlink(fixture_path(&fixture, AUDIT_FILE));
	assert_int_equal(ASK_LOG(0), 200);
	assert_int_equal(answer_count("entries"), 0);
	assert_int_equal(answer_number("next"), answer_number("last"));
}

static void questions_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		struct ask ask;
		const char *code;
	} rows[] = {
	    {{.after = "x"}, "malformed"},
	    {{.after = "-1"}, "malformed"},
	    {{.after = "99999999999999999999"}, "malformed"},
	    {{.limit = "0"}, "malformed"},
	    {{.limit = "1001"}, "malformed"},
	    {{.since = "soon"}, "malformed"},
	    {{.client = "a/b"}, "invalid_name"},
	    {{.client = ""}, "invalid_name"},
	    {{.secret = "/"}, "invalid_pattern"},
	    {{.path = "/v1/audit/verify", .cursor = "x"}, "malformed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ask question = rows[i].ask;
		cleanup_json struct json *json = NULL;

		assert_int_equal(ask_audit(question), 400);
		json = answer_json();
		assert_string_equal(json_text_at(json, "code"), rows[i].code);
	}
}

static void a_whole_log_is_said_to_be_whole(void **state)
{
	(void)state;
	write_lines(5);
	assert_int_equal(ASK_LOG(.path = "/v1/audit/verify"), 200);
	assert_true(answer_holds("{\"whole\":true,\"lines\":7,\"gaps\":0,\"files\":1}"));
	assert_int_equal(ASK_LOG(.client = "auditor"), 200);
	assert_true(answer_holds("audit.verify"));
}

static void a_broken_line_is_named(void **state)
{
	const char *path = fixture_path(&fixture, AUDIT_FILE);
	size_t len;
	cleanup_free uint8_t *bytes = NULL;

	(void)state;
	write_lines(3);
	bytes = file_read(path, &len);
	bytes[len - 20] ^= 1;
	file_write(path, bytes, len);
	assert_int_equal(ASK_LOG(.path = "/v1/audit/verify"), 200);
	assert_true(answer_holds("\"whole\":false,"));
	assert_true(
	    answer_holds("\"broken\":\"audit.log line 4\",\"why\":\"the chain breaks here\""));
}

/* The end that the server remembers is not there, though the chain of the rest is whole. */
static void a_log_that_was_cut_is_not_whole(void **state)
{
	const char *path = fixture_path(&fixture, AUDIT_FILE);
	size_t len, first;
	cleanup_free uint8_t *bytes = NULL;

	(void)state;
	write_lines(3);
	bytes = file_read(path, &len);
	first = (size_t)((uint8_t *)memchr(bytes, '\n', len) - bytes) + 1;
	assert_int_equal(truncate(path, (off_t)first), 0);
	assert_int_equal(ASK_LOG(.path = "/v1/audit/verify"), 200);
	assert_true(answer_holds("\"why\":\"lines are missing at its end\""));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(pages_lead_to_the_end),
	    TEST(reading_is_recorded_once_for_each_reader_and_question),
	    TEST(reading_that_cannot_be_recorded_is_refused_each_time),
	    TEST(who_has_read_all_waits_until_there_is_more),
	    TEST(who_has_not_does_not_wait),
	    TEST(lines_that_are_gone_are_not_asked_for_for_ever),
	    TEST(questions_that_make_no_sense_are_refused),
	    TEST(a_whole_log_is_said_to_be_whole),
	    TEST(a_broken_line_is_named),
	    TEST(a_log_that_was_cut_is_not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

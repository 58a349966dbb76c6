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

#include "fixture.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "tacit/json.h"

/* Reading and verifying the log by way of the routes. */

static struct fixture fixture;
static struct server *server;
static struct response answer;
static struct waiter waiter;
static int woken;

static void answer_forget(void)
{
	secret_free(answer.body);
	answer = (struct response){0};
}

static void wake(struct waiter *of)
{
	(void)of;
	woken++;
}

static void suspend(struct waiter *of)
{
	(void)of;
}

struct ask {
	const char *as, *path, *after, *since, *client, *secret, *limit, *cursor;
	bool may_wait;
};

static int ask(struct ask question)
{
	char path[64];
	cleanup_secret struct secret *body = text_secret("");
	struct certificate_identity identity = {
	    .generation = clients_find(server->clients, question.as)->generation,
	    .not_before = time(NULL) - 60,
	    .not_after = time(NULL) + 60};
	struct request request = {.method = "GET",
	    .path = path,
	    .identity = &identity,
	    .after = question.after,
	    .since = question.since,
	    .by_client = question.client,
	    .of_secret = question.secret,
	    .limit = question.limit,
	    .cursor = question.cursor,
	    .body = body,
	    .waiter = question.may_wait ? &waiter : NULL,
	    .suspend = suspend};

	answer_forget();
	waiter.wake = wake;
	waiter.until_ms = deadline_in_ms(50000);
	(void)snprintf(identity.client, sizeof(identity.client), "%s", question.as);
	(void)snprintf(path, sizeof(path), "%s", question.path ? question.path : "/v1/audit");
	assert_int_equal(route_handle(server, &request, &answer), 0);
	return answer.status;
}

#define ASK(...) ask((struct ask){.as = "auditor", __VA_ARGS__})

static struct json *answer_json(void)
{
	struct json *json = NULL;

	assert_int_equal(
	    json_parse(secret_bytes(answer.body), secret_len(answer.body), &json, NULL), 0);
	return json;
}

static int64_t answer_number(const char *key)
{
	cleanup_json struct json *json = answer_json();
	int64_t number = -1;

	assert_int_equal(json_int_at(json, key, &number), 0);
	return number;
}

static size_t answer_entries(void)
{
	cleanup_json struct json *json = answer_json();

	return json_count(json_array_at(json, "entries"));
}

static bool answer_holds(const char *text)
{
	return memmem(secret_bytes(answer.body), secret_len(answer.body), text, strlen(text));
}

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
	fixture_make(&fixture);
	fixture_open(&fixture);
	server = &fixture.home.server;
	assert_int_equal(clients_put(server->clients, "auditor", ROLE_AUDITOR, 0), 0);
	assert_int_equal(clients_put(server->clients, "other", ROLE_AUDITOR, 0), 0);
	woken = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	watch_remove(&server->watch, &waiter);
	answer_forget();
	fixture_remove(&fixture);
	return 0;
}

static void pages_lead_to_the_end(void **state)
{
	char after[24] = "0";
	size_t entries = 0, pages = 0;

	(void)state;
	write_lines(20);
	do {
		assert_int_equal(ASK(.after = after, .limit = "6"), 200);
		entries += answer_entries();
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
		assert_int_equal(ASK(0), 200);
	assert_int_equal(log_lines(), before + 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ASK(.secret = "web/a"), 200);
	assert_int_equal(log_lines(), before + 2);
	assert_int_equal(ask((struct ask){.as = "other"}), 200);
	assert_int_equal(log_lines(), before + 3);
	assert_int_equal(ASK(.client = "auditor", .after = "0"), 200);
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
	assert_int_equal(ASK(0), 503);
	assert_int_equal(ASK(0), 503);
	file_write(path, bytes, len);
	assert_int_equal(ASK(0), 200);
	assert_true(answer_holds("audit.read"));
}

static void who_has_read_all_waits_until_there_is_more(void **state)
{
	char after[24];

	(void)state;
	assert_int_equal(ASK(0), 200);
	(void)snprintf(after, sizeof(after), "%llu", (unsigned long long)log_lines());
	route_tick(server);
	(void)ASK(.after = after, .may_wait = true);
	assert_true(answer.waits);
	route_tick(server);
	assert_int_equal(woken, 0);
	write_lines(1);
	route_tick(server);
	assert_int_equal(woken, 1);
	assert_int_equal(ASK(.after = after, .may_wait = true), 200);
	assert_false(answer.waits);
	assert_int_equal(answer_entries(), 1);
}

static void who_has_not_does_not_wait(void **state)
{
	(void)state;
	write_lines(2);
	assert_int_equal(ASK(.after = "1", .may_wait = true), 200);
	assert_false(answer.waits);
	assert_int_equal(ASK(.may_wait = true), 200);
	assert_false(answer.waits);
}

/* Where the file is gone there is nothing to show, and no reason to ask again at once. */
static void lines_that_are_gone_are_not_asked_for_for_ever(void **state)
{
	(void)state;
	write_lines(3);
	assert_int_equal(ASK(0), 200);
	(void)unlink(fixture_path(&fixture, AUDIT_FILE));
	assert_int_equal(ASK(0), 200);
	assert_int_equal(answer_entries(), 0);
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

		question.as = "auditor";
		assert_int_equal(ask(question), 400);
		json = answer_json();
		assert_string_equal(json_text_at(json, "code"), rows[i].code);
	}
}

static void a_whole_log_is_said_to_be_whole(void **state)
{
	(void)state;
	write_lines(5);
	assert_int_equal(ASK(.path = "/v1/audit/verify"), 200);
	assert_true(answer_holds("{\"whole\":true,\"lines\":7,\"gaps\":0,\"files\":1}"));
	assert_int_equal(ASK(.client = "auditor"), 200);
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
	assert_int_equal(ASK(.path = "/v1/audit/verify"), 200);
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
	assert_int_equal(ASK(.path = "/v1/audit/verify"), 200);
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

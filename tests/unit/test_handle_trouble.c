/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "asking.h"
#include "tacit/fd.h"

/* What is recorded of each answer, and what is answered when log, store or disk fail. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_logged(const char *text)
{
	const char *line = log_tail(1);

	if (!strstr(line, text))
		fail_msg("not %s: %s", text, line);
	assert_null(strstr(line, VALUE));
}

static void each_answer_has_its_line(void **state)
{
	(void)state;
	(void)ask(ASK("reader", "GET", "/v1/secrets/web%2Fa"));
	assert_logged("\"event\":\"secret.read\",\"client\":\"reader\",\"peer\":\"192.0.2.1:4000\","
	              "\"request\":\"0123456789abcdef\",\"status\":200,"
	              "\"secrets\":[{\"name\":\"web/a\",\"version\":2}]");
	(void)ask(ASK("nobody", "GET", "/v1/secrets/none"));
	assert_logged("\"event\":\"secret.read\",\"client\":\"nobody\"");
	assert_logged("\"status\":403,\"secrets\":[{\"name\":\"none\"}]");
	(void)ask(ASK("reader", "GET", "/v1/secrets/web%2Fnone"));
	assert_logged("\"status\":404");
	(void)ask(ASK("", "GET", "/v1/secrets/web%2Fa"));
	assert_logged("\"event\":\"secret.read\",\"peer\":\"192.0.2.1:4000\"");
	assert_logged("\"status\":401");
	(void)ask(ASK("writer", "PUT", "/v1/secrets/web%2Fa", .body = VALUE));
	assert_logged("\"event\":\"secret.put\",\"client\":\"writer\"");
	(void)ask(ASK("admin", "PUT", "/v1/clients/reader/grants",
	    .body = "{\"pattern\":\"app/**\",\"write\":true}"));
	assert_logged("\"event\":\"grant.add\"");
	assert_logged("\"subject\":\"reader: app/** (write)\"");
	(void)ask(ASK("admin", "POST", "/v1/clients/reader/revoke"));
	assert_logged("\"event\":\"client.revoke\"");
	assert_logged("\"subject\":\"reader\",\"status\":204");
	(void)ask(ASK("reader", "GET", "/v1/secrets"));
	assert_logged("\"status\":401");
}

static void assert_deferred(struct ask question, int status, int times, int err)
{
	question.may_defer = true;
	assert_int_equal(ask(question), status);
	assert_int_equal(ticket_state.deferred, times);
	assert_int_equal(ticket_state.released, times);
	assert_int_equal(ticket_state.err, err);
}

/* Only where nothing but the answer comes of it: what is changed waits for its line here. */
static void only_answers_with_values_wait_for_their_line_elsewhere(void **state)
{
	(void)state;
	assert_deferred(ASK("reader", "GET", "/v1/secrets/web%2Fa"), 200, 1, 0);
	assert_logged("\"event\":\"secret.read\",\"client\":\"reader\"");
	assert_deferred(ASK("reader", "GET", "/v1/bundle"), 200, 1, 0);
	assert_logged("\"event\":\"bundle.read\"");
	assert_deferred(ASK("reader", "GET", "/v1/secrets/web%2Fnone"), 404, 0, 0);
	assert_deferred(ASK("nobody", "GET", "/v1/secrets/web%2Fa"), 403, 0, 0);
	assert_deferred(ASK("reader", "GET", "/v1/secrets"), 200, 0, 0);
	assert_deferred(ASK("auditor", "GET", "/v1/audit"), 200, 0, 0);
	assert_deferred(ASK("writer", "PUT", "/v1/secrets/web%2Fa", .body = "x"), 200, 0, 0);
	assert_deferred(ASK("writer", "DELETE", "/v1/secrets/web%2Fa"), 204, 0, 0);
}

/* The first one finds out, and may have its answer ready; whoever keeps it is told. */
static void an_answer_whose_line_is_not_written_is_not_to_be_sent(void **state)
{
	const int lost = -TACIT_E_AUDIT_UNAVAILABLE;

	(void)state;
	assert_int_equal(unlinkat(fixture.dirfd, "audit.log", 0), 0);
	for (int i = 0; i < 3; i++)
		assert_deferred(ASK("reader", "GET", "/v1/secrets/web%2Fa"), 200, 1, lost);
	assert_int_equal(ask(ASK("writer", "PUT", "/v1/secrets/web%2Fa", .body = "x")), 503);
}

static void a_large_bundle_names_every_secret_in_the_log(void **state)
{
	const char *tail;
	char path[64], name[64];

	(void)state;
	for (int i = 0; i < 40; i++) {
		(void)snprintf(path, sizeof(path), "/v1/secrets/web%%2Fs%02d", i);
		put(path, "x");
	}
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle")), 200);
	tail = log_tail(3);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "{\"name\":\"web/s%02d\",\"version\":1}", i);
		assert_non_null(strstr(tail, name));
	}
}

static void size_limit(rlim_t bytes)
{
	const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Scraped every few seconds, so only a refusal has a line in the log. */
static void metrics_are_for_those_who_may_audit(void **state)
{
	(void)state;
	assert_int_equal(ask(ASK("admin", "GET", "/metrics")), 200);
	assert_true(answer_holds("tacit_secrets "));
	assert_false(answer_holds("web"));
	assert_int_equal(ask(ASK("operator", "GET", "/metrics")), 200);
	assert_int_equal(ask(ASK("auditor", "GET", "/metrics")), 200);
	assert_int_equal(ask(ASK("reader", "GET", "/metrics")), 403);
	assert_non_null(strstr(log_tail(1), "\"event\":\"metrics.read\""));
	assert_int_equal(ask(ASK("", "GET", "/metrics")), 401);
}

/* The server reads in one transaction until its next commit, so each change comes behind one. */
static void mark_flip(struct raw_row *row)
{
	put("/v1/secrets/web%2Fa", "x");
	row->value[row->value_len - 1] ^= 1;
	raw_row_put(fixture_path(&fixture, STORE_FILE), row);
}

static void health_tells_a_broken_store(void **state)
{
	struct raw_rows rows;
	struct raw_row *mark;

	(void)state;
	raw_rows_read(fixture_path(&fixture, STORE_FILE), &rows);
	mark = raw_rows_find(&rows, RECORD_AUDIT_MARK);
	assert_int_equal(ask(ASK("", "GET", "/v1/health")), 200);
	assert_true(answer_holds("{\"status\":\"ok\""));
	mark_flip(mark);
	assert_int_equal(ask(ASK("", "GET", "/v1/health")), 503);
	assert_true(answer_holds("{\"status\":\"store_broken\""));
	mark_flip(mark);
	assert_int_equal(ask(ASK("", "GET", "/v1/health")), 200);
	raw_rows_free(&rows);
}

/* The log is padded until it is the largest file, so that a limit on size meets it alone. */
static void a_full_disk_under_the_log_is_got_over(void **state)
{
	const struct ask read_a = ASK("reader", "GET", "/v1/secrets/web%2Fa");
	uint64_t revision;
	size_t len = 0;
	int statuses[3];

	(void)state;
	for (int i = 0; i < 3000 && len < 600000; i++) {
		(void)ask(read_a);
		if (i % 100 == 0)
			free(file_read(fixture_path(&fixture, AUDIT_FILE), &len));
	}
	free(file_read(fixture_path(&fixture, AUDIT_FILE), &len));
	revision = vault_revision(server->vault);
	size_limit(len + 40);
	statuses[0] = ask(read_a);
	assert_false(answer_holds(VALUE));
	statuses[1] = ask(ASK("admin", "PUT", "/v1/secrets/web%2Fa", .body = "x"));
	statuses[2] = ask(ASK("reader", "GET", "/v1/bundle"));
	assert_false(answer_holds(VALUE));
	size_limit(RLIM_INFINITY);
	for (size_t i = 0; i < COUNT(statuses); i++)
		assert_int_equal(statuses[i], 503);
	assert_int_equal(vault_revision(server->vault), revision);

	assert_int_equal(ask(read_a), 200);
	assert_true(answer_holds(VALUE " 2"));
	fixture_close(&fixture);
	assert_int_equal(fixture_check(&fixture, NULL), 0);
}

/* And the other way round: the log has room, the store has not. */
static void a_full_disk_under_the_store_is_got_over(void **state)
{
	const struct ask read_a = ASK("reader", "GET", "/v1/secrets/web%2Fa");
	cleanup_free char *large = malloc(400001);
	size_t len;
	int status;

	(void)state;
	memset(large, 'x', 400000);
	large[400000] = '\0';
	fixture_close(&fixture); /* empties the log of the database */
	fixture_open(&fixture);
	free(file_read(fixture_path(&fixture, STORE_FILE), &len));
	size_limit(len + 65536);
	status = ask(ASK("admin", "PUT", "/v1/secrets/web%2Fa", .body = large));
	size_limit(RLIM_INFINITY);
	assert_int_equal(status, 503);
	assert_true(answer_holds("store_full") || answer_holds("store_unavailable"));
	assert_int_equal(ask(read_a), 200);
	assert_true(answer_holds(VALUE " 2"));
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/secrets/web%2Fa", .body = large)), 200);
	assert_string_equal(answer.etag, "\"v3\"");
	fixture_close(&fixture);
	assert_int_equal(fixture_check(&fixture, NULL), 0);
}

/* A value that was tampered with is not answered, and the next one is. */
static void an_altered_value_is_an_error_and_not_an_answer(void **state)
{
	struct raw_rows rows;

	(void)state;
	raw_rows_read(fixture_path(&fixture, STORE_FILE), &rows);
	for (size_t i = 0; i < rows.count; i++) {
		if (rows.items[i].key[0] != RECORD_VERSION)
			continue;
		rows.items[i].value[rows.items[i].value_len - 1] ^= 1;
		fixture_close(&fixture);
		raw_row_put(fixture_path(&fixture, STORE_FILE), &rows.items[i]);
		fixture_open(&fixture);
	}
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/web%2Fa")), 500);
	assert_problem("corrupt");
	assert_int_equal(ask(ASK("admin", "GET", "/v1/bundle")), 500);
	assert_problem("corrupt");
	put("/v1/secrets/web%2Fa", "good");
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/web%2Fa")), 200);
	raw_rows_free(&rows);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, people_setup, people_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_answer_has_its_line),
	    TEST(only_answers_with_values_wait_for_their_line_elsewhere),
	    TEST(an_answer_whose_line_is_not_written_is_not_to_be_sent),
	    TEST(a_large_bundle_names_every_secret_in_the_log),
	    TEST(metrics_are_for_those_who_may_audit),
	    TEST(health_tells_a_broken_store),
	    TEST(a_full_disk_under_the_log_is_got_over),
	    TEST(a_full_disk_under_the_store_is_got_over),
	    TEST(an_altered_value_is_an_error_and_not_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evil.h"
#include "tacit/deadline.h"
#include "tacit/http_client.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OK           "HTTP/1.1 200 OK\r\n"
#define LONG_MS      5000
#define SHORT_MS     300
#define SLACK_MS     200  /* what a busy machine may add to a deadline */
#define MAX_BYTES    4096 /* the body that tests allow */

/* A client of one misbehaving server. */
struct session {
	struct evil evil;
	struct identity *identity;
	struct http_client *client;
};

static void session_open(struct session *session, const char *mode)
{
	evil_start(mode, &session->evil);
	assert_int_equal(
	    identity_parse(session->evil.identity_pem, mode, &session->identity, NULL), 0);
	assert_int_equal(http_client_new(session->identity, NULL, &session->client, NULL), 0);
}

static void session_close(struct session *session)
{
	http_client_free(session->client);
	identity_free(session->identity);
	evil_stop(&session->evil);
}

static const struct http_request get = {.method = "GET", .path = "/v1/bundle"};
static const struct http_request put = {
    .method = "PUT", .path = "/v1/secrets/a", .body = "value", .body_len = 5};

static int descriptors_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void send_gets_good_answers(void **state)
{
	static const struct {
		const char *mode;
		int status;
		const char *body;
		const char *etag;
	} rows[] = {
	    {"good", 200, EVIL_SECRET, ""},
	    {"good-then-close", 200, EVIL_SECRET, ""},
	    {"good-last", 200, EVIL_SECRET, ""},
	    {"good-interim", 200, EVIL_SECRET, ""},
	    {"good-trickled", 200, EVIL_SECRET, ""},
	    {"good-empty", 200, "", ""},
	    {"good-204", 204, "", ""},
	    {"good-304", 304, "", "\"v4\""},
	};

	(void)state;
	for (size_t i = 0; i < 3 * COUNT(rows); i++) {
		static struct session session;
		cleanup_response struct http_response response = {0};
		struct fault fault = {0};
		int r;

		if (i % 3 == 0) /* three requests to each, so that connections are used again */
			session_open(&session, rows[i / 3].mode);
		r = http_client_send(
		    session.client, &get, deadline_in_ms(LONG_MS), MAX_BYTES, &response, &fault);
		if (r < 0)
			fail_msg("%s: %s", rows[i / 3].mode, err_text(r));
		assert_int_equal(response.status, rows[i / 3].status);
		assert_string_equal(response.etag, rows[i / 3].etag);
		assert_true(
		    secret_equals(response.body, rows[i / 3].body, strlen(rows[i / 3].body)));
		assert_int_equal(http_response_verdict(&response, "x", &fault), 0);
		if (i % 3 == 2)
			session_close(&session);
	}
}

static const struct {
	const char *mode;
	int err;
} failures[] = {
    {"stall-accept", -TACIT_E_TIMEOUT},
    {"stall-handshake", -TACIT_E_TIMEOUT},
    {"stall-answer", -TACIT_E_TIMEOUT},
    {"stall-head", -TACIT_E_TIMEOUT},
    {"stall-body", -TACIT_E_TIMEOUT},
    {"slow-head", -TACIT_E_TIMEOUT},
    {"slow-body", -TACIT_E_TOO_LARGE},
    {"endless-tickets", -TACIT_E_TIMEOUT},
    {"endless-head", -TACIT_E_PROTOCOL},
    {"endless-interim", -TACIT_E_PROTOCOL},
    {"endless-body", -TACIT_E_TOO_LARGE},
    {"certificate-other-ca", -TACIT_E_TLS_CA},
    {"certificate-other-host", -TACIT_E_TLS_HOST},
    {"certificate-expired", -TACIT_E_TLS_SERVER_EXPIRED},
    {"refuse-revoked", -TACIT_E_TLS_REFUSED},
    {"refuse-unknown-ca", -TACIT_E_TLS_REFUSED},
    {"close-answer", -TACIT_E_CUT_OFF},
    {"cut-answer", -TACIT_E_CUT_OFF},
    {"reset-answer", -TACIT_E_CUT_OFF},
    {"close-head", -TACIT_E_CUT_OFF},
    {"close-body", -TACIT_E_CUT_OFF},
    {"cut-body", -TACIT_E_CUT_OFF},
    {"reset-body", -TACIT_E_CUT_OFF},
    {"length-short", -TACIT_E_PROTOCOL},
    {"length-long", -TACIT_E_CUT_OFF},
    {"length-negative", -TACIT_E_PROTOCOL},
    {"length-huge", -TACIT_E_PROTOCOL},
    {"length-large", -TACIT_E_TOO_LARGE},
    {"length-twice", -TACIT_E_PROTOCOL},
    {"length-same-twice", -TACIT_E_PROTOCOL},
    {"length-list", -TACIT_E_PROTOCOL},
    {"length-none", -TACIT_E_PROTOCOL},
    {"length-of-nothing", -TACIT_E_PROTOCOL},
    {"chunked", -TACIT_E_PROTOCOL},
    {"chunked-with-length", -TACIT_E_PROTOCOL},
    {"gzip", -TACIT_E_PROTOCOL},
    {"garbage", -TACIT_E_PROTOCOL},
    {"http10", -TACIT_E_PROTOCOL},
    {"http2", -TACIT_E_PROTOCOL},
    {"bare-lf", -TACIT_E_PROTOCOL},
    {"folded", -TACIT_E_PROTOCOL},
    {"space-before-colon", -TACIT_E_PROTOCOL},
    {"interim-103", -TACIT_E_PROTOCOL},
    {"switch", -TACIT_E_PROTOCOL},
    {"status-999", -TACIT_E_PROTOCOL},
};

/*
 * Every way to fail: its error, in time, with the server's URL and without a byte of the secret
 * in the fault, with nothing given and no descriptor left.
 */
static void send_tells_each_failure_by_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		struct http_response response = {.status = 7};
		struct fault fault = {0};
		struct session session;
		int descriptors, r;
		int64_t deadline;

		session_open(&session, failures[i].mode);
		descriptors = descriptors_count();
		deadline = deadline_in_ms(SHORT_MS);
		r = http_client_send(session.client, &get, deadline, MAX_BYTES, &response, &fault);
		if (r != failures[i].err)
			fail_msg("%s: %s", failures[i].mode, err_text(r));
		assert_true(deadline_left_ms(deadline + SLACK_MS) > 0);
		assert_int_equal(fault.err, r);
		assert_string_equal(fault.what, session.evil.url);
		assert_null(strstr(fault.why, "horse"));
		assert_int_equal(response.status, 7);
		assert_null(response.body);
		assert_int_equal(descriptors_count(), descriptors);
		session_close(&session);
	}
}

/* A body that is allowed, but does not come to its end in time. */
static void send_keeps_its_deadline_through_a_slow_body(void **state)
{
	struct http_response response = {0};
	struct session session;
	int64_t deadline;

	(void)state;
	session_open(&session, "slow-body");
	deadline = deadline_in_ms(SHORT_MS);
	assert_int_equal(http_client_send(session.client, &get, deadline, 1000000, &response, NULL),
	    -TACIT_E_TIMEOUT);
	assert_true(deadline_left_ms(deadline + SLACK_MS) > 0);
	session_close(&session);
}

static void send_keeps_its_deadline_through_a_fast_endless_body(void **state)
{
	struct http_response response = {0};
	struct session session;
	int64_t deadline;

	(void)state;
	session_open(&session, "endless-body");
	deadline = deadline_in_ms(50);
	assert_int_equal(
	    http_client_send(session.client, &get, deadline, SIZE_MAX, &response, NULL),
	    -TACIT_E_TIMEOUT);
	assert_true(deadline_left_ms(deadline + SLACK_MS) > 0);
	session_close(&session);
}

static void send_tells_no_answer_from_half_an_answer(void **state)
{
	static const struct {
		const char *mode, *why;
	} rows[] = {
	    {"cut-answer", "the server closed the connection without an answer"},
	    {"reset-answer", "the server closed the connection without an answer"},
	    {"cut-body", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_response response = {0};
		struct fault fault = {0};
		struct session session;

		session_open(&session, rows[i].mode);
		assert_int_equal(http_client_send(session.client, &get, deadline_in_ms(LONG_MS),
		                     MAX_BYTES, &response, &fault),
		    -TACIT_E_CUT_OFF);
		assert_string_equal(fault.why, rows[i].why);
		session_close(&session);
	}
}

static int send_once(struct session *session, const struct http_request *request)
{
	cleanup_response struct http_response response = {0};
	int r;

	r = http_client_send(
	    session->client, request, deadline_in_ms(LONG_MS), MAX_BYTES, &response, NULL);
	if (r == 0)
		assert_true(secret_equals(response.body, EVIL_SECRET, strlen(EVIL_SECRET)));
	return r;
}

static void send_repeats_a_get_on_a_stale_connection(void **state)
{
	struct session session;

	(void)state;
	session_open(&session, "stale");
	for (int i = 0; i < 3; i++)
		assert_int_equal(send_once(&session, &get), 0);
	session_close(&session);
}

/* The server may have carried it out before it went away. */
static void send_never_repeats_a_put(void **state)
{
	struct session session;

	(void)state;
	session_open(&session, "stale");
	assert_int_equal(send_once(&session, &put), 0);
	assert_int_equal(send_once(&session, &put), -TACIT_E_CUT_OFF);
	assert_int_equal(send_once(&session, &put), 0);
	session_close(&session);
}

/* Who is careful with what may count once wants to know. */
static void has_sent_tells_whether_anything_reached_a_server(void **state)
{
	static const struct {
		const char *mode;
		bool has_sent;
	} rows[] = {
	    {"good", true},
	    {"cut-answer", true},
	    {"stall-answer", true},
	    {"reset-accept", false},
	    {"stall-handshake", false},
	    {"certificate-other-ca", false},
	    {"sealed", false},
	};
	const struct http_request request = {.method = "POST", .path = "/v1/x"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup_response struct http_response response = {0};
		struct session session;

		session_open(&session, rows[i].mode);
		assert_false(http_client_has_sent(session.client));
		(void)http_client_send(
		    session.client, &request, deadline_in_ms(300), 100, &response, NULL);
		assert_int_equal(http_client_has_sent(session.client), rows[i].has_sent);
		session_close(&session);
	}
}

static void send_does_not_take_an_unasked_answer(void **state)
{
	struct session session;

	(void)state;
	session_open(&session, "unasked");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send_once(&session, i == 1 ? &put : &get), 0);
		(void)usleep(60000);
	}
	session_close(&session);
}

static void send_writes_what_it_was_asked_to(void **state)
{
	static const struct http_request request = {.method = "PUT",
	    .path = "/v1/secrets/web%2Fdb?file=x",
	    .accept = "application/json",
	    .content_type = "application/octet-stream",
	    .if_match = "\"v4\"",
	    .if_none_match = "*",
	    .prefer = "wait=50",
	    .body = "a\0b",
	    .body_len = 3};
	cleanup_response struct http_response response = {0};
	char expected[512];
	struct session session;

	(void)state;
	session_open(&session, "echo");
	assert_int_equal(http_client_send(session.client, &request, deadline_in_ms(LONG_MS),
	                     MAX_BYTES, &response, NULL),
	    0);
	(void)snprintf(expected, sizeof(expected),
	    "PUT /v1/secrets/web%%2Fdb?file=x HTTP/1.1\r\nHost: %s\r\n"
	    "User-Agent: tacit/" TACIT_VERSION "\r\nAccept: application/json\r\n"
	    "Content-Type: application/octet-stream\r\nIf-Match: \"v4\"\r\nIf-None-Match: *\r\n"
	    "Prefer: wait=50\r\nContent-Length: 3\r\n\r\na",
	    session.evil.url + strlen("https://"));
	assert_int_equal(secret_len(response.body), strlen(expected));
	assert_memory_equal(secret_bytes(response.body), expected, strlen(expected));
	assert_string_equal(response.etag, "\"v4\"");
	session_close(&session);
}

static void send_refuses_to_be_a_header_injection(void **state)
{
	static const struct http_request requests[] = {
	    {.method = "GET", .path = "/a b"},
	    {.method = "GET", .path = "/a\r\nX: y"},
	    {.method = "GET", .path = "/\xc3\xa9"},
	    {.method = "GET", .path = "a"},
	    {.method = "GET", .path = "/", .if_match = "\"a\"\r\nX: y"},
	    {.method = "GET", .path = "/", .accept = "a\nb"},
	    {.method = "GET", .path = "/", .prefer = "a\x7f"},
	};
	struct session session;

	(void)state;
	session_open(&session, "good");
	for (size_t i = 0; i < COUNT(requests); i++)
		assert_int_equal(send_once(&session, &requests[i]), -EINVAL);
	assert_int_equal(send_once(&session, &get), 0);
	session_close(&session);
}

static void send_goes_on_to_the_next_server(void **state)
{
	struct session session;
	char servers[256];
	int64_t deadline;

	(void)state;
	session_open(&session, "good");
	(void)snprintf(servers, sizeof(servers),
	    "https://127.0.0.1:1,https://no-such-host.invalid,%s", session.evil.url);
	http_client_cleanup(&session.client);
	assert_int_equal(http_client_new(session.identity, servers, &session.client, NULL), 0);
	assert_int_equal(send_once(&session, &get), 0);
	http_client_cleanup(&session.client);
	assert_int_equal(http_client_new(session.identity, servers, &session.client, NULL), 0);
	assert_int_equal(send_once(&session, &put), 0);

	/* It stays with the one that answered: no resolver runs any more. */
	deadline = deadline_in_ms(LONG_MS);
	assert_int_equal(send_once(&session, &put), 0);
	assert_true(deadline_left_ms(deadline) > LONG_MS - 500);
	session_close(&session);
}

/*
 * The first server fails in some way, the second is good. A GET goes on whatever happened; a PUT
 * only when nothing of it can have arrived.
 */
static void send_goes_on_after_a_failure_where_it_may(void **state)
{
	static const struct {
		const char *mode;
		int put_err;
		int put_status;
	} rows[] = {
	    {"stall-accept", 0, 200},
	    {"stall-handshake", 0, 200},
	    {"reset-accept", 0, 200},
	    {"certificate-other-host", 0, 200},
	    {"certificate-other-ca", 0, 200},
	    {"sealed", 0, 200},
	    {"garbage", -TACIT_E_PROTOCOL, 0},
	    {"cut-answer", -TACIT_E_CUT_OFF, 0},
	    {"cut-body", -TACIT_E_CUT_OFF, 0},
	    {"problem-503", 0, 503},
	    {"problem-403", 0, 403},
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		const struct http_request *request = i % 2 ? &put : &get;
		cleanup_response struct http_response response = {0};
		int expected = i % 2 ? rows[i / 2].put_err : 0;
		int status = i % 2 || !strcmp(rows[i / 2].mode, "problem-403")
		                 ? rows[i / 2].put_status
		                 : 200;
		struct session session;
		struct evil second;
		char servers[160];
		int r;

		session_open(&session, rows[i / 2].mode);
		evil_start_beside(&session.evil, "good", &second);
		(void)snprintf(servers, sizeof(servers), "%s,%s", session.evil.url, second.url);
		http_client_cleanup(&session.client);
		assert_int_equal(
		    http_client_new(session.identity, servers, &session.client, NULL), 0);
		r = http_client_send(session.client, request, deadline_in_ms(2 * SHORT_MS),
		    MAX_BYTES, &response, NULL);
		if (r != expected || response.status != status)
			fail_msg("%s %s: %s, %d", request->method, rows[i / 2].mode, err_text(r),
			    response.status);
		evil_stop(&second);
		session_close(&session);
	}
}

/* One server under two names, so that both accept the client: 503 twice, or 503 and nothing. */
static void send_keeps_a_503_when_no_server_does_better(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		cleanup_response struct http_response response = {0};
		struct fault fault = {0};
		struct session session;
		char servers[160] = "";

		session_open(&session, "problem-503");
		(void)snprintf(servers, sizeof(servers), "%s,%s", session.evil.url,
		    i == 0 ? session.evil.url : "https://127.0.0.1:1");
		http_client_cleanup(&session.client);
		assert_int_equal(
		    http_client_new(session.identity, servers, &session.client, NULL), 0);
		assert_int_equal(http_client_send(session.client, &get, deadline_in_ms(LONG_MS),
		                     MAX_BYTES, &response, &fault),
		    0);
		assert_int_equal(response.status, 503);
		assert_int_equal(response.retry_after_s, 7);
		assert_int_equal(
		    http_response_verdict(&response, "bundle", &fault), -TACIT_E_SEALED);
		session_close(&session);
	}
}

/* Before it, and behind it, one that cannot be reached. */
static void send_tells_of_a_sealed_server_when_no_server_does_better(void **state)
{
	static const char nobody[] = "https://127.0.0.1:1";

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		cleanup_response struct http_response response = {0};
		struct fault fault = {0};
		struct session session;
		char servers[160];

		session_open(&session, "sealed");
		(void)snprintf(servers, sizeof(servers), "%s,%s",
		    i / 2 == 1 ? nobody : session.evil.url, i / 2 == 2 ? nobody : session.evil.url);
		http_client_cleanup(&session.client);
		assert_int_equal(
		    http_client_new(session.identity, servers, &session.client, NULL), 0);
		assert_int_equal(http_client_send(session.client, i % 2 ? &put : &get,
		                     deadline_in_ms(LONG_MS), MAX_BYTES, &response, &fault),
		    -TACIT_E_SEALED);
		assert_int_equal(fault.err, -TACIT_E_SEALED);
		assert_string_equal(fault.what, session.evil.url);
		assert_non_null(strstr(fault.why, "tacit-server unseal"));
		assert_false(http_client_has_sent(session.client));
		assert_null(response.body);
		session_close(&session);
	}
}

static void verdict_tells_what_the_server_means(void **state)
{
	static const struct {
		const char *mode;
		int err;
		const char *why;
	} rows[] = {
	    {"good", 0, ""},
	    {"good-204", 0, ""},
	    {"good-304", 0, ""},
	    {"redirect", -TACIT_E_PROTOCOL, "redirect (302), which is not followed"},
	    {"problem-403", -TACIT_E_DENIED, "no such grant"},
	    {"problem-503", -TACIT_E_SEALED, ""},
	    {"problem-garbage", -TACIT_E_NOT_FOUND, "the server answered 404"},
	    {"status-500", -TACIT_E_INTERNAL, "the server answered 500"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup_response struct http_response response = {0};
		struct fault fault = {0};
		struct session session;

		session_open(&session, rows[i].mode);
		assert_int_equal(http_client_send(session.client, &get, deadline_in_ms(LONG_MS),
		                     MAX_BYTES, &response, &fault),
		    0);
		assert_int_equal(
		    http_response_verdict(&response, "web/db_password", &fault), rows[i].err);
		if (!strstr(fault.why, rows[i].why))
			fail_msg("%s: %s", rows[i].mode, fault.why);
		if (rows[i].err < 0)
			assert_string_equal(fault.what, "web/db_password");
		assert_null(strstr(fault.why, "horse"));
		session_close(&session);
	}
}

static void new_wants_servers(void **state)
{
	struct http_client *client = NULL;
	struct session session;
	struct fault fault;

	(void)state;
	session_open(&session, "good");
	assert_int_equal(
	    http_client_new(session.identity, "http://a", &client, &fault), -TACIT_E_INVALID_URL);
	assert_string_equal(fault.what, "http://a");
	assert_int_equal(
	    http_client_new(session.identity, "", &client, &fault), -TACIT_E_NO_SERVER);
	assert_null(client);
	session_close(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(send_gets_good_answers),
	    cmocka_unit_test(send_tells_each_failure_by_its_name),
	    cmocka_unit_test(send_keeps_its_deadline_through_a_slow_body),
	    cmocka_unit_test(send_keeps_its_deadline_through_a_fast_endless_body),
	    cmocka_unit_test(send_tells_no_answer_from_half_an_answer),
	    cmocka_unit_test(send_repeats_a_get_on_a_stale_connection),
	    cmocka_unit_test(send_never_repeats_a_put),
	    cmocka_unit_test(has_sent_tells_whether_anything_reached_a_server),
	    cmocka_unit_test(send_does_not_take_an_unasked_answer),
	    cmocka_unit_test(send_writes_what_it_was_asked_to),
	    cmocka_unit_test(send_refuses_to_be_a_header_injection),
	    cmocka_unit_test(send_goes_on_to_the_next_server),
	    cmocka_unit_test(send_goes_on_after_a_failure_where_it_may),
	    cmocka_unit_test(send_keeps_a_503_when_no_server_does_better),
	    cmocka_unit_test(send_tells_of_a_sealed_server_when_no_server_does_better),
	    cmocka_unit_test(verdict_tells_what_the_server_means),
	    cmocka_unit_test(new_wants_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

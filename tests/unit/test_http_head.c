/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tacit/http_client.h"

/* The head of an answer, which is taken strictly or not at all. Pure. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OK           "HTTP/1.1 200 OK\r\n"

static void head_reads_every_field(void **state)
{
	static const char text[] = OK "content-LENGTH:  28 \r\nETag: \"v4\"\r\n"
	                              "Content-Type: Application/JSON ; charset=utf-8\r\n"
	                              "Retry-After: 120\r\nX-Other:\r\nDate: \x80\t(any)\r\n\r\n";
	struct http_head head;

	(void)state;
	assert_int_equal(http_head_parse(text, strlen(text), &head), 0);
	assert_int_equal(head.status, 200);
	assert_true(head.keep_alive);
	assert_true(head.has_content_length);
	assert_int_equal(head.content_length, 28);
	assert_string_equal(head.etag, "\"v4\"");
	assert_string_equal(head.content_type, "application/json");
	assert_int_equal(head.retry_after_s, 120);
}

static void head_has_defaults_for_what_is_absent(void **state)
{
	static const char text[] = "HTTP/1.1 503 \r\n\r\n";
	struct http_head head;

	(void)state;
	assert_int_equal(http_head_parse(text, strlen(text), &head), 0);
	assert_int_equal(head.status, 503);
	assert_true(head.keep_alive);
	assert_false(head.has_content_length);
	assert_string_equal(head.etag, "");
	assert_string_equal(head.content_type, "");
	assert_int_equal(head.retry_after_s, -1);
}

static void head_takes_close_from_any_connection_option(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} rows[] = {
	    {OK "Connection: close\r\n\r\n", false},
	    {OK "Connection: Keep-Alive , CLOSE\r\n\r\n", false},
	    {OK "Connection: keep-alive\r\nconnection: close\r\n\r\n", false},
	    {OK "Connection: keep-alive\r\n\r\n", true},
	    {OK "Connection: closed,\r\n\r\n", true},
	};
	struct http_head head;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(http_head_parse(rows[i].text, strlen(rows[i].text), &head), 0);
		assert_int_equal(head.keep_alive, rows[i].keep_alive);
	}
}

static void head_passes_over_a_date_in_retry_after(void **state)
{
	static const char *const texts[] = {
	    OK "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n",
	    OK "Retry-After: -1\r\n\r\n",
	    OK "Retry-After: 99999999999999999999999\r\n\r\n",
	};
	struct http_head head;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(http_head_parse(texts[i], strlen(texts[i]), &head), 0);
		assert_int_equal(head.retry_after_s, -1);
	}
}

#define TEXT_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *const not_strict[] = {
    "",
    "\r\n",
    "\r\n\r\n",
    "HTTP/1.1 200 OK",
    OK,
    OK "Content-Length: 1\r\n",
    OK "\r\n\r\n",
    OK "\r\nX",
    "HTTP/1.1 200\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1\t200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 +20 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\n\r\n",
    "HTTP/1.1 200 O\x01K\r\n\r\n",
    "HTTP/1.1 200 O\rK\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    " HTTP/1.1 200 OK\r\n\r\n",
    "ICY 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\n\n",
    OK "A: b\n\r\n",
    OK "A: b\n\n",
    OK "A: b\r\n\n",
    OK "A: b\rc\r\n\r\n",
    OK "A: b\r\r\n\r\n",
    OK "A\r\n\r\n",
    OK ": b\r\n\r\n",
    OK "A : b\r\n\r\n",
    OK "A b: c\r\n\r\n",
    OK "A\x80: c\r\n\r\n",
    OK " A: b\r\n\r\n",
    OK "A: b\r\n c\r\n\r\n",
    OK "A: b\r\n\tc\r\n\r\n",
    OK "A: \x01\r\n\r\n",
    OK "A: \x7f\r\n\r\n",
    OK "Content-Length:\r\n\r\n",
    OK "Content-Length: -1\r\n\r\n",
    OK "Content-Length: +1\r\n\r\n",
    OK "Content-Length: 0x1\r\n\r\n",
    OK "Content-Length: 1 1\r\n\r\n",
    OK "Content-Length: 1, 1\r\n\r\n",
    OK "Content-Length: 1;\r\n\r\n",
    OK "Content-Length: 18446744073709551615\r\n\r\n",
    OK "Content-Length: 18446744073709551616\r\n\r\n",
    OK "Content-Length: 99999999999999999999999\r\n\r\n",
    OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    OK "Content-Length: 1\r\ncontent-length: 1\r\n\r\n",
    OK "Transfer-Encoding: chunked\r\n\r\n",
    OK "transfer-encoding: identity\r\n\r\n",
    OK "Content-Length: 1\r\nTransfer-Encoding:\r\n\r\n",
    OK "Content-Encoding: gzip\r\n\r\n",
    OK "ETag:\r\n\r\n",
    OK "ETag: \"a b\"\r\n\r\n",
    OK "ETag: \"a\"\r\nETag: \"a\"\r\n\r\n",
    OK "ETag: \"" TEXT_64 TEXT_64 "\"\r\n\r\n",
    OK "Content-Type: ;charset=utf-8\r\n\r\n",
    OK "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
    OK "Content-Type: a/" TEXT_64 "\r\n\r\n",
};

static void head_refuses_what_is_not_strict(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(not_strict); i++) {
		struct http_head head = {.status = 7};

		if (http_head_parse(not_strict[i], strlen(not_strict[i]), &head) !=
		    -TACIT_E_PROTOCOL)
			fail_msg("accepted %s", not_strict[i]);
		assert_int_equal(head.status, 7);
	}
}

static void head_refuses_nul_anywhere(void **state)
{
	static const char good[] = OK "Content-Length: 28\r\nETag: \"v4\"\r\n\r\n";
	struct http_head head;

	(void)state;
	for (size_t i = 0; i < strlen(good); i++) {
		char text[sizeof(good)];

		memcpy(text, good, sizeof(good));
		text[i] = '\0';
		assert_int_equal(http_head_parse(text, strlen(good), &head), -TACIT_E_PROTOCOL);
	}
}

static void head_refuses_every_truncation(void **state)
{
	static const char good[] = OK "Content-Length: 28\r\nETag: \"v4\"\r\n\r\n";
	struct http_head head;

	(void)state;
	assert_int_equal(http_head_parse(good, strlen(good), &head), 0);
	for (size_t len = 0; len < strlen(good); len++)
		assert_int_equal(http_head_parse(good, len, &head), -TACIT_E_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(head_reads_every_field),
	    cmocka_unit_test(head_has_defaults_for_what_is_absent),
	    cmocka_unit_test(head_takes_close_from_any_connection_option),
	    cmocka_unit_test(head_passes_over_a_date_in_retry_after),
	    cmocka_unit_test(head_refuses_what_is_not_strict),
	    cmocka_unit_test(head_refuses_nul_anywhere),
	    cmocka_unit_test(head_refuses_every_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "enrolment.h"
#include "tacit/deadline.h"
#include "tacit/join_token.h"

/* Nobody answers there, so that a good token comes as far as the network and no further. */
#define NOBODY "https://127.0.0.1:1"
#define MARK   "sixteen-letters-"

static struct secret *good_token(void)
{
	cleanup_join_token struct join_token token = {.url = NOBODY};
	struct secret *text = NULL;

	assert_int_equal(secret_new_from(MARK, JOIN_TOKEN_SECRET_BYTES, &token.secret), 0);
	assert_int_equal(join_token_format(&token, &text), 0);
	assert_int_equal(secret_append(text, "", 1), 0);
	return text;
}

static int present_within(struct enrolment *enrolment, int64_t timeout_ms, struct fault *fault)
{
	cleanup_identity struct identity *identity = NULL;
	cleanup_secret struct secret *pem = NULL;
	int r = enrolment_make(enrolment, deadline_in_ms(timeout_ms), &pem, &identity, fault);

	assert_int_not_equal(r, 0);
	assert_null(identity);
	assert_null(pem);
	assert_int_equal(fault->err, r);
	return r;
}

/* Time enough for a slow machine. */
static int present(struct enrolment *enrolment, struct fault *fault)
{
	return present_within(enrolment, 30000, fault);
}

/* What must be told of a token is never the token. */
static void assert_quotes_nothing(const struct fault *fault, const char *token)
{
	assert_null(strstr(fault->what, "tacit1."));
	assert_null(strstr(fault->why, "tacit1."));
	if (strlen(token) >= 8) {
		assert_null(strstr(fault->what, token));
		assert_null(strstr(fault->why, token));
	}
}

static void blanks_around_a_token_are_none_of_it(void **state)
{
	static const char *const forms[] = {"%s", "%s\n", "%s\r\n", " \t%s  \n\n", "\n%s"};
	cleanup_secret struct secret *token = good_token();

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct enrolment enrolment;
		struct fault fault = {0};
		char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(text, sizeof(text), forms[i], (const char *)secret_bytes(token));
#pragma GCC diagnostic pop
		enrolment_of_variable(text, &enrolment);
		assert_int_equal(present(&enrolment, &fault), -TACIT_E_UNREACHABLE);
		assert_string_equal(fault.what, NOBODY);
		enrolment_free(&enrolment);
	}
}

static void what_is_no_token_is_refused_without_quoting_it(void **state)
{
	static const char *const texts[] = {"", " ", "hunter2-hunter2", "tacit1.", "tacit1.AAAA",
	    "tacit2.c2l4dGVlbi1sZXR0ZXJzLXNpeHRlZW4tbGV0dGVycy1zaXh0ZWVuLWxldHRlcnMt"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct enrolment enrolment;
		struct fault fault = {0};

		enrolment_of_variable(texts[i], &enrolment);
		assert_int_equal(present(&enrolment, &fault), -TACIT_E_TOKEN);
		assert_string_equal(fault.what, "TACIT_TOKEN");
		assert_quotes_nothing(&fault, texts[i]);
		enrolment_free(&enrolment);
	}
}

static void a_token_that_nobody_saw_is_presented_again(void **state)
{
	cleanup_secret struct secret *token = good_token();
	struct enrolment enrolment;
	struct fault fault = {0};

	(void)state;
	enrolment_of_variable((const char *)secret_bytes(token), &enrolment);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(present(&enrolment, &fault), -TACIT_E_UNREACHABLE);
		assert_int_equal(enrolment.end.err, 0);
	}
	enrolment_free(&enrolment);
}

static void one_that_was_given_up_is_not(void **state)
{
	cleanup_secret struct secret *token = good_token();
	struct enrolment enrolment;
	struct fault fault = {0};

	(void)state;
	enrolment_of_variable((const char *)secret_bytes(token), &enrolment);
	enrolment_give_up(&enrolment, "somebody else has presented it");
	assert_int_equal(present(&enrolment, &fault), -TACIT_E_TOKEN);
	assert_string_equal(fault.what, "TACIT_TOKEN");
	assert_string_equal(fault.why, "somebody else has presented it");
	enrolment_free(&enrolment);
}

static void write_file(char path[static 32], const void *bytes, size_t len)
{
	int fd;

	(void)snprintf(path, 32, "/tmp/tacit-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(close(fd), 0);
}

static int present_file(const char *path, struct fault *fault)
{
	struct enrolment enrolment = ENROLMENT_NONE;
	int r = enrolment_of_file(path, &enrolment, fault);

	if (r == 0)
		r = present(&enrolment, fault);
	enrolment_free(&enrolment);
	return r;
}

static void a_file_is_read_when_it_is_needed(void **state)
{
	cleanup_secret struct secret *token = good_token();
	struct fault fault = {0};
	char path[32];

	(void)state;
	write_file(path, secret_bytes(token), secret_len(token) - 1);
	assert_int_equal(present_file(path, &fault), -TACIT_E_UNREACHABLE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(present_file(path, &fault), -ENOENT);
	assert_string_equal(fault.what, path);
}

static void a_file_that_is_no_token_is_named(void **state)
{
	struct fault fault = {0};
	char large[2000];
	char path[32];

	(void)state;
	memset(large, 'A', sizeof(large));
	(void)snprintf(large, sizeof(large), JOIN_TOKEN_PREFIX);
	large[strlen(JOIN_TOKEN_PREFIX)] = 'A';
	write_file(path, large, sizeof(large));
	assert_int_equal(present_file(path, &fault), -TACIT_E_TOKEN);
	assert_string_equal(fault.what, path);
	assert_string_equal(fault.why, "");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(present_file("/", &fault), -EISDIR);
	assert_int_equal(present_file("/dev/null", &fault), -TACIT_E_TOKEN);
}

static void a_pipe_that_stays_silent_is_waited_for_as_long_as_allowed(void **state)
{
	struct enrolment enrolment = ENROLMENT_NONE;
	struct fault fault = {0};
	int64_t began_ms = deadline_in_ms(0);
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	enrolment.label = "pipe";
	enrolment.fd = ends[0];
	assert_int_equal(present_within(&enrolment, 300, &fault), -TACIT_E_TIMEOUT);
	assert_in_range(deadline_in_ms(0) - began_ms, 290, 3000);
	/* And is not read again, since its end is closed. */
	assert_int_equal(present(&enrolment, &fault), -TACIT_E_TIMEOUT);
	assert_int_equal(close(ends[1]), 0);
	enrolment_free(&enrolment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blanks_around_a_token_are_none_of_it),
	    cmocka_unit_test(what_is_no_token_is_refused_without_quoting_it),
	    cmocka_unit_test(a_token_that_nobody_saw_is_presented_again),
	    cmocka_unit_test(one_that_was_given_up_is_not),
	    cmocka_unit_test(a_file_is_read_when_it_is_needed),
	    cmocka_unit_test(a_file_that_is_no_token_is_named),
	    cmocka_unit_test(a_pipe_that_stays_silent_is_waited_for_as_long_as_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

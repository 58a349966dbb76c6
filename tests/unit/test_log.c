/* SPDX-License-Identifier: MIT */
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

#include "log.h"
#include "tacit/fd.h"
#include "tacit/json.h"

static char text[4096];

/* What `say` writes to a descriptor, which is 1 or 2. */
static const char *what_is_written(int fd, void (*say)(void))
{
	char path[] = "/tmp/tacit-test-XXXXXX";
	int file = mkstemp(path), saved = dup(fd);
	ssize_t len;

	assert_true(file >= 0 && saved >= 0);
	(void)unlink(path);
	(void)fflush(NULL);
	assert_true(dup2(file, fd) >= 0);
	say();
	assert_true(dup2(saved, fd) >= 0);
	len = pread(file, text, sizeof(text) - 1, 0);
	assert_true(len >= 0);
	text[len] = '\0';
	(void)close(file);
	(void)close(saved);
	return text;
}

static void say_event(void)
{
	log_event("listening", "listening on %s", "https://[::1]:8443");
}

static void say_trouble(void)
{
	log_trouble("store.db", "%d things are wrong", 2);
}

static void say_fault(void)
{
	const struct fault fault = {.err = -TACIT_E_DENIED, .what = "store.db"};

	log_fault(&fault);
}

/* A path is any bytes; here Latin-1, a newline, a quote and a control character. */
static void say_odd(void)
{
	log_trouble("caf\xe9\n\"\x01", "no");
}

static struct json *parsed(void)
{
	struct json *json = NULL;
	size_t len = strlen(text);

	assert_int_equal(text[len - 1], '\n');
	assert_ptr_equal(strchr(text, '\n'), text + len - 1);
	assert_int_equal(json_parse(text, len - 1, &json, NULL), 0);
	assert_non_null(json_text_at(json, "time"));
	assert_string_equal(json_text_at(json, "program"), "tacit-server");
	return json;
}

static void plain_text_is_for_people(void **state)
{
	(void)state;
	log_set_format(LOG_PLAIN);
	assert_string_equal(
	    what_is_written(STDOUT_FILENO, say_event), "listening on https://[::1]:8443\n");
	assert_string_equal(what_is_written(STDERR_FILENO, say_event), "");
	assert_string_equal(what_is_written(STDERR_FILENO, say_trouble),
	    "tacit-server: store.db: 2 things are wrong\n");
	assert_string_equal(what_is_written(STDOUT_FILENO, say_trouble), "");
}

static void json_is_one_object_a_line(void **state)
{
	struct json *json;

	(void)state;
	log_set_format(LOG_JSON);
	(void)what_is_written(STDOUT_FILENO, say_event);
	json = parsed();
	assert_string_equal(json_text_at(json, "event"), "listening");
	assert_string_equal(json_text_at(json, "message"), "listening on https://[::1]:8443");
	json_free(json);

	(void)what_is_written(STDERR_FILENO, say_fault);
	json = parsed();
	assert_string_equal(json_text_at(json, "event"), "trouble");
	assert_string_equal(json_text_at(json, "what"), "store.db");
	assert_string_equal(json_text_at(json, "why"), err_text(-TACIT_E_DENIED));
	json_free(json);
	log_set_format(LOG_PLAIN);
}

static void any_bytes_stay_one_line_of_json(void **state)
{
	struct json *json;

	(void)state;
	log_set_format(LOG_JSON);
	(void)what_is_written(STDERR_FILENO, say_odd);
	json = parsed();
	assert_string_equal(json_text_at(json, "what"), "caf?\n\"\x01");
	json_free(json);
	log_set_format(LOG_PLAIN);
}

static void formats_have_names(void **state)
{
	enum log_format format = LOG_PLAIN;

	(void)state;
	assert_true(log_format_parse("json", &format));
	assert_int_equal(format, LOG_JSON);
	assert_true(log_format_parse("plain", &format));
	assert_int_equal(format, LOG_PLAIN);
	assert_false(log_format_parse("", &format));
	assert_false(log_format_parse("JSON", &format));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_text_is_for_people),
	    cmocka_unit_test(json_is_one_object_a_line),
	    cmocka_unit_test(any_bytes_stay_one_line_of_json),
	    cmocka_unit_test(formats_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

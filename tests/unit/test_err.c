/* SPDX-License-Identifier: MIT */
#include "tacit/err.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int all_errors[] = {
#define X(symbol, http, exit_code, code, text) -TACIT_E_##symbol,
    TACIT_ERRORS(X)
#undef X
};

static void every_error_comes_back_from_its_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_errors); i++)
		assert_int_equal(err_from_code(err_code(all_errors[i])), all_errors[i]);
}

static void codes_are_lower_case_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_errors); i++) {
		const char *code = err_code(all_errors[i]);

		assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz_"), strlen(code));
		assert_in_range(strlen(code), 1, 32);
	}
}

static void texts_are_one_phrase_without_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_errors); i++) {
		const char *text = err_text(all_errors[i]);
		size_t len = strlen(text);

		assert_in_range(len, 1, 99);
		assert_null(strpbrk(text, "\n\r\t%"));
		assert_int_not_equal(text[len - 1], '.');
	}
}

/* An error is asked for by either sign: `-TACIT_E_DENIED` as returned, `TACIT_E_DENIED` in tables.
 */
static void the_sign_does_not_matter(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_errors); i++) {
		assert_ptr_equal(err_text(-all_errors[i]), err_text(all_errors[i]));
		assert_ptr_equal(err_code(-all_errors[i]), err_code(all_errors[i]));
		assert_int_equal(err_http_status(-all_errors[i]), err_http_status(all_errors[i]));
		assert_int_equal(err_exit_code(-all_errors[i]), err_exit_code(all_errors[i]));
	}
}

static void statuses_and_exit_codes_are_failures(void **state)
{
	static const int exit_codes[] = {1, 2, 4, 5, 6, 69};

	(void)state;
	for (size_t i = 0; i < COUNT(all_errors); i++) {
		bool known = false;

		for (size_t e = 0; e < COUNT(exit_codes); e++)
			known |= err_exit_code(all_errors[i]) == exit_codes[e];
		assert_true(known);
		assert_in_range(err_http_status(all_errors[i]), 400, 599);
	}
}

struct contract_row {
	int err;
	int http_status;
	int exit_code;
};

/* What the contract fixes, row by row. */
static const struct contract_row contract_rows[] = {
    {-TACIT_E_USAGE, 400, 2},
    {-TACIT_E_MALFORMED, 400, 1},
    {-TACIT_E_UNAUTHENTICATED, 401, 5},
    {-TACIT_E_DENIED, 403, 5},
    {-TACIT_E_NOT_FOUND, 404, 4},
    {-TACIT_E_METHOD, 405, 1},
    {-TACIT_E_CONFLICT, 409, 6},
    {-TACIT_E_PRECONDITION, 412, 6},
    {-TACIT_E_TOO_LARGE, 413, 1},
    {-TACIT_E_HEADERS_TOO_LARGE, 431, 1},
    {-TACIT_E_SEALED, 503, 1},
    {-TACIT_E_AUDIT_UNAVAILABLE, 503, 1},
    {-TACIT_E_UNREACHABLE, 502, 69},
    {-ENOMEM, 500, 1},
    {-ENOSPC, 500, 1},
};

static void the_contract_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(contract_rows); i++) {
		assert_int_equal(
		    err_http_status(contract_rows[i].err), contract_rows[i].http_status);
		assert_int_equal(err_exit_code(contract_rows[i].err), contract_rows[i].exit_code);
	}
}

static void numbers_of_no_table_are_internal_errors(void **state)
{
	static const int strangers[] = {0, -TACIT_E_BASE, TACIT_E_BASE, -4095,
	    -(TACIT_E_BASE + 1000), INT_MAX, -INT_MAX, INT_MIN, INT_MIN + 1};

	(void)state;
	for (size_t i = 0; i < COUNT(strangers); i++) {
		assert_non_null(err_text(strangers[i]));
		assert_string_equal(err_code(strangers[i]), "internal");
		assert_int_equal(err_http_status(strangers[i]), 500);
		assert_int_equal(err_exit_code(strangers[i]), 1);
	}
	assert_string_equal(err_text(INT_MIN), "unknown error");
	assert_string_equal(err_text(-(TACIT_E_BASE + 1000)), "unknown error");
	assert_string_equal(err_text(0), "no error");
}

static void errno_texts_are_the_systems(void **state)
{
	(void)state;
	assert_string_equal(err_text(-ENOENT), "No such file or directory");
	assert_string_equal(err_text(ENOENT), "No such file or directory");
	assert_string_equal(err_code(-ENOENT), "internal");
}

static void unknown_codes_are_internal_errors(void **state)
{
	static const char *const codes[] = {
	    "", "no_such_code", "DENIED", "denied ", " denied", "deni"};

	(void)state;
	for (size_t i = 0; i < COUNT(codes); i++)
		assert_int_equal(err_from_code(codes[i]), -TACIT_E_INTERNAL);
}

static void a_fault_holds_what_and_why(void **state)
{
	struct fault fault;

	(void)state;
	assert_int_equal(fault_set(&fault, -ENOENT, "%s/%d", "dir", 7), -ENOENT);
	assert_int_equal(fault.err, -ENOENT);
	assert_string_equal(fault.what, "dir/7");
	assert_string_equal(fault.why, "");

	assert_int_equal(fault_set_why(&fault, -TACIT_E_DENIED, "not %s", "web"), -TACIT_E_DENIED);
	assert_string_equal(fault.what, "web");
	assert_string_equal(fault.why, "not %s"); /* no format */
}

static void a_fault_may_be_none(void **state)
{
	(void)state;
	assert_int_equal(fault_set(NULL, -ENOENT, "x"), -ENOENT);
	assert_int_equal(fault_set_why(NULL, -TACIT_E_DENIED, "why", "x"), -TACIT_E_DENIED);
}

static void a_fault_cuts_what_is_too_long(void **state)
{
	char text[2048];
	struct fault fault;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(fault_set_why(&fault, -1, text, "%s", text), -1);
	assert_int_equal(strlen(fault.what), sizeof(fault.what) - 1);
	assert_int_equal(strlen(fault.why), sizeof(fault.why) - 1);
}

/* Runs fault_report() with stderr going into `ret_text`. */
static void report(const struct fault *fault, char *ret_text, size_t size)
{
	cleanup_fd int saved_fd = dup(STDERR_FILENO);
	int ends[2];
	size_t len;

	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	(void)close(ends[1]);
	fault_report("tacit", fault);
	assert_true(dup2(saved_fd, STDERR_FILENO) >= 0);

	assert_int_equal(fd_read_full(ends[0], ret_text, size - 1, &len), 0);
	(void)close(ends[0]);
	ret_text[len] = '\0';
}

struct report_row {
	struct fault fault;
	const char *line;
};

static const struct report_row report_rows[] = {
    {{.err = -ENOENT, .what = "/etc/x"}, "tacit: /etc/x: No such file or directory\n"},
    {{.err = -TACIT_E_DENIED, .what = "web/db"}, "tacit: web/db: denied\n"},
    {{.err = -TACIT_E_DENIED, .what = "web/db", .why = "on Mondays"},
        "tacit: web/db: on Mondays\n"},
    {{.err = -TACIT_E_DENIED}, "tacit: denied\n"},
    {{.err = -TACIT_E_DENIED, .why = "on Mondays"}, "tacit: on Mondays\n"},
    {{.err = -ENOENT, .what = "100%s%n"}, "tacit: 100%s%n: No such file or directory\n"},

    /* nothing of what a peer says reaches the terminal as more than text */
    {{.err = -ENOENT, .what = "a\nb\rc\td"}, "tacit: a?b?c?d: No such file or directory\n"},
    {{.err = -1, .what = "\x1b[31mred", .why = "\x07\x7f"}, "tacit: ?[31mred: ??\n"},
    {{.err = -1,
         .what = "\xc2\x9b"
                 "31m",
         .why = "\xc2\x80\xc2\x9f"},
        "tacit: ??31m: ????\n"},
    {{.err = -1, .what = "\xc2\xa0\xc3\x9b", .why = "\xc2"}, "tacit: \xc2\xa0\xc3\x9b: \xc2\n"},
};

static void a_report_is_one_harmless_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(report_rows); i++) {
		char line[1024];

		report(&report_rows[i].fault, line, sizeof(line));
		assert_string_equal(line, report_rows[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_error_comes_back_from_its_code),
	    cmocka_unit_test(codes_are_lower_case_words),
	    cmocka_unit_test(texts_are_one_phrase_without_end),
	    cmocka_unit_test(the_sign_does_not_matter),
	    cmocka_unit_test(statuses_and_exit_codes_are_failures),
	    cmocka_unit_test(the_contract_is_kept),
	    cmocka_unit_test(numbers_of_no_table_are_internal_errors),
	    cmocka_unit_test(errno_texts_are_the_systems),
	    cmocka_unit_test(unknown_codes_are_internal_errors),
	    cmocka_unit_test(a_fault_holds_what_and_why),
	    cmocka_unit_test(a_fault_may_be_none),
	    cmocka_unit_test(a_fault_cuts_what_is_too_long),
	    cmocka_unit_test(a_report_is_one_harmless_line),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}

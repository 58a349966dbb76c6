/* SPDX-License-Identifier: MIT */
#include "tacit/err.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct err_row {
	const char *code;
	const char *text;
	int http_status;
	int exit_code;
};

static const struct err_row err_rows[] = {
#define X(symbol, http, exit_code, code, text) \
	[TACIT_E_##symbol - TACIT_E_BASE] = {code, text, http, exit_code},
    TACIT_ERRORS(X)
#undef X
};

#define ERR_ROWS_COUNT (sizeof(err_rows) / sizeof(err_rows[0]))

/* Without its sign. In 64 bits, since INT_MIN has no counterpart among the ints. */
static size_t err_number(int err)
{
	return (size_t)llabs((long long)err);
}

/* NULL for an errno, and for a number that is in no table. */
static const struct err_row *err_row(int err)
{
	size_t number = err_number(err);

	if (number <= TACIT_E_BASE || number - TACIT_E_BASE >= ERR_ROWS_COUNT)
		return NULL;

	return &err_rows[number - TACIT_E_BASE];
}

const char *err_text(int err)
{
	const struct err_row *row = err_row(err);
	const char *text;

	if (row)
		return row->text;
	if (err == 0)
		return "no error";

	/* strerrordesc_np is thread-safe and independent of the locale, as strerror is not. */
	text = err == INT_MIN ? NULL : strerrordesc_np(abs(err));
	return text ? text : "unknown error";
}

const char *err_code(int err)
{
	const struct err_row *row = err_row(err);

	return row ? row->code : "internal";
}

int err_from_code(const char *code)
{
	for (size_t i = 1; i < ERR_ROWS_COUNT; i++)
		if (!strcmp(err_rows[i].code, code))
			return -(TACIT_E_BASE + (int)i);

	return -TACIT_E_INTERNAL;
}

int err_http_status(int err)
{
	const struct err_row *row = err_row(err);

	return row ? row->http_status : 500;
}

int err_exit_code(int err)
{
	const struct err_row *row = err_row(err);

	return row ? row->exit_code : 1;
}

static int fault_fill(struct fault *fault, int err, const char *why, const char *what, va_list args)
    __attribute__((format(printf, 4, 0)));

static int fault_fill(struct fault *fault, int err, const char *why, const char *what, va_list args)
{
	if (!fault)
		return err;

	fault->err = err;
	(void)vsnprintf(fault->what, sizeof(fault->what), what, args);
	(void)snprintf(fault->why, sizeof(fault->why), "%s", why);
	return err;
}

int fault_set(struct fault *fault, int err, const char *what_format, ...)
{
	va_list args;

	va_start(args, what_format);
	(void)fault_fill(fault, err, "", what_format, args);
	va_end(args);
	return err;
}

int fault_set_why(struct fault *fault, int err, const char *why, const char *what_format, ...)
{
	va_list args;

	va_start(args, what_format);
	(void)fault_fill(fault, err, why, what_format, args);
	va_end(args);
	return err;
}

/* U+0080 to U+009F in UTF-8. Terminals obey them: U+009B is an escape sequence in one character. */
static bool is_c1_control(const char *text)
{
	return (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] >= 0x80 &&
	       (unsigned char)text[1] <= 0x9f;
}

/* A hostile file name or server must not draw on the terminal or fake a second line. */
static void text_defuse(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			*text = '?';
		} else if (is_c1_control(text)) {
			*text++ = '?';
			*text = '?';
		}
	}
}

void fault_report(const char *program, const struct fault *fault)
{
	struct fault copy = *fault;

	text_defuse(copy.what);
	text_defuse(copy.why);
	if (copy.what[0])
		(void)fprintf(stderr, "%s: %s: %s\n", program, copy.what,
		    copy.why[0] ? copy.why : err_text(copy.err));
	else
		(void)fprintf(
		    stderr, "%s: %s\n", program, copy.why[0] ? copy.why : err_text(copy.err));
}

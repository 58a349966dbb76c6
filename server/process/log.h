/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LOG_H
#define TACIT_SERVER_LOG_H

#include <stdbool.h>

#include "tacit/err.h"

/*
 * What a running server has to say: that it started, reloaded, renewed its certificate or stops,
 * and what went wrong. No levels: the first goes to stdout and the second to stderr. As text it is
 * for people; as JSON it is one object a line, with `time`, `event` and `message`, or `what` and
 * `why` for trouble. Who asked for what is the audit log's, not this one's.
 */
enum log_format {
	LOG_PLAIN,
	LOG_JSON,
};

/* "plain" or "json"; false for another word. */
bool log_format_parse(const char *text, enum log_format *ret_format);
void log_set_format(enum log_format format);

/* `event` is a stable word, "listening". */
void log_event(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Trouble that the server goes on with, or that ends it. */
void log_fault(const struct fault *fault);
void log_trouble(const char *what, const char *why_format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

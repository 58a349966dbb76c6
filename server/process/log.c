/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "tacit/fd.h"
#include "tacit/json.h"

#define TEXT_BYTES 768

static enum log_format log_format = LOG_PLAIN;

static const char *const format_texts[] = {[LOG_PLAIN] = "plain", [LOG_JSON] = "json"};

bool log_format_parse(const char *text, enum log_format *ret_format)
{
	for (size_t i = 0; i < sizeof(format_texts) / sizeof(format_texts[0]); i++) {
		if (!strcmp(text, format_texts[i])) {
			*ret_format = (enum log_format)i;
			return true;
		}
	}

	return false;
}

void log_set_format(enum log_format format)
{
	log_format = format;
}

static void time_print(char *text, size_t size)
{
	struct timespec now;
	struct tm utc;
	char seconds[32];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	(void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(text, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

/* A line is one write(2), so that lines of several threads and processes do not mix. */
static void line_write(int fd, struct json *json)
{
	cleanup_secret struct secret *line = NULL;

	if (json_print(json, &line) == 0 && secret_append(line, "\n", 1) == 0)
		(void)fd_write_all(fd, secret_bytes(line), secret_len(line));
}

/* A path may be any bytes, and JSON takes UTF-8 only: what is not ASCII is then replaced. */
static int line_set(struct json *json, const char *key, const char *text)
{
	char plain[TEXT_BYTES];

	if (json_set_text(json, key, text) == 0)
		return 0;

	(void)snprintf(plain, sizeof(plain), "%s", text);
	for (char *at = plain; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return json_set_text(json, key, plain);
}

static struct json *line_begin(const char *event)
{
	cleanup_json struct json *json = json_new_object();
	struct json *made;
	char now[64];

	time_print(now, sizeof(now));
	if (!json || json_set_text(json, "time", now) < 0 ||
	    json_set_text(json, "program", PROGRAM_NAME) < 0 ||
	    json_set_text(json, "event", event) < 0)
		return NULL;

	made = json;
	json = NULL;
	return made;
}

void log_event(const char *event, const char *format, ...)
{
	cleanup_json struct json *json = NULL;
	char message[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (log_format == LOG_PLAIN) {
		(void)dprintf(STDOUT_FILENO, "%s\n", message);
		return;
	}

	json = line_begin(event);
	if (json && line_set(json, "message", message) == 0)
		line_write(STDOUT_FILENO, json);
}

void log_fault(const struct fault *fault)
{
	cleanup_json struct json *json = NULL;

	if (log_format == LOG_PLAIN) {
		fault_report(PROGRAM_NAME, fault);
		return;
	}

	json = line_begin("trouble");
	if (json && line_set(json, "what", fault->what) == 0 &&
	    line_set(json, "why", fault->why[0] ? fault->why : err_text(fault->err)) == 0)
		line_write(STDERR_FILENO, json);
}

void log_trouble(const char *what, const char *why_format, ...)
{
	struct fault fault = {.err = -TACIT_E_INTERNAL};
	va_list args;

	(void)snprintf(fault.what, sizeof(fault.what), "%s", what);
	va_start(args, why_format);
	(void)vsnprintf(fault.why, sizeof(fault.why), why_format, args);
	va_end(args);
	log_fault(&fault);
}

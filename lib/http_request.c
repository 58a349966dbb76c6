/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http_client_private.h"

static void __attribute__((format(printf, 2, 3)))
print(struct http_printer *printer, const char *format, ...)
{
	size_t space = sizeof(printer->text) - printer->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(printer->text + printer->len, space, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= space)
		printer->failed = true;
	else
		printer->len += (size_t)len;
}

/* A control character could end the header and begin another one. */
static void print_field(struct http_printer *printer, const char *name, const char *value)
{
	if (!value)
		return;

	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			printer->failed = true;
	print(printer, "%s: %s\r\n", name, value);
}

static bool is_clean_target(const char *path)
{
	if (*path != '/')
		return false;
	for (; *path; path++)
		if ((unsigned char)*path <= 0x20 || (unsigned char)*path >= 0x7f)
			return false;

	return true;
}

int http_request_print(
    const struct http_request *request, const struct url *url, struct http_printer *printer)
{
	bool has_body =
	    request->body || !strcmp(request->method, "PUT") || !strcmp(request->method, "POST");
	char url_text[280];

	url_print(url, url_text);
	printer->len = 0;
	printer->failed = !is_clean_target(request->path);
	print(printer, "%s %s HTTP/1.1\r\n", request->method, request->path);
	print_field(printer, "Host", url_text + strlen("https://"));
	print_field(printer, "User-Agent", "tacit/" TACIT_VERSION);
	print_field(printer, "Accept", request->accept);
	print_field(printer, "Content-Type", request->content_type);
	print_field(printer, "If-Match", request->if_match);
	print_field(printer, "If-None-Match", request->if_none_match);
	print_field(printer, "Prefer", request->prefer);
	print_field(printer, "Tacit-Instance", request->instance);
	print_field(printer, "Tacit-Instance-Id", request->instance_id);
	if (has_body)
		print(printer, "Content-Length: %zu\r\n", request->body_len);
	print(printer, "\r\n");

	return printer->failed ? -EINVAL : 0;
}

/* SPDX-License-Identifier: MIT */
#include "tacit/proto.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tacit/json.h"

static const char unreserved[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

/* A list of one OID: 105 stands for 2.25, and the UUID comes behind it in groups of seven bits. */
const uint8_t proto_sealed_usage[PROTO_SEALED_USAGE_BYTES] = {0x30, 21, 0x06, 19, 105, 0xf2, 0x93,
    0xb4, 0xfe, 0xcf, 0xb2, 0xaa, 0x8f, 0xab, 0x89, 0xeb, 0x83, 0x8d, 0xfc, 0xe3, 0xd5, 0xcb, 0x7e};

struct path_writer {
	char *at;
	size_t left; /* room for the NUL included */
};

static int path_put(struct path_writer *writer, const char *bytes, size_t len)
{
	if (len >= writer->left)
		return -TACIT_E_TOO_LARGE;

	memcpy(writer->at, bytes, len);
	writer->at += len;
	writer->left -= len;
	*writer->at = '\0';
	return 0;
}

static int path_put_escaped(struct path_writer *writer, const char *text)
{
	int r = 0;

	for (; *text && r == 0; text++) {
		char escape[4];

		if (strchr(unreserved, *text)) {
			r = path_put(writer, text, 1);
			continue;
		}
		(void)snprintf(escape, sizeof(escape), "%%%02X", (unsigned char)*text);
		r = path_put(writer, escape, 3);
	}

	return r;
}

int proto_path(char ret_path[static PROTO_PATH_MAX_BYTES], const char *format, ...)
{
	struct path_writer writer = {.at = ret_path, .left = PROTO_PATH_MAX_BYTES};
	va_list args;
	int r = 0;

	ret_path[0] = '\0';
	va_start(args, format);
	while (*format && r == 0) {
		if (!strncmp(format, "%s", 2)) {
			r = path_put_escaped(&writer, va_arg(args, const char *));
			format += 2;
		} else {
			r = path_put(&writer, format++, 1);
		}
	}
	va_end(args);

	return r;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;

	return -1;
}

int proto_unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -TACIT_E_MALFORMED;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}

	*to = '\0';
	return 0;
}

/* The registered phrases of RFC 9110 for the statuses that the error table uses. */
static const struct {
	int status;
	const char *title;
} titles[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *title_of(int status)
{
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;

	return "Error";
}

int proto_instance_parse(
    const char *text, char ret_name[static CLIENT_NAME_MAX_BYTES + 1], bool *ret_watches)
{
	size_t len = strcspn(text, ";");
	char name[CLIENT_NAME_MAX_BYTES + 1];

	if (len > CLIENT_NAME_MAX_BYTES || (text[len] && strcmp(text + len, "; watch") != 0))
		return -TACIT_E_MALFORMED;
	memcpy(name, text, len);
	name[len] = '\0';
	if (!name_is_client(name))
		return -TACIT_E_MALFORMED;

	memcpy(ret_name, name, len + 1);
	*ret_watches = text[len] != '\0';
	return 0;
}

bool proto_instance_is_id(const char *text)
{
	size_t len =
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return len > 0 && len <= PROTO_INSTANCE_ID_MAX_BYTES && text[len] == '\0';
}

void proto_instance_print(
    const char *host, long number, bool watches, char ret_text[static PROTO_INSTANCE_MAX_BYTES])
{
	char name[41];

	(void)snprintf(name, sizeof(name), "%s", host[0] ? host : "-");
	for (char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '.' && *at != '_')
			*at = '-';
	if (name[0] == '-' || name[0] == '.')
		name[0] = '_';
	(void)snprintf(
	    ret_text, PROTO_INSTANCE_MAX_BYTES, "%s.%ld%s", name, number, watches ? "; watch" : "");
}

int proto_problem_print(
    int err, const char *detail, const char *request_id, struct secret **ret_body)
{
	cleanup_json struct json *problem = json_new_object();
	int status = err_http_status(err);

	if (!problem || json_set_text(problem, "type", "about:blank") < 0 ||
	    json_set_text(problem, "title", title_of(status)) < 0 ||
	    json_set_int(problem, "status", status) < 0 ||
	    json_set_text(problem, "detail", detail ? detail : err_text(err)) < 0 ||
	    json_set_text(problem, "code", err_code(err)) < 0 ||
	    json_set_text(problem, "request_id", request_id) < 0)
		return -ENOMEM;

	return json_print(problem, ret_body);
}

int proto_problem_parse(
    const void *bytes, size_t len, int *ret_err, char *ret_detail, size_t detail_size)
{
	cleanup_json struct json *problem = NULL;
	const char *code, *detail;

	if (json_parse(bytes, len, &problem, NULL) < 0)
		return -TACIT_E_MALFORMED;

	code = json_text_at(problem, "code");
	if (!code)
		return -TACIT_E_MALFORMED;

	detail = json_text_at(problem, "detail");
	(void)snprintf(ret_detail, detail_size, "%s", detail ? detail : "");
	*ret_err = err_from_code(code);
	return 0;
}

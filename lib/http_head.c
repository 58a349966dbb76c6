/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "http_client_private.h"

#define STATUS_PREFIX "HTTP/1.1 "

struct span {
	const char *text;
	size_t len;
};

static bool span_is(const struct span *span, const char *text)
{
	return span->len == strlen(text) && !strncasecmp(span->text, text, span->len);
}

static struct span span_trim(struct span span)
{
	for (; span.len > 0 && isblank((unsigned char)span.text[0]); span.len--)
		span.text++;
	while (span.len > 0 && isblank((unsigned char)span.text[span.len - 1]))
		span.len--;

	return span;
}

static bool span_copy(const struct span *span, char *ret_text, size_t size)
{
	if (span->len >= size)
		return false;

	memcpy(ret_text, span->text, span->len);
	ret_text[span->len] = '\0';
	return true;
}

/* Digits only: no sign, no list `5, 5`. False when it does not fit. */
static bool span_parse_size(const struct span *span, size_t *ret_number)
{
	size_t number = 0;

	if (span->len == 0)
		return false;
	for (size_t i = 0; i < span->len; i++) {
		if (!isdigit((unsigned char)span->text[i]) || number > (SIZE_MAX - 9) / 10)
			return false;
		number = number * 10 + (size_t)(span->text[i] - '0');
	}

	*ret_number = number;
	return true;
}

/* RFC 9110, 5.6.2. */
static bool is_token_byte(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_text(const struct span *span)
{
	for (size_t i = 0; i < span->len; i++) {
		unsigned char c = (unsigned char)span->text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}

	return true;
}

static int take_content_length(struct http_head *head, const struct span *value)
{
	if (head->has_content_length || !span_parse_size(value, &head->content_length))
		return -TACIT_E_PROTOCOL;

	head->has_content_length = true;
	return 0;
}

/* What is delivered are the bytes as they come, so a coding of any kind would alter them. */
static int refuse_field(struct http_head *head, const struct span *value)
{
	(void)head;
	(void)value;
	return -TACIT_E_PROTOCOL;
}

static int take_connection(struct http_head *head, const struct span *value)
{
	struct span rest = *value;

	while (rest.len > 0) {
		const char *comma = memchr(rest.text, ',', rest.len);
		size_t len = comma ? (size_t)(comma - rest.text) : rest.len;
		struct span option = span_trim((struct span){rest.text, len});

		if (span_is(&option, "close"))
			head->keep_alive = false;
		rest.text += comma ? len + 1 : len;
		rest.len -= comma ? len + 1 : len;
	}

	return 0;
}

/* It goes back to the server in If-Match, so nothing may stand in it that could end a header. */
static int take_etag(struct http_head *head, const struct span *value)
{
	for (size_t i = 0; i < value->len; i++)
		if ((unsigned char)value->text[i] <= ' ')
			return -TACIT_E_PROTOCOL;
	if (head->etag[0] || value->len == 0 || !span_copy(value, head->etag, sizeof(head->etag)))
		return -TACIT_E_PROTOCOL;

	return 0;
}

static int take_content_type(struct http_head *head, const struct span *value)
{
	const char *semicolon = memchr(value->text, ';', value->len);
	struct span type = *value;

	if (semicolon)
		type.len = (size_t)(semicolon - value->text);
	type = span_trim(type);
	if (head->content_type[0] || type.len == 0 ||
	    !span_copy(&type, head->content_type, sizeof(head->content_type)))
		return -TACIT_E_PROTOCOL;

	for (char *c = head->content_type; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return 0;
}

/* The other form, a date, is as good as none here: clocks differ. */
static int take_retry_after(struct http_head *head, const struct span *value)
{
	size_t seconds;

	if (span_parse_size(value, &seconds) && seconds <= INT_MAX)
		head->retry_after_s = (int64_t)seconds;
	return 0;
}

static const struct {
	const char *name;
	int (*take)(struct http_head *head, const struct span *value);
} fields[] = {
    {"content-length", take_content_length},
    {"transfer-encoding", refuse_field},
    {"content-encoding", refuse_field},
    {"connection", take_connection},
    {"etag", take_etag},
    {"content-type", take_content_type},
    {"retry-after", take_retry_after},
};

/* RFC 9112, 5. A folded line begins with a blank, and so fails as a name. */
static int parse_field(struct http_head *head, const struct span *line)
{
	struct span name = {line->text, 0};
	struct span value;

	while (name.len < line->len && is_token_byte(line->text[name.len]))
		name.len++;
	if (name.len == 0 || name.len == line->len || line->text[name.len] != ':')
		return -TACIT_E_PROTOCOL;

	value = span_trim((struct span){line->text + name.len + 1, line->len - name.len - 1});
	if (!is_text(&value))
		return -TACIT_E_PROTOCOL;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (span_is(&name, fields[i].name))
			return fields[i].take(head, &value);

	return 0;
}

/* RFC 9112, 4: `HTTP/1.1 200 OK`; the phrase may be empty, the blank before it may not. */
static int parse_status_line(struct http_head *head, const struct span *line)
{
	size_t prefix_len = strlen(STATUS_PREFIX);
	const char *digits = line->text + prefix_len;
	int status = 0;

	if (line->len < prefix_len + 4 || memcmp(line->text, STATUS_PREFIX, prefix_len) != 0 ||
	    digits[3] != ' ' || !is_text(line))
		return -TACIT_E_PROTOCOL;

	for (size_t i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)digits[i]))
			return -TACIT_E_PROTOCOL;
		status = status * 10 + (digits[i] - '0');
	}
	if (status < 100 || status > 599)
		return -TACIT_E_PROTOCOL;

	head->status = status;
	return 0;
}

/* Cuts the next line off `rest`; only CRLF ends one. */
static int next_line(struct span *rest, struct span *ret_line)
{
	const char *newline = memchr(rest->text, '\n', rest->len);
	size_t len = newline ? (size_t)(newline - rest->text) : 0;

	if (len == 0 || rest->text[len - 1] != '\r')
		return -TACIT_E_PROTOCOL;

	*ret_line = (struct span){rest->text, len - 1};
	rest->text += len + 1;
	rest->len -= len + 1;
	return 0;
}

int http_head_parse(const char *text, size_t len, struct http_head *ret_head)
{
	struct http_head head = {.keep_alive = true, .retry_after_s = -1};
	struct span rest = {text, len};
	struct span line;
	int r;

	r = next_line(&rest, &line);
	if (r == 0)
		r = parse_status_line(&head, &line);
	while (r == 0) {
		r = next_line(&rest, &line);
		if (r == 0 && line.len == 0)
			break;
		if (r == 0)
			r = parse_field(&head, &line);
	}
	if (r < 0 || rest.len > 0)
		return -TACIT_E_PROTOCOL;

	*ret_head = head;
	return 0;
}

int http_head_find_end(const char *text, size_t len, size_t *ret_len)
{
	size_t prefix_len = strlen(STATUS_PREFIX);

	if (memcmp(text, STATUS_PREFIX, len < prefix_len ? len : prefix_len) != 0)
		return -TACIT_E_PROTOCOL;

	*ret_len = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n')
			continue;
		if (text[i - 1] != '\r')
			return -TACIT_E_PROTOCOL;
		if (text[i - 2] == '\n') {
			*ret_len = i + 1;
			return 0;
		}
	}

	return 0;
}

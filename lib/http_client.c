/* SPDX-License-Identifier: MIT */
#include "tacit/http_client.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tacit/deadline.h"
#include "tacit/tls.h"
#include "tacit/url.h"

#define HEAD_MAX_BYTES  16384
#define HEAD_STEP_BYTES 4096 /* a head and a small body at one go, and no more locked memory */
#define BODY_STEP_BYTES 65536
#define STATUS_PREFIX   "HTTP/1.1 "

struct http_client {
	struct tls_context *tls;
	struct url urls[URL_LIST_MAX];
	size_t url_count;
	size_t current;                    /* the server to begin with */
	struct tls_connection *connection; /* to that server; NULL if none */
	struct secret *input;              /* heads, and what of the body came with them */
	bool has_sent;                     /* some of the last request, to whichever server */
};

/* One http_client_send, through all its tries. */
struct call {
	struct http_client *client;
	const struct http_request *request;
	int64_t deadline_ms;
	size_t max_body_bytes;
	bool repeatable;
	bool sent;     /* some of the request may have reached a server */
	bool answered; /* the server of this try has sent at least one byte */
	size_t at;     /* how much of client->input is used up */
};

/* Parsing a head. */

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

/*
 * The length of the head that `text` begins with: 0 when it is not complete. Garbage is told at
 * once, not when the deadline has passed.
 */
static int head_find_end(const char *text, size_t len, size_t *ret_len)
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

/* Printing a request. */

struct printer {
	char text[4096];
	size_t len;
	bool failed;
};

static void __attribute__((format(printf, 2, 3)))
print(struct printer *printer, const char *format, ...)
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
static void print_field(struct printer *printer, const char *name, const char *value)
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

static int request_print(
    const struct http_request *request, const struct url *url, struct printer *printer)
{
	bool has_body =
	    request->body || !strcmp(request->method, "PUT") || !strcmp(request->method, "POST");
	char url_text[280];

	url_print(url, url_text);
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
	if (has_body)
		print(printer, "Content-Length: %zu\r\n", request->body_len);
	print(printer, "\r\n");

	return printer->failed ? -EINVAL : 0;
}

/* One exchange on a connection that stands. */

static int send_request(struct call *call)
{
	const struct http_request *request = call->request;
	struct http_client *client = call->client;
	struct printer printer = {.len = 0};
	int r;

	r = request_print(request, &client->urls[client->current], &printer);
	if (r < 0)
		return r;

	call->sent = true;
	r = tls_write_all(client->connection, printer.text, printer.len, call->deadline_ms);
	if (r == 0 && request->body && request->body_len > 0)
		r = tls_write_all(
		    client->connection, request->body, request->body_len, call->deadline_ms);
	return r;
}

/*
 * Reads up to `size` bytes behind `secret`. The clock is asked here too, since a peer that always
 * has another byte ready would never make tls_read wait.
 */
static int receive(struct call *call, struct secret *secret, size_t size)
{
	uint8_t *space = secret_space(secret, size);
	size_t len;
	int r;

	if (!space)
		return -ENOMEM;
	if (deadline_left_ms(call->deadline_ms) == 0)
		return -TACIT_E_TIMEOUT;

	r = tls_read(call->client->connection, space, size, call->deadline_ms, &len);
	if (r < 0)
		return r;
	if (len == 0)
		return -TACIT_E_CUT_OFF;

	call->answered = true;
	secret_grew(secret, len);
	return 0;
}

static int read_head(struct call *call, struct http_head *ret_head)
{
	struct secret *input = call->client->input;

	for (;;) {
		const char *text = (const char *)secret_bytes(input) + call->at;
		size_t len = 0;
		int r;

		r = head_find_end(text, secret_len(input) - call->at, &len);
		if (r < 0)
			return r;
		if (len > 0) {
			call->at += len;
			return http_head_parse(text, len, ret_head);
		}
		if (secret_len(input) == HEAD_MAX_BYTES)
			return -TACIT_E_PROTOCOL;
		r = receive(call, input, HEAD_STEP_BYTES - secret_len(input) % HEAD_STEP_BYTES);
		if (r < 0)
			return r;
	}
}

/* 100 is passed over (RFC 9110, 15.2.1); we ask for no other interim answer. */
static int read_final_head(struct call *call, struct http_head *ret_head)
{
	struct http_head head;
	int r;

	do {
		r = read_head(call, &head);
		if (r < 0)
			return r;
	} while (head.status == 100);
	if (head.status < 200)
		return -TACIT_E_PROTOCOL;

	*ret_head = head;
	return 0;
}

/* RFC 9112, 6.3. An answer that only the end of the connection would delimit is refused. */
static int body_size(const struct http_head *head, size_t *ret_size)
{
	*ret_size = 0;
	if (head->status == 304)
		return 0;
	if (head->status == 204)
		return head->content_length == 0 ? 0 : -TACIT_E_PROTOCOL;
	if (!head->has_content_length)
		return -TACIT_E_PROTOCOL;

	*ret_size = head->content_length;
	return 0;
}

/* Grows with what comes, not with what is announced. */
static int read_body(struct call *call, size_t size, struct secret **ret_body)
{
	cleanup_secret struct secret *body = NULL;
	struct secret *input = call->client->input;
	size_t have = secret_len(input) - call->at;
	int r;

	if (size > call->max_body_bytes)
		return -TACIT_E_TOO_LARGE;
	if (have > size)
		return -TACIT_E_PROTOCOL;

	if (secret_new(size < BODY_STEP_BYTES ? size : BODY_STEP_BYTES, &body) < 0 ||
	    secret_append(body, secret_bytes(input) + call->at, have) < 0)
		return -ENOMEM;
	while (secret_len(body) < size) {
		size_t left = size - secret_len(body);

		r = receive(call, body, left < BODY_STEP_BYTES ? left : BODY_STEP_BYTES);
		if (r < 0)
			return r;
	}

	*ret_body = secret_take(&body);
	return 0;
}

void http_client_disconnect(struct http_client *client)
{
	tls_close(client->connection);
	client->connection = NULL;
}

static int exchange_inner(struct call *call, struct http_response *ret_response)
{
	struct http_head head;
	struct secret *body;
	size_t size;
	int r;

	r = send_request(call);
	if (r < 0)
		return r;
	r = read_final_head(call, &head);
	if (r < 0)
		return r;
	r = body_size(&head, &size);
	if (r < 0)
		return r;
	r = read_body(call, size, &body);
	if (r < 0)
		return r;

	if (!head.keep_alive)
		http_client_disconnect(call->client);
	*ret_response = (struct http_response){
	    .status = head.status, .retry_after_s = head.retry_after_s, .body = body};
	memcpy(ret_response->etag, head.etag, sizeof(head.etag));
	memcpy(ret_response->content_type, head.content_type, sizeof(head.content_type));
	return 0;
}

/* A connection that failed once is in an unknown state. */
static int exchange(struct call *call, struct http_response *ret_response, struct fault *fault)
{
	struct http_client *client = call->client;
	char url_text[280];
	int r;

	call->at = 0;
	call->answered = false;
	r = exchange_inner(call, ret_response);
	secret_reset(client->input);
	if (r == 0)
		return 0;

	http_client_disconnect(client);
	url_print(&client->urls[client->current], url_text);
	if (r == -TACIT_E_CUT_OFF && !call->answered)
		return fault_set_why(
		    fault, r, "the server closed the connection without an answer", "%s", url_text);
	return fault_set(fault, r, "%s", url_text);
}

/* The client. */

void http_response_free(struct http_response *response)
{
	secret_free(response->body);
	response->body = NULL;
}

static int client_fill(struct http_client *client, const char *servers, struct fault *fault)
{
	int r = url_parse_list(servers, client->urls, &client->url_count);

	if (r == 0)
		r = secret_new(HEAD_STEP_BYTES, &client->input);

	return r < 0 ? fault_set(fault, r, "%s", servers) : 0;
}

/* Takes `tls` over in any case. */
static int client_new(struct tls_context *tls, const char *servers, struct http_client **ret_client,
    struct fault *fault)
{
	cleanup_http_client struct http_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client) {
		tls_context_free(tls);
		return fault_set(fault, -ENOMEM, "%s", servers);
	}

	client->tls = tls;
	r = client_fill(client, servers, fault);
	if (r < 0)
		return r;

	*ret_client = client;
	client = NULL;
	return 0;
}

int http_client_new(const struct identity *identity, const char *servers,
    struct http_client **ret_client, struct fault *fault)
{
	struct tls_context *tls;
	int r;

	servers = servers ? servers : identity_server(identity);
	if (!*servers)
		return fault_set(fault, -TACIT_E_NO_SERVER, "%s", identity_client(identity));
	r = tls_context_new(identity, &tls);
	if (r < 0)
		return fault_set(fault, r, "%s", identity_client(identity));

	return client_new(tls, servers, ret_client, fault);
}

int http_client_new_pinned(const uint8_t ca_hash[static IDENTITY_CA_HASH_BYTES],
    const char *servers, struct http_client **ret_client, struct fault *fault)
{
	struct tls_context *tls;
	int r = tls_context_new_pinned(ca_hash, &tls);

	if (r < 0)
		return fault_set(fault, r, "%s", servers);

	return client_new(tls, servers, ret_client, fault);
}

bool http_client_has_sent(const struct http_client *client)
{
	return client->has_sent;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;

	http_client_disconnect(client);
	tls_context_free(client->tls);
	secret_free(client->input);
	free(client);
}

void http_client_cleanup(struct http_client **client)
{
	http_client_free(*client);
	*client = NULL;
}

/*
 * Whether the connection is open and silent. Bytes that nobody asked for would be taken for the
 * answer to the next request.
 */
static bool connection_is_idle(struct http_client *client)
{
	uint8_t byte;
	size_t len;

	return tls_read(client->connection, &byte, sizeof(byte), deadline_in_ms(0), &len) ==
	       -TACIT_E_TIMEOUT;
}

/* A server that swallows everything must leave time for those behind it. */
static int client_connect(
    struct call *call, size_t server, size_t servers_left, struct fault *fault)
{
	struct http_client *client = call->client;
	int64_t deadline_ms = call->deadline_ms;

	if (servers_left > 1)
		deadline_ms =
		    deadline_in_ms(deadline_left_ms(call->deadline_ms) / (int64_t)servers_left);
	http_client_disconnect(client);
	client->current = server;
	return tls_connect(
	    client->tls, &client->urls[server], deadline_ms, &client->connection, fault);
}

/*
 * Asks one server, on the connection that stands to it if there is one. The server may have closed
 * that a moment ago, which says nothing about the server: then once more on a fresh one.
 */
static int call_try(struct call *call, size_t server, size_t servers_left,
    struct http_response *ret_response, struct fault *fault)
{
	struct http_client *client = call->client;
	int r;

	if (client->connection && client->current == server && connection_is_idle(client)) {
		r = exchange(call, ret_response, fault);
		if (r != -TACIT_E_CUT_OFF || call->answered || !call->repeatable)
			return r;
	}

	r = client_connect(call, server, servers_left, fault);
	return r < 0 ? r : exchange(call, ret_response, fault);
}

/* Whether another server may do better, and may be asked. */
static bool call_may_go_on(const struct call *call, int err, const struct http_response *response)
{
	if (deadline_left_ms(call->deadline_ms) == 0 || (call->sent && !call->repeatable))
		return false;
	if (err == 0)
		return response->status == 503;

	return err < -TACIT_E_BASE && err != -TACIT_E_TOO_LARGE;
}

/* When every other server fails, an answer of 503 says more than their errors. */
static int call_run(struct call *call, struct http_response *ret_response, struct fault *fault)
{
	cleanup_response struct http_response unavailable = {.body = NULL};
	struct http_client *client = call->client;
	size_t first = client->current;
	int r = -TACIT_E_UNREACHABLE;

	for (size_t i = 0; i < client->url_count; i++) {
		struct http_response response = {.body = NULL};

		r = call_try(
		    call, (first + i) % client->url_count, client->url_count - i, &response, fault);
		if (i + 1 == client->url_count || !call_may_go_on(call, r, &response)) {
			if (r == 0)
				*ret_response = response;
			break;
		}
		if (r == 0) {
			http_response_free(&unavailable);
			unavailable = response;
		}
	}
	if (r == 0 || !unavailable.body)
		return r;

	*ret_response = unavailable;
	unavailable.body = NULL;
	return 0;
}

int http_client_send(struct http_client *client, const struct http_request *request,
    int64_t deadline_ms, size_t max_body_bytes, struct http_response *ret_response,
    struct fault *fault)
{
	struct call call = {
	    .client = client,
	    .request = request,
	    .deadline_ms = deadline_ms,
	    .max_body_bytes = max_body_bytes,
	    .repeatable = !strcmp(request->method, "GET"),
	};
	int r = call_run(&call, ret_response, fault);

	client->has_sent = call.sent;
	return r;
}

static const struct {
	int status;
	int err;
} status_errors[] = {
    {400, -TACIT_E_MALFORMED},
    {401, -TACIT_E_UNAUTHENTICATED},
    {403, -TACIT_E_DENIED},
    {404, -TACIT_E_NOT_FOUND},
    {405, -TACIT_E_METHOD},
    {409, -TACIT_E_CONFLICT},
    {412, -TACIT_E_PRECONDITION},
    {413, -TACIT_E_TOO_LARGE},
    {431, -TACIT_E_HEADERS_TOO_LARGE},
    {500, -TACIT_E_INTERNAL},
    {502, -TACIT_E_UNREACHABLE},
    {503, -TACIT_E_UNREACHABLE},
    {504, -TACIT_E_TIMEOUT},
};

static int verdict_of_status(int status)
{
	for (size_t i = 0; i < sizeof(status_errors) / sizeof(status_errors[0]); i++)
		if (status_errors[i].status == status)
			return status_errors[i].err;

	return -TACIT_E_PROTOCOL;
}

int http_response_verdict(
    const struct http_response *response, const char *what, struct fault *fault)
{
	int status = response->status;
	char why[200] = "";
	int err;

	if ((status >= 200 && status < 300) || status == 304)
		return 0;

	if (!strcmp(response->content_type, PROTO_TYPE_PROBLEM) &&
	    proto_problem_parse(secret_bytes(response->body), secret_len(response->body), &err, why,
	        sizeof(why)) == 0 &&
	    err < 0)
		return fault_set_why(fault, err, why, "%s", what);

	if (status >= 300 && status < 400)
		(void)snprintf(why, sizeof(why),
		    "the server answered with a redirect (%d), which is not followed", status);
	else
		(void)snprintf(why, sizeof(why), "the server answered %d", status);
	return fault_set_why(fault, verdict_of_status(status), why, "%s", what);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "http_client_private.h"
#include "tacit/deadline.h"

#define HEAD_MAX_BYTES  16384
#define BODY_STEP_BYTES 65536

static int send_request(struct call *call)
{
	const struct http_request *request = call->request;
	struct http_client *client = call->client;
	struct http_printer printer;
	int r;

	r = http_request_print(request, &client->urls[client->current], &printer);
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

		r = http_head_find_end(text, secret_len(input) - call->at, &len);
		if (r < 0)
			return r;
		if (len > 0) {
			call->at += len;
			return http_head_parse(text, len, ret_head);
		}
		if (secret_len(input) == HEAD_MAX_BYTES)
			return -TACIT_E_PROTOCOL;
		r = receive(
		    call, input, HTTP_HEAD_STEP_BYTES - secret_len(input) % HTTP_HEAD_STEP_BYTES);
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

static int exchange(struct call *call, struct http_response *ret_response)
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
int http_exchange(struct call *call, struct http_response *ret_response, struct fault *fault)
{
	struct http_client *client = call->client;
	char url_text[280];
	int r;

	call->at = 0;
	call->answered = false;
	r = exchange(call, ret_response);
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

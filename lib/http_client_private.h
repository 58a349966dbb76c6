/* SPDX-License-Identifier: MIT */
#ifndef TACIT_HTTP_CLIENT_PRIVATE_H
#define TACIT_HTTP_CLIENT_PRIVATE_H

#include "tacit/http_client.h"
#include "tacit/tls.h"
#include "tacit/url.h"

/*
 * What the client's files share: http_head.c reads the head of an answer, http_request.c writes
 * that of a request, http_exchange.c does one exchange on a connection that stands, http_client.c
 * has the connections and says who is asked and how often, http_verdict.c says what an answer
 * means.
 */
#define HTTP_HEAD_STEP_BYTES 4096 /* a head and a small body at one go; no more locked memory */

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

/*
 * The length of the head that `text` begins with: 0 when it is not complete. Garbage is told at
 * once, not when the deadline has passed: -TACIT_E_PROTOCOL.
 */
int http_head_find_end(const char *text, size_t len, size_t *ret_len);

/* The head of `request` as it goes out to `url`. -EINVAL for what could not stand in one. */
struct http_printer {
	char text[4096];
	size_t len;
	bool failed;
};

int http_request_print(
    const struct http_request *request, const struct url *url, struct http_printer *ret_printer);

/*
 * Sends the call's request over the client's connection and reads the answer. After a failure there
 * is no connection any more. The errors of http_client_send().
 */
int http_exchange(struct call *call, struct http_response *ret_response, struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_HTTP_CLIENT_H
#define TACIT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tacit/err.h"
#include "tacit/identity.h"
#include "tacit/proto.h"
#include "tacit/secret.h"

/*
 * A small strict HTTP/1.1 client (RFC 9112) over tls.h: bodies by Content-Length only, hard limits
 * on everything, one connection that is kept alive, several servers tried in turn. It follows no
 * redirect and honours no proxy.
 */
struct http_client;

struct http_request {
	const char *method; /* "GET" */
	const char *path;   /* made by proto_path */
	const char *accept; /* this and all below: NULL is not sent */
	const char *content_type;
	const char *if_match;
	const char *if_none_match;
	const char *prefer;
	const char *instance;    /* Tacit-Instance */
	const char *instance_id; /* Tacit-Instance-Id */
	const void *body;        /* NULL for none; sent with Content-Length otherwise */
	size_t body_len;
};

struct http_response {
	int status;
	char etag[PROTO_ETAG_MAX_BYTES]; /* "" if none */
	char content_type[64];           /* "" if none; without parameters, lower case */
	int64_t retry_after_s;           /* -1 if none */
	struct secret *body;             /* owned; empty, not NULL */
};

void http_response_free(struct http_response *response);
#define cleanup_response __attribute__((cleanup(http_response_free)))

/*
 * `servers` is a comma-separated list of URLs; NULL takes the identity's own.
 * -TACIT_E_NO_SERVER, -TACIT_E_INVALID_URL, -ENOMEM. Opens no connection yet.
 */
int http_client_new(const struct identity *identity, const char *servers,
    struct http_client **ret_client, struct fault *fault);

/*
 * The same for a client that has no identity yet and knows its CA by a hash alone; see
 * tls_context_new_pinned().
 */
int http_client_new_pinned(const uint8_t ca_hash[static IDENTITY_CA_HASH_BYTES],
    const char *servers, struct http_client **ret_client, struct fault *fault);

/*
 * Whether anything of the last request may have reached a server: one that failed before that has
 * changed nothing there.
 */
bool http_client_has_sent(const struct http_client *client);

/* Closes the connection if there is one; the next request opens another. */
void http_client_disconnect(struct http_client *client);

void http_client_free(struct http_client *client);
void http_client_cleanup(struct http_client **client);
#define cleanup_http_client __attribute__((cleanup(http_client_cleanup)))

/*
 * Sends one request and reads its answer, of whatever status, before `deadline_ms`. A server that
 * cannot be reached makes way for the next one; after the request has been written it is sent
 * again only if it is a GET. The errors of tls.h, -TACIT_E_PROTOCOL for garbage, -TACIT_E_CUT_OFF
 * for a body that ends early, -TACIT_E_TOO_LARGE for one over `max_body_bytes`; the URL in
 * `fault`. `ret_response` is untouched on failure. A sealed server answers 503 with the code
 * `sealed`, or shows that it is so in the handshake: -TACIT_E_SEALED, and nothing was sent to it.
 */
int http_client_send(struct http_client *client, const struct http_request *request,
    int64_t deadline_ms, size_t max_body_bytes, struct http_response *ret_response,
    struct fault *fault);

/*
 * The verdict of an answer: 0 for 2xx and 304, else the error that its problem document (or, for
 * want of one, its status) stands for, with `what` and the server's detail in `fault`.
 */
int http_response_verdict(
    const struct http_response *response, const char *what, struct fault *fault);

/* The pure half, for tests and fuzzing: parses a status line and headers. */
struct http_head {
	int status;
	bool keep_alive;
	bool has_content_length;
	size_t content_length;
	char etag[PROTO_ETAG_MAX_BYTES];
	char content_type[64];
	int64_t retry_after_s;
};

/*
 * `text` is everything up to and including the empty line. -TACIT_E_PROTOCOL for anything that is
 * not plain HTTP/1.1 with at most one Content-Length and no Transfer-Encoding.
 */
int http_head_parse(const char *text, size_t len, struct http_head *ret_head);

#endif

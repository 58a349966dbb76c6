/* SPDX-License-Identifier: MIT */
#ifndef CLI_CONNECTION_H
#define CLI_CONNECTION_H

#include <stdint.h>

#include "tacit/err.h"
#include "tacit/http_client.h"
#include "tacit/identity.h"
#include "tacit/json.h"

/* Who we are and the server that we talk to. */
struct connection {
	struct identity *identity;
	struct http_client *client;
	int64_t timeout_ms; /* for each request, since an import has thousands */
};

/*
 * Loads the identity and makes ready; nothing is sent yet. Either text may be NULL for the
 * default. Errors of identity_load and http_client_new.
 */
int connection_open(struct connection *connection, const char *identity_path, const char *servers,
    int64_t timeout_ms, struct fault *fault);
void connection_close(struct connection *connection);

/*
 * Sends one request. Anything but a 2xx answer is an error and in the fault, with `what` as the
 * thing that it was about. `ret_response` is untouched on failure.
 */
int connection_send(struct connection *connection, const struct http_request *request,
    const char *what, struct http_response *ret_response, struct fault *fault);

/*
 * The same with JSON both ways. `body` may be NULL for a request without one; `ret_answer` may be
 * NULL for an answer that does not matter. -TACIT_E_PROTOCOL for an answer that is no JSON.
 */
int connection_exchange(struct connection *connection, const struct http_request *request,
    const struct json *body, const char *what, struct json **ret_answer, struct fault *fault);

/* GETs a JSON document. */
int connection_get(struct connection *connection, const char *path, const char *what,
    struct json **ret_answer, struct fault *fault);

/* Sets the fault for an answer that lacks what it must have; returns -TACIT_E_PROTOCOL. */
int connection_bad_answer(const char *what, struct fault *fault);

#endif

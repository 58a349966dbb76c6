/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http_client_private.h"
#include "tacit/deadline.h"

void http_response_free(struct http_response *response)
{
	secret_free(response->body);
	response->body = NULL;
}

static int client_fill(struct http_client *client, const char *servers, struct fault *fault)
{
	int r = url_parse_list(servers, client->urls, &client->url_count);

	if (r == 0)
		r = secret_new(HTTP_HEAD_STEP_BYTES, &client->input);

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

void http_client_disconnect(struct http_client *client)
{
	tls_close(client->connection);
	client->connection = NULL;
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
		r = http_exchange(call, ret_response, fault);
		if (r != -TACIT_E_CUT_OFF || call->answered || !call->repeatable)
			return r;
	}

	r = client_connect(call, server, servers_left, fault);
	return r < 0 ? r : http_exchange(call, ret_response, fault);
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

/* What one server has said, for when no other does better: it tells more than their errors. */
struct fallback {
	struct http_response unavailable; /* 503; its body is NULL when there was none */
	struct fault sealed;              /* its err is 0 when there was none */
};

static void fallback_cleanup(struct fallback *fallback)
{
	http_response_free(&fallback->unavailable);
}
#define cleanup_fallback __attribute__((cleanup(fallback_cleanup)))

/* Takes `response` over. */
static void fallback_note(
    struct fallback *fallback, int err, struct http_response *response, const struct fault *fault)
{
	if (err == 0) {
		http_response_free(&fallback->unavailable);
		fallback->unavailable = *response;
	}
	if (err == -TACIT_E_SEALED) {
		if (fault)
			fallback->sealed = *fault;
		fallback->sealed.err = err;
	}
}

static int fallback_use(
    struct fallback *fallback, int err, struct http_response *ret_response, struct fault *fault)
{
	if (fallback->unavailable.body) {
		*ret_response = fallback->unavailable;
		fallback->unavailable.body = NULL;
		return 0;
	}
	if (!fallback->sealed.err)
		return err;

	if (fault)
		*fault = fallback->sealed;
	return fallback->sealed.err;
}

static int call_run(struct call *call, struct http_response *ret_response, struct fault *fault)
{
	cleanup_fallback struct fallback fallback = {.sealed = {.err = 0}};
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
		fallback_note(&fallback, r, &response, fault);
	}

	return r == 0 ? 0 : fallback_use(&fallback, r, ret_response, fault);
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

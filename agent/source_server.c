/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "source.h"
#include "tacit/deadline.h"
#include "tacit/http_client.h"
#include "tacit/identity.h"
#include "tacit/proto.h"

#define BUNDLE_PATH    "/v1/bundle"
#define BACKOFF_MAX_MS 2000
#define ANSWER_MS      10000 /* for an answer, on top of what it is asked to wait */

struct source_server {
	struct source source;
	struct identity *identity;
	struct http_client *client;
	char etag[PROTO_ETAG_MAX_BYTES]; /* of what was fetched last; "" if nothing */
};

/*
 * What may be better in a moment, while a server or a network is starting. All else is final: a
 * certificate that is refused now will be refused again.
 */
static bool is_passing(int err)
{
	switch (-err) {
	case TACIT_E_UNREACHABLE:
	case TACIT_E_RESOLVE:
	case TACIT_E_CUT_OFF:
	case TACIT_E_SEALED:
	case TACIT_E_AUDIT_UNAVAILABLE:
	case TACIT_E_STORE_UNAVAILABLE:
	case TACIT_E_STORE_LOCKED:
		return true;
	default:
		return false;
	}
}

static int bundle_check(
    const struct source_server *source, const struct bundle *bundle, struct fault *fault)
{
	if (bundle->count > 0)
		return 0;

	return fault_set_why(fault, -TACIT_E_NOT_FOUND,
	    "no secret is granted to this identity; see tacit grant", "%s",
	    identity_client(source->identity));
}

static int bundle_take(
    struct source_server *source, const struct http_response *response, struct bundle *ret_bundle)
{
	int r = bundle_parse(secret_bytes(response->body), secret_len(response->body), ret_bundle);

	if (r == 0)
		memcpy(source->etag, response->etag, sizeof(source->etag));

	return r;
}

/* 1 and the bundle, or 0 when it is the one that `request` names. */
static int server_ask(struct source_server *source, const struct http_request *request,
    int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault)
{
	cleanup_response struct http_response response = {0};
	int r = http_client_send(
	    source->client, request, deadline_ms, PROTO_ANSWER_MAX_BYTES, &response, fault);

	if (r == 0)
		r = http_response_verdict(&response, BUNDLE_PATH, fault);
	if (r < 0)
		return r;
	if (response.status == 304 && request->if_none_match)
		return 0;

	r = bundle_take(source, &response, ret_bundle);
	if (r < 0)
		return fault_set_why(
		    fault, r, "the server's answer is not a bundle of secrets", BUNDLE_PATH);

	return 1;
}

static int server_ask_all(struct source_server *source, int64_t deadline_ms,
    struct bundle *ret_bundle, struct fault *fault)
{
	const struct http_request request = {
	    .method = "GET", .path = BUNDLE_PATH, .accept = PROTO_TYPE_JSON};
	cleanup_bundle struct bundle bundle = {0};
	int r = server_ask(source, &request, deadline_ms, &bundle, fault);

	if (r > 0)
		r = bundle_check(source, &bundle, fault);
	if (r < 0)
		return r;

	*ret_bundle = bundle;
	bundle = (struct bundle){0};
	return 0;
}

static int server_fetch(
    struct source *base, int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault)
{
	struct source_server *source = (struct source_server *)base;
	struct backoff backoff = {.limit_ms = BACKOFF_MAX_MS};

	for (;;) {
		int64_t delay_ms;
		int r = server_ask_all(source, deadline_ms, ret_bundle, fault);

		if (!is_passing(r))
			return r;
		delay_ms = backoff_step(&backoff);
		if (delay_ms >= deadline_left_ms(deadline_ms))
			return r; /* what was wrong, not just that time is up */
		sleep_ms(delay_ms);
	}
}

static int server_wait(
    struct source *base, int wait_s, struct bundle *ret_bundle, struct fault *fault)
{
	struct source_server *source = (struct source_server *)base;
	char prefer[32];
	const struct http_request request = {
	    .method = "GET",
	    .path = BUNDLE_PATH,
	    .accept = PROTO_TYPE_JSON,
	    .if_none_match = source->etag[0] ? source->etag : NULL,
	    .prefer = wait_s > 0 ? prefer : NULL,
	};

	(void)snprintf(prefer, sizeof(prefer), "wait=%d", wait_s);
	return server_ask(source, &request, deadline_in_ms((int64_t)wait_s * 1000 + ANSWER_MS),
	    ret_bundle, fault);
}

static void server_ask_anew(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	source->etag[0] = '\0';
}

static void server_disconnect(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	http_client_disconnect(source->client);
}

static void server_free(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	http_client_free(source->client);
	identity_free(source->identity);
	free(source);
}

static const struct source_ops server_ops = {
    .fetch = server_fetch,
    .free = server_free,
    .wait = server_wait,
    .ask_anew = server_ask_anew,
    .disconnect = server_disconnect,
};

int source_server_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault)
{
	struct source_server *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return fault_set(fault, -ENOMEM, "server");

	source->source.ops = &server_ops;
	r = identity_load(options->identity, &source->identity, fault);
	if (r == 0)
		r = http_client_new(source->identity, options->server, &source->client, fault);
	if (r < 0) {
		server_free(&source->source);
		return r;
	}

	*ret_source = &source->source;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SOURCE_SERVER_PRIVATE_H
#define TACIT_AGENT_SOURCE_SERVER_PRIVATE_H

#include <stdbool.h>

#include "cache.h"
#include "credential.h"
#include "source.h"
#include "tacit/http_client.h"
#include "tacit/proto.h"

/*
 * The source that is a server: source_server.c (its life, waiting for news, renewal),
 * source_server_ask.c (one question and its answer) and source_server_fetch.c (the first delivery).
 */
#define BUNDLE_PATH       "/v1/bundle"
#define INSTANCE_ID_BYTES 6 /* two of a client's 1000 instances will not make up the same */

struct source_server {
	struct source source;
	struct credential *credential;
	const char *servers;             /* borrowed; NULL: what the identity says */
	struct http_client *client;      /* as the identity of now; NULL as long as there is none */
	char etag[PROTO_ETAG_MAX_BYTES]; /* of what was fetched last; "" if nothing */
	struct cache *cache;             /* NULL unless asked for */
	char path[PROTO_PATH_MAX_BYTES];
	char instance[PROTO_INSTANCE_MAX_BYTES];
	char instance_id[INSTANCE_ID_BYTES * 2 + 1];
	bool watches;
	bool was_seen; /* the server knows of this instance, or may know by now */
};

/* A connection is made as somebody, so another identity takes another client. */
int source_server_connect(struct source_server *source, struct fault *fault);

/* A request for everything, whether it is news or not. */
struct http_request source_server_request(const struct source_server *source);

/*
 * Sends a request for a bundle: 1 and the bundle, or 0 when it is the one that `request` names. The
 * cache, if there is one, is filled on the way, or removed when we are refused.
 */
int source_server_ask(struct source_server *source, const struct http_request *request,
    int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault);

/* source_fetch(): see source.h. */
int source_server_fetch(
    struct source *base, int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault);

#endif

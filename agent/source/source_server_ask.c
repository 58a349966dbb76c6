/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "source_server_private.h"

/* What only this process knows could not be opened by the next one. */
static int cache_follow(struct source_server *source, struct fault *fault)
{
	int r;

	if (!source->cache || !credential_is_of_file(source->credential))
		return 0;

	r = cache_set_identity(source->cache, credential_identity(source->credential));
	if (r < 0)
		return fault_set(fault, r, "--cache");

	(void)snprintf(source->path, sizeof(source->path), BUNDLE_PATH "?seal_to=%s",
	    source->cache->recipient);
	return 0;
}

int source_server_connect(struct source_server *source, struct fault *fault)
{
	struct http_client *client = NULL;
	int r = cache_follow(source, fault);

	if (r == 0)
		r = http_client_new(
		    credential_identity(source->credential), source->servers, &client, fault);
	if (r < 0)
		return r;

	http_client_free(source->client);
	source->client = client;
	return 0;
}

static int client_ensure(struct source_server *source, int64_t deadline_ms, struct fault *fault)
{
	int r = source->client ? 0 : credential_ensure(source->credential, deadline_ms, fault);

	if (r == 0 && !source->client)
		r = source_server_connect(source, fault);

	return r;
}

static int bundle_take(
    struct source_server *source, const struct http_response *response, struct bundle *ret_bundle)
{
	const void *bytes = secret_bytes(response->body);
	size_t len = secret_len(response->body);
	struct cache *cache = source->cache;
	int r;

	if (cache && !strcmp(response->content_type, SEALED_BUNDLE_TYPE)) {
		r = cache_take(
		    cache, credential_identity(source->credential), bytes, len, ret_bundle);
	} else {
		r = bundle_parse(bytes, len, ret_bundle);
		if (r == 0 && cache)
			cache_tell_unsealed(cache);
	}
	if (r == 0)
		memcpy(source->etag, response->etag, sizeof(source->etag));

	return r;
}

int source_server_ask(struct source_server *source, const struct http_request *request,
    int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault)
{
	cleanup_response struct http_response response = {0};
	int r = client_ensure(source, deadline_ms, fault);

	if (r == 0)
		r = http_client_send(
		    source->client, request, deadline_ms, PROTO_ANSWER_MAX_BYTES, &response, fault);
	if (r == 0)
		r = http_response_verdict(&response, BUNDLE_PATH, fault);
	source->was_seen = source->was_seen || r == 0;
	if (source->cache && (r == -TACIT_E_UNAUTHENTICATED || r == -TACIT_E_DENIED))
		cache_remove(source->cache, fault);
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

struct http_request source_server_request(const struct source_server *source)
{
	return (struct http_request){
	    .method = "GET",
	    .path = source->path,
	    .accept = source->cache ? SEALED_BUNDLE_TYPE ", " PROTO_TYPE_JSON : PROTO_TYPE_JSON,
	    .instance = source->instance,
	    .instance_id = source->instance_id,
	};
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "source_server_private.h"
#include "tacit/deadline.h"

#define INSTANCE_PATH "/v1/instance"
#define ANSWER_MS     10000 /* for an answer, on top of what it is asked to wait */
#define LEAVE_MS      300   /* to say goodbye: somebody waits for us to end */

/* Whether the server refuses us, not what we ask for. */
static bool is_about_us(int err)
{
	return err == -TACIT_E_UNAUTHENTICATED || err == -TACIT_E_TLS_REFUSED;
}

/* Not so long that the time for a new certificate, or for a younger cache, passes by. */
static int wait_cut(const struct source_server *source, int wait_s)
{
	int64_t left_s = (credential_left_ms(source->credential) + 999) / 1000;

	if (source->cache && cache_left_s(source->cache) < left_s)
		left_s = cache_left_s(source->cache);
	if (left_s >= wait_s)
		return wait_s;

	return left_s > 0 ? (int)left_s : 1;
}

static int server_wait(
    struct source *base, int wait_s, struct bundle *ret_bundle, struct fault *fault)
{
	struct source_server *source = (struct source_server *)base;
	struct http_request request = source_server_request(source);
	bool is_due = source->cache && cache_left_s(source->cache) == 0;
	char prefer[32];
	int r;

	/* Without the entity tag the answer comes at once, and whole. */
	if (source->etag[0] && !is_due)
		request.if_none_match = source->etag;
	if (wait_s > 0)
		request.prefer = prefer;

	wait_s = wait_s > 0 ? wait_cut(source, wait_s) : 0;
	(void)snprintf(prefer, sizeof(prefer), "wait=%d", wait_s);
	r = source_server_ask(source, &request, deadline_in_ms((int64_t)wait_s * 1000 + ANSWER_MS),
	    ret_bundle, fault);
	if (is_about_us(r) && credential_reload(source->credential))
		(void)source_server_connect(source, NULL);

	return r;
}

static int server_renew(struct source *base, struct fault *fault)
{
	struct source_server *source = (struct source_server *)base;
	int r;

	if (!source->client || credential_left_ms(source->credential) > 0)
		return 0;

	r = credential_renew(source->credential, source->client, deadline_in_ms(ANSWER_MS), fault);
	if (r == 0)
		r = source_server_connect(source, fault);

	return r < 0 ? r : 1;
}

static int64_t server_valid_until(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	return identity_not_after(credential_identity(source->credential));
}

static void server_take_over(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	if (credential_take_over(source->credential))
		(void)source_server_connect(source, NULL);
}

static void server_ask_anew(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	source->etag[0] = '\0';
}

static void server_disconnect(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	source->was_seen = true;
	if (source->client)
		http_client_disconnect(source->client);
}

/* As whom the watcher was seen last: our own certificate may be over by now. */
static void server_leave(struct source *base)
{
	struct source_server *source = (struct source_server *)base;
	const struct http_request request = {
	    .method = "DELETE",
	    .path = INSTANCE_PATH,
	    .instance = source->instance,
	    .instance_id = source->instance_id,
	};
	cleanup_response struct http_response response = {0};

	if (!source->watches || !source->was_seen)
		return;

	server_take_over(base);
	if (source->client && credential_reload(source->credential))
		(void)source_server_connect(source, NULL);
	if (source->client)
		(void)http_client_send(source->client, &request, deadline_in_ms(LEAVE_MS),
		    PROTO_JSON_MAX_BYTES, &response, NULL);
}

static void server_free(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	http_client_free(source->client);
	credential_free(source->credential);
	cache_free(source->cache);
	free(source);
}

static const struct source_ops server_ops = {
    .fetch = source_server_fetch,
    .free = server_free,
    .wait = server_wait,
    .ask_anew = server_ask_anew,
    .disconnect = server_disconnect,
    .renew = server_renew,
    .valid_until = server_valid_until,
    .take_over = server_take_over,
    .leave = server_leave,
};

static int cache_begin(
    struct source_server *source, const struct agent_options *options, struct fault *fault)
{
	if (!options->cache)
		return 0;
	if (cache_new(options->cache, options->cache_max_age_ms, &source->cache) < 0)
		return fault_set(fault, -ENOMEM, "--cache %s", options->cache);

	return 0;
}

/*
 * For people the host's name, which in a container is the container's, and our process. That may
 * be the name of another one too, so an id comes with it, which a watcher inherits.
 */
static void instance_name(struct source_server *source, const struct agent_options *options)
{
	char host[HOST_NAME_MAX + 1] = "";
	uint8_t id[INSTANCE_ID_BYTES];

	randombytes_buf(id, sizeof(id));
	(void)sodium_bin2hex(source->instance_id, sizeof(source->instance_id), id, sizeof(id));
	(void)gethostname(host, sizeof(host) - 1);
	proto_instance_print(host, (long)getpid(), options->watch, source->instance);
}

int source_server_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault)
{
	struct source_server *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return fault_set(fault, -ENOMEM, "server");

	source->source.ops = &server_ops;
	source->servers = options->server;
	source->watches = options->watch;
	(void)snprintf(source->path, sizeof(source->path), BUNDLE_PATH);
	instance_name(source, options);
	r = cache_begin(source, options, fault);
	if (r == 0)
		r = credential_open(options, &source->credential, fault);
	if (r == 0 && source->cache && !credential_identity(source->credential))
		r = fault_set_why(
		    fault, -TACIT_E_USAGE, cache_and_token, "--cache and TACIT_TOKEN");
	if (r == 0 && credential_identity(source->credential))
		r = source_server_connect(source, fault);
	if (r < 0) {
		server_free(&source->source);
		return r;
	}

	*ret_source = &source->source;
	return 0;
}

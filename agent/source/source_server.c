/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backoff.h"
#include "cache.h"
#include "credential.h"
#include "source.h"
#include "tacit/deadline.h"
#include "tacit/http_client.h"
#include "tacit/proto.h"

#define BUNDLE_PATH       "/v1/bundle"
#define INSTANCE_PATH     "/v1/instance"
#define BACKOFF_MAX_MS    2000
#define ANSWER_MS         10000 /* for an answer, on top of what it is asked to wait */
#define PATIENCE_MS       3000  /* with a server that is away, while there is a cache */
#define LEAVE_MS          300   /* to say goodbye: somebody waits for us to end */

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
	case TACIT_E_TOO_MANY:
		return true;
	default:
		return false;
	}
}

/* What a cache is for: no answer, or one that says that something is wrong with the server. */
static bool is_away(int err)
{
	switch (-err) {
	case TACIT_E_TIMEOUT:
	case TACIT_E_INTERNAL:
	case TACIT_E_STORE_FULL:
	case TACIT_E_STORE_READ_ONLY:
	case TACIT_E_STORE_CORRUPT:
		return true;
	default:
		return is_passing(err);
	}
}

static int bundle_check(
    const struct source_server *source, const struct bundle *bundle, struct fault *fault)
{
	if (bundle->count > 0)
		return 0;

	return fault_set_why(fault, -TACIT_E_NOT_FOUND,
	    "no secret is granted to this identity; see tacit grant", "%s",
	    identity_client(credential_identity(source->credential)));
}

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

/* A connection is made as somebody, so another identity takes another client. */
static int client_make(struct source_server *source, struct fault *fault)
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
		r = client_make(source, fault);

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

/* 1 and the bundle, or 0 when it is the one that `request` names. */
static int server_ask(struct source_server *source, const struct http_request *request,
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

static struct http_request request_for(const struct source_server *source)
{
	return (struct http_request){
	    .method = "GET",
	    .path = source->path,
	    .accept = source->cache ? SEALED_BUNDLE_TYPE ", " PROTO_TYPE_JSON : PROTO_TYPE_JSON,
	    .instance = source->instance,
	    .instance_id = source->instance_id,
	};
}

static int server_ask_all(struct source_server *source, int64_t deadline_ms,
    struct bundle *ret_bundle, struct fault *fault)
{
	const struct http_request request = request_for(source);
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

static int fetch_patiently(struct source_server *source, int64_t deadline_ms,
    struct bundle *ret_bundle, struct fault *fault)
{
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

/* Half of the time that there is, and not so long that a restart is held up. */
static int64_t patience_deadline(int64_t deadline_ms)
{
	int half_ms = deadline_left_ms(deadline_ms) / 2;

	return deadline_in_ms(half_ms < PATIENCE_MS ? half_ms : PATIENCE_MS);
}

static int fetch_cached(struct source_server *source, const struct fault *away,
    struct bundle *ret_bundle, struct fault *fault)
{
	cleanup_bundle struct bundle bundle = {0};
	int64_t issued_s;
	int r = cache_load(
	    source->cache, credential_identity(source->credential), &bundle, &issued_s, fault);

	if (r == 0)
		r = bundle_check(source, &bundle, fault);
	if (r < 0)
		return r;

	cache_tell_used(source->cache, issued_s, away);
	*ret_bundle = bundle;
	bundle = (struct bundle){0};
	return 0;
}

static int server_fetch(
    struct source *base, int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault)
{
	struct source_server *source = (struct source_server *)base;
	struct fault own = {0};
	int r;

	if (!source->cache)
		return fetch_patiently(source, deadline_ms, ret_bundle, fault);

	r = fetch_patiently(source, patience_deadline(deadline_ms), ret_bundle, fault);
	if (!is_away(r))
		return r;
	if (fetch_cached(source, fault, ret_bundle, &own) == 0)
		return 0;

	r = fetch_patiently(source, deadline_ms, ret_bundle, fault);
	if (is_away(r) && own.err != -ENOENT)
		cache_tell_refused(fault, &own);
	return r;
}

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
	struct http_request request = request_for(source);
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
	r = server_ask(source, &request, deadline_in_ms((int64_t)wait_s * 1000 + ANSWER_MS),
	    ret_bundle, fault);
	if (is_about_us(r) && credential_reload(source->credential))
		(void)client_make(source, NULL);

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
		r = client_make(source, fault);

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
		(void)client_make(source, NULL);
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
		(void)client_make(source, NULL);
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
    .fetch = server_fetch,
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
		r = client_make(source, fault);
	if (r < 0) {
		server_free(&source->source);
		return r;
	}

	*ret_source = &source->source;
	return 0;
}

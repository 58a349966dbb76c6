/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <sys/random.h>

#include "source.h"
#include "tacit/deadline.h"
#include "tacit/http_client.h"
#include "tacit/identity.h"
#include "tacit/proto.h"

#define BUNDLE_PATH      "/v1/bundle"
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   2000

struct source_server {
	struct source source;
	struct identity *identity;
	struct http_client *client;
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

/* Half of it is chance, so that a hundred containers do not come back in step. */
static int64_t with_jitter(int64_t delay_ms)
{
	uint16_t random = 0;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return delay_ms / 2 + (delay_ms / 2) * random / UINT16_MAX;
}

static void sleep_ms(int64_t delay_ms)
{
	const struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};

	(void)nanosleep(&delay, NULL);
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

static int server_ask(struct source_server *source, int64_t deadline_ms, struct bundle *ret_bundle,
    struct fault *fault)
{
	const struct http_request request = {
	    .method = "GET", .path = BUNDLE_PATH, .accept = PROTO_TYPE_JSON};
	cleanup_response struct http_response response = {0};
	cleanup_bundle struct bundle bundle = {0};
	int r = http_client_send(
	    source->client, &request, deadline_ms, PROTO_ANSWER_MAX_BYTES, &response, fault);

	if (r == 0)
		r = http_response_verdict(&response, BUNDLE_PATH, fault);
	if (r < 0)
		return r;

	r = bundle_parse(secret_bytes(response.body), secret_len(response.body), &bundle);
	if (r < 0)
		return fault_set_why(
		    fault, r, "the server's answer is not a bundle of secrets", BUNDLE_PATH);

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

	for (int64_t backoff_ms = BACKOFF_FIRST_MS;; backoff_ms *= 2) {
		int64_t delay_ms;
		int r = server_ask(source, deadline_ms, ret_bundle, fault);

		if (!is_passing(r))
			return r;
		if (backoff_ms > BACKOFF_MAX_MS)
			backoff_ms = BACKOFF_MAX_MS;
		delay_ms = with_jitter(backoff_ms);
		if (delay_ms >= deadline_left_ms(deadline_ms))
			return r; /* what was wrong, not just that time is up */
		sleep_ms(delay_ms);
	}
}

static void server_free(struct source *base)
{
	struct source_server *source = (struct source_server *)base;

	http_client_free(source->client);
	identity_free(source->identity);
	free(source);
}

static const struct source_ops server_ops = {server_fetch, server_free};

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

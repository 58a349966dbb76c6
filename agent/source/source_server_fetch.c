/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "backoff.h"
#include "source_server_private.h"
#include "tacit/deadline.h"

/* The first delivery: patient with a server that is starting, and with a cache less so. */

#define BACKOFF_MAX_MS 2000
#define PATIENCE_MS    3000 /* with a server that is away, while there is a cache */
#define HURRIED_MS     500  /* a try that has no more time says nothing about the server */

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

static int server_ask_all(struct source_server *source, int64_t deadline_ms,
    struct bundle *ret_bundle, struct fault *fault)
{
	const struct http_request request = source_server_request(source);
	cleanup_bundle struct bundle bundle = {0};
	int r = source_server_ask(source, &request, deadline_ms, &bundle, fault);

	if (r > 0)
		r = bundle_check(source, &bundle, fault);
	if (r < 0)
		return r;

	*ret_bundle = bundle;
	bundle = (struct bundle){0};
	return 0;
}

/* What was wrong is told, and not just that time is up. */
static int fetch_patiently(struct source_server *source, int64_t deadline_ms,
    struct bundle *ret_bundle, struct fault *fault)
{
	struct backoff backoff = {.limit_ms = BACKOFF_MAX_MS};
	struct fault last = {0};

	for (;;) {
		int64_t delay_ms;
		int left_ms = deadline_left_ms(deadline_ms);
		int r = server_ask_all(source, deadline_ms, ret_bundle, fault);

		if (r == -TACIT_E_TIMEOUT && left_ms < HURRIED_MS && last.err) {
			*fault = last;
			return last.err;
		}
		if (!is_passing(r))
			return r;
		delay_ms = backoff_step(&backoff);
		if (delay_ms >= deadline_left_ms(deadline_ms))
			return r;
		last = *fault;
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

int source_server_fetch(
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

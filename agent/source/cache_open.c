/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CLOCK_TOLERANCE_S 300 /* two clocks that are kept are never that far apart */

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -TACIT_E_CORRUPT;
}

static int signature_check(
    const struct identity *identity, const struct sealed_bundle *sealed, const char **ret_why)
{
	const struct signed_bytes what = {
	    .bytes = sealed->body,
	    .len = sealed->body_len,
	    .signature = sealed->signature,
	    .signature_len = sealed->signature_len,
	};
	int r =
	    identity_verify_server(identity, sealed->certificate, sealed->certificate_len, &what);

	if (r == -TACIT_E_TLS_CA)
		return refuse(ret_why, "not made by a server of this identity's CA");
	if (r == -TACIT_E_TLS_SERVER_EXPIRED)
		return refuse(ret_why, "the certificate of the server that made it has expired");
	if (r < 0)
		return refuse(ret_why, "altered: the server's signature does not fit");

	return 0;
}

/* Only when the signature is good does it mean anything what the rest says. */
static int addressee_check(
    const struct cache_rules *rules, const struct sealed_bundle *sealed, const char **ret_why)
{
	uint8_t own[SEALED_BUNDLE_KEY_BYTES];

	if (strcmp(sealed->client, identity_client(rules->identity)) != 0)
		return refuse(ret_why, "made for another client");

	sealed_bundle_recipient(rules->seed, own);
	if (memcmp(own, sealed->recipient, sizeof(own)) != 0)
		return refuse(ret_why, "sealed to another key than this identity's");

	return 0;
}

static int text_parse(const struct cache_rules *rules, const struct sealed_bundle *sealed,
    struct bundle *ret_bundle, const char **ret_why)
{
	cleanup_secret struct secret *text = NULL;
	int r = sealed_bundle_open(sealed, rules->seed, &text);

	if (r == 0)
		r = bundle_parse(secret_bytes(text), secret_len(text), ret_bundle);

	return r < 0 && r != -ENOMEM ? refuse(ret_why, "what is sealed in it is no bundle") : r;
}

int cache_open(const struct cache_rules *rules, const void *bytes, size_t len,
    struct bundle *ret_bundle, int64_t *ret_issued_s, const char **ret_why)
{
	struct sealed_bundle sealed;
	int r;

	if (sealed_bundle_read(bytes, len, &sealed) < 0)
		return refuse(ret_why, "cut off, altered, or no sealed bundle");

	r = signature_check(rules->identity, &sealed, ret_why);
	if (r == 0)
		r = addressee_check(rules, &sealed, ret_why);
	if (r == 0)
		r = text_parse(rules, &sealed, ret_bundle, ret_why);
	if (r == 0)
		*ret_issued_s = sealed.issued_s;

	return r;
}

const char *cache_judge_age(int64_t issued_s, int64_t now_s, int64_t max_age_s)
{
	if (issued_s > now_s && issued_s - now_s > CLOCK_TOLERANCE_S)
		return "made in the future: the clock of this host or the server's is wrong";
	if (issued_s < now_s && now_s - issued_s > max_age_s)
		return "too old; see --cache-max-age";

	return NULL;
}

void cache_print_age(int64_t age_s, char ret_text[static 32])
{
	long long minutes = age_s > 0 ? (long long)age_s / 60 : 0;

	if (minutes < 60)
		(void)snprintf(ret_text, 32, "%lld min", minutes);
	else if (minutes < 48LL * 60)
		(void)snprintf(ret_text, 32, "%lld h %lld min", minutes / 60, minutes % 60);
	else
		(void)snprintf(ret_text, 32, "%lld days", minutes / 60 / 24);
}

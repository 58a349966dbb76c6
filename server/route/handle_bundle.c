/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "asker.h"
#include "sealing.h"
#include "tacit/bundle.h"
#include "tacit/codec.h"
#include "tacit/fd.h"

int handle_ca(struct exchange *exchange)
{
	const char *pem = authority_ca_pem(exchange->server->authority);

	exchange->response->status = 200;
	exchange->response->content_type = "application/x-pem-file";
	return secret_new_from(pem, strlen(pem), &exchange->response->body);
}

static int offer_audit(struct exchange *exchange, int status, const struct offer *offer)
{
	cleanup_free struct audit_secret *secrets = calloc(offer->count + 1, sizeof(*secrets));

	if (!secrets)
		return -ENOMEM;

	for (size_t i = 0; i < offer->count; i++)
		secrets[i] = (struct audit_secret){
		    .name = offer->entries[i]->name,
		    .version = offer->entries[i]->current,
		};
	return exchange_audit_values(exchange, status, secrets, offer->count);
}

static int bundle_fill(struct secrets *secrets, const struct offer *offer, struct bundle *bundle)
{
	size_t total = 0;

	for (size_t i = 0; i < offer->count; i++) {
		const struct secret_entry *entry = offer->entries[i];
		struct secret *value;
		struct bundle_item *item;
		int r = secrets_open_value(secrets, entry, 0, &value);

		if (r < 0)
			return r;
		total += secret_len(value);
		r = bundle_add(bundle, entry->name, value);
		if (r < 0)
			return r;
		if (total > PROTO_ANSWER_MAX_BYTES / 2) /* base64 and the rest come on top */
			return -TACIT_E_TOO_LARGE;

		item = &bundle->items[bundle->count - 1];
		(void)snprintf(item->file, sizeof(item->file), "%s", entry->file);
		(void)snprintf(item->env, sizeof(item->env), "%s", entry->env);
		item->version = entry->current;
		item->mode = entry->mode;
	}

	return 0;
}

static int bundle_answer(struct exchange *exchange, const struct offer *offer)
{
	cleanup_bundle struct bundle bundle = {.revision = vault_revision(exchange->server->vault)};
	const char *recipient = exchange->request->seal_to;
	cleanup_secret struct secret *text = NULL;
	int r = bundle_fill(exchange->server->secrets, offer, &bundle);

	if (r == 0)
		r = bundle_print(&bundle, &text);
	if (r < 0)
		return r;
	if (recipient)
		return sealing_answer(exchange, recipient, bundle.revision, text);

	exchange->response->status = 200;
	exchange->response->content_type = PROTO_TYPE_JSON;
	exchange->response->body = secret_take(&text);
	return 0;
}

/* Refused before the audit log says that anything was served. */
static int seal_to_check(struct exchange *exchange)
{
	const char *recipient = exchange->request->seal_to;
	uint8_t key[SEALED_BUNDLE_KEY_BYTES];

	if (!recipient || sealed_bundle_parse_key(recipient, key) == 0)
		return 0;

	exchange->detail = "seal_to is not a public key in hexadecimal digits";
	return -TACIT_E_MALFORMED;
}

static void see(
    struct exchange *exchange, const struct asker *asker, const struct offer *offer, bool is_served)
{
	const struct sighting sighting = {.client = exchange->client->name,
	    .name = asker->name,
	    .id = asker->id,
	    .address = asker->address,
	    .watches = asker->watches,
	    .now_s = time(NULL),
	    .known = exchange->request->if_none_match,
	    .has_waited = exchange->request->has_waited};

	instances_see(exchange->server->instances, &sighting, offer, is_served);
}

int handle_bundle(struct exchange *exchange)
{
	struct asker asker = {0};
	struct response *response = exchange->response;
	const char *known = exchange->request->if_none_match;
	cleanup_offer struct offer offer = {0};
	int status = 200;
	int r = seal_to_check(exchange);

	if (r == 0)
		r = asker_find(exchange, &asker);
	if (r == 0)
		r = offer_make(exchange->server->secrets, vault_keys(exchange->server->vault),
		    exchange->client, &offer);
	if (r < 0)
		return r;

	memcpy(response->etag, offer.etag, sizeof(response->etag));
	if (known && !strcmp(known, response->etag))
		status = 304;
	if (status == 304 && exchange->request->waiter) {
		see(exchange, &asker, &offer, false);
		exchange_wait(exchange, exchange->client->name);
		return 0;
	}
	r = offer_audit(exchange, status, &offer);
	if (r < 0)
		return r;
	if (status == 304) {
		see(exchange, &asker, &offer, false);
		response->status = 304;
		return 0;
	}

	r = bundle_answer(exchange, &offer);
	if (r == 0)
		see(exchange, &asker, &offer, true);
	return r;
}

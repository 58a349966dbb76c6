/* SPDX-License-Identifier: MIT */
#include "sealing.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "signing.h"

static int sign_and_write(
    const struct exchange *exchange, const struct secret *body, struct secret **ret_document)
{
	uint8_t signature[SIGNATURE_MAX_BYTES];
	size_t len;
	int r = signing_sign(
	    exchange->server->authority, secret_bytes(body), secret_len(body), signature, &len);

	return r < 0 ? r : sealed_bundle_write(body, signature, len, ret_document);
}

int sealing_answer(
    struct exchange *exchange, const char *recipient, uint64_t revision, const struct secret *text)
{
	const struct server *server = exchange->server;
	struct sealed_bundle head = {.issued_s = time(NULL), .revision = revision};
	uint8_t certificate[CERTIFICATE_MAX_BYTES];
	cleanup_secret struct secret *body = NULL;
	int r = sealed_bundle_parse_key(recipient, head.recipient);

	if (r == 0)
		r = signing_certificate(server->authority, certificate, &head.certificate_len);
	if (r < 0)
		return r;

	(void)snprintf(head.client, sizeof(head.client), "%s", exchange->client->name);
	memcpy(head.store_id, vault_keys(server->vault)->store_id, sizeof(head.store_id));
	head.certificate = certificate;
	r = sealed_bundle_write_body(&head, text, &body);
	if (r == 0)
		r = sign_and_write(exchange, body, &exchange->response->body);
	if (r < 0)
		return r;

	exchange->response->status = 200;
	exchange->response->content_type = SEALED_BUNDLE_TYPE;
	return 0;
}

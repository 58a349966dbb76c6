/* SPDX-License-Identifier: MIT */
#include "certificate.h"

#include <errno.h>
#include <string.h>

#include "tacit/json.h"

/* A certificate, a CA's, an address: nobody has use for more. */
#define ANSWER_MAX_BYTES 65536

static int text_append(struct json *json, const char *key, const struct secret *text)
{
	cleanup_secret struct secret *copy = NULL;
	int r = secret_new(secret_len(text) + 1, &copy);

	if (r == 0)
		r = secret_append(copy, secret_bytes(text), secret_len(text));
	if (r == 0)
		r = secret_append(copy, "", 1);
	if (r == 0)
		r = json_set_text(json, key, (const char *)secret_bytes(copy));

	return r;
}

static int body_print(
    const struct certificate_order *order, const struct secret *csr, struct secret **ret_body)
{
	cleanup_json struct json *json = json_new_object();
	int r = json ? 0 : -ENOMEM;

	if (r == 0 && order->token)
		r = text_append(json, "token", order->token);
	if (r == 0)
		r = text_append(json, "csr", csr);
	if (r == 0)
		r = json_print(json, ret_body);

	return r;
}

static int order_send(struct http_client *client, const struct certificate_order *order,
    const struct secret *csr, int64_t deadline_ms, struct http_response *ret_response,
    struct fault *fault)
{
	cleanup_secret struct secret *body = NULL;
	struct http_request request = {
	    .method = "POST",
	    .path = order->path,
	    .accept = PROTO_TYPE_JSON,
	    .content_type = PROTO_TYPE_JSON,
	};
	int r = body_print(order, csr, &body);

	if (r < 0)
		return fault_set(fault, r, "%s", order->path);

	request.body = secret_bytes(body);
	request.body_len = secret_len(body);
	r = http_client_send(client, &request, deadline_ms, ANSWER_MAX_BYTES, ret_response, fault);
	return r < 0 ? r : http_response_verdict(ret_response, order->path, fault);
}

/* An identity's text out of the answer, with our own key. */
static int answer_compose(const struct certificate_order *order, const struct http_response *answer,
    const struct secret *key, struct secret **ret_pem)
{
	cleanup_json struct json *json = NULL;
	const char *certificate, *ca, *server;
	int r = json_parse(secret_bytes(answer->body), secret_len(answer->body), &json, NULL);

	if (r < 0)
		return r;

	certificate = json_text_at(json, "certificate");
	ca = json_text_at(json, "ca");
	server = order->server ? order->server : json_text_at(json, "server");
	if (!certificate || !ca)
		return -TACIT_E_MALFORMED;

	return identity_compose(server, key, certificate, ca, ret_pem);
}

/* NULL, or what is wrong. Who may ask for a certificate need not take what comes. */
static const char *identity_objection(
    const struct certificate_order *order, const struct identity *identity)
{
	uint8_t ca_hash[IDENTITY_CA_HASH_BYTES];

	if (identity_ca_hash(identity, ca_hash) < 0 ||
	    memcmp(ca_hash, order->ca_hash, sizeof(ca_hash)) != 0)
		return "the server answered with the certificate of another CA";
	if (order->client[0] && strcmp(order->client, identity_client(identity)) != 0)
		return "the server answered with the certificate of another client";

	return NULL;
}

static int answer_take(const struct certificate_order *order, const struct http_response *answer,
    const struct secret *key, struct secret **ret_pem, struct identity **ret_identity,
    struct fault *fault)
{
	cleanup_identity struct identity *identity = NULL;
	cleanup_secret struct secret *pem = NULL;
	const char *objection;
	int r = answer_compose(order, answer, key, &pem);

	if (r == -TACIT_E_MALFORMED)
		return fault_set_why(fault, -TACIT_E_PROTOCOL,
		    "the server's answer is not a certificate", "%s", order->path);
	if (r < 0)
		return fault_set(fault, r, "%s", order->path);

	r = identity_parse(pem, order->path, &identity, fault);
	if (r < 0)
		return r;
	objection = identity_objection(order, identity);
	if (objection)
		return fault_set_why(fault, -TACIT_E_PROTOCOL, objection, "%s", order->path);

	*ret_pem = secret_take(&pem);
	*ret_identity = identity;
	identity = NULL;
	return 0;
}

int certificate_get(struct http_client *client, const struct certificate_order *order,
    int64_t deadline_ms, struct secret **ret_pem, struct identity **ret_identity,
    struct fault *fault)
{
	cleanup_response struct http_response answer = {0};
	cleanup_secret struct secret *key = NULL;
	cleanup_secret struct secret *csr = NULL;
	int r = identity_new_request(NULL, &key, &csr);

	if (r < 0)
		return fault_set(fault, r, "%s", order->path);

	r = order_send(client, order, csr, deadline_ms, &answer, fault);
	if (r < 0)
		return r;

	return answer_take(order, &answer, key, ret_pem, ret_identity, fault);
}

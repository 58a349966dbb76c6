/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <stdlib.h>

#include "tacit/deadline.h"

static const char *server_choice(const char *servers)
{
	if (servers)
		return servers;

	const char *from_environment = getenv("TACIT_SERVER");

	return from_environment && *from_environment ? from_environment : NULL;
}

int connection_open(struct connection *connection, const char *identity_path, const char *servers,
    int64_t timeout_ms, struct fault *fault)
{
	cleanup_identity struct identity *identity = NULL;
	int err = identity_load(identity_path, &identity, fault);

	if (err < 0)
		return err;

	err = http_client_new(identity, server_choice(servers), &connection->client, fault);
	if (err < 0)
		return err;

	connection->identity = identity;
	connection->timeout_ms = timeout_ms;
	identity = NULL;

	return 0;
}

void connection_close(struct connection *connection)
{
	http_client_free(connection->client);
	identity_free(connection->identity);
	*connection = (struct connection){0};
}

int connection_send(struct connection *connection, const struct http_request *request,
    const char *what, struct http_response *ret_response, struct fault *fault)
{
	cleanup_response struct http_response response = {0};
	int err = http_client_send(connection->client, request,
	    deadline_in_ms(connection->timeout_ms), PROTO_ANSWER_MAX_BYTES, &response, fault);

	if (err < 0)
		return err;

	err = http_response_verdict(&response, what, fault);
	if (err < 0)
		return err;

	*ret_response = response;
	response = (struct http_response){0};

	return 0;
}

int connection_bad_answer(const char *what, struct fault *fault)
{
	return fault_set_why(
	    fault, -TACIT_E_PROTOCOL, "the server's answer is not what was asked for", "%s", what);
}

static int parse_answer(const struct http_response *response, const char *what,
    struct json **ret_answer, struct fault *fault)
{
	const struct secret *body = response->body;
	int err = json_parse(secret_bytes(body), secret_len(body), ret_answer, NULL);

	return err < 0 ? connection_bad_answer(what, fault) : 0;
}

int connection_exchange(struct connection *connection, const struct http_request *request,
    const struct json *body, const char *what, struct json **ret_answer, struct fault *fault)
{
	cleanup_response struct http_response response = {0};
	cleanup_secret struct secret *text = NULL;
	struct http_request with_body = *request;
	int err = body ? json_print(body, &text) : 0;

	if (err < 0)
		return fault_set(fault, err, "%s", what);
	if (text) {
		with_body.content_type = PROTO_TYPE_JSON;
		with_body.body = secret_bytes(text);
		with_body.body_len = secret_len(text);
	}

	err = connection_send(connection, &with_body, what, &response, fault);
	if (err < 0 || !ret_answer)
		return err;

	return parse_answer(&response, what, ret_answer, fault);
}

int connection_get(struct connection *connection, const char *path, const char *what,
    struct json **ret_answer, struct fault *fault)
{
	const struct http_request request = {
	    .method = "GET", .path = path, .accept = PROTO_TYPE_JSON};

	return connection_exchange(connection, &request, NULL, what, ret_answer, fault);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "handlers.h"

#define MINUTE_S          60LL
#define DAY_S             86400LL
#define TOKEN_TTL_S       (10 * MINUTE_S)
#define TOKEN_TTL_MAX_S   (365 * DAY_S)
#define CERTIFICATE_TTL_S (1 * DAY_S)
#define CERTIFICATE_MAX_S (3650 * DAY_S)
#define USES_MAX          1000000

/* "web: token 0123456789ab", in all audit lines about it from here on. */
static void exchange_name_token(struct exchange *exchange, const struct token *token)
{
	(void)snprintf(
	    exchange->subject, sizeof(exchange->subject), "%s: token %s", token->client, token->id);
}

static const char *state_text(const struct exchange *exchange, const struct token *token)
{
	const struct client *client = clients_find(exchange->server->clients, token->client);

	switch (token_judge(token, client, NULL, time(NULL))) {
	case 0:
		return "active";
	case -TACIT_E_TOKEN_USED:
		return "used";
	case -TACIT_E_TOKEN_EXPIRED:
		return "expired";
	default:
		return "revoked";
	}
}

static int ranges_describe(const struct token *token, struct json *json)
{
	struct json *list = json_new_array();
	int r = json_set(json, "from", list);

	for (size_t i = 0; r == 0 && i < token->from_count; i++) {
		char text[CIDR_TEXT_BYTES];

		cidr_print(&token->from[i], text);
		r = json_append_text(list, text);
	}

	return r;
}

static int token_describe(
    const struct exchange *exchange, const struct token *token, struct json **ret_json)
{
	cleanup_json struct json *json = json_new_object();

	if (!json || json_set_text(json, "id", token->id) < 0 ||
	    json_set_text(json, "client", token->client) < 0 ||
	    json_set_text(json, "state", state_text(exchange, token)) < 0 ||
	    json_set_int(json, "uses", token->uses) < 0 ||
	    json_set_int(json, "used", token->used) < 0 ||
	    json_set_time(json, "created", token->created) < 0 ||
	    json_set_time(json, "expires", token->expires) < 0 ||
	    (token->last_used && json_set_time(json, "last_used", token->last_used) < 0) ||
	    json_set_int(json, "certificate_ttl_s", token->certificate_ttl_s) < 0 ||
	    ranges_describe(token, json) < 0)
		return -ENOMEM;

	*ret_json = json;
	json = NULL;
	return 0;
}

int handle_token_list(struct exchange *exchange)
{
	const struct tokens *tokens = exchange->server->tokens;
	cleanup_json struct json *answer = json_new_object();
	struct json *list = json_new_array();
	int r = answer ? json_set(answer, "tokens", list) : -ENOMEM;

	if (r == 0)
		r = exchange_audit_subject(exchange, 200, NULL);
	for (size_t i = 0; r == 0 && i < tokens_count(tokens); i++) {
		struct json *item = NULL;

		if (token_is_stale(tokens_at(tokens, i), time(NULL)))
			continue;
		r = token_describe(exchange, tokens_at(tokens, i), &item);
		if (r == 0)
			r = json_append(list, item);
	}

	return r < 0 ? r : exchange_answer_json(exchange, 200, answer);
}

struct member {
	const char *key;
	int64_t max;
	const char *rule;
};

static const struct member uses_member = {
    "uses", USES_MAX, "uses is a whole number from 1 to 1,000,000"};
static const struct member ttl_member = {
    "ttl_s", TOKEN_TTL_MAX_S, "ttl_s is a number of seconds, a year at most"};
static const struct member certificate_ttl_member = {"certificate_ttl_s", CERTIFICATE_MAX_S,
    "certificate_ttl_s is a number of seconds, ten years at most"};

/* A whole number from 1 to the greatest; absent, *ret_value stays. */
static int member_number(struct exchange *exchange, const struct json *json,
    const struct member *member, int64_t *ret_value)
{
	int64_t value = *ret_value;

	if (json_int_at(json, member->key, &value) == -TACIT_E_MALFORMED || value < 1 ||
	    value > member->max) {
		exchange->detail = member->rule;
		return -TACIT_E_MALFORMED;
	}

	*ret_value = value;
	return 0;
}

static int ranges_parse(struct exchange *exchange, const struct json *json, struct token *token)
{
	const struct json *list = json_array_at(json, "from");

	if (!list)
		return json_has(json, "from") ? -TACIT_E_MALFORMED : 0;
	if (json_count(list) > TOKEN_RANGES_MAX) {
		exchange->detail = "16 address ranges at most";
		return -TACIT_E_TOO_LARGE;
	}

	for (size_t i = 0; i < json_count(list); i++) {
		const char *text = json_text(json_item(list, i));
		int r = text ? cidr_parse(text, &token->from[i]) : -TACIT_E_MALFORMED;

		if (r < 0)
			return r;
	}
	token->from_count = json_count(list);
	return 0;
}

static int order_parse(struct exchange *exchange, const struct json *json, struct token *token)
{
	int64_t uses = 1, ttl_s = TOKEN_TTL_S, certificate_ttl_s = CERTIFICATE_TTL_S;
	const char *client = json_text_at(json, "client");
	int r;

	if (!client || !name_is_client(client))
		return -TACIT_E_INVALID_NAME;
	r = member_number(exchange, json, &uses_member, &uses);
	if (r == 0)
		r = member_number(exchange, json, &ttl_member, &ttl_s);
	if (r == 0)
		r = member_number(exchange, json, &certificate_ttl_member, &certificate_ttl_s);
	if (r == 0)
		r = ranges_parse(exchange, json, token);
	if (r < 0)
		return r;

	(void)snprintf(token->client, sizeof(token->client), "%s", client);
	token->uses = (uint32_t)uses;
	token->created = time(NULL);
	token->expires = token->created + ttl_s;
	token->certificate_ttl_s = certificate_ttl_s;
	return 0;
}

/* A revoked client stays out until somebody adds it again, knowingly. */
static int target_check(struct exchange *exchange, const struct client *client)
{
	if (!exchange->server->enroll_url[0])
		return -TACIT_E_NO_ENROLMENT;
	if (client && client->revoked) {
		exchange->detail = "the client is revoked; add it again first";
		return -TACIT_E_CONFLICT;
	}

	return exchange_manages(exchange, client, ROLE_CLIENT);
}

/* Everything that a token's making writes: itself, and its client where there is none yet. */
struct making {
	struct client_change client;
	struct token_change token;
};

static void making_free(struct making *making)
{
	client_change_free(&making->client);
	token_change_free(&making->token);
}
#define cleanup_making __attribute__((cleanup(making_free)))

static int making_prepare(struct exchange *exchange, struct token *token, struct making *making)
{
	struct server *server = exchange->server;
	const struct client *client = clients_find(server->clients, token->client);

	if (!client) {
		int r = clients_prepare_put(
		    server->clients, token->client, ROLE_CLIENT, 0, &making->client);

		if (r < 0)
			return r;
		client = making->client.client;
	}

	token->generation = client->generation;
	return tokens_prepare_add(server->tokens, token, &making->token);
}

static int making_commit(struct exchange *exchange, struct making *making)
{
	struct server *server = exchange->server;
	struct vault_change rows[] = {making->token.row, making->client.row};
	int r = vault_commit(server->vault, rows, making->client.client ? 2 : 1);

	if (r < 0)
		return r;

	tokens_show(server->tokens, &making->token);
	if (making->client.client)
		clients_show(server->clients, &making->client);
	return 0;
}

/* A new secret: its hash goes into the token, and the text of the contract to the caller. */
static int secret_make(const struct server *server, struct token *token, struct secret **ret_text)
{
	cleanup_join_token struct join_token join = {0};
	int r = secret_new(JOIN_TOKEN_SECRET_BYTES, &join.secret);

	if (r < 0)
		return r;

	randombytes_buf(
	    secret_space(join.secret, JOIN_TOKEN_SECRET_BYTES), JOIN_TOKEN_SECRET_BYTES);
	secret_grew(join.secret, JOIN_TOKEN_SECRET_BYTES);
	token_hash(secret_bytes(join.secret), token->hash);
	(void)snprintf(join.url, sizeof(join.url), "%s", server->enroll_url);
	r = authority_ca_hash(server->authority, join.ca_hash);
	if (r == 0)
		r = join_token_format(&join, ret_text);

	return r < 0 ? r : secret_append(*ret_text, "", 1);
}

static int creation_answer(struct exchange *exchange, const struct token *token,
    const struct secret *text, bool new_client)
{
	cleanup_json struct json *json = NULL;
	int r = token_describe(exchange, token, &json);

	if (r < 0)
		return r;
	if (json_set_text(json, "token", (const char *)secret_bytes(text)) < 0 ||
	    json_set_text(json, "url", exchange->server->enroll_url) < 0 ||
	    json_set_bool(json, "new_client", new_client) < 0)
		return -ENOMEM;

	return exchange_answer_json(exchange, 201, json);
}

static int creation_audit(struct exchange *exchange, const struct token *token, bool new_client)
{
	const char *event = exchange->event;
	int r = 0;

	if (new_client) {
		exchange->event = "client.put";
		r = exchange_audit_subject(exchange, 201, token->client);
		exchange->event = event;
	}
	exchange_name_token(exchange, token);
	return r < 0 ? r : exchange_audit_subject(exchange, 201, exchange->subject);
}

static int token_create(struct exchange *exchange, struct token *token)
{
	cleanup_making struct making making = {0};
	cleanup_secret struct secret *text = NULL;
	bool new_client;
	int r = secret_make(exchange->server, token, &text);

	if (r == 0)
		r = making_prepare(exchange, token, &making);
	if (r < 0)
		return r;

	new_client = making.client.client != NULL;
	r = creation_audit(exchange, &making.token.token, new_client);
	if (r == 0)
		r = making_commit(exchange, &making);
	if (r < 0)
		return r;

	(void)atomic_fetch_add(&exchange->server->counters.tokens_created, 1);
	return creation_answer(exchange, &making.token.token, text, new_client);
}

int handle_token_create(struct exchange *exchange)
{
	static const char *const keys[] = {
	    "client", "uses", "ttl_s", "certificate_ttl_s", "from", NULL};
	struct server *server = exchange->server;
	cleanup_json struct json *json = NULL;
	struct token token = {0};
	int r = exchange_parse_body(exchange, keys, &json);

	if (r == 0)
		r = order_parse(exchange, json, &token);
	if (r < 0)
		return r;

	(void)snprintf(exchange->subject, sizeof(exchange->subject), "%s", token.client);
	r = target_check(exchange, clients_find(server->clients, token.client));
	if (r == 0)
		r = tokens_sweep(server->tokens, time(NULL));
	if (r == 0)
		r = token_create(exchange, &token);
	return r;
}

int handle_token_revoke(struct exchange *exchange)
{
	struct server *server = exchange->server;
	const char *id = exchange->request->token_id;
	const struct token *token = id ? tokens_find(server->tokens, id) : NULL;
	int r;

	if (!token)
		return id ? -TACIT_E_NOT_FOUND : -TACIT_E_MALFORMED;

	exchange_name_token(exchange, token);
	r = exchange_manages(exchange, clients_find(server->clients, token->client), ROLE_CLIENT);
	if (r == 0)
		r = exchange_audit_subject(exchange, 204, exchange->subject);
	if (r == 0)
		r = tokens_revoke(server->tokens, token->id);

	return r < 0 ? r : exchange_answer_empty(exchange);
}

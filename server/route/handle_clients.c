/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "handlers.h"

#define DAY_S            86400LL
#define CLIENT_TTL_S     (90 * DAY_S)
#define CLIENT_TTL_MAX_S (3650 * DAY_S)

static struct json *client_describe(const struct client *client)
{
	struct json *json = json_new_object();

	if (json && json_set_text(json, "name", client->name) == 0 &&
	    json_set_text(json, "role", role_text(client->role)) == 0 &&
	    json_set_time(json, "created", client->created) == 0 &&
	    (!client->not_after || json_set_time(json, "not_after", client->not_after) == 0) &&
	    json_set_bool(json, "revoked", client->revoked) == 0 &&
	    json_set_int(json, "grants", (int64_t)client->grants_count) == 0)
		return json;

	json_free(json);
	return NULL;
}

int handle_client_list(struct exchange *exchange)
{
	const struct clients *clients = exchange->server->clients;
	cleanup_json struct json *answer = json_new_object();
	struct json *list = json_new_array();
	int r = answer ? json_set(answer, "clients", list) : -ENOMEM;

	if (r == 0)
		r = exchange_audit_subject(exchange, 200, NULL);
	for (size_t i = 0; r == 0 && i < clients_count(clients); i++)
		r = json_append(list, client_describe(clients_at(clients, i)));

	return r < 0 ? r : exchange_answer_json(exchange, 200, answer);
}

int handle_client_get(struct exchange *exchange)
{
	const struct client *client = clients_find(exchange->server->clients, exchange->name);
	cleanup_json struct json *json = client ? client_describe(client) : NULL;
	int r = client ? exchange_audit_subject(exchange, 200, exchange->name) : -TACIT_E_NOT_FOUND;

	return r < 0 ? r : exchange_answer_json(exchange, 200, json);
}

/*
 * Whoever is not an admin himself makes no admins or operators, and does not touch those that
 * are: otherwise managing would be a way to reading everything.
 */
int exchange_manages(struct exchange *exchange, const struct client *target, enum role wanted)
{
	bool privileged = wanted >= ROLE_OPERATOR || (target && target->role >= ROLE_OPERATOR);

	if (exchange->client->role == ROLE_ADMIN || !privileged)
		return 0;

	exchange->detail = "only an admin manages admins and operators";
	return -TACIT_E_DENIED;
}

/* Without an admin nobody could ever make one again. */
static int last_admin_check(struct exchange *exchange, const struct client *target)
{
	const struct clients *clients = exchange->server->clients;

	if (!target || target->role != ROLE_ADMIN || target->revoked)
		return 0;
	for (size_t i = 0; i < clients_count(clients); i++) {
		const struct client *client = clients_at(clients, i);

		if (client != target && client->role == ROLE_ADMIN && !client->revoked)
			return 0;
	}

	exchange->detail = "the last admin stays: add another one first";
	return -TACIT_E_CONFLICT;
}

struct client_order {
	enum role role;
	int64_t not_after;
	const char *csr; /* NULL: no certificate now */
};

/* Without a role a client keeps the one that it has; a revoked one starts anew. */
static int client_order_parse(struct exchange *exchange, const struct json *json,
    const struct client *old, struct client_order *ret_order)
{
	const char *role;
	int64_t ttl_s = CLIENT_TTL_S;
	int r = exchange_member_text(exchange, json, "role", &role);

	if (r == 0)
		r = exchange_member_text(exchange, json, "csr", &ret_order->csr);
	if (r < 0)
		return r;
	r = json_int_at(json, "ttl_s", &ttl_s);
	if (r == -TACIT_E_MALFORMED || ttl_s < 1 || ttl_s > CLIENT_TTL_MAX_S) {
		exchange->detail = "ttl_s is a number of seconds, ten years at most";
		return -TACIT_E_MALFORMED;
	}

	ret_order->role = old && !old->revoked ? old->role : ROLE_CLIENT;
	ret_order->not_after = time(NULL) + ttl_s;
	return role ? role_parse(role, &ret_order->role) : 0;
}

static int client_answer(struct exchange *exchange, int status, const struct client *client,
    const struct client_order *order)
{
	const struct authority *authority = exchange->server->authority;
	cleanup_json struct json *json = client_describe(client);
	char pem[CERTIFICATE_PEM_MAX_BYTES];
	int r;

	if (!json || json_set_text(json, "server", authority_url(authority)) < 0)
		return -ENOMEM;
	if (order->csr) {
		r = authority_issue_client(authority, order->csr, strlen(order->csr), client->name,
		    client->generation, order->not_after, pem);
		if (r < 0)
			return r;
		if (json_set_text(json, "certificate", pem) < 0 ||
		    json_set_text(json, "ca", authority_ca_pem(authority)) < 0)
			return -ENOMEM;
	}

	return exchange_answer_json(exchange, status, json);
}

/* The request is tried out before anything is stored: a bad one leaves no client behind. */
static int client_try(struct exchange *exchange, const struct client_order *order)
{
	char pem[CERTIFICATE_PEM_MAX_BYTES];

	if (!order->csr)
		return 0;

	return authority_issue_client(exchange->server->authority, order->csr, strlen(order->csr),
	    exchange->name, 0, order->not_after, pem);
}

int handle_client_put(struct exchange *exchange)
{
	static const char *const keys[] = {"role", "ttl_s", "csr", NULL};
	struct clients *clients = exchange->server->clients;
	const struct client *old = clients_find(clients, exchange->name);
	bool must_be_new = exchange->request->if_none_match != NULL;
	cleanup_json struct json *json = NULL;
	struct client_order order = {0};
	int status = old ? 200 : 201;
	int r = exchange_parse_body(exchange, keys, &json);

	if (r == 0)
		r = client_order_parse(exchange, json, old, &order);
	if (r == 0)
		r = exchange_manages(exchange, old, order.role);
	if (r == 0 && order.role != ROLE_ADMIN)
		r = last_admin_check(exchange, old);
	if (r == 0 && must_be_new && old && !old->revoked) {
		exchange->detail = "there is a client of that name";
		r = -TACIT_E_PRECONDITION;
	}
	if (r == 0)
		r = client_try(exchange, &order);
	if (r == 0)
		r = exchange_audit_subject(exchange, status, exchange->name);
	if (r == 0)
		r = clients_put(
		    clients, exchange->name, order.role, order.csr ? order.not_after : 0);

	return r < 0
	           ? r
	           : client_answer(exchange, status, clients_find(clients, exchange->name), &order);
}

/* For the routes that act on a client that is there. */
static int client_change_begin(struct exchange *exchange, int status, const char *subject)
{
	const struct client *client = clients_find(exchange->server->clients, exchange->name);
	int r = client ? exchange_manages(exchange, client, ROLE_CLIENT) : -TACIT_E_NOT_FOUND;

	return r < 0 ? r : exchange_audit_subject(exchange, status, subject);
}

static int client_end_begin(struct exchange *exchange)
{
	const struct client *client = clients_find(exchange->server->clients, exchange->name);
	int r = client ? exchange_manages(exchange, client, ROLE_CLIENT) : -TACIT_E_NOT_FOUND;

	if (r == 0)
		r = last_admin_check(exchange, client);

	return r < 0 ? r : exchange_audit_subject(exchange, 204, exchange->name);
}

int handle_client_delete(struct exchange *exchange)
{
	int r = client_end_begin(exchange);

	if (r == 0)
		r = clients_delete(exchange->server->clients, exchange->name);

	return r < 0 ? r : exchange_answer_empty(exchange);
}

int handle_client_revoke(struct exchange *exchange)
{
	int r = client_end_begin(exchange);

	if (r == 0)
		r = clients_revoke(exchange->server->clients, exchange->name);

	return r < 0 ? r : exchange_answer_empty(exchange);
}

static struct json *grant_describe(const struct grant *grant)
{
	struct json *json = json_new_object();

	if (json && json_set_text(json, "pattern", grant->pattern) == 0 &&
	    json_set_bool(json, "write", grant->write) == 0)
		return json;

	json_free(json);
	return NULL;
}

static int grants_answer(struct exchange *exchange, const struct client *client)
{
	cleanup_json struct json *answer = json_new_object();
	struct json *list = json_new_array();
	int r = answer ? json_set(answer, "grants", list) : -ENOMEM;

	if (r == 0)
		r = json_set_text(answer, "client", client->name);
	for (size_t i = 0; r == 0 && i < client->grants_count; i++)
		r = json_append(list, grant_describe(&client->grants[i]));

	return r < 0 ? r : exchange_answer_json(exchange, 200, answer);
}

int handle_grants_get(struct exchange *exchange)
{
	const struct client *client = clients_find(exchange->server->clients, exchange->name);
	int r = client ? exchange_audit_subject(exchange, 200, exchange->name) : -TACIT_E_NOT_FOUND;

	return r < 0 ? r : grants_answer(exchange, client);
}

/* "web: app/...", with what it allows: the log has to tell who was let in where. */
static void grant_subject(
    const struct exchange *exchange, const char *pattern, bool write, char ret_subject[static 512])
{
	(void)snprintf(
	    ret_subject, 512, "%s: %s%s", exchange->name, pattern, write ? " (write)" : "");
}

int handle_grants_put(struct exchange *exchange)
{
	static const char *const keys[] = {"pattern", "write", NULL};
	struct clients *clients = exchange->server->clients;
	cleanup_json struct json *json = NULL;
	const char *pattern;
	char subject[512];
	bool write = false;
	int r = exchange_parse_body(exchange, keys, &json);

	if (r < 0)
		return r;
	pattern = json_text_at(json, "pattern");
	if (!pattern || !name_is_pattern(pattern))
		return -TACIT_E_INVALID_PATTERN;
	if (json_bool_at(json, "write", &write) == -TACIT_E_MALFORMED)
		return -TACIT_E_MALFORMED;

	grant_subject(exchange, pattern, write, subject);
	r = client_change_begin(exchange, 200, subject);
	if (r == 0)
		r = clients_grant(clients, exchange->name, pattern, write);

	return r < 0 ? r : grants_answer(exchange, clients_find(clients, exchange->name));
}

int handle_grants_delete(struct exchange *exchange)
{
	const char *pattern = exchange->request->pattern;
	char subject[512];
	int r;

	if (!pattern || !name_is_pattern(pattern))
		return -TACIT_E_INVALID_PATTERN;

	grant_subject(exchange, pattern, false, subject);
	r = client_change_begin(exchange, 204, subject);
	if (r == 0)
		r = clients_ungrant(exchange->server->clients, exchange->name, pattern);

	return r < 0 ? r : exchange_answer_empty(exchange);
}

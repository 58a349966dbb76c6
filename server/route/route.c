/* SPDX-License-Identifier: MIT */
#include "route.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "exchange.h"
#include "route_table.h"
#include "tacit/deadline.h"

static const enum action access_actions[] = {
    [ACCESS_READ] = ACTION_READ,
    [ACCESS_LIST] = ACTION_LIST,
    [ACCESS_WRITE] = ACTION_WRITE,
    [ACCESS_DELETE] = ACTION_DELETE,
    [ACCESS_MANAGE] = ACTION_MANAGE,
    [ACCESS_AUDIT] = ACTION_AUDIT,
};

/*
 * Who asks, by now: a certificate that was good at the handshake may have expired on a kept or
 * resumed connection, and its client may have been revoked. All of it is one error to the peer.
 */
static int exchange_identify(struct exchange *exchange)
{
	const struct certificate_identity *identity = exchange->request->identity;
	const struct client *client =
	    identity ? clients_find(exchange->server->clients, identity->client) : NULL;
	int64_t now = time(NULL);

	if (!client || client->revoked || client->generation != identity->generation ||
	    now < identity->not_before || now > identity->not_after)
		return -TACIT_E_UNAUTHENTICATED;

	exchange->client = client;
	return 0;
}

static int exchange_authorize(struct exchange *exchange, const struct route *route)
{
	bool on_secret = route->name_kind == NAME_SECRET;

	if (route->access <= ACCESS_SELF)
		return 0;

	return exchange_allows(
	           exchange, access_actions[route->access], on_secret ? exchange->name : NULL)
	           ? 0
	           : -TACIT_E_DENIED;
}

/*
 * A certificate that is not accepted any more may be shown for ever, by an agent that nobody has
 * stopped: each of its kind is recorded once in a minute, with how many there were.
 */
static int exchange_audit_stranger(struct exchange *exchange)
{
	const struct request *request = exchange->request;
	const struct refusal refusal = {.event = exchange->event,
	    .reason = "certificate not accepted",
	    .client = request->identity ? request->identity->client : NULL,
	    .peer = request->peer,
	    .status = 401};
	struct refusals *unrecorded = exchange->server->unrecorded;
	int r;

	if (!refusals_count(unrecorded, &refusal, deadline_in_ms(0)))
		return 0;

	r = exchange_audit_subject(exchange, 401, refusal.reason);
	if (r < 0)
		refusals_take_back(unrecorded, &refusal);
	return r;
}

/* Refusals and failures are recorded too, with the name that was asked for. */
static int exchange_audit_failure(struct exchange *exchange, const struct route *route, int err)
{
	int status = err_http_status(err);

	/* What is refused for coming too fast must not fill the log either. */
	if (!exchange->event || err == -TACIT_E_AUDIT_UNAVAILABLE || err == -TACIT_E_TOO_MANY)
		return 0;
	if (err == -TACIT_E_UNAUTHENTICATED)
		return exchange_audit_stranger(exchange);
	if (exchange->subject[0])
		return exchange_audit_subject(exchange, status, exchange->subject);
	if (route->name_kind == NAME_SECRET && exchange->name)
		return exchange_audit_name(exchange, status, exchange->name, 0);

	return exchange_audit_subject(exchange, status, exchange->name);
}

/* Whether a client may see what has changed: the one that was changed, or a reader of the secret.
 */
static bool change_concerns(void *context, const char *name)
{
	const struct exchange *exchange = context;
	const struct client *client = clients_find(exchange->server->clients, name);

	return !client || !strcmp(client->name, exchange->name) ||
	       grants_allow(
	           client->role, client->grants, client->grants_count, ACTION_READ, exchange->name);
}

/* Every change has a name in its path; a client's name that is also a secret's wakes a few more. */
static void exchange_announce(struct exchange *exchange)
{
	if (strcmp(exchange->request->method, "GET") != 0 && exchange->name)
		watch_notify(&exchange->server->watch, change_concerns, exchange);
}

static int exchange_run(struct exchange *exchange, const struct route *route)
{
	int r = 0;

	if (route->access >= ACCESS_SELF)
		r = exchange_identify(exchange);
	if (r == 0)
		r = route_take_name(route, exchange->request->path, &exchange->name);
	if (r == 0)
		r = exchange_authorize(exchange, route);
	if (r == 0)
		r = route->handler(exchange);
	if (r == 0)
		exchange_announce(exchange);
	if (r < 0 && exchange_audit_failure(exchange, route, r) < 0)
		r = -TACIT_E_AUDIT_UNAVAILABLE;

	return r;
}

/* Under the routes' lock, but for what the handler has left to do without it. */
static int exchange_serve(struct exchange *exchange, const struct route *route)
{
	struct server *server = exchange->server;
	pthread_mutex_t *mutex = &server->mutex;
	int r = durability_trouble(server->durability);

	if (r < 0)
		return r;

	exchange->event = route->event;
	exchange->response->allow = NULL;
	(void)pthread_mutex_lock(mutex);
	vault_set_lazy(server->vault, server->durability != NULL);
	r = exchange_run(exchange, route);
	vault_set_lazy(server->vault, false);
	exchange->response->revision = vault_revision(server->vault);
	(void)pthread_mutex_unlock(mutex);

	return r == 0 && exchange->finish ? exchange->finish(exchange) : r;
}

int response_fail(struct response *response, const char *request_id, int err, const char *detail)
{
	int status = err_http_status(err);

	secret_free(response->body);
	response->body = NULL;
	response->status = status;
	response->etag[0] = '\0';
	response->content_type = PROTO_TYPE_PROBLEM;
	response->retry_after_s = status == 503 ? 5 : status == 429 ? 1 : 0;
	return proto_problem_print(err, detail, request_id, &response->body);
}

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int route_handle(struct server *server, struct request *request, struct response *ret_response)
{
	int64_t begun_us = now_us();
	struct response response = {.status = 500};
	struct exchange exchange = {.server = server, .request = request, .response = &response};
	const struct route *route =
	    route_find(request->door, request->method, request->path, &response.allow);
	int r;

	if (route)
		r = exchange_serve(&exchange, route);
	else
		r = response.allow[0] ? -TACIT_E_METHOD : -TACIT_E_NOT_FOUND;

	if (r < 0)
		r = response_fail(&response, request->id, r, exchange.detail);
	if (r == 0 && !response.body)
		r = secret_new(0, &response.body);
	if (r < 0)
		return r;

	if (!response.waits)
		metrics_count_request(
		    &server->metrics, route_number(route), response.status, now_us() - begun_us);
	*ret_response = response;
	return 0;
}

static bool is_waiter(void *wanted, const char *client)
{
	return !strcmp(client, wanted);
}

/* Wakes those who wait for that, if there is news since they were told last. */
static void tell(struct server *server, const char *waiter, uint64_t now, uint64_t *told)
{
	if (now != *told)
		watch_notify(&server->watch, is_waiter, (void *)(uintptr_t)waiter);
	*told = now;
}

void route_tick(struct server *server)
{
	struct audit_mark position;

	audit_tick(server->audit);
	refusals_write(server->unrecorded, server->audit, deadline_in_ms(0));
	(void)pthread_mutex_lock(&server->mutex);
	audit_position(server->audit, &position);
	tell(server, WAITER_AUDIT, position.sequence, &server->lines_told);
	tell(server, WAITER_STATUS, instances_changes(server->instances), &server->changes_told);
	(void)pthread_mutex_unlock(&server->mutex);
}

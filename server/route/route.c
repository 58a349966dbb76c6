/* SPDX-License-Identifier: MIT */
#include "route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "handlers.h"
#include "tacit/deadline.h"

/* What a caller needs to get past the door of a route. */
enum access {
	ACCESS_OPEN, /* nothing; these are the routes that the enrolment listener has too */
	ACCESS_JOIN, /* a join token, which the handler looks at; on the enrolment listener only */
	ACCESS_SELF, /* a certificate; the handler looks at each name */
	ACCESS_READ, /* the action of that name on the secret in the path */
	ACCESS_LIST,
	ACCESS_WRITE,
	ACCESS_DELETE,
	ACCESS_MANAGE,
	ACCESS_AUDIT,
};

static const enum action access_actions[] = {
    [ACCESS_READ] = ACTION_READ,
    [ACCESS_LIST] = ACTION_LIST,
    [ACCESS_WRITE] = ACTION_WRITE,
    [ACCESS_DELETE] = ACTION_DELETE,
    [ACCESS_MANAGE] = ACTION_MANAGE,
    [ACCESS_AUDIT] = ACTION_AUDIT,
};

enum name_kind {
	NAME_NONE,
	NAME_SECRET,
	NAME_CLIENT,
};

struct route {
	const char *method;
	const char *prefix; /* the path in front of the name, or all of it */
	const char *suffix; /* the path behind the name */
	enum name_kind name_kind;
	enum access access;
	const char *event;
	exchange_handler *handler;
	size_t body_max_bytes;
};

#define JSON_BODY PROTO_JSON_MAX_BYTES
/* From anybody: a token and a signing request, and not much more. */
#define ENROLL_BODY 20480

/* The whole API. Rows with a suffix stand before the row without one. */
static const struct route routes[] = {
    {"GET", "/v1/health", "", NAME_NONE, ACCESS_OPEN, NULL, handle_health, 0},
    {"GET", "/v1/ca", "", NAME_NONE, ACCESS_OPEN, NULL, handle_ca, 0},
    {"POST", "/v1/enroll", "", NAME_NONE, ACCESS_JOIN, "client.enroll", handle_enroll, ENROLL_BODY},
    {"POST", "/v1/renew", "", NAME_NONE, ACCESS_SELF, "client.renew", handle_renew, JSON_BODY},
    {"GET", "/metrics", "", NAME_NONE, ACCESS_AUDIT, "metrics.read", handle_metrics, 0},
    {"GET", "/v1/bundle", "", NAME_NONE, ACCESS_SELF, "bundle.read", handle_bundle, 0},

    {"GET", "/v1/secrets", "", NAME_NONE, ACCESS_SELF, "secret.list", handle_secret_list, 0},
    {"GET", "/v1/secrets/", "/versions", NAME_SECRET, ACCESS_LIST, "secret.versions",
        handle_versions_get, 0},
    {"GET", "/v1/secrets/", "/metadata", NAME_SECRET, ACCESS_LIST, "secret.metadata",
        handle_metadata_get, 0},
    {"PUT", "/v1/secrets/", "/metadata", NAME_SECRET, ACCESS_WRITE, "secret.set_metadata",
        handle_metadata_put, JSON_BODY},
    {"POST", "/v1/secrets/", "/rollback", NAME_SECRET, ACCESS_WRITE, "secret.rollback",
        handle_rollback, JSON_BODY},
    {"POST", "/v1/secrets/", "/destroy", NAME_SECRET, ACCESS_DELETE, "secret.destroy",
        handle_destroy, JSON_BODY},
    {"GET", "/v1/secrets/", "", NAME_SECRET, ACCESS_READ, "secret.read", handle_secret_get, 0},
    {"PUT", "/v1/secrets/", "", NAME_SECRET, ACCESS_WRITE, "secret.put", handle_secret_put,
        PROTO_VALUE_MAX_BYTES},
    {"DELETE", "/v1/secrets/", "", NAME_SECRET, ACCESS_DELETE, "secret.delete",
        handle_secret_delete, 0},

    {"GET", "/v1/clients", "", NAME_NONE, ACCESS_MANAGE, "client.list", handle_client_list, 0},
    {"GET", "/v1/clients/", "/grants", NAME_CLIENT, ACCESS_MANAGE, "grant.list", handle_grants_get,
        0},
    {"PUT", "/v1/clients/", "/grants", NAME_CLIENT, ACCESS_MANAGE, "grant.add", handle_grants_put,
        JSON_BODY},
    {"DELETE", "/v1/clients/", "/grants", NAME_CLIENT, ACCESS_MANAGE, "grant.remove",
        handle_grants_delete, 0},
    {"POST", "/v1/clients/", "/revoke", NAME_CLIENT, ACCESS_MANAGE, "client.revoke",
        handle_client_revoke, JSON_BODY},
    {"GET", "/v1/clients/", "", NAME_CLIENT, ACCESS_MANAGE, "client.get", handle_client_get, 0},
    {"PUT", "/v1/clients/", "", NAME_CLIENT, ACCESS_MANAGE, "client.put", handle_client_put,
        JSON_BODY},
    {"DELETE", "/v1/clients/", "", NAME_CLIENT, ACCESS_MANAGE, "client.delete",
        handle_client_delete, 0},

    {"GET", "/v1/tokens", "", NAME_NONE, ACCESS_MANAGE, "token.list", handle_token_list, 0},
    {"POST", "/v1/tokens", "", NAME_NONE, ACCESS_MANAGE, "token.create", handle_token_create,
        JSON_BODY},
    {"GET", "/v1/status", "", NAME_NONE, ACCESS_AUDIT, "status.read", handle_status, 0},
    {"GET", "/v1/audit", "", NAME_NONE, ACCESS_AUDIT, "audit.read", handle_audit, 0},
    {"GET", "/v1/audit/verify", "", NAME_NONE, ACCESS_AUDIT, "audit.verify", handle_audit_verify,
        0},

    {"DELETE", "/v1/tokens", "", NAME_NONE, ACCESS_MANAGE, "token.revoke", handle_token_revoke, 0},
};

#define ROUTES_COUNT (sizeof(routes) / sizeof(routes[0]))

_Static_assert(ROUTES_COUNT < METRICS_ROUTES_MAX, "each route has a counter");

/*
 * Whether the route has this path. The suffix is looked for before percent-decoding, so that
 * `web%2Fversions` is a name and `web/versions` the versions of `web`.
 */
static bool route_has_path(const struct route *route, const char *path)
{
	size_t len = strlen(path), prefix_len = strlen(route->prefix);
	size_t suffix_len = strlen(route->suffix);

	if (route->name_kind == NAME_NONE)
		return !strcmp(path, route->prefix);

	return len > prefix_len + suffix_len && !strncmp(path, route->prefix, prefix_len) &&
	       !strcmp(path + len - suffix_len, route->suffix);
}

static bool route_is_behind(const struct route *route, enum door door)
{
	if (door == DOOR_ENROLMENT)
		return route->access == ACCESS_OPEN || route->access == ACCESS_JOIN;

	return route->access != ACCESS_JOIN;
}

/*
 * The route of a request. With NULL, *ret_allow says which methods the path has ("" when it is
 * unknown): for `/v1/secrets/NAME/versions` those of the versions only.
 */
static const struct route *route_find(
    enum door door, const char *method, const char *path, const char **ret_allow)
{
	static _Thread_local char allow[64];
	const struct route *first = NULL;

	allow[0] = '\0';
	for (size_t i = 0; i < ROUTES_COUNT; i++) {
		const struct route *route = &routes[i];

		if (!route_is_behind(route, door) || !route_has_path(route, path))
			continue;
		if (first && strcmp(first->suffix, route->suffix) != 0)
			break;
		if (!strcmp(route->method, method))
			return route;
		first = route;
		(void)snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s%s",
		    allow[0] ? ", " : "", route->method);
	}

	*ret_allow = allow;
	return NULL;
}

size_t route_body_max(enum door door, const char *method, const char *path)
{
	const char *allow;
	const struct route *route = route_find(door, method, path, &allow);

	/* What has no route is to be told so, whatever it sent along. */
	if (!route)
		return door == DOOR_ENROLMENT ? ENROLL_BODY : JSON_BODY;

	return route->body_max_bytes;
}

/* Cuts the name out of the path and decodes it. */
static int name_from_path(const struct route *route, char *path, const char **ret_name)
{
	char *name = path + strlen(route->prefix);
	int r;

	if (route->name_kind == NAME_NONE)
		return 0;

	name[strlen(name) - strlen(route->suffix)] = '\0';
	r = proto_unescape(name);
	if (r < 0)
		return r;
	if (route->name_kind == NAME_SECRET ? !name_is_secret(name) : !name_is_client(name))
		return -TACIT_E_INVALID_NAME;

	*ret_name = name;
	return 0;
}

bool exchange_allows(const struct exchange *exchange, enum action action, const char *name)
{
	const struct client *client = exchange->client;

	return client &&
	       grants_allow(client->role, client->grants, client->grants_count, action, name);
}

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

int exchange_audit(struct exchange *exchange, int status, const char *subject,
    const struct audit_secret *secrets, size_t count)
{
	const struct request *request = exchange->request;
	const struct audit_event event = {
	    .event = exchange->event,
	    .client = request->identity ? request->identity->client : NULL,
	    .peer = request->peer,
	    .request = request->id,
	    .subject = subject,
	    .status = status,
	    .secrets = secrets,
	    .secrets_count = count,
	};
	int r = audit_write(exchange->server->audit, &event);

	metrics_count_audit(&exchange->server->metrics, r);
	return r;
}

int exchange_audit_name(struct exchange *exchange, int status, const char *name, uint32_t version)
{
	const struct audit_secret secret = {.name = name, .version = version};

	return exchange_audit(exchange, status, NULL, &secret, 1);
}

int exchange_audit_subject(struct exchange *exchange, int status, const char *subject)
{
	return exchange_audit(exchange, status, subject, NULL, 0);
}

int exchange_audit_reading(struct exchange *exchange, const char *subject)
{
	struct limiter *readings = exchange->server->readings;
	char key[640];
	int r;

	(void)snprintf(
	    key, sizeof(key), "%s %s %s", exchange->event, exchange->client->name, subject);
	if (!limiter_take(readings, key, deadline_in_ms(0)))
		return 0;

	r = exchange_audit_subject(exchange, 200, subject[0] ? subject : NULL);
	if (r < 0)
		limiter_forget(readings, key);
	return r;
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

void exchange_wait(struct exchange *exchange, const char *client)
{
	struct waiter *waiter = exchange->request->waiter;

	(void)snprintf(waiter->client, sizeof(waiter->client), "%s", client);
	exchange->response->waits = true;
	exchange->request->suspend(waiter);
	watch_add(&exchange->server->watch, waiter);
}

static int exchange_run(struct exchange *exchange, const struct route *route)
{
	int r = 0;

	if (route->access >= ACCESS_SELF)
		r = exchange_identify(exchange);
	if (r == 0)
		r = name_from_path(route, exchange->request->path, &exchange->name);
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

static int response_fail(
    struct response *response, const struct request *request, int err, const char *detail)
{
	int status = err_http_status(err);

	secret_free(response->body);
	response->body = NULL;
	response->status = status;
	response->etag[0] = '\0';
	response->content_type = PROTO_TYPE_PROBLEM;
	response->retry_after_s = status == 503 ? 5 : status == 429 ? 1 : 0;
	return proto_problem_print(err, detail, request->id, &response->body);
}

int route_describe(size_t index, const char **ret_method, char *ret_path, size_t size)
{
	const struct route *route = &routes[index];

	if (index >= ROUTES_COUNT)
		return -TACIT_E_NOT_FOUND;

	*ret_method = route->method;
	(void)snprintf(ret_path, size, "%s%s%s", route->prefix,
	    route->name_kind == NAME_NONE ? "" : "{name}", route->suffix);
	return 0;
}

void route_each(void (*visit)(void *context, const char *method, const char *path), void *context)
{
	const char *method;
	char path[64];

	for (size_t i = 0; route_describe(i, &method, path, sizeof(path)) == 0; i++)
		visit(context, method, path);
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

	if (route) {
		exchange.event = route->event;
		response.allow = NULL;
		(void)pthread_mutex_lock(&server->mutex);
		r = exchange_run(&exchange, route);
		(void)pthread_mutex_unlock(&server->mutex);
		if (r == 0 && exchange.finish)
			r = exchange.finish(&exchange);
	} else {
		r = response.allow[0] ? -TACIT_E_METHOD : -TACIT_E_NOT_FOUND;
	}

	if (r < 0)
		r = response_fail(&response, request, r, exchange.detail);
	if (r == 0 && !response.body)
		r = secret_new(0, &response.body);
	if (r < 0)
		return r;

	if (!response.waits)
		metrics_count_request(&server->metrics,
		    route ? (size_t)(route - routes) : ROUTES_COUNT, response.status,
		    now_us() - begun_us);
	*ret_response = response;
	return 0;
}

int number_parse(const char *text, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!text[0])
		return -TACIT_E_MALFORMED;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -TACIT_E_MALFORMED;
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > max)
			return -TACIT_E_MALFORMED;
	}

	*ret_number = number;
	return 0;
}

int exchange_parse_body(struct exchange *exchange, const char *const keys[], struct json **ret_json)
{
	const struct secret *body = exchange->request->body;
	cleanup_json struct json *json = NULL;
	const char *unknown;

	if (json_parse(secret_bytes(body), secret_len(body), &json, NULL) < 0 ||
	    !json_holds_object(json)) {
		exchange->detail = "the body is not a JSON object";
		return -TACIT_E_MALFORMED;
	}
	if (!json_only_keys(json, keys, &unknown)) {
		exchange->detail = "the body has a member that is not known here";
		return -TACIT_E_MALFORMED;
	}

	*ret_json = json;
	json = NULL;
	return 0;
}

int exchange_member_text(
    struct exchange *exchange, const struct json *json, const char *key, const char **ret_text)
{
	*ret_text = json_text_at(json, key);
	if (*ret_text || !json_has(json, key))
		return 0;

	exchange->detail = "a member of the body is not a text";
	return -TACIT_E_MALFORMED;
}

int exchange_answer_json(struct exchange *exchange, int status, const struct json *json)
{
	exchange->response->status = status;
	exchange->response->content_type = PROTO_TYPE_JSON;
	return json ? json_print(json, &exchange->response->body) : -ENOMEM;
}

int exchange_answer_empty(struct exchange *exchange)
{
	exchange->response->status = 204;
	return 0;
}

int json_set_time(struct json *json, const char *key, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm utc;
	char text[32];

	(void)gmtime_r(&when, &utc);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_set_text(json, key, text);
}

/* SPDX-License-Identifier: MIT */
#include "route_table.h"

#include <stdio.h>
#include <string.h>

#include "handlers.h"

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
    {"DELETE", "/v1/instance", "", NAME_NONE, ACCESS_SELF, "instance.leave", handle_instance_delete,
        0},

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

const struct route *route_find(
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

int route_take_name(const struct route *route, char *path, const char **ret_name)
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

size_t route_number(const struct route *route)
{
	return route ? (size_t)(route - routes) : ROUTES_COUNT;
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

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ROUTE_TABLE_H
#define TACIT_SERVER_ROUTE_TABLE_H

#include "exchange.h"

/*
 * The whole HTTP API as one table: which method and path lead to which handler, what a caller needs
 * to get there, and what the audit log calls it. Pure. The calls that others need of it are
 * declared in route.h: route_body_max() and route_each().
 */

/* What a caller needs to get past the door of a route. */
enum access {
	ACCESS_OPEN, /* nothing; these are the routes that the enrolment listener has too */
	ACCESS_JOIN, /* a join token, which the handler looks at; on the enrolment listener only */
	ACCESS_SELF, /* a certificate; the handler looks at each name */
	ACCESS_READ, /* the action of that name on the secret in the path */
	ACCESS_LIST,
	ACCESS_WRITE,
	ACCESS_DELETE,
	ACCESS_MANAGE, /* the action of that name */
	ACCESS_AUDIT,
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
	const char *event; /* for the audit log; NULL: nothing is recorded */
	exchange_handler *handler;
	size_t body_max_bytes; /* 0: no body */
};

/*
 * The route of a request. With NULL, *ret_allow says which methods the path has ("" when it is
 * unknown): for `/v1/secrets/NAME/versions` those of the versions only. It lasts until the thread's
 * next call.
 */
const struct route *route_find(
    enum door door, const char *method, const char *path, const char **ret_allow);

/*
 * Cuts the name out of the path and decodes it, both in place; *ret_name is untouched where the
 * route has none. -TACIT_E_INVALID_NAME, -TACIT_E_MALFORMED.
 */
int route_take_name(const struct route *route, char *path, const char **ret_name);

/* Its number in the table, by which it is counted; the number of all routes for NULL. */
size_t route_number(const struct route *route);

/* The name of a route by its number; see metrics.h. */
metrics_route_name route_describe;

#endif

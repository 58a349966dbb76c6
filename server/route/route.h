/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ROUTE_H
#define TACIT_SERVER_ROUTE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit.h"
#include "authority.h"
#include "clients.h"
#include "counters.h"
#include "durability.h"
#include "instances.h"
#include "limiter.h"
#include "metrics.h"
#include "refusals.h"
#include "secrets.h"
#include "tacit/join_token.h"
#include "tacit/proto.h"
#include "tacit/secret.h"
#include "tokens.h"
#include "vault.h"
#include "watch.h"

/*
 * From a request to its answer, without a socket in sight: the listener fills a struct request and
 * sends what comes back, and a test or a fuzzer does the same. One request at a time is in here;
 * route_handle takes the lock itself.
 */
#define AUDIT_READING_MS 600000 /* reading the log is recorded once in this time */

struct server {
	pthread_mutex_t mutex;
	struct vault *vault;
	struct authority *authority;
	struct secrets *secrets;
	struct clients *clients;
	struct tokens *tokens;
	struct audit *audit;
	struct durability *durability; /* NULL: commits wait for the disk themselves */
	struct watch watch;
	struct counters counters;
	struct metrics metrics;

	/* Where join tokens send people; "" while there is no enrolment listener. */
	char enroll_url[JOIN_TOKEN_URL_MAX_BYTES + 1];
	struct limiter *refusals;     /* of enrolment, by source address */
	struct limiter *all_refusals; /* of enrolment, from anywhere */
	struct limiter *renewals;     /* by client */
	struct limiter *readings;     /* of the audit log, by who asks and for what */
	uint64_t lines_told;          /* up to where those who follow the log were woken */
	struct refusals *unrecorded;  /* refusals that stand for more of their kind */
	struct instances *instances;  /* who has fetched what */
	uint64_t changes_told;        /* of the instances, as above */
};

/* Which listener a request came in by. */
enum door {
	DOOR_MAIN,      /* peers have shown a certificate */
	DOOR_ENROLMENT, /* peers are anybody */
};

#define ADDRESS_TEXT_BYTES 64
#define REQUEST_ID_BYTES   17

struct request {
	enum door door;
	const char *method;
	char *path; /* without the query, still percent-encoded; decoded in place */

	/* Who asks, as the TLS layer has found; NULL when no acceptable certificate was shown. */
	const struct certificate_identity *identity;
	char peer[ADDRESS_TEXT_BYTES];
	char id[REQUEST_ID_BYTES];

	/* Headers and query parameters; NULL when absent. */
	const char *accept;
	const char *if_match;
	const char *if_none_match;
	const char *prefer;
	const char *prefix;
	const char *after;
	const char *limit;
	const char *version;
	const char *file;
	const char *env;
	const char *mode;
	const char *keep_versions;
	const char *pattern;
	const char *deleted;
	const char *token_id;
	const char *seal_to;
	const char *since;
	const char *by_client; /* parameter `client` */
	const char *of_secret; /* parameter `secret` */
	const char *cursor;
	const char *instance;    /* header Tacit-Instance */
	const char *instance_id; /* header Tacit-Instance-Id */

	const struct secret *body; /* never NULL */

	/*
	 * Where the request waits if there is nothing new for it; NULL: it gets its answer now.
	 * `suspend` is called first, since from then on somebody may wake it.
	 */
	struct waiter *waiter;
	void (*suspend)(struct waiter *waiter);
	bool has_waited; /* it was looked at before, and its sender may be gone by now */

	/*
	 * What waits for the audit line of an answer while the answer is made; NULL: the line is
	 * waited for before. `defer` is called first, since from then on it may be released, and it
	 * will be. The answer must not leave before that, and not if it is released with an error.
	 */
	struct audit_ticket *ticket;
	void (*defer)(struct audit_ticket *ticket);
};

struct response {
	bool waits; /* there is no answer yet: the waiter will be woken, and asks again */
	int status;
	const char *content_type;
	char etag[PROTO_ETAG_MAX_BYTES]; /* "" for none */
	int retry_after_s;               /* 0 for none */
	const char *allow;               /* with 405 */
	uint64_t revision;               /* what it may tell of: see durability.h */
	struct secret *body;             /* owned by who receives the response; never NULL */
};

/*
 * Answers. Never fails: what goes wrong is a problem document; only when there is no memory even
 * for that, -ENOMEM, and the connection is closed without an answer.
 */
int route_handle(struct server *server, struct request *request, struct response *ret_response);

/*
 * Makes the answer to a request that cannot be handled a problem document instead; what `response`
 * held is freed. `detail` may be NULL. -ENOMEM.
 */
int response_fail(struct response *response, const char *request_id, int err, const char *detail);

/* To be called some times a second: upkeep of the audit log, and waking those who follow it or the
 * status. */
void route_tick(struct server *server);

/* What there is to count and measure, for Prometheus. Takes the lock itself. 0 or -ENOMEM. */
int route_print_metrics(struct server *server, struct secret **ret_text);

/* The largest body that this request may have; judged before any of it is read. */
size_t route_body_max(enum door door, const char *method, const char *path);

/*
 * Visits every route, in the order of the table: its method, and its path with `{name}` for a name
 * in it, such as `/v1/secrets/{name}/versions`. Both last as long as the call.
 */
void route_each(void (*visit)(void *context, const char *method, const char *path), void *context);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_METRICS_H
#define TACIT_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"
#include "tacit/secret.h"

/*
 * What a running server counts, for Prometheus. Everybody counts without a lock; whoever asks gets
 * numbers that may be a request apart. No name of a secret or a client is in here, nor can one get
 * in: the labels are routes, methods and classes of status.
 */
#define METRICS_ROUTES_MAX    64
#define METRICS_STATUS_MAX    6  /* 2 for 2xx, ... */
#define METRICS_DOORS         2  /* the main listener and that of enrolment, see route.h */
#define METRICS_DURATIONS_MAX 12 /* buckets of the histogram; see metrics.c */

struct metrics {
	atomic_uint_fast64_t requests[METRICS_ROUTES_MAX][METRICS_STATUS_MAX];
	atomic_uint_fast64_t durations[METRICS_DURATIONS_MAX + 1]; /* the last one has no bound */
	atomic_uint_fast64_t durations_us;                         /* their sum */

	struct metrics_door {
		atomic_uint_fast64_t accepted;
		atomic_uint_fast64_t refused; /* too many from one address */
		atomic_int_fast64_t open;
	} doors[METRICS_DOORS];
	atomic_uint_fast64_t handshakes_accepted;
	atomic_uint_fast64_t handshakes_resumed; /* of those */
	atomic_uint_fast64_t handshakes_refused;

	atomic_uint_fast64_t audit_lines;
	atomic_uint_fast64_t audit_failures;
	atomic_uint_fast64_t reloads;
	atomic_uint_fast64_t certificate_renewals;
};

static inline void metrics_add(atomic_uint_fast64_t *counter)
{
	(void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* `route` is its number in route_table.c, or their count for a path that has none. */
void metrics_count_request(struct metrics *metrics, size_t route, int status, int64_t duration_us);

/* `err` is what audit_write() returned. */
void metrics_count_audit(struct metrics *metrics, int err);

/* What is looked at when somebody asks, instead of being counted. */
struct metrics_gauges {
	uint64_t secrets, clients, tokens, waiters, revision;
	int64_t server_certificate_expiry; /* seconds since the epoch */
	int64_t ca_certificate_expiry;
	bool audit_available, memory_locked;
	const struct counters *counters; /* what route.h counts itself */
};

/* The method and path of a route, "/v1/secrets/{name}"; 0, or -TACIT_E_NOT_FOUND behind the last.
 */
typedef int metrics_route_name(size_t route, const char **ret_method, char *ret_path, size_t size);

/* Prometheus's text format, version 0.0.4. 0 or -ENOMEM. */
int metrics_print(const struct metrics *metrics, const struct metrics_gauges *gauges,
    metrics_route_name *route_name, struct secret **ret_text);

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif

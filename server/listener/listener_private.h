/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LISTENER_PRIVATE_H
#define TACIT_SERVER_LISTENER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "listener.h"
#include "peers.h"

/*
 * What the parts of the listener share: listener.c takes connections and reaps them,
 * listener_tls.c says who the peer is, listener_request.c judges and reads a request,
 * listener_http.c answers it. listener_sealed.c stands in for all of them while the store is
 * sealed.
 */
struct MHD_Connection;

struct listener {
	enum door door;
	struct server *server;
	struct MHD_Daemon *daemon;
	struct listener_tls *tls;
	struct peers *peers;

	pthread_mutex_t mutex; /* guards the list of connections */
	struct connection *connections;
	pthread_t reaper;
	bool reaper_runs;
	int audit_told; /* see audit_report.h; the reaper's */
	atomic_bool stopping;
	atomic_int requests_under_way;
	atomic_uint_fast64_t next_request;
};

struct connection {
	struct listener *listener;
	struct connection *previous, *next;
	int fd;
	void *session;                   /* GnuTLS's */
	struct credentials *credentials; /* that it began with */
	char peer[ADDRESS_TEXT_BYTES];
	struct peer *peer_count;
	atomic_llong progress_s; /* when it was made, or completed a request */
	bool said_hello;         /* in TLS */
	bool was_answered;       /* so we have a protocol in common */
	bool was_asked;          /* for its certificate, and has sent something in its place */
	bool identified;         /* whether `identity` has been looked for */
	bool accepted;           /* whether it has been found */
	struct certificate_identity identity;
};

/* Seconds on a clock that is cheap to read. */
int64_t listener_now_s(void);

/* The context of a connection; NULL when there was no memory for one. */
struct connection *connection_of(struct MHD_Connection *mhd_connection);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SERVICE_H
#define TACIT_SERVER_SERVICE_H

#include "listener.h"
#include "route.h"

/*
 * What the main thread does while others answer: it waits for signals, renews the server's
 * certificate in time, and tells the service manager how we are.
 */
struct service {
	struct server *server;
	struct listener *listeners[2]; /* the second may be NULL */
	int dirfd;                     /* of the store */
	const char *status; /* one line for the service manager, "Listening on https://..." */
};

/* Until SIGTERM or SIGINT. */
void service_run(struct service *service);

/*
 * What SIGHUP does: a new certificate of the server, shown to whoever connects from now on, and
 * fresh log files. Connections and requests under way do not notice. What fails is said, and does
 * not keep the rest from being done.
 */
void service_reload(struct service *service);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LISTENER_H
#define TACIT_SERVER_LISTENER_H

#include "route.h"
#include "tacit/err.h"

/*
 * Listeners: TLS 1.3, then HTTP/1.1, and every request goes through route_handle(). libmicrohttpd
 * and GnuTLS's sessions are not seen outside of listener*.c.
 *
 * DOOR_MAIN wants a client certificate from our CA, or there is no connection. DOOR_ENROLMENT
 * asks for none, and so gives less of everything: see the limits in listener.c.
 *
 * What a peer can hold on to: a connection that has not completed a request for some time is
 * closed, whatever it trickles; headers fit into LISTENER_HEADERS_MAX_BYTES; a body is judged by
 * its Content-Length before it is read.
 */
struct listener;

#define LISTENER_HEADERS_MAX_BYTES 4096

/*
 * Binds `address` (of the option --listen or --enroll-listen: "HOST:PORT", "[::1]:8443", ":8443"
 * for all addresses; port 0 picks one) and starts serving. *ret_url is where, for people. -errno,
 * -TACIT_E_INVALID_URL.
 */
int listener_start(struct server *server, enum door door, const char *address,
    struct listener **ret_listener, char ret_url[static 320], struct fault *fault);

/* Takes no new connections, waits up to `drain_ms` for requests under way, and stops. */
void listener_stop(struct listener *listener, int drain_ms);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LISTENER_H
#define TACIT_SERVER_LISTENER_H

#include "route.h"
#include "tacit/err.h"

/*
 * Listeners: TLS 1.3, then HTTP/1.1, and every request goes through route_handle(). libmicrohttpd
 * and GnuTLS's sessions are not seen outside of listener*.c.
 *
 * What a peer can hold on to: a connection that has not completed a request for some time is
 * closed, whatever it trickles; headers fit into LISTENER_HEADERS_MAX_BYTES; a body is judged by
 * its Content-Length before it is read; and one address gets a part of the connections only.
 */
struct listener;

#define LISTENER_HEADERS_MAX_BYTES 4096

/*
 * Starts serving on a socket that listens already, and takes it over when that succeeds. One
 * address may have `per_address` connections; 0 stands for what the door has by itself.
 */
int listener_start(struct server *server, enum door door, int *fd, unsigned per_address,
    struct listener **ret_listener, struct fault *fault);

/*
 * Shows the server's certificate as the authority has it now to whoever connects from now on;
 * connections that are there are left alone. -ENOMEM, -TACIT_E_INTERNAL; then the old one stays.
 */
int listener_reload(struct listener *listener, struct fault *fault);

/* Takes no new connections, waits up to `drain_ms` for requests under way, and stops. */
void listener_stop(struct listener *listener, int drain_ms);

#endif

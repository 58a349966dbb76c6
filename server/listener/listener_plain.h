/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LISTENER_PLAIN_H
#define TACIT_SERVER_LISTENER_PLAIN_H

#include "route.h"
#include "tacit/err.h"

/*
 * The listener of --metrics-listen: plain HTTP without any authentication, for /metrics and
 * /v1/health and nothing else. Neither has a secret or the name of one in it.
 */
struct listener_plain;

/*
 * Serves on a socket that listens already, and takes it over when that succeeds. Until there is a
 * server to ask, the answer is that it is sealed.
 */
int listener_plain_start(int *fd, struct listener_plain **ret_listener, struct fault *fault);

/* From now on `server` is asked. NULL for the listener is allowed, here and below. */
void listener_plain_open(struct listener_plain *listener, struct server *server);
void listener_plain_stop(struct listener_plain *listener);

#endif

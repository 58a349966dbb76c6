/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_HEALTH_H
#define TACIT_SERVER_HEALTH_H

#include "route.h"
#include "tacit/err.h"

/*
 * What GET /v1/health says, for those who come by the control socket: 0, or -TACIT_E_UNHEALTHY with
 * its word for what is wrong. `dir` is for the message.
 */
int health_check(struct server *server, const char *dir, struct fault *fault);

#endif

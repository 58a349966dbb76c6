/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SOCKETS_H
#define TACIT_SERVER_SOCKETS_H

#include "activation.h"
#include "authority.h"
#include "config.h"

/*
 * Binds what the options want and the service manager has not passed: `fds` holds what it has, and
 * -1 elsewhere. `authority` is NULL while the store is sealed: then the main address has to be
 * given. -TACIT_E_USAGE and what socket_listen() returns; what was bound by then stays in `fds`.
 */
int sockets_open(const struct config *config, const struct authority *authority,
    int fds[static LISTENERS_COUNT], struct fault *fault);

/*
 * Where join tokens send people: what --enroll-url says, or else the server's host at the port of
 * the socket `fd`. -TACIT_E_INVALID_URL.
 */
int sockets_enroll_url(const struct config *config, const struct authority *authority, int fd,
    char *ret_text, size_t size, struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SOCKET_H
#define TACIT_SERVER_SOCKET_H

#include <sys/socket.h>

#include "tacit/err.h"

/*
 * Returns a listening TCP socket for "HOST:PORT" as listener.h describes, or a negative error;
 * `option` is where the address comes from, for the fault.
 */
int socket_listen(const char *option, const char *address, struct fault *fault);

/* "127.0.0.1:8443", "[::1]:8443" */
void socket_address_text(
    const struct sockaddr *address, socklen_t len, char *ret_text, size_t size);

#endif

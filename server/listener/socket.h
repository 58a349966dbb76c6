/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SOCKET_H
#define TACIT_SERVER_SOCKET_H

#include <sys/socket.h>

#include "tacit/err.h"

/*
 * Returns a listening TCP socket for "HOST:PORT" ("[::1]:8443", ":8443" for all addresses; port 0
 * picks one), or a negative error: -errno, -TACIT_E_INVALID_URL, -TACIT_E_RESOLVE. `option` is what
 * the fault says it came from, "--listen".
 */
int socket_listen(const char *option, const char *address, struct fault *fault);

/* Where a socket listens: "https://127.0.0.1:8443". */
#define SOCKET_URL_BYTES 320
void socket_url(int fd, const char *scheme, char ret_url[static SOCKET_URL_BYTES]);

/* "127.0.0.1:8443", "[::1]:8443" */
void socket_address_text(
    const struct sockaddr *address, socklen_t len, char *ret_text, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_RESOLVE_H
#define TACIT_RESOLVE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tacit/url.h"

#define ADDRESSES_MAX 16

struct address {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} socket;
};

/*
 * The addresses of a URL's host, in the order to try them. Numeric ones take no system call.
 * -TACIT_E_RESOLVE when there is none, -TACIT_E_TIMEOUT, -errno.
 */
int resolve_url(const struct url *url, int64_t deadline_ms,
    struct address ret_addresses[static ADDRESSES_MAX], size_t *ret_count);

#endif

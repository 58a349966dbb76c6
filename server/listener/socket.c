/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tacit/fd.h"

struct host_port {
	char host[256];
	char port[16];
};

/* getaddrinfo(3) takes 99999 for 34463. */
static bool is_port(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && !*end && port <= UINT16_MAX;
}

static int address_split(const char *address, struct host_port *ret_parts)
{
	const char *colon = strrchr(address, ':');
	const char *host = address;
	size_t host_len;

	if (!colon || strlen(colon + 1) >= sizeof(ret_parts->port) || !is_port(colon + 1))
		return -TACIT_E_INVALID_URL;

	host_len = (size_t)(colon - address);
	if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
		host++;
		host_len -= 2;
	}
	if (host_len >= sizeof(ret_parts->host))
		return -TACIT_E_INVALID_URL;

	memcpy(ret_parts->host, host, host_len);
	ret_parts->host[host_len] = '\0';
	(void)snprintf(ret_parts->port, sizeof(ret_parts->port), "%s", colon + 1);
	return 0;
}

static int candidate_listen(const struct addrinfo *candidate)
{
	cleanup_fd int fd = socket(candidate->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1, off = 0;

	if (fd < 0)
		return -errno;

	/* A restart must not wait for old connections to time out; [::] takes IPv4 too. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (candidate->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, candidate->ai_addr, candidate->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;

	return fd_take(&fd);
}

/* For all addresses IPv6 comes first, since a socket of that family takes both. */
static int candidates_listen(const struct addrinfo *candidates, int family)
{
	int r = -EADDRNOTAVAIL;

	for (const struct addrinfo *at = candidates; at && r < 0; at = at->ai_next)
		if (family == AF_UNSPEC || at->ai_family == family)
			r = candidate_listen(at);

	return r;
}

int socket_listen(const char *option, const char *address, struct fault *fault)
{
	static const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct host_port parts;
	struct addrinfo *candidates = NULL;
	int r = address_split(address, &parts);

	if (r < 0)
		return fault_set_why(fault, r, "want ADDRESS:PORT", "%s %s", option, address);
	if (getaddrinfo(parts.host[0] ? parts.host : NULL, parts.port, &hints, &candidates) != 0)
		return fault_set(fault, -TACIT_E_RESOLVE, "%s %s", option, address);

	r = parts.host[0] ? -EADDRNOTAVAIL : candidates_listen(candidates, AF_INET6);
	if (r < 0)
		r = candidates_listen(candidates, AF_UNSPEC);
	freeaddrinfo(candidates);
	return r < 0 ? fault_set(fault, r, "%s %s", option, address) : r;
}

/* A socket for both families shows IPv4 peers as ::ffff:192.0.2.1 (RFC 4291, 2.5.5.2). */
static bool address_unmap(const struct sockaddr *address, struct sockaddr_in *ret_plain)
{
	const struct sockaddr_in6 *mapped = (const struct sockaddr_in6 *)(const void *)address;

	if (address->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&mapped->sin6_addr))
		return false;

	*ret_plain = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = mapped->sin6_port};
	memcpy(&ret_plain->sin_addr, mapped->sin6_addr.s6_addr + 12, 4);
	return true;
}

void socket_address_text(const struct sockaddr *address, socklen_t len, char *ret_text, size_t size)
{
	char host[128] = "?", port[16] = "?";
	struct sockaddr_in plain;

	if (address_unmap(address, &plain)) {
		address = (const struct sockaddr *)&plain;
		len = sizeof(plain);
	}
	(void)getnameinfo(
	    address, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(ret_text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

void socket_url(int fd, const char *scheme, char ret_url[static SOCKET_URL_BYTES])
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	char text[256] = "?";

	if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		socket_address_text((struct sockaddr *)&address, len, text, sizeof(text));
	(void)snprintf(ret_url, SOCKET_URL_BYTES, "%s://%s", scheme, text);
}

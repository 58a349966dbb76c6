/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolve.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "tls_private.h"

int tls_socket_wait(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = events};
		int left_ms = deadline_left_ms(deadline_ms);
		int count;

		if (left_ms == 0)
			return -TACIT_E_TIMEOUT;
		count = poll(&ready, 1, left_ms);
		if (count > 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -errno;
	}
}

static int socket_finish_connect(int fd, int64_t deadline_ms)
{
	socklen_t len = sizeof(int);
	int error = 0;
	int r;

	r = tls_socket_wait(fd, POLLOUT, deadline_ms);
	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;

	return -error;
}

/* A connected descriptor, or an error. */
static int socket_connect(const struct address *address, int64_t deadline_ms)
{
	cleanup_fd int fd = -1;
	int on = 1;
	int r = 0;

	fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;

	/* Or the handshake waits 40 ms for a delayed acknowledgement. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &address->socket.any, address->len) < 0)
		r = errno == EINPROGRESS ? socket_finish_connect(fd, deadline_ms) : -errno;
	if (r < 0)
		return r;

	return fd_take(&fd);
}

/* One address that swallows everything must leave time for the others. */
static int64_t deadline_share(int64_t deadline_ms, size_t tries_left)
{
	return deadline_in_ms(deadline_left_ms(deadline_ms) / (int64_t)tries_left);
}

/* The first failure is the one that is told: the first address is the one that was meant. */
int tls_socket_connect(const struct url *url, int64_t deadline_ms)
{
	struct address addresses[ADDRESSES_MAX];
	size_t count;
	int first = 0;
	int r;

	r = resolve_url(url, deadline_ms, addresses, &count);
	if (r < 0)
		return r;

	for (size_t i = 0; i < count; i++) {
		r = socket_connect(&addresses[i], deadline_share(deadline_ms, count - i));
		if (r >= 0)
			return r;
		if (first == 0)
			first = r;
	}

	return first;
}

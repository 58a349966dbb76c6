/* SPDX-License-Identifier: MIT */
#include "resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tacit/deadline.h"
#include "tacit/err.h"
#include "tacit/fd.h"

static bool resolve_numeric(const struct url *url, struct address *ret_address)
{
	struct address address = {0};
	in_port_t port = htons((uint16_t)strtoul(url->port, NULL, 10));

	if (inet_pton(AF_INET, url->host, &address.socket.ipv4.sin_addr) == 1) {
		address.socket.ipv4.sin_family = AF_INET;
		address.socket.ipv4.sin_port = port;
		address.len = sizeof(address.socket.ipv4);
	} else if (inet_pton(AF_INET6, url->host, &address.socket.ipv6.sin6_addr) == 1) {
		address.socket.ipv6.sin6_family = AF_INET6;
		address.socket.ipv6.sin6_port = port;
		address.len = sizeof(address.socket.ipv6);
	} else {
		return false;
	}

	*ret_address = address;
	return true;
}

static void write_addresses(int fd, const struct addrinfo *info)
{
	for (size_t count = 0; info && count < ADDRESSES_MAX; info = info->ai_next) {
		struct address address = {.len = info->ai_addrlen};

		if (address.len > sizeof(address.socket))
			continue;
		memcpy(&address.socket, info->ai_addr, address.len);
		if (fd_write_all(fd, &address, sizeof(address)) < 0)
			return;
		count++;
	}
}

/* Runs in the child: getaddrinfo(3) knows no deadline, but a process can be killed. */
static void __attribute__((noreturn)) resolver_main(const struct url *url, int fd)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *info = NULL;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Static glibc would otherwise load the modules of the image's nsswitch.conf. */
	(void)__nss_configure_lookup("hosts", "files dns");
	if (getaddrinfo(url->host, url->port, &hints, &info) == 0)
		write_addresses(fd, info);
	_exit(0);
}

/* Reads what the child writes, until it closes the pipe. */
static int read_addresses(int fd, int64_t deadline_ms, void *buffer, size_t size, size_t *ret_len)
{
	char *bytes = buffer;
	size_t len = 0;

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int left_ms = deadline_left_ms(deadline_ms);
		ssize_t got;

		if (left_ms == 0)
			return -TACIT_E_TIMEOUT;
		if (poll(&ready, 1, left_ms) <= 0)
			continue;
		got = read(fd, bytes + len, size - len);
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
	}

	*ret_len = len;
	return 0;
}

static int pipe_open(int *ret_read_fd, int *ret_write_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;

	*ret_read_fd = ends[0];
	*ret_write_fd = ends[1];
	return 0;
}

static int resolve_in_child(const struct url *url, int64_t deadline_ms,
    struct address ret_addresses[static ADDRESSES_MAX], size_t *ret_count)
{
	cleanup_fd int read_fd = -1;
	cleanup_fd int write_fd = -1;
	size_t len = 0;
	pid_t child;
	int r;

	r = pipe_open(&read_fd, &write_fd);
	if (r < 0)
		return r;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		resolver_main(url, write_fd);

	fd_cleanup(&write_fd);
	r = read_addresses(
	    read_fd, deadline_ms, ret_addresses, ADDRESSES_MAX * sizeof(*ret_addresses), &len);
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;

	*ret_count = len / sizeof(*ret_addresses);
	return *ret_count > 0 ? 0 : -TACIT_E_RESOLVE;
}

int resolve_url(const struct url *url, int64_t deadline_ms,
    struct address ret_addresses[static ADDRESSES_MAX], size_t *ret_count)
{
	if (resolve_numeric(url, ret_addresses)) {
		*ret_count = 1;
		return 0;
	}

	return resolve_in_child(url, deadline_ms, ret_addresses, ret_count);
}

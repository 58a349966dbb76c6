/* SPDX-License-Identifier: MIT */
#include "audit_copy.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "tacit/fd.h"

struct audit_copy {
	struct sockaddr_un address;
	int fd; /* never connected, so that a listener that was started anew is found again */
	atomic_uint_fast64_t lost;
	uint64_t lost_told;
	char tag[48];
};

void audit_copy_free(struct audit_copy *copy)
{
	if (!copy)
		return;

	fd_cleanup(&copy->fd);
	free(copy);
}

uint64_t audit_copy_lost(const struct audit_copy *copy)
{
	return atomic_load(&copy->lost);
}

static int address_fill(const char *path, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;

	memcpy(ret_address->sun_path, path, strlen(path) + 1);
	return 0;
}

/* A datagram socket, so it does not wait. The sandbox lets no other be made later. */
static int socket_make(const struct sockaddr_un *address, int *ret_fd)
{
	const int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	cleanup_fd int probe = socket(AF_UNIX, type, 0);
	int fd;

	if (probe < 0 || connect(probe, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	fd = socket(AF_UNIX, type, 0);
	if (fd < 0)
		return -errno;

	*ret_fd = fd;
	return 0;
}

int audit_copy_new(const char *path, struct audit_copy **ret_copy, struct fault *fault)
{
	struct audit_copy *copy = calloc(1, sizeof(*copy));
	int r;

	if (!copy)
		return fault_set(fault, -ENOMEM, "%s", path);

	copy->fd = -1;
	(void)snprintf(copy->tag, sizeof(copy->tag),
	    "<%d>tacit-server[%d]: ", LOG_AUTHPRIV | LOG_INFO, (int)getpid());
	r = address_fill(path, &copy->address);
	if (r == 0)
		r = socket_make(&copy->address, &copy->fd);
	if (r < 0) {
		audit_copy_free(copy);
		return fault_set(fault, r, "%s", path);
	}

	*ret_copy = copy;
	return 0;
}

static bool datagram_send(struct audit_copy *copy, const char *text, size_t len)
{
	struct iovec parts[] = {
	    {copy->tag, strlen(copy->tag)},
	    {(void *)(uintptr_t)text, len},
	};
	const struct msghdr message = {
	    .msg_name = &copy->address,
	    .msg_namelen = sizeof(copy->address),
	    .msg_iov = parts,
	    .msg_iovlen = 2,
	};

	return sendmsg(copy->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* Says so before the line that gets through again, where the gap is. */
static bool tell_lost(struct audit_copy *copy)
{
	uint64_t lost = atomic_load(&copy->lost);
	char text[80];
	int len;

	if (lost == copy->lost_told)
		return true;

	len = snprintf(text, sizeof(text), "{\"event\":\"audit.copy_lost\",\"lines\":%llu}",
	    (unsigned long long)(lost - copy->lost_told));
	if (!datagram_send(copy, text, (size_t)len))
		return false;

	copy->lost_told = lost;
	return true;
}

void audit_copy_send(struct audit_copy *copy, const char *lines, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(lines, '\n', len);
		size_t line_len = newline ? (size_t)(newline - lines) : len;

		if (!tell_lost(copy) || !datagram_send(copy, lines, line_len))
			(void)atomic_fetch_add(&copy->lost, 1);
		lines += line_len + (newline ? 1 : 0);
		len -= line_len + (newline ? 1 : 0);
	}
}

/* SPDX-License-Identifier: MIT */
#include "activation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASSED_FIRST_FD 3
#define PASSED_MAX      16

static const char *const name_texts[LISTENERS_COUNT] = {
    [LISTENER_MAIN] = "main",
    [LISTENER_ENROLL] = "enroll",
    [LISTENER_METRICS] = "metrics",
};

const char *listener_name_text(enum listener_name name)
{
	return name_texts[name];
}

/* LISTENERS_COUNT when it is none of ours. */
static enum listener_name name_find(const char *text, size_t len)
{
	enum listener_name name = LISTENER_MAIN;

	while (name < LISTENERS_COUNT &&
	       (strlen(name_texts[name]) != len || memcmp(name_texts[name], text, len) != 0))
		name++;

	return name;
}

static int socket_option(int fd, int option, int *ret_value)
{
	socklen_t len = sizeof(*ret_value);

	return getsockopt(fd, SOL_SOCKET, option, ret_value, &len) < 0 ? -errno : 0;
}

static bool listens_on_tcp(int fd)
{
	int type = 0, domain = 0, listens = 0;

	return socket_option(fd, SO_TYPE, &type) == 0 && type == SOCK_STREAM &&
	       socket_option(fd, SO_DOMAIN, &domain) == 0 &&
	       (domain == AF_INET || domain == AF_INET6) &&
	       socket_option(fd, SO_ACCEPTCONN, &listens) == 0 && listens;
}

static int socket_take(
    int fd, enum listener_name name, int fds[static LISTENERS_COUNT], struct fault *fault)
{
	if (fds[name] >= 0)
		return fault_set_why(fault, -TACIT_E_USAGE, "passed twice", "LISTEN_FDS: socket %s",
		    name_texts[name]);
	if (!listens_on_tcp(fd))
		return fault_set_why(fault, -TACIT_E_USAGE, "not a listening TCP socket",
		    "LISTEN_FDS: socket %s", name_texts[name]);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return fault_set(fault, -errno, "LISTEN_FDS: socket %s", name_texts[name]);

	fds[name] = fd;
	return 0;
}

static int sockets_take(
    int count, const char *names, int fds[static LISTENERS_COUNT], struct fault *fault)
{
	int r = 0;

	for (int i = 0; r == 0 && i < count; i++) {
		size_t len = strcspn(names, ":");
		enum listener_name name = name_find(names, len);

		if (name == LISTENERS_COUNT && count == 1)
			name = LISTENER_MAIN;
		if (name == LISTENERS_COUNT)
			return fault_set_why(fault, -TACIT_E_USAGE,
			    "FileDescriptorName= must be main, enroll or metrics",
			    "LISTEN_FDS: socket %.*s", (int)(len > 64 ? 64 : len), names);
		r = socket_take(PASSED_FIRST_FD + i, name, fds, fault);
		names += len + (names[len] == ':');
	}

	return r;
}

static int number_of(const char *variable, int *ret_number)
{
	const char *text = getenv(variable);
	char *end;
	long number;

	if (!text)
		return -TACIT_E_NOT_FOUND;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end || number < 0 || number > INT_MAX)
		return -TACIT_E_MALFORMED;

	*ret_number = (int)number;
	return 0;
}

/* How many sockets were passed to this very process, and not to one that we descend from. */
static int passed_count(int *ret_count, struct fault *fault)
{
	int pid, r = number_of("LISTEN_PID", &pid);

	*ret_count = 0;
	if (r == -TACIT_E_NOT_FOUND || (r == 0 && pid != getpid()))
		return 0;
	if (r == 0)
		r = number_of("LISTEN_FDS", ret_count);
	if (r == -TACIT_E_NOT_FOUND)
		return 0;
	if (r < 0 || *ret_count > PASSED_MAX)
		return fault_set(fault, -TACIT_E_MALFORMED, "LISTEN_FDS");

	return 0;
}

int activation_take(int ret_fds[static LISTENERS_COUNT], struct fault *fault)
{
	static const char *const variables[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
	const char *names = getenv("LISTEN_FDNAMES");
	int count, r = passed_count(&count, fault);

	for (int i = 0; i < LISTENERS_COUNT; i++)
		ret_fds[i] = -1;
	if (r == 0)
		r = sockets_take(count, names ? names : "", ret_fds, fault);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		(void)unsetenv(variables[i]);

	return r;
}

/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tacit/err.h"
#include "tacit/fd.h"

#define PATIENCE_MAX_MS 60000

static int notify_fd = -1;
static int64_t watchdog_ms;

/* A path, or `@` and a name in the abstract namespace; anything else is reserved. */
static int address_parse(const char *text, struct sockaddr_un *ret_address, socklen_t *ret_len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(address.sun_path))
		return -TACIT_E_MALFORMED;

	memcpy(address.sun_path, text, len);
	if (text[0] == '@')
		address.sun_path[0] = '\0';
	*ret_address = address;
	/* The NUL ends a path, but would be part of an abstract name. */
	*ret_len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/' ? 1 : 0));
	return 0;
}

/* Connected for good: a sandbox that lets nothing be connected leaves this one open. */
static int notify_connect(const char *text)
{
	struct sockaddr_un address;
	socklen_t len;
	cleanup_fd int fd = -1;
	int r = address_parse(text, &address, &len);

	if (r < 0)
		return r;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, len) < 0)
		return -errno;

	notify_fd = fd_take(&fd);
	return 0;
}

/* WATCHDOG_USEC is meant for us unless WATCHDOG_PID says otherwise: sd_watchdog_enabled(3). */
static int64_t watchdog_read(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	const char *interval = getenv("WATCHDOG_USEC");
	long long interval_us;

	if (!interval || (pid && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;

	interval_us = strtoll(interval, NULL, 10);
	return interval_us > 0 ? interval_us / 1000 : 0;
}

int notify_begin(void)
{
	static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"};
	const char *socket_name = getenv("NOTIFY_SOCKET");
	int r = 0;

	notify_end();
	if (socket_name && socket_name[0]) {
		r = notify_connect(socket_name);
		watchdog_ms = r == 0 ? watchdog_read() : 0;
	}
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		(void)unsetenv(variables[i]);

	return r;
}

static void notify_send(const char *message)
{
	if (notify_fd >= 0)
		(void)send(notify_fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void notify_ready(const char *status)
{
	char message[512];

	(void)snprintf(message, sizeof(message), "READY=1\nSTATUS=%s\n", status);
	notify_send(message);
}

void notify_reloading(void)
{
	char message[96];
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%lld\n",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_send(message);
}

void notify_stopping(void)
{
	notify_send("STOPPING=1\nSTATUS=Stopping\n");
}

void notify_alive(void)
{
	if (watchdog_ms > 0)
		notify_send("WATCHDOG=1\n");
}

int64_t notify_patience_ms(void)
{
	return watchdog_ms > 0 && watchdog_ms / 3 < PATIENCE_MAX_MS ? watchdog_ms / 3
	                                                            : PATIENCE_MAX_MS;
}

void notify_end(void)
{
	fd_cleanup(&notify_fd);
	watchdog_ms = 0;
}

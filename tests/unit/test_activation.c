/* SPDX-License-Identifier: MIT */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "activation.h"
#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a service manager passes, one letter a descriptor: t(cp, listening) b(ound only) u(dp). */
static void pass(const char *kinds)
{
	const struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	for (int i = 0; kinds[i]; i++) {
		int fd = socket(AF_INET, kinds[i] == 'u' ? SOCK_DGRAM : SOCK_STREAM, 0);

		if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		    (kinds[i] == 't' && listen(fd, 1) < 0) || (fd != 3 + i && dup2(fd, 3 + i) < 0))
			_exit(99);
	}
}

struct row {
	const char *name;
	const char *kinds;
	const char *fds;   /* LISTEN_FDS; NULL: as many as there are */
	const char *names; /* LISTEN_FDNAMES; NULL */
	const char *pid;   /* LISTEN_PID; NULL: ours */
	int expected;
	int taken[LISTENERS_COUNT];
	const char *what; /* part of the fault */
};

/* In a child, since it is about the descriptors from 3 on. */
static int take(const struct row *row)
{
	char text[24];
	int fds[LISTENERS_COUNT], r;
	struct fault fault = {0};

	closefrom(3);
	pass(row->kinds);
	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	(void)setenv("LISTEN_PID", row->pid ? row->pid : text, 1);
	(void)snprintf(text, sizeof(text), "%zu", strlen(row->kinds));
	(void)setenv("LISTEN_FDS", row->fds ? row->fds : text, 1);
	if (row->names)
		(void)setenv("LISTEN_FDNAMES", row->names, 1);

	r = activation_take(fds, &fault);
	if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
		return 1;
	if (r != row->expected)
		return 2;
	if (r < 0)
		return strstr(fault.what, row->what) || strstr(fault.why, row->what) ? 0 : 3;
	return memcmp(fds, row->taken, sizeof(fds)) == 0 ? 0 : 4;
}

static const struct row rows[] = {
    {"nothing was passed", "", NULL, NULL, NULL, 0, {-1, -1, -1}, NULL},
    {"one, without a name", "t", NULL, NULL, NULL, 0, {3, -1, -1}, NULL},
    {"one, with a unit's name", "t", NULL, "tacit-server.socket", NULL, 0, {3, -1, -1}, NULL},
    {"one, for enrolment", "t", NULL, "enroll", NULL, 0, {-1, 3, -1}, NULL},
    {"all, in any order", "ttt", NULL, "metrics:main:enroll", NULL, 0, {4, 5, 3}, NULL},
    {"for another process", "u", NULL, NULL, "1", 0, {-1, -1, -1}, NULL},
    {"not a number", "t", NULL, NULL, "x", -TACIT_E_MALFORMED, {0}, "LISTEN_FDS"},
    {"not a count", "t", "-1", NULL, NULL, -TACIT_E_MALFORMED, {0}, "LISTEN_FDS"},
    {"too many", "t", "1000", NULL, NULL, -TACIT_E_MALFORMED, {0}, "LISTEN_FDS"},
    {"an unknown name", "tt", NULL, "main:web", NULL, -TACIT_E_USAGE, {0}, "socket web"},
    {"two without a name", "tt", NULL, NULL, NULL, -TACIT_E_USAGE, {0}, "FileDescriptorName="},
    {"twice the same", "tt", NULL, "main:main", NULL, -TACIT_E_USAGE, {0}, "passed twice"},
    {"a datagram socket", "u", NULL, "main", NULL, -TACIT_E_USAGE, {0}, "not a listening"},
    {"one that does not listen", "b", NULL, "main", NULL, -TACIT_E_USAGE, {0}, "not a listening"},
    {"more than there are", "t", "2", "main:enroll", NULL, -TACIT_E_USAGE, {0}, "socket enroll"},
};

static void sockets_are_taken_by_their_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(take(&rows[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		if (status != 0)
			print_message("# %s\n", rows[i].name);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sockets_are_taken_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

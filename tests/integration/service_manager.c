/* SPDX-License-Identifier: MIT */
/*
 * A small service manager: binds sockets, passes them on and writes down what it is told.
 * usage: service_manager LOG [NAME=tcp|udp]... -- COMMAND [ARG]...
 *
 * Each NAME is a socket on a free port of 127.0.0.1, passed as sd_listen_fds(3) says; `socket NAME
 * PORT` is printed for each. LOG gets a line for each datagram, its newlines as blanks. TERM and
 * HUP go on to the command, whose exit code is ours.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD    3
#define SOCKETS_MAX 8

static volatile sig_atomic_t child;

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static void pass_on(int signal_number)
{
	if (child > 0)
		(void)kill((pid_t)child, signal_number);
}

static int socket_make(int type)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 16) < 0))
		die("socket");
	return fd;
}

static void socket_announce(int fd, const char *name)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("getsockname");
	(void)printf("socket %s %u\n", name, ntohs(address.sin_port));
	(void)fflush(stdout);
}

/* Makes the sockets and leaves them at the descriptors where they are looked for. */
static int sockets_make(int count, char *rows[], char *ret_names, size_t size)
{
	ret_names[0] = '\0';
	if (count > SOCKETS_MAX)
		die("too many");
	for (int i = 0; i < count; i++) {
		char *kind = strchr(rows[i], '=');
		int fd;

		if (!kind)
			die(rows[i]);
		*kind++ = '\0';
		fd = socket_make(!strcmp(kind, "udp") ? SOCK_DGRAM : SOCK_STREAM);
		if (fd != FIRST_FD + i && (dup2(fd, FIRST_FD + i) < 0 || close(fd) < 0))
			die("dup2");
		socket_announce(FIRST_FD + i, rows[i]);
		(void)snprintf(ret_names + strlen(ret_names), size - strlen(ret_names), "%s%s",
		    i > 0 ? ":" : "", rows[i]);
	}

	return count;
}

static int notify_listen(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "notify.sock"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)unlink(address.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(address.sun_path);
	return fd;
}

static void command_run(int count, const char *names, char *argv[])
{
	char number[24], path[4096];

	if (!getcwd(path, sizeof(path) - 16))
		die("getcwd");
	strcat(path, "/notify.sock");
	(void)setenv("NOTIFY_SOCKET", path, 1);
	if (count > 0) {
		(void)snprintf(number, sizeof(number), "%d", count);
		(void)setenv("LISTEN_FDS", number, 1);
		(void)setenv("LISTEN_FDNAMES", names, 1);
		(void)snprintf(number, sizeof(number), "%d", (int)getpid());
		(void)setenv("LISTEN_PID", number, 0); /* a test may say something else */
	}
	execvp(argv[0], argv);
	die(argv[0]);
}

static void datagrams_log(int fd, FILE *log)
{
	char text[4096];
	ssize_t len;

	while ((len = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) >= 0) {
		for (ssize_t i = 0; i < len; i++)
			if (text[i] == '\n')
				text[i] = ' ';
		text[len] = '\0';
		(void)fprintf(log, "%s\n", text);
	}
	(void)fflush(log);
}

int main(int argc, char *argv[])
{
	char names[256];
	FILE *log = argc > 3 ? fopen(argv[1], "we") : NULL;
	int first = 2, status, count, fd;
	struct pollfd ready;

	while (first < argc && strcmp(argv[first], "--") != 0)
		first++;
	if (!log || first + 1 >= argc)
		die("usage");

	/* Out of the way of what is passed on. */
	if (dup3(fileno(log), 40, O_CLOEXEC) < 0 || !(log = fdopen(40, "we")))
		die("log");
	(void)close(FIRST_FD);
	count = sockets_make(first - 2, argv + 2, names, sizeof(names));
	fd = notify_listen();
	(void)signal(SIGTERM, pass_on);
	(void)signal(SIGHUP, pass_on);
	child = fork();
	if (child == 0)
		command_run(count, names, argv + first + 1);

	ready = (struct pollfd){.fd = fd, .events = POLLIN};
	while (waitpid((pid_t)child, &status, WNOHANG) == 0) {
		(void)poll(&ready, 1, 50);
		datagrams_log(fd, log);
	}
	datagrams_log(fd, log);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* SPDX-License-Identifier: MIT */
/*
 * A small service that needs a database password, as app/server.js is, for an image that holds
 * nothing else. `server` reads the file that DB_PASSWORD_FILE names and listens on port 8080;
 * `server --health` exits 0 when it answers.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT               8080
#define PASSWORD_MAX_BYTES 4096
#define ANSWER             "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
#define REQUEST            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

static struct sockaddr_in address(in_addr_t host)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(host)};
}

/* Returns 0 when the password could be read; a real service would now log in with it. */
static int read_password(void)
{
	char password[PASSWORD_MAX_BYTES];
	const char *path = getenv("DB_PASSWORD_FILE");
	FILE *file = path ? fopen(path, "re") : NULL;

	if (!file)
		return -1;
	setvbuf(file, NULL, _IONBF, 0);
	size_t len = fread(password, 1, sizeof(password), file);
	explicit_bzero(password, sizeof(password));
	fclose(file);
	return len > 0 ? 0 : -1;
}

static int check_health(void)
{
	char answer[sizeof(ANSWER)] = "";
	struct sockaddr_in server = address(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		return EXIT_FAILURE;
	if (write(fd, REQUEST, strlen(REQUEST)) < 0 || read(fd, answer, sizeof(answer) - 1) < 0)
		return EXIT_FAILURE;
	return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int open_listener(void)
{
	struct sockaddr_in here = address(INADDR_ANY);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, 16) < 0)
		return -1;
	return fd;
}

static void answer_one(int fd)
{
	char request[1024];
	struct timeval limit = {.tv_sec = 2};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (read(fd, request, sizeof(request)) > 0 && write(fd, ANSWER, strlen(ANSWER)) < 0)
		perror("server: write");
	close(fd);
}

static void on_sigterm(int signal_number)
{
	(void)signal_number;
	_exit(EXIT_SUCCESS);
}

int main(int argc, char *argv[])
{
	if (argc == 2 && strcmp(argv[1], "--health") == 0)
		return check_health();

	int listener = -1;
	signal(SIGTERM, on_sigterm);
	signal(SIGPIPE, SIG_IGN);
	if (read_password() < 0 || (listener = open_listener()) < 0) {
		fprintf(
		    stderr, "server: no password at DB_PASSWORD_FILE, or port %d taken\n", PORT);
		return EXIT_FAILURE;
	}
	printf("listening on port %d, password read from %s\n", PORT, getenv("DB_PASSWORD_FILE"));
	fflush(stdout);
	for (;;)
		answer_one(accept(listener, NULL, NULL));
}

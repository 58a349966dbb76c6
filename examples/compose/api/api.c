/* SPDX-License-Identifier: MIT */
/*
 * A service that counts visits in PostgreSQL. It opens a new connection for each request, and
 * knows nothing of passwords: libpq reads host, user and password from the file that
 * PGSERVICEFILE names, under the heading that PGSERVICE names. So do psql and every other
 * program that is built on libpq.
 *
 * `api` listens on port 8080; `api --health` exits 0 when it answers.
 */
#include <arpa/inet.h>
#include <postgresql/libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT     8080
#define LINE_MAX 256
#define QUERY    "INSERT INTO visits DEFAULT VALUES RETURNING id, session_user"
#define REQUEST  "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

static struct sockaddr_in address(in_addr_t host)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(host)};
}

/* Returns the HTTP status; text is what to answer. libpq's messages never hold a password. */
static int count_visit(char text[static LINE_MAX])
{
	PGconn *connection = PQconnectdb("");
	PGresult *result = NULL;
	int done = 0;

	if (PQstatus(connection) == CONNECTION_OK) {
		result = PQexec(connection, QUERY);
		done = PQresultStatus(result) == PGRES_TUPLES_OK;
	}
	if (done)
		snprintf(text, LINE_MAX, "visit %s as %s\n", PQgetvalue(result, 0, 0),
		    PQgetvalue(result, 0, 1));
	else
		snprintf(text, LINE_MAX, "%s", PQerrorMessage(connection));
	PQclear(result);
	PQfinish(connection);
	return done ? 200 : 500;
}

static void answer_one(int fd)
{
	char request[1024] = "", text[LINE_MAX] = "ok\n", answer[2 * LINE_MAX];
	struct timeval limit = {.tv_sec = 2};
	int status = 200;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (read(fd, request, sizeof(request) - 1) > 0) {
		if (strncmp(request, "GET /healthz ", 13) != 0)
			status = count_visit(text);
		int len = snprintf(answer, sizeof(answer),
		    "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
		    status == 200 ? "OK" : "Internal Server Error", strlen(text), text);
		if (write(fd, answer, (size_t)len) < 0)
			perror("api: write");
		if (status != 200)
			fprintf(stderr, "api: %s", text);
	}
	close(fd);
}

static int check_health(void)
{
	char answer[LINE_MAX] = "";
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

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, 64) < 0)
		return -1;
	return fd;
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

	int listener = open_listener();
	signal(SIGTERM, on_sigterm);
	signal(SIGPIPE, SIG_IGN);
	if (listener < 0) {
		fprintf(stderr, "api: port %d is taken\n", PORT);
		return EXIT_FAILURE;
	}
	for (;;)
		answer_one(accept(listener, NULL, NULL));
}

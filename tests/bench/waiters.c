/* SPDX-License-Identifier: MIT */
/*
 * Many agents at once, all waiting for a change of their bundle:
 *
 *	waiters PORT IDENTITY SERVER_PID COUNT READ_PATH CHANGE
 *
 * Opens COUNT connections, each of which fetches the bundle and then asks for the next one with
 * `Prefer: wait`; runs the shell command CHANGE, waits until all are answered, and then reads
 * READ_PATH once over each connection, for comparison. Prints one line of KEY=VALUE pairs: the
 * server's memory for each waiter, and its CPU time and the wall time for both rounds.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES (64 * 1024)

struct waiters {
	unsigned port;
	const char *identity;
	pid_t server_pid;
	size_t count;
	const char *read_path;
	const char *change;

	SSL_CTX *context;
	SSL **connections;
	char etag[128];
	char answer[ANSWER_MAX_BYTES];
};

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "waiters: %s\n", what);
	exit(2);
}

static double seconds_of(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double server_cpu_s(const struct waiters *waiters)
{
	clockid_t clock;

	if (clock_getcpuclockid(waiters->server_pid, &clock) != 0)
		fail("the server has no clock");
	return seconds_of(clock);
}

static long server_rss_kib(const struct waiters *waiters)
{
	char path[64], line[128];
	long kib = -1;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)waiters->server_pid);
	file = fopen(path, "re");
	while (file && kib < 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	if (!file || kib < 0)
		fail("the server's memory cannot be read");
	(void)fclose(file);
	return kib;
}

/* --- one connection ------------------------------------------------------------------------- */

static SSL *connection_open(const struct waiters *waiters)
{
	const int on = 1;
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)waiters->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(waiters->context);

	if (fd < 0 || !ssl || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		fail("a connection fails");

	return ssl;
}

static void request_send(
    const struct waiters *waiters, SSL *ssl, const char *path, const char *headers)
{
	char request[1024];
	int len = snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s\r\n", path, waiters->port, headers);

	if (SSL_write(ssl, request, len) != len)
		fail("a request cannot be sent");
}

/* Reads a whole answer, which has to be 200. */
static void answer_read(struct waiters *waiters, SSL *ssl)
{
	size_t len = 0, whole = 0;

	while (whole == 0 || len < whole) {
		int got = SSL_read(ssl, waiters->answer + len, (int)(ANSWER_MAX_BYTES - 1 - len));
		const char *end, *length;

		if (got <= 0)
			fail("an answer is cut off");
		len += (size_t)got;
		waiters->answer[len] = '\0';
		end = strstr(waiters->answer, "\r\n\r\n");
		length = strcasestr(waiters->answer, "\r\ncontent-length:");
		if (end && length && length < end)
			whole =
			    (size_t)(end + 4 - waiters->answer) + strtoul(length + 17, NULL, 10);
	}
	if (strncmp(waiters->answer, "HTTP/1.1 200", 12) != 0)
		fail("an answer is not 200");
}

static void etag_keep(struct waiters *waiters)
{
	const char *etag = strcasestr(waiters->answer, "\r\netag: ");

	if (!etag || sscanf(etag + 8, "%127[^\r]", waiters->etag) != 1)
		fail("no entity tag");
}

/* --- the rounds ------------------------------------------------------------------------------- */

static void all_wait(struct waiters *waiters)
{
	char headers[256];

	for (size_t i = 0; i < waiters->count; i++) {
		SSL *ssl = waiters->connections[i] = connection_open(waiters);

		request_send(waiters, ssl, "/v1/bundle", "");
		answer_read(waiters, ssl);
		etag_keep(waiters);
		(void)snprintf(headers, sizeof(headers), "If-None-Match: %s\r\nPrefer: wait=55\r\n",
		    waiters->etag);
		request_send(waiters, ssl, "/v1/bundle", headers);
	}
	(void)usleep(500 * 1000); /* until the last one is in */
}

static void none_is_answered(const struct waiters *waiters)
{
	for (size_t i = 0; i < waiters->count; i++) {
		struct pollfd fd = {.fd = SSL_get_fd(waiters->connections[i]), .events = POLLIN};

		if (poll(&fd, 1, 0) != 0)
			fail("one was answered before there was a change");
	}
}

static void all_are_answered(struct waiters *waiters)
{
	for (size_t i = 0; i < waiters->count; i++)
		answer_read(waiters, waiters->connections[i]);
}

struct round {
	double cpu_s;
	double wall_s;
};

static void round_begin(const struct waiters *waiters, struct round *round)
{
	round->cpu_s = -server_cpu_s(waiters);
	round->wall_s = -seconds_of(CLOCK_MONOTONIC);
}

static void round_end(const struct waiters *waiters, struct round *round)
{
	round->cpu_s += server_cpu_s(waiters);
	round->wall_s += seconds_of(CLOCK_MONOTONIC);
}

static void measure(struct waiters *waiters)
{
	struct round wake, reads;
	long idle_kib = server_rss_kib(waiters), waiting_kib;

	all_wait(waiters);
	waiting_kib = server_rss_kib(waiters);
	none_is_answered(waiters);

	round_begin(waiters, &wake);
	if (system(waiters->change) != 0)
		fail("the change failed");
	all_are_answered(waiters);
	round_end(waiters, &wake);

	round_begin(waiters, &reads);
	for (size_t i = 0; i < waiters->count; i++)
		request_send(waiters, waiters->connections[i], waiters->read_path, "");
	all_are_answered(waiters);
	round_end(waiters, &reads);

	printf("waiters=%zu kib_each=%.2f wake_cpu_ms=%.2f wake_wall_ms=%.1f reads_cpu_ms=%.2f "
	       "reads_wall_ms=%.1f\n",
	    waiters->count, (double)(waiting_kib - idle_kib) / (double)waiters->count,
	    wake.cpu_s * 1e3, wake.wall_s * 1e3, reads.cpu_s * 1e3, reads.wall_s * 1e3);
}

static void context_open(struct waiters *waiters)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_use_certificate_file(context, waiters->identity, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, waiters->identity, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_file(context, waiters->identity) != 1)
		fail("the identity file cannot be used");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(
	    context, SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	waiters->context = context;
}

int main(int argc, char **argv)
{
	static struct waiters waiters;
	struct rlimit files;

	if (argc != 7)
		fail("usage: waiters PORT IDENTITY SERVER_PID COUNT READ_PATH CHANGE");

	waiters.port = (unsigned)strtoul(argv[1], NULL, 10);
	waiters.identity = argv[2];
	waiters.server_pid = (pid_t)strtol(argv[3], NULL, 10);
	waiters.count = strtoul(argv[4], NULL, 10);
	waiters.read_path = argv[5];
	waiters.change = argv[6];
	waiters.connections = calloc(waiters.count, sizeof(SSL *));
	if (!waiters.connections)
		fail("out of memory");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}

	context_open(&waiters);
	measure(&waiters);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * An hour of waiting, compressed: a hundred agents wait for changes, over and over, while ordinary
 * requests go on beside them, some agents vanish in the middle and others come.
 *
 *	server_soak PORT IDENTITY SERVER_PID ROUNDS
 *
 * IDENTITY may read everything and write web/soak. Prints TAP.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAITERS          100
#define READS            20 /* in each round */
#define LEAVERS          3  /* of the waiters, in each round */
#define QUIET_EACH       8  /* every so many rounds there is no change, and the time is up */
#define ANSWER_MAX_BYTES (32 * 1024)
#define PATIENCE_MS      5000
#define READ_MAX_MS      1000

struct peer {
	SSL *ssl;
	char etag[128];
};

struct soak {
	unsigned port;
	int server_pid;
	SSL_CTX *context;
	struct peer waiters[WAITERS];
	struct peer ordinary;
	char answer[ANSWER_MAX_BYTES];
	double slowest_read_ms;
};

__attribute__((noreturn)) static void fail(const char *what)
{
	printf("not ok 1 - a soak of waiting and ordinary requests\n# %s\n", what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* --- peers ------------------------------------------------------------------------------------ */

static void peer_open(const struct soak *soak, struct peer *peer)
{
	const int on = 1;
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)soak->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	peer->ssl = SSL_new(soak->context);
	if (fd < 0 || !peer->ssl || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    SSL_set_fd(peer->ssl, fd) != 1 || SSL_connect(peer->ssl) != 1)
		fail("a connection fails");
}

/* Without a farewell, as a container that was killed. */
static void peer_vanish(struct peer *peer)
{
	const struct linger reset = {.l_onoff = 1};
	int fd = SSL_get_fd(peer->ssl);

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	SSL_free(peer->ssl);
	(void)close(fd);
}

static void peer_send(const struct soak *soak, struct peer *peer, const char *request_line,
    const char *headers, const char *body)
{
	char request[1024];
	int len =
	    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s\r\n%s",
	        request_line, soak->port, headers, body);

	if (SSL_write(peer->ssl, request, len) != len)
		fail("a request cannot be sent");
}

static void peer_await(const struct peer *peer, double deadline_ms)
{
	struct pollfd fd = {.fd = SSL_get_fd(peer->ssl), .events = POLLIN};
	double left_ms = deadline_ms - now_ms();

	if (SSL_pending(peer->ssl) == 0 && poll(&fd, 1, left_ms > 0 ? (int)left_ms : 0) <= 0)
		fail("no answer in time");
}

static size_t answer_measure(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	const char *length = strcasestr(answer, "\r\ncontent-length:");

	if (!end)
		return 0;
	if (!length || length > end || strncmp(answer, "HTTP/1.1 304", 12) == 0)
		return (size_t)(end + 4 - answer);

	return (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10);
}

/* Returns the status; what comes is one answer and nothing behind it. */
static int peer_read(struct soak *soak, struct peer *peer, double deadline_ms)
{
	size_t len = 0, whole = 0;
	const char *etag;

	while (whole == 0 || len < whole) {
		int got;

		peer_await(peer, deadline_ms);
		got = SSL_read(peer->ssl, soak->answer + len, (int)(ANSWER_MAX_BYTES - 1 - len));
		if (got <= 0)
			fail("an answer is cut off");
		len += (size_t)got;
		soak->answer[len] = '\0';
		whole = answer_measure(soak->answer);
	}
	if (len != whole)
		fail("more than one answer");

	etag = strcasestr(soak->answer, "\r\netag: ");
	if (etag)
		(void)sscanf(etag + 8, "%127[^\r]", peer->etag);
	return (int)strtol(soak->answer + 9, NULL, 10);
}

/* --- a round ---------------------------------------------------------------------------------- */

static void ordinary_read(struct soak *soak)
{
	double from_ms = now_ms(), took_ms;

	peer_send(soak, &soak->ordinary, "GET /v1/secrets/web%2Fsoak", "", "");
	if (peer_read(soak, &soak->ordinary, from_ms + PATIENCE_MS) != 200)
		fail("an ordinary read is not 200");
	took_ms = now_ms() - from_ms;
	if (took_ms > soak->slowest_read_ms)
		soak->slowest_read_ms = took_ms;
}

static void waiter_wait(struct soak *soak, struct peer *peer, int wait_s)
{
	char headers[256];

	(void)snprintf(headers, sizeof(headers), "If-None-Match: %s\r\nPrefer: wait=%d\r\n",
	    peer->etag, wait_s);
	peer_send(soak, peer, "GET /v1/bundle", headers, "");
}

static void waiter_begin(struct soak *soak, struct peer *peer)
{
	peer_open(soak, peer);
	peer_send(soak, peer, "GET /v1/bundle", "", "");
	if (peer_read(soak, peer, now_ms() + PATIENCE_MS) != 200)
		fail("a bundle is not 200");
}

static void some_leave(struct soak *soak, int round, int wait_s)
{
	for (int i = 0; i < LEAVERS; i++) {
		struct peer *peer = &soak->waiters[(round * LEAVERS + i) % WAITERS];

		peer_vanish(peer);
		waiter_begin(soak, peer);
		waiter_wait(soak, peer, wait_s);
	}
}

static void change(struct soak *soak, int round)
{
	char body[32], headers[64];
	int len = snprintf(body, sizeof(body), "round %d", round);
	int status;

	(void)snprintf(headers, sizeof(headers), "Content-Length: %d\r\n", len);
	peer_send(soak, &soak->ordinary, "PUT /v1/secrets/web%2Fsoak", headers, body);
	status = peer_read(soak, &soak->ordinary, now_ms() + PATIENCE_MS);
	if (status != 200 && status != 201)
		fail("the change is refused");
}

static void soak_round(struct soak *soak, int round)
{
	bool quiet = round % QUIET_EACH == QUIET_EACH - 1;
	int wait_s = quiet ? 1 : 50;
	double deadline_ms;

	for (int i = 0; i < WAITERS; i++) {
		waiter_wait(soak, &soak->waiters[i], wait_s);
		if (i % (WAITERS / READS) == 0)
			ordinary_read(soak);
	}
	if (!quiet)
		some_leave(soak, round, wait_s);
	if (!quiet)
		change(soak, round);
	deadline_ms = now_ms() + PATIENCE_MS;
	for (int i = 0; i < WAITERS; i++)
		if (peer_read(soak, &soak->waiters[i], deadline_ms) != (quiet ? 304 : 200))
			fail("a waiter got the wrong answer");
}

/* --- the server ------------------------------------------------------------------------------- */

static int entries_of(const struct soak *soak, const char *what)
{
	char path[64];
	int count = -2; /* . and .. */
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", soak->server_pid, what);
	dir = opendir(path);
	if (!dir)
		fail("the server has ended");
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

static void verdict(int number, bool passed, const char *what, double found)
{
	printf("%s %d - %s\n", passed ? "ok" : "not ok", number, what);
	if (!passed)
		printf("# found %g\n", found);
}

static bool soak_run(struct soak *soak, int rounds)
{
	int files, threads, files_left;

	peer_open(soak, &soak->ordinary);
	change(soak, 0);
	for (int i = 0; i < WAITERS; i++)
		waiter_begin(soak, &soak->waiters[i]);
	soak_round(soak, 1);
	files = entries_of(soak, "fd");
	threads = entries_of(soak, "task");
	for (int round = 2; round <= rounds; round++)
		soak_round(soak, round);
	(void)usleep(500 * 1000); /* until the last ones that vanished are noticed */
	files_left = entries_of(soak, "fd");

	verdict(
	    1, true, "every waiter had one answer to each change, and one when there was none", 0);
	verdict(2, soak->slowest_read_ms <= READ_MAX_MS, "no ordinary request waited for a second",
	    soak->slowest_read_ms);
	verdict(3, files_left <= files, "those who vanish leave no connection behind", files_left);
	verdict(4, entries_of(soak, "task") == threads, "no thread for a waiter",
	    entries_of(soak, "task"));
	return soak->slowest_read_ms <= READ_MAX_MS && files_left <= files;
}

static void context_open(struct soak *soak, const char *identity)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_use_certificate_file(context, identity, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, identity, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_file(context, identity) != 1)
		fail("the identity file cannot be used");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
	soak->context = context;
}

int main(int argc, char *argv[])
{
	static struct soak soak;

	if (argc != 5)
		return 2;

	printf("1..4\n");
	soak.port = (unsigned)strtoul(argv[1], NULL, 10);
	soak.server_pid = (int)strtol(argv[3], NULL, 10);
	context_open(&soak, argv[2]);
	return soak_run(&soak, (int)strtol(argv[4], NULL, 10)) ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * A load client for one server over TLS 1.3 with a client certificate, in one thread on epoll.
 *
 *   handshakes  each operation is a new connection: full handshake, one GET, the whole answer
 *   resumed     the same, with the session that the first connection was given
 *   keepalive   each connection sends its next GET as soon as its answer is complete
 *   writes      the same with PUT, each time a value of --body-bytes
 *
 * Every answer is checked: status 200 (or 201) and, for GET, the same body length each time; that
 * a session is resumed, or is not, as the mode says. Prints one line of
 * KEY=VALUE pairs; exits 1 if any operation failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX  1024
#define ANSWER_MAX_BYTES (256 * 1024)

enum mode { MODE_HANDSHAKES, MODE_RESUMED, MODE_KEEPALIVE, MODE_WRITES };
enum step { STEP_HANDSHAKE, STEP_SEND, STEP_RECEIVE };

struct settings {
	enum mode mode;
	struct sockaddr_in address;
	const char *identity;
	const char *path;
	const char *ciphersuites;
	long connections;
	long operations; /* stop at whichever of the two comes first */
	long seconds;
	long body_bytes;
	long cpu; /* -1: wherever */
	pid_t server_pid;
};

struct connection {
	int fd;
	SSL *ssl;
	enum step step;
	size_t received;
	size_t answer_len; /* head and body; 0 until the head is complete */
	char *answer;
};

struct load {
	struct settings settings;
	SSL_CTX *context;
	SSL_SESSION *session; /* for MODE_RESUMED, once there is one */
	int epoll;
	char request[2048];
	size_t request_len;
	struct connection connections[CONNECTIONS_MAX];
	size_t open;
	long started;
	long completed;
	long errors;
	size_t body_len; /* of the first answer */
	char cipher[64];
	int64_t deadline_ns;
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now = {0};

	if (clock_gettime(clock, &now) < 0)
		return 0;
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	exit(2);
}

/* --- one connection ------------------------------------------------------------------------- */

static void connection_close(struct load *load, struct connection *connection)
{
	if (!connection->ssl)
		return;

	/* As if it had been shut down: OpenSSL forgets the session of a connection that was not. */
	SSL_set_shutdown(connection->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(connection->ssl);
	close(connection->fd);
	connection->ssl = NULL;
	load->open--;
}

static int connect_socket(const struct settings *settings)
{
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	/* Without it the last flight of the handshake waits 40 ms for a delayed ACK. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&settings->address, sizeof(settings->address)) <
	        0 &&
	    errno != EINPROGRESS)
		fail("connect");

	return fd;
}

static void connection_open(struct load *load, struct connection *connection)
{
	/* Edge-triggered and both ways, once for all: no epoll_ctl on the path. */
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLET,
	    .data.ptr = connection,
	};

	connection->fd = connect_socket(&load->settings);
	connection->ssl = SSL_new(load->context);
	if (!connection->ssl || SSL_set_fd(connection->ssl, connection->fd) != 1)
		fail("SSL_new");
	SSL_set_connect_state(connection->ssl);
	if (load->session && SSL_set_session(connection->ssl, load->session) != 1)
		fail("SSL_set_session");
	connection->step = STEP_HANDSHAKE;
	connection->received = 0;
	connection->answer_len = 0;
	load->open++;
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		fail("epoll_ctl");
}

static void connection_fail(struct load *load, struct connection *connection, const char *why)
{
	if (load->errors++ == 0)
		fprintf(stderr, "load: %s\n", why);
	connection_close(load, connection);
}

/* Finds head and Content-Length in what arrived; true once the whole length is known. */
static bool answer_measure(struct connection *connection)
{
	const char *end = NULL;
	const char *length = NULL;

	connection->answer[connection->received] = '\0';
	end = strstr(connection->answer, "\r\n\r\n");
	if (!end)
		return false;
	length = strcasestr(connection->answer, "\r\ncontent-length:");
	if (!length || length > end)
		return false;

	connection->answer_len = (size_t)(end + 4 - connection->answer) +
	                         strtoul(length + sizeof("\r\ncontent-length:") - 1, NULL, 10);
	return true;
}

static const char *answer_verdict(struct load *load, const struct connection *connection)
{
	const char *body = strstr(connection->answer, "\r\n\r\n") + 4;
	size_t body_len = connection->answer_len - (size_t)(body - connection->answer);

	if (strncmp(connection->answer, "HTTP/1.1 200", 12) != 0 &&
	    strncmp(connection->answer, "HTTP/1.1 201", 12) != 0)
		return "the answer is not 200";
	if (load->completed == 0)
		load->body_len = body_len;
	if (load->settings.mode != MODE_WRITES && body_len != load->body_len)
		return "the answer's length changed";
	return NULL;
}

/* True when there is another operation to start. */
static bool operation_take(struct load *load)
{
	if (load->started >= load->settings.operations || load->errors > 100)
		return false;
	load->started++;
	return true;
}

static void operation_complete(struct load *load, struct connection *connection)
{
	const char *why = answer_verdict(load, connection);

	if (why) {
		connection_fail(load, connection, why);
		return;
	}
	load->completed++;
	connection->received = 0;
	connection->answer_len = 0;

	if (load->settings.mode == MODE_HANDSHAKES || load->settings.mode == MODE_RESUMED) {
		connection_close(load, connection);
		if (operation_take(load))
			connection_open(load, connection);
	} else if (operation_take(load)) {
		connection->step = STEP_SEND;
	} else {
		connection_close(load, connection);
	}
}

/* The steps return 1 to go on, 0 to wait for the socket, -1 on failure. */
static int step_verdict(const struct connection *connection, int result)
{
	int error = SSL_get_error(connection->ssl, result);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static int step_handshake(struct load *load, struct connection *connection)
{
	int result = SSL_do_handshake(connection->ssl);

	if (result != 1)
		return step_verdict(connection, result);
	if (SSL_session_reused(connection->ssl) != (load->session != NULL))
		return -1;
	if (!load->cipher[0])
		snprintf(
		    load->cipher, sizeof(load->cipher), "%s", SSL_get_cipher_name(connection->ssl));

	connection->step = STEP_SEND;
	return 1;
}

static int step_send(struct load *load, struct connection *connection)
{
	int result = SSL_write(connection->ssl, load->request, (int)load->request_len);

	if (result <= 0)
		return step_verdict(connection, result);

	connection->step = STEP_RECEIVE;
	return 1;
}

static int step_receive(struct load *load, struct connection *connection)
{
	size_t room = ANSWER_MAX_BYTES - connection->received;
	int result =
	    SSL_read(connection->ssl, connection->answer + connection->received, (int)room);

	if (result <= 0)
		return step_verdict(connection, result);
	connection->received += (size_t)result;
	if (!connection->answer_len && !answer_measure(connection))
		return 1;
	if (connection->answer_len > ANSWER_MAX_BYTES)
		return -1;

	if (connection->received >= connection->answer_len)
		operation_complete(load, connection);
	return 1;
}

static void connection_advance(struct load *load, struct connection *connection)
{
	static int (*const steps[])(struct load *, struct connection *) = {
	    [STEP_HANDSHAKE] = step_handshake,
	    [STEP_SEND] = step_send,
	    [STEP_RECEIVE] = step_receive,
	};
	static const char *const failures[] = {
	    [STEP_HANDSHAKE] = "the handshake failed",
	    [STEP_SEND] = "sending failed",
	    [STEP_RECEIVE] = "receiving failed",
	};
	int result = 1;

	while (connection->ssl && result > 0)
		result = steps[connection->step](load, connection);
	if (connection->ssl && result < 0)
		connection_fail(load, connection, failures[connection->step]);
}

/* --- the session to resume -------------------------------------------------------------------- */

/* The first ticket that comes is kept for all connections. */
static int session_keep(SSL *ssl, SSL_SESSION *session)
{
	struct load *load = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (load->session)
		return 0;

	load->session = session;
	return 1;
}

/* One whole connection, after which there has to be a session. Tickets come with its answer. */
static void session_fetch(struct load *load)
{
	struct connection *connection = &load->connections[0];
	struct pollfd poll_fd;

	SSL_CTX_set_app_data(load->context, load);
	SSL_CTX_set_session_cache_mode(
	    load->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(load->context, session_keep);
	load->started = load->settings.operations; /* none follows this one */
	connection_open(load, connection);
	poll_fd = (struct pollfd){.fd = connection->fd, .events = POLLIN};
	while (load->open > 0 && poll(&poll_fd, 1, 1000) >= 0) {
		connection_advance(load, connection);
		poll_fd.events = connection->step == STEP_HANDSHAKE ? POLLIN | POLLOUT : POLLIN;
	}
	if (!load->session)
		fail("the server gave no session");
	/* With a cache, OpenSSL lets a session be used once. */
	SSL_CTX_set_session_cache_mode(load->context, SSL_SESS_CACHE_OFF);
	load->started = 0;
	load->completed = 0;
}

/* --- the run -------------------------------------------------------------------------------- */

static void run_until_done(struct load *load)
{
	struct epoll_event events[64];
	long replaced = 0;

	for (long i = 0; i < load->settings.connections; i++)
		if (operation_take(load))
			connection_open(load, &load->connections[i]);

	while (load->open > 0) {
		int count = epoll_wait(load->epoll, events, 64, 1000);

		for (int i = 0; i < count; i++)
			connection_advance(load, events[i].data.ptr);
		if (clock_ns(CLOCK_MONOTONIC) > load->deadline_ns)
			load->started = load->settings.operations;
		if (count == 0 && ++replaced > 10)
			fail("no answer for ten seconds");
	}
}

struct clocks {
	int64_t wall_ns;
	int64_t own_cpu_ns;
	int64_t server_cpu_ns;
};

static struct clocks clocks_read(pid_t server_pid)
{
	struct clocks clocks = {
	    .wall_ns = clock_ns(CLOCK_MONOTONIC),
	    .own_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
	};
	clockid_t server_clock;

	/* All threads of the process, in nanoseconds; /proc/PID/stat counts in ticks. */
	if (server_pid > 0 && clock_getcpuclockid(server_pid, &server_clock) == 0)
		clocks.server_cpu_ns = clock_ns(server_clock);
	return clocks;
}

static void report(const struct load *load, const struct clocks *from, const struct clocks *to)
{
	double done = load->completed > 0 ? (double)load->completed : 1;
	double wall_s = (double)(to->wall_ns - from->wall_ns) / 1e9;

	printf("ops=%ld errors=%ld wall_s=%.3f ops_per_s=%.1f server_cpu_us=%.2f "
	       "client_cpu_us=%.2f server_busy=%.2f client_busy=%.2f body_bytes=%zu cipher=%s\n",
	    load->completed, load->errors, wall_s, done / wall_s,
	    (double)(to->server_cpu_ns - from->server_cpu_ns) / 1e3 / done,
	    (double)(to->own_cpu_ns - from->own_cpu_ns) / 1e3 / done,
	    (double)(to->server_cpu_ns - from->server_cpu_ns) / 1e9 / wall_s,
	    (double)(to->own_cpu_ns - from->own_cpu_ns) / 1e9 / wall_s, load->body_len,
	    load->cipher);
}

static void context_open(struct load *load)
{
	const struct settings *settings = &load->settings;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_use_certificate_file(context, settings->identity, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, settings->identity, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_file(context, settings->identity) != 1)
		fail("the identity file cannot be used");
	if (settings->ciphersuites &&
	    SSL_CTX_set_ciphersuites(context, settings->ciphersuites) != 1)
		fail("unknown cipher suite");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	/* As Tacit's clients do: OpenSSL would send the CA along, which the server has anyway. */
	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
	/* A record in one read instead of two: the client must not be the bottleneck. */
	SSL_CTX_set_read_ahead(context, 1);
	load->context = context;
}

/* A PUT carries a body of letters; what it says does not matter. */
static void request_write(struct load *load)
{
	const struct settings *settings = &load->settings;
	bool writes = settings->mode == MODE_WRITES;
	int len = snprintf(load->request, sizeof(load->request),
	    "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", writes ? "PUT" : "GET", settings->path,
	    ntohs(settings->address.sin_port));

	if (writes)
		len += snprintf(load->request + len, sizeof(load->request) - (size_t)len,
		    "Content-Length: %ld\r\n", settings->body_bytes);
	load->request_len = (size_t)len;
	memcpy(load->request + load->request_len, "\r\n", 2);
	load->request_len += 2;
	if (writes) {
		memset(load->request + load->request_len, 'x', (size_t)settings->body_bytes);
		load->request_len += (size_t)settings->body_bytes;
	}
}

static void load_prepare(struct load *load)
{
	const struct settings *settings = &load->settings;
	cpu_set_t cpus;

	if (settings->cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((size_t)settings->cpu, &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
			fail("cannot be pinned to that CPU");
	}
	context_open(load);
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	request_write(load);
	for (long i = 0; i < settings->connections; i++) {
		load->connections[i].answer = malloc(ANSWER_MAX_BYTES + 1);
		if (!load->connections[i].answer)
			fail("out of memory");
	}
}

/* --- options -------------------------------------------------------------------------------- */

static const struct option options[] = {
    {"mode", required_argument, NULL, 'm'},
    {"port", required_argument, NULL, 'p'},
    {"identity", required_argument, NULL, 'i'},
    {"path", required_argument, NULL, 'u'},
    {"ciphersuites", required_argument, NULL, 'x'},
    {"connections", required_argument, NULL, 'c'},
    {"operations", required_argument, NULL, 'n'},
    {"body-bytes", required_argument, NULL, 'b'},
    {"seconds", required_argument, NULL, 's'},
    {"cpu", required_argument, NULL, 'k'},
    {"server-pid", required_argument, NULL, 'P'},
    {NULL, 0, NULL, 0},
};

static long parse_number(const char *text, long max)
{
	char *end = NULL;
	long number = strtol(text, &end, 10);

	if (end == text || *end || number < 0 || number > max)
		fail("a number is out of range");
	return number;
}

static enum mode parse_mode(const char *text)
{
	static const char *const names[] = {
	    [MODE_HANDSHAKES] = "handshakes",
	    [MODE_RESUMED] = "resumed",
	    [MODE_KEEPALIVE] = "keepalive",
	    [MODE_WRITES] = "writes",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			return (enum mode)i;

	fail("no such mode");
}

static void settings_apply(struct settings *settings, int option, const char *value)
{
	switch (option) {
	case 'm':
		settings->mode = parse_mode(value);
		break;
	case 'p':
		settings->address.sin_port = htons((uint16_t)parse_number(value, 65535));
		break;
	case 'i':
		settings->identity = value;
		break;
	case 'u':
		settings->path = value;
		break;
	case 'x':
		settings->ciphersuites = value;
		break;
	case 'c':
		settings->connections = parse_number(value, CONNECTIONS_MAX);
		break;
	case 'n':
		settings->operations = parse_number(value, 100000000);
		break;
	case 'b':
		settings->body_bytes = parse_number(value, 1024);
		break;
	case 's':
		settings->seconds = parse_number(value, 3600);
		break;
	case 'k':
		settings->cpu = parse_number(value, CPU_SETSIZE - 1);
		break;
	case 'P':
		settings->server_pid = (pid_t)parse_number(value, 1 << 30);
		break;
	default:
		fail("see the options in the source");
	}
}

static struct settings settings_parse(int argc, char **argv)
{
	struct settings settings = {
	    .address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
	    .path = "/",
	    .connections = 16,
	    .operations = 1000,
	    .body_bytes = 64,
	    .seconds = 60,
	    .cpu = -1,
	};
	int option = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		settings_apply(&settings, option, optarg);
	if (!settings.identity || !settings.address.sin_port)
		fail("--identity and --port are needed");
	return settings;
}

int main(int argc, char **argv)
{
	static struct load load;
	struct clocks from = {0};
	struct clocks to = {0};

	load.settings = settings_parse(argc, argv);
	load_prepare(&load);
	if (load.settings.mode == MODE_RESUMED)
		session_fetch(&load);
	from = clocks_read(load.settings.server_pid);
	load.deadline_ns = from.wall_ns + load.settings.seconds * INT64_C(1000000000);
	run_until_done(&load);
	to = clocks_read(load.settings.server_pid);
	report(&load, &from, &to);

	return load.errors > 0 || load.completed == 0;
}

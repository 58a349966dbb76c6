/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "evil.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "tacit/tls.h"
#include "test_pki.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG_MS      5000
#define SHORT_MS     300
#define SLACK_MS     200 /* what a busy machine may add to a deadline */

struct session {
	struct evil evil;
	struct identity *identity;
	struct tls_context *context;
	struct url url;
};

static void session_open(struct session *session, const char *mode)
{
	evil_start(mode, &session->evil);
	assert_int_equal(
	    identity_parse(session->evil.identity_pem, mode, &session->identity, NULL), 0);
	assert_int_equal(tls_context_new(session->identity, &session->context), 0);
	assert_int_equal(url_parse(session->evil.url, &session->url), 0);
}

static void session_close(struct session *session)
{
	tls_context_free(session->context);
	identity_free(session->identity);
	evil_stop(&session->evil);
}

static int descriptors_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void connect_tells_each_failure_by_its_name(void **state)
{
	static const struct {
		const char *mode;
		int err;
		const char *why; /* "" stands for the error's own text */
	} rows[] = {
	    {"stall-accept", -TACIT_E_TIMEOUT, ""},
	    {"stall-handshake", -TACIT_E_TIMEOUT, ""},
	    {"reset-accept", -TACIT_E_CUT_OFF, "closed the connection in the TLS handshake"},
	    {"garbage-handshake", -TACIT_E_TLS, ""},
	    {"plain-http", -TACIT_E_TLS, ""},
	    {"tls12", -TACIT_E_TLS, ""},
	    {"certificate-other-ca", -TACIT_E_TLS_CA, ""},
	    {"certificate-other-host", -TACIT_E_TLS_HOST, ""},
	    {"certificate-name-only", -TACIT_E_TLS_HOST, ""},
	    {"certificate-expired", -TACIT_E_TLS_SERVER_EXPIRED, ""},
	    {"certificate-future", -TACIT_E_TLS_SERVER_EXPIRED, ""},
	    {"certificate-of-client", -TACIT_E_TLS, "purpose"},
	    {"sealed", -TACIT_E_SEALED, "sealed: an operator must run tacit-server unseal"},
	    {"sealed-anonymous", -TACIT_E_SEALED, "sealed: an operator"},
	    {"sealed-and-server", -TACIT_E_TLS, "purpose"},
	    {"sealed-and-any", -TACIT_E_TLS, "purpose"},
	    {"sealed-twice", -TACIT_E_TLS, "purpose"},
	    {"sealed-almost", -TACIT_E_TLS, "critical"},
	    {"sealed-ca", -TACIT_E_TLS, "critical"},
	    {"sealed-harmless", -TACIT_E_TLS, "purpose"},
	    {"sealed-stranger", -TACIT_E_TLS, "purpose"},
	    {"sealed-by-stranger", -TACIT_E_TLS, "purpose"},
	    {"poisoned", -TACIT_E_TLS, "critical"},
	    {"sealed-other-ca", -TACIT_E_TLS_CA, ""},
	    {"sealed-self-signed", -TACIT_E_TLS_CA, ""},
	    {"sealed-other-host", -TACIT_E_TLS_HOST, ""},
	    {"sealed-expired", -TACIT_E_TLS_SERVER_EXPIRED, ""},
	    {"sealed-future", -TACIT_E_TLS_SERVER_EXPIRED, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_connection *connection = NULL;
		struct fault fault = {0};
		struct session session;
		int64_t deadline;
		int descriptors, r;

		session_open(&session, rows[i].mode);
		descriptors = descriptors_count();
		deadline = deadline_in_ms(SHORT_MS);
		r = tls_connect(session.context, &session.url, deadline, &connection, &fault);
		if (r != rows[i].err || !strstr(fault.why, rows[i].why))
			fail_msg("%s: %s (%s)", rows[i].mode, err_text(r), fault.why);
		assert_int_equal(fault.err, r);
		assert_string_equal(fault.what, session.evil.url);
		assert_true(deadline_left_ms(deadline + SLACK_MS) > 0);
		assert_null(connection);
		assert_int_equal(descriptors_count(), descriptors);
		session_close(&session);
	}
}

/* What we send goes through here: see meson.build. */
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);

static struct {
	unsigned calls;
	size_t len;
	uint8_t first[6];
} sent;

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
	if (sent.calls++ == 0 && len >= sizeof(sent.first))
		memcpy(sent.first, bytes, sizeof(sent.first));
	sent.len += len;
	return __real_send(fd, bytes, len, flags);
}

/* Not a request, and not even who we are. */
static void connect_shows_a_sealed_server_a_greeting_and_nothing_else(void **state)
{
	struct tls_connection *connection = NULL;
	struct session session;
	size_t record_len;

	(void)state;
	session_open(&session, "sealed");
	memset(&sent, 0, sizeof(sent));
	assert_int_equal(
	    tls_connect(session.context, &session.url, deadline_in_ms(LONG_MS), &connection, NULL),
	    -TACIT_E_SEALED);
	/* One record (RFC 8446, 5.1): a handshake's, with a ClientHello in it, to the last byte. */
	record_len = (size_t)(sent.first[3] << 8 | sent.first[4]);
	assert_int_equal(sent.calls, 1);
	assert_int_equal(sent.first[0], 22);
	assert_int_equal(sent.first[5], 1);
	assert_int_equal(sent.len, 5 + record_len);
	session_close(&session);

	session_open(&session, "good");
	assert_int_equal(
	    tls_connect(session.context, &session.url, deadline_in_ms(LONG_MS), &connection, NULL),
	    0);
	assert_true(sent.calls > 2);
	tls_close(connection);
	session_close(&session);
}

/* The server's verdict on our certificate comes after our side of the handshake is complete. */
static void read_or_write_tells_a_refused_certificate(void **state)
{
	static const struct {
		const char *mode;
		int err;
	} rows[] = {
	    {"refuse-bad", -TACIT_E_TLS_REFUSED},
	    {"refuse-unknown-ca", -TACIT_E_TLS_REFUSED},
	    {"refuse-expired", -TACIT_E_TLS_REFUSED},
	    {"refuse-revoked", -TACIT_E_TLS_REFUSED},
	    {"refuse-unexplained", -TACIT_E_TLS},
	};
	/* Once at once, once when the server's reset has long been here. */
	static const int waits_ms[] = {0, 50};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * COUNT(waits_ms); i++) {
		struct tls_connection *connection = NULL;
		int64_t deadline = deadline_in_ms(LONG_MS);
		struct session session;
		char buffer[64];
		size_t len;
		int r;

		session_open(&session, rows[i / 2].mode);
		assert_int_equal(
		    tls_connect(session.context, &session.url, deadline, &connection, NULL), 0);
		(void)usleep((useconds_t)waits_ms[i % 2] * 1000);
		r = tls_write_all(connection, "GET", 3, deadline);
		if (r == 0)
			r = tls_read(connection, buffer, sizeof(buffer), deadline, &len);
		if (r != rows[i / 2].err)
			fail_msg("%s: %s", rows[i / 2].mode, err_text(r));
		tls_close(connection);
		session_close(&session);
	}
}

static void write_to_a_closed_connection_raises_no_signal(void **state)
{
	struct tls_connection *connection = NULL;
	int64_t deadline = deadline_in_ms(LONG_MS);
	struct session session;
	int r = 0;

	(void)state;
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
	session_open(&session, "cut-answer");
	assert_int_equal(
	    tls_connect(session.context, &session.url, deadline, &connection, NULL), 0);
	assert_int_equal(tls_write_all(connection, "GET / HTTP/1.1\r\n\r\n", 18, deadline), 0);
	for (int i = 0; i < 100 && r == 0; i++) {
		(void)usleep(10000);
		r = tls_write_all(connection, "more", 4, deadline);
	}
	assert_int_equal(r, -TACIT_E_CUT_OFF);
	tls_close(connection);
	session_close(&session);
}

static void read_gives_the_bytes_and_then_the_orderly_end(void **state)
{
	struct tls_connection *connection = NULL;
	int64_t deadline = deadline_in_ms(LONG_MS);
	struct session session;
	char buffer[4096];
	size_t len = 0, got;

	(void)state;
	session_open(&session, "good-then-close");
	assert_int_equal(
	    tls_connect(session.context, &session.url, deadline, &connection, NULL), 0);
	assert_int_equal(tls_write_all(connection, "GET / HTTP/1.1\r\n\r\n", 18, deadline), 0);
	do {
		assert_int_equal(
		    tls_read(connection, buffer + len, sizeof(buffer) - len, deadline, &got), 0);
		len += got;
	} while (got > 0);
	assert_memory_equal(buffer + len - strlen(EVIL_SECRET), EVIL_SECRET, strlen(EVIL_SECRET));
	tls_close(connection);
	session_close(&session);
}

static void read_without_time_left_looks_but_does_not_wait(void **state)
{
	struct tls_connection *connection = NULL;
	struct session session;
	size_t len;
	char byte;

	(void)state;
	session_open(&session, "good");
	assert_int_equal(
	    tls_connect(session.context, &session.url, deadline_in_ms(LONG_MS), &connection, NULL),
	    0);
	(void)usleep(20000);
	assert_int_equal(tls_read(connection, &byte, 1, deadline_in_ms(0), &len), -TACIT_E_TIMEOUT);
	assert_int_equal(
	    tls_write_all(connection, "GET / HTTP/1.1\r\n\r\n", 18, deadline_in_ms(LONG_MS)), 0);
	(void)usleep(50000);
	assert_int_equal(tls_read(connection, &byte, 1, deadline_in_ms(0), &len), 0);
	assert_int_equal(byte, 'H');
	tls_close(connection);
	session_close(&session);
}

/*
 * A backlog of records that carry no data, of which one call could go through all, long after its
 * deadline. The server is stopped, so that what is left of the backlog stays there to be seen.
 */
static void read_stops_at_its_deadline_within_a_backlog_of_tickets(void **state)
{
	struct tls_connection *connection = NULL;
	int64_t deadline = deadline_in_ms(LONG_MS);
	struct session session;
	int socket_fd, left;
	size_t len;
	char byte;

	(void)state;
	session_open(&session, "endless-tickets");
	socket_fd = dup(STDIN_FILENO); /* the number that the socket will get */
	assert_int_equal(close(socket_fd), 0);
	assert_int_equal(
	    tls_connect(session.context, &session.url, deadline, &connection, NULL), 0);
	assert_int_equal(tls_write_all(connection, "GET / HTTP/1.1\r\n\r\n", 18, deadline), 0);
	(void)usleep(300000);
	assert_int_equal(kill(session.evil.pid, SIGSTOP), 0);
	assert_int_equal(tls_read(connection, &byte, 1, deadline_in_ms(0), &len), -TACIT_E_TIMEOUT);
	assert_int_equal(ioctl(socket_fd, FIONREAD, &left), 0);
	assert_true(left > 0);
	tls_close(connection);
	session_close(&session);
}

/* A peer that does not read: the kernel's buffers fill up, and then the deadline must hold. */
static void write_keeps_its_deadline(void **state)
{
	static char bytes[16 * 1024 * 1024];
	struct tls_connection *connection = NULL;
	struct session session;
	int64_t deadline;

	(void)state;
	session_open(&session, "slow-body");
	assert_int_equal(
	    tls_connect(session.context, &session.url, deadline_in_ms(LONG_MS), &connection, NULL),
	    0);
	deadline = deadline_in_ms(SHORT_MS);
	assert_int_equal(tls_write_all(connection, "GET / HTTP/1.1\r\n\r\n", 18, deadline), 0);
	assert_int_equal(
	    tls_write_all(connection, bytes, sizeof(bytes), deadline), -TACIT_E_TIMEOUT);
	assert_true(deadline_left_ms(deadline + SLACK_MS) > 0);
	tls_close(connection);
	session_close(&session);
}

static int connect_verdict(const char *url_text, int64_t deadline, struct fault *fault)
{
	struct tls_connection *connection = NULL;
	struct session session;
	struct url url;
	int r;

	session_open(&session, "good");
	assert_int_equal(url_parse(url_text[0] ? url_text : session.evil.url, &url), 0);
	r = tls_connect(session.context, &url, deadline, &connection, fault);
	tls_close(connection);
	session_close(&session);
	return r;
}

static void connect_tells_refused_and_unknown_hosts(void **state)
{
	struct fault fault;

	(void)state;
	assert_int_equal(connect_verdict("https://127.0.0.1:1", deadline_in_ms(LONG_MS), &fault),
	    -TACIT_E_UNREACHABLE);
	assert_string_equal(fault.why, "Connection refused");
	assert_string_equal(fault.what, "https://127.0.0.1:1");
	assert_int_equal(
	    connect_verdict("https://no-such-host.invalid", deadline_in_ms(LONG_MS), &fault),
	    -TACIT_E_RESOLVE);
	assert_string_equal(fault.what, "https://no-such-host.invalid:8443");
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no resolver is left behind */
	assert_int_equal(errno, ECHILD);
}

static void connect_resolves_a_name_and_checks_it(void **state)
{
	struct tls_connection *connection = NULL;
	struct session session;
	struct fault fault;
	int r;

	(void)state;
	session_open(&session, "good");
	(void)snprintf(session.url.host, sizeof(session.url.host), "localhost");
	r = tls_connect(
	    session.context, &session.url, deadline_in_ms(LONG_MS), &connection, &fault);
	if (r < 0)
		fail_msg("%s: %s", fault.what, err_text(r));
	tls_close(connection);
	session_close(&session);
}

/* One has a SAN for another name, one has no SAN: then the subject's name is not looked at. */
static void connect_refuses_a_name_that_is_not_in_the_san(void **state)
{
	static const char *const modes[] = {"certificate-other-host", "certificate-name-only"};

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct tls_connection *connection = NULL;
		struct session session;

		session_open(&session, modes[i]);
		(void)snprintf(session.url.host, sizeof(session.url.host), "localhost");
		assert_int_equal(tls_connect(session.context, &session.url, deadline_in_ms(LONG_MS),
		                     &connection, NULL),
		    -TACIT_E_TLS_HOST);
		session_close(&session);
	}
}

static void connect_with_no_time_left_times_out(void **state)
{
	struct fault fault;

	(void)state;
	assert_int_equal(connect_verdict("", deadline_in_ms(0), &fault), -TACIT_E_TIMEOUT);
	assert_int_equal(
	    connect_verdict("https://localhost:1", deadline_in_ms(0), &fault), -TACIT_E_TIMEOUT);
}

/* A listener whose queue is full drops each further SYN, as a dead host or a firewall does. */
static void connect_keeps_its_deadline_when_nothing_answers(void **state)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *any = (struct sockaddr *)(void *)&address;
	socklen_t len = sizeof(address);
	cleanup_fd int listener = socket(AF_INET, SOCK_STREAM, 0);
	cleanup_fd int filler = socket(AF_INET, SOCK_STREAM, 0);
	int64_t deadline;
	char url[64];

	(void)state;
	assert_int_equal(bind(listener, any, len) | listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, any, &len), 0);
	assert_int_equal(connect(filler, any, len), 0);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", ntohs(address.sin_port));

	deadline = deadline_in_ms(SHORT_MS);
	assert_int_equal(connect_verdict(url, deadline, NULL), -TACIT_E_TIMEOUT);
	assert_true(deadline_left_ms(deadline + SLACK_MS) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connect_tells_each_failure_by_its_name),
	    cmocka_unit_test(connect_shows_a_sealed_server_a_greeting_and_nothing_else),
	    cmocka_unit_test(read_or_write_tells_a_refused_certificate),
	    cmocka_unit_test(write_to_a_closed_connection_raises_no_signal),
	    cmocka_unit_test(read_gives_the_bytes_and_then_the_orderly_end),
	    cmocka_unit_test(read_without_time_left_looks_but_does_not_wait),
	    cmocka_unit_test(read_stops_at_its_deadline_within_a_backlog_of_tickets),
	    cmocka_unit_test(write_keeps_its_deadline),
	    cmocka_unit_test(connect_tells_refused_and_unknown_hosts),
	    cmocka_unit_test(connect_resolves_a_name_and_checks_it),
	    cmocka_unit_test(connect_refuses_a_name_that_is_not_in_the_san),
	    cmocka_unit_test(connect_with_no_time_left_times_out),
	    cmocka_unit_test(connect_keeps_its_deadline_when_nothing_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

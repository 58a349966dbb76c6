/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd alone, with the listener's TLS settings and constant bodies: what the server could
 * reach at best if store, grants and audit cost nothing.
 *
 *   raw_mhd PORT CERTS_DIR [one-record]      GET /N gives N bytes
 *
 * `one-record` holds head and body back until the answer is complete, so that they leave as one
 * TLS record in one send.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* MHD clears the whole of it after each request: 32 KiB cost 1 to 2 microseconds. */
#define CONNECTION_MEMORY_BYTES (6 * 1024)
/* One record, and surely less than the socket buffer of a peer that reads its answers. */
#define ONE_RECORD_MAX_BYTES (8 * 1024)
#define BODY_MAX_BYTES       (64 * 1024)

struct raw {
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t ticket_key;
	bool one_record;
	char body[BODY_MAX_BYTES];
};

/* What is kept for each connection. */
struct peer {
	gnutls_session_t tls;
	int fd;
	bool corked;
	bool socket_uncorked;
};

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "raw_mhd: %s\n", what);
	exit(2);
}

static gnutls_datum_t read_file(const char *dir, const char *name)
{
	char path[4096];
	gnutls_datum_t text = {0};

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (gnutls_load_file(path, &text) < 0)
		fail(path);
	return text;
}

static gnutls_certificate_credentials_t credentials_open(const char *dir)
{
	gnutls_certificate_credentials_t credentials = NULL;
	gnutls_datum_t certificate = read_file(dir, "server.crt");
	gnutls_datum_t key = read_file(dir, "server.key");
	gnutls_datum_t ca = read_file(dir, "ca.crt");

	if (gnutls_certificate_allocate_credentials(&credentials) < 0 ||
	    gnutls_certificate_set_x509_key_mem(
	        credentials, &certificate, &key, GNUTLS_X509_FMT_PEM) < 0 ||
	    gnutls_certificate_set_x509_trust_mem(credentials, &ca, GNUTLS_X509_FMT_PEM) < 1)
		fail("the certificates cannot be used");
	return credentials;
}

/* --- connections ---------------------------------------------------------------------------- */

static void *peer_open(const struct raw *raw, struct MHD_Connection *connection)
{
	static gnutls_typed_vdata_st purpose[] = {
	    {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0},
	};
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		fail("out of memory");
	peer->tls = (gnutls_session_t)MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
	                ->tls_session;
	peer->fd =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

	/* MHD itself only asks for a certificate; it is demanded here, before the handshake. */
	gnutls_certificate_server_set_request(peer->tls, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert2(peer->tls, purpose, 1, 0);
	if (gnutls_credentials_set(peer->tls, GNUTLS_CRD_CERTIFICATE, raw->credentials) < 0 ||
	    gnutls_session_ticket_enable_server(peer->tls, &raw->ticket_key) < 0)
		fail("the credentials cannot be set");
	return peer;
}

static void notify_connection(void *closure, struct MHD_Connection *connection, void **peer,
    enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*peer = peer_open(closure, connection);
	} else {
		free(*peer);
		*peer = NULL;
	}
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
	    ->socket_context;
}

/*
 * MHD corks the socket before the first small answer and thereafter believes that it stays so,
 * pushing by TCP_NODELAY before this record is sent. Uncorked once behind its back, every record
 * leaves at once.
 */
static void peer_uncork_socket(struct peer *peer)
{
	const int off = 0;

	if (peer->socket_uncorked)
		return;
	setsockopt(peer->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	peer->socket_uncorked = true;
}

/* A peer whose socket is full has sent a request without reading the last answer: cut it off. */
static void peer_flush(struct peer *peer)
{
	peer->corked = false;
	peer_uncork_socket(peer);
	if (gnutls_record_uncork(peer->tls, 0) < 0)
		shutdown(peer->fd, SHUT_RDWR);
}

static void notify_completed(void *closure, struct MHD_Connection *connection, void **request,
    enum MHD_RequestTerminationCode code)
{
	struct peer *peer = peer_of(connection);

	(void)closure;
	(void)request;
	(void)code;
	if (peer && peer->corked)
		peer_flush(peer);
}

static enum MHD_Result answer(void *closure, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_len, void **request)
{
	static int seen;
	struct raw *raw = closure;
	struct peer *peer = peer_of(connection);
	struct MHD_Response *response = NULL;
	enum MHD_Result result = MHD_NO;
	size_t len = strtoul(url + 1, NULL, 10);

	(void)method;
	(void)version;
	(void)upload;
	(void)upload_len;
	if (!*request) {
		*request = &seen;
		return MHD_YES;
	}

	if (len > BODY_MAX_BYTES)
		return MHD_NO;
	response = MHD_create_response_from_buffer(len, raw->body, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "application/octet-stream");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (raw->one_record && len <= ONE_RECORD_MAX_BYTES) {
		gnutls_record_cork(peer->tls);
		peer->corked = true;
	}
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

/* --- the daemon ----------------------------------------------------------------------------- */

static int listen_on(uint16_t port)
{
	const int on = 1;
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1024) < 0)
		fail("cannot listen");
	return fd;
}

static struct MHD_Daemon *daemon_start(struct raw *raw, uint16_t port, const char *dir)
{
	gnutls_datum_t certificate = read_file(dir, "server.crt");
	gnutls_datum_t key = read_file(dir, "server.key");

	return MHD_start_daemon(MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG,
	    port, NULL, NULL, answer, raw, MHD_OPTION_LISTEN_SOCKET, listen_on(port),
	    MHD_OPTION_HTTPS_MEM_CERT, certificate.data, MHD_OPTION_HTTPS_MEM_KEY, key.data,
	    MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3",
	    MHD_OPTION_NOTIFY_CONNECTION, notify_connection, raw, MHD_OPTION_NOTIFY_COMPLETED,
	    notify_completed, raw, MHD_OPTION_CONNECTION_LIMIT, 1024u,
	    MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
}

static void wait_for_end(void)
{
	sigset_t signals;
	int received = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	puts("ready");
	fflush(stdout);
	sigwait(&signals, &received);
}

int main(int argc, char **argv)
{
	static struct raw raw;
	struct MHD_Daemon *daemon = NULL;

	if (argc < 3)
		fail("PORT CERTS_DIR [one-record]");
	raw.credentials = credentials_open(argv[2]);
	if (gnutls_session_ticket_key_generate(&raw.ticket_key) < 0)
		fail("no key for session tickets");
	raw.one_record = argc > 3 && strcmp(argv[3], "one-record") == 0;
	memset(raw.body, 'x', sizeof(raw.body));

	daemon = daemon_start(&raw, (uint16_t)strtoul(argv[1], NULL, 10), argv[2]);
	if (!daemon)
		fail("the daemon does not start");
	wait_for_end();
	MHD_stop_daemon(daemon);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "evil.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define BODY       EVIL_SECRET
#define OK         "HTTP/1.1 200 OK\r\n"
#define CRLF       "\r\n"
#define LENGTH     "Content-Length: 28\r\n"
#define PROBLEM    "Content-Type: application/problem+json; charset=utf-8\r\n"
#define WHOLE      OK LENGTH CRLF BODY
#define KIB(piece) piece piece piece piece piece piece piece piece
#define FIELD_128                                                                        \
	"X-Padding: "                                                                    \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"

_Static_assert(sizeof(BODY) - 1 == 28, "what LENGTH says");

enum ending {
	END_KEEP,  /* waits for the next request */
	END_CLOSE, /* close_notify, then FIN */
	END_CUT,   /* FIN only */
	END_RESET, /* RST */
	END_STALL, /* does nothing until the client goes away */
};

struct peer {
	int fd;
	SSL *ssl;
	unsigned request; /* which one on this connection, from 1 */
};

struct mode {
	const char *name;
	const char *answer; /* what it sends to every request, with `ending` after it */
	enum ending ending;
	enum ending (*serve)(struct peer *peer); /* instead of those two */
	enum ending (*greet)(int fd);            /* instead of a handshake */
	const struct pki_spec *certificate;      /* instead of a good one */
	int max_version;                         /* of TLS */
	int refusal;                             /* X509_V_ERR_* that it finds in the client's */
	bool foreign;                            /* its certificate is from another CA */
	bool self_signed;                        /* or from none */
	bool anonymous;                          /* it wants no certificate of the client's */
};

static void must(bool condition, const char *what)
{
	if (condition)
		return;

	perror(what);
	ERR_print_errors_fp(stderr);
	abort();
}

static void pause_ms(long ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)nanosleep(&time, NULL);
}

/* False when the client has gone. */
static bool peer_write(struct peer *peer, const char *text, size_t len)
{
	return SSL_write(peer->ssl, text, (int)len) == (int)len;
}

static bool peer_write_text(struct peer *peer, const char *text)
{
	return peer_write(peer, text, strlen(text));
}

static enum ending greet_never(int fd)
{
	(void)fd;
	return END_STALL;
}

static enum ending greet_text(int fd, const char *text, size_t len, enum ending ending)
{
	char hello[1024];

	(void)recv(fd, hello, sizeof(hello), 0);
	(void)send(fd, text, len, MSG_NOSIGNAL);
	return ending;
}

/* Only after the client's first message: before, it would look like a connection refused. */
static enum ending greet_reset(int fd)
{
	return greet_text(fd, "", 0, END_RESET);
}

/* The head of a record, and not its body. */
static enum ending greet_half(int fd)
{
	return greet_text(fd, "\x16\x03\x03\x00\x7a", 5, END_STALL);
}

static enum ending greet_garbage(int fd)
{
	return greet_text(fd, "SSH-2.0-OpenSSH_9.2p1\r\n", 23, END_CUT);
}

static enum ending greet_plain_http(int fd)
{
	return greet_text(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, END_CUT);
}

/* A whole answer, one byte in a record. */
static enum ending serve_trickle(struct peer *peer)
{
	for (const char *at = WHOLE; *at; at++)
		if (!peer_write(peer, at, 1))
			return END_RESET;

	return END_KEEP;
}

static enum ending serve_slowly(struct peer *peer, const char *head, long step_ms)
{
	if (!peer_write_text(peer, head))
		return END_RESET;
	while (peer_write(peer, "x", 1))
		pause_ms(step_ms);

	return END_RESET;
}

/* Each byte comes in time; the whole never does. */
static enum ending serve_slow_body(struct peer *peer)
{
	return serve_slowly(peer, OK "Content-Length: 100000\r\n\r\n", 10);
}

static enum ending serve_slow_head(struct peer *peer)
{
	return serve_slowly(peer, OK "X-Slow: ", 10);
}

static enum ending serve_endless(struct peer *peer, const char *head, const char *piece)
{
	if (!peer_write_text(peer, head))
		return END_RESET;
	while (peer_write_text(peer, piece))
		;

	return END_RESET;
}

static enum ending serve_endless_head(struct peer *peer)
{
	return serve_endless(peer, OK, KIB(FIELD_128));
}

static enum ending serve_endless_interim(struct peer *peer)
{
	return serve_endless(peer, "", KIB("HTTP/1.1 100 Continue\r\n\r\n"));
}

static enum ending serve_endless_body(struct peer *peer)
{
	return serve_endless(
	    peer, OK "Content-Length: 9000000000000000000\r\n\r\n", KIB(FIELD_128));
}

/* Records that carry no data keep a TLS library busy without ever coming back to its caller. */
static enum ending serve_endless_tickets(struct peer *peer)
{
	while (SSL_new_session_ticket(peer->ssl) == 1 && SSL_do_handshake(peer->ssl) == 1)
		;

	return END_RESET;
}

/* Closes on the second request, as a server does whose idle timer just ran out. */
static enum ending serve_stale(struct peer *peer)
{
	if (peer->request > 1)
		return END_CUT;

	return peer_write_text(peer, WHOLE) ? END_KEEP : END_RESET;
}

/* Says that it will close, does not, and answers nonsense to who asks again all the same. */
static enum ending serve_last(struct peer *peer)
{
	if (peer->request > 1)
		return peer_write_text(peer, "nonsense") ? END_KEEP : END_RESET;

	return peer_write_text(peer, OK LENGTH "Connection: close\r\n\r\n" BODY) ? END_KEEP
	                                                                         : END_RESET;
}

/* An answer ahead of the question: it must not be taken for the next one's. */
static enum ending serve_unasked(struct peer *peer)
{
	if (!peer_write_text(peer, WHOLE))
		return END_RESET;
	pause_ms(20);
	(void)peer_write_text(peer, OK "Content-Length: 7\r\n\r\nunasked");
	return END_KEEP;
}

/* Answers with the request line that it got, so that a test sees what was really asked. */
static char request_text[8192];

static enum ending serve_echo(struct peer *peer)
{
	char head[128];

	(void)snprintf(head, sizeof(head), OK "Content-Length: %zu\r\nETag: \"v4\"\r\n\r\n",
	    strlen(request_text));
	return peer_write_text(peer, head) && peer_write_text(peer, request_text) ? END_KEEP
	                                                                          : END_RESET;
}

static const struct pki_spec certificate_other_host = {
    .common_name = "127.0.0.1", .san = "DNS:other.example", .usage = "serverAuth"};
static const struct pki_spec certificate_name_only = {
    .common_name = "localhost", .usage = "serverAuth"};
static const struct pki_spec certificate_expired = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = "serverAuth",
    .from_s = -7200,
    .to_s = -3600};
static const struct pki_spec certificate_future = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = "serverAuth",
    .from_s = 3600,
    .to_s = 7200};
static const struct pki_spec certificate_client = {
    .common_name = "server", .san = "IP:127.0.0.1", .usage = "clientAuth"};

/* Those of a sealed server, and what is almost one. */
static const struct pki_spec sealed_good = {.common_name = "server",
    .san = "IP:127.0.0.1,DNS:localhost",
    .usage = "critical," PKI_SEALED_USAGE,
    .poison = true};
static const struct pki_spec sealed_and_server = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = "serverAuth," PKI_SEALED_USAGE,
    .poison = true};
static const struct pki_spec sealed_and_any = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = PKI_SEALED_USAGE ",anyExtendedKeyUsage",
    .poison = true};
static const struct pki_spec sealed_twice = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = PKI_SEALED_USAGE "," PKI_SEALED_USAGE,
    .poison = true};
static const struct pki_spec sealed_almost = {
    .common_name = "server", .san = "IP:127.0.0.1", .usage = PKI_SEALED_USAGE "0", .poison = true};
static const struct pki_spec sealed_ca = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = PKI_SEALED_USAGE,
    .ca = true,
    .poison = true};
static const struct pki_spec sealed_other_host = {.common_name = "127.0.0.1",
    .san = "DNS:other.example",
    .usage = PKI_SEALED_USAGE,
    .poison = true};
static const struct pki_spec sealed_expired = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = PKI_SEALED_USAGE,
    .from_s = -7200,
    .to_s = -3600,
    .poison = true};
static const struct pki_spec sealed_future = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = PKI_SEALED_USAGE,
    .from_s = 3600,
    .to_s = 7200,
    .poison = true};
static const struct pki_spec sealed_harmless = {
    .common_name = "server", .san = "IP:127.0.0.1", .usage = PKI_SEALED_USAGE};
static const struct pki_spec sealed_stranger = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = PKI_SEALED_USAGE,
    .poison = true,
    .stranger = true};
static const struct pki_spec sealed_by_stranger = {
    .common_name = "server", .san = "IP:127.0.0.1", .usage = PKI_SEALED_USAGE, .stranger = true};
static const struct pki_spec poisoned = {
    .common_name = "server", .san = "IP:127.0.0.1", .usage = "serverAuth", .poison = true};

static const struct mode modes[] = {
    {"good", .answer = WHOLE, .ending = END_KEEP},
    {"echo", .serve = serve_echo},
    {"good-then-close", .answer = OK LENGTH "Connection: Keep-Alive, Close\r\n\r\n" BODY,
        .ending = END_CLOSE},
    {"good-last", .serve = serve_last},
    {"good-interim", .answer = "HTTP/1.1 100 Continue\r\n\r\n" WHOLE, .ending = END_KEEP},
    {"good-trickled", .serve = serve_trickle},
    {"good-empty", .answer = OK "Content-Length: 0\r\n\r\n", .ending = END_KEEP},
    {"good-204", .answer = "HTTP/1.1 204 No Content\r\n\r\n", .ending = END_KEEP},
    {"good-304",
        .answer = "HTTP/1.1 304 Not Modified\r\nETag: \"v4\"\r\nContent-Length: 28\r\n\r\n",
        .ending = END_KEEP},

    {"stall-accept", .greet = greet_never},
    {"stall-handshake", .greet = greet_half},
    {"reset-accept", .greet = greet_reset},
    {"garbage-handshake", .greet = greet_garbage},
    {"plain-http", .greet = greet_plain_http},
    {"tls12", .answer = WHOLE, .ending = END_KEEP, .max_version = TLS1_2_VERSION},
    {"certificate-other-ca", .answer = WHOLE, .ending = END_KEEP, .foreign = true},
    {"certificate-other-host", .answer = WHOLE, .ending = END_KEEP,
        .certificate = &certificate_other_host},
    {"certificate-name-only", .answer = WHOLE, .ending = END_KEEP,
        .certificate = &certificate_name_only},
    {"certificate-expired", .answer = WHOLE, .ending = END_KEEP,
        .certificate = &certificate_expired},
    {"certificate-future", .answer = WHOLE, .ending = END_KEEP, .certificate = &certificate_future},
    {"certificate-of-client", .answer = WHOLE, .ending = END_KEEP,
        .certificate = &certificate_client},
    {"sealed", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_good},
    {"sealed-anonymous", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_good,
        .anonymous = true},
    {"sealed-and-server", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_and_server},
    {"sealed-and-any", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_and_any},
    {"sealed-twice", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_twice},
    {"sealed-almost", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_almost},
    {"sealed-ca", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_ca},
    {"sealed-harmless", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_harmless},
    {"sealed-stranger", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_stranger},
    {"sealed-by-stranger", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_by_stranger},
    {"poisoned", .answer = WHOLE, .ending = END_KEEP, .certificate = &poisoned},
    {"sealed-other-host", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_other_host},
    {"sealed-expired", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_expired},
    {"sealed-future", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_future},
    {"sealed-other-ca", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_good,
        .foreign = true},
    {"sealed-self-signed", .answer = WHOLE, .ending = END_KEEP, .certificate = &sealed_good,
        .self_signed = true},
    {"refuse-bad", .answer = WHOLE, .ending = END_KEEP, .refusal = X509_V_ERR_CERT_REJECTED},
    {"refuse-unknown-ca", .answer = WHOLE, .ending = END_KEEP,
        .refusal = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {"refuse-expired", .answer = WHOLE, .ending = END_KEEP, .refusal = X509_V_ERR_CERT_HAS_EXPIRED},
    {"refuse-revoked", .answer = WHOLE, .ending = END_KEEP, .refusal = X509_V_ERR_CERT_REVOKED},
    {"refuse-unexplained", .answer = WHOLE, .ending = END_KEEP,
        .refusal = X509_V_ERR_APPLICATION_VERIFICATION},

    {"stall-answer", .answer = "", .ending = END_STALL},
    {"stall-head", .answer = OK "Content-Le", .ending = END_STALL},
    {"stall-body", .answer = OK LENGTH "\r\ncorrect-horse", .ending = END_STALL},
    {"slow-head", .serve = serve_slow_head},
    {"slow-body", .serve = serve_slow_body},
    {"endless-tickets", .serve = serve_endless_tickets},
    {"endless-body", .serve = serve_endless_body},
    {"endless-head", .serve = serve_endless_head},
    {"endless-interim", .serve = serve_endless_interim},

    {"close-answer", .answer = "", .ending = END_CLOSE},
    {"cut-answer", .answer = "", .ending = END_CUT},
    {"reset-answer", .answer = "", .ending = END_RESET},
    {"close-head", .answer = OK "Content-Le", .ending = END_CLOSE},
    {"close-body", .answer = OK LENGTH "\r\ncorrect-horse", .ending = END_CLOSE},
    {"cut-body", .answer = OK LENGTH "\r\ncorrect-horse", .ending = END_CUT},
    {"reset-body", .answer = OK LENGTH "\r\ncorrect-horse", .ending = END_RESET},
    {"stale", .serve = serve_stale},

    {"length-short", .answer = OK "Content-Length: 7\r\n\r\n" BODY, .ending = END_KEEP},
    {"length-long", .answer = OK "Content-Length: 29\r\n\r\n" BODY, .ending = END_CLOSE},
    {"length-negative", .answer = OK "Content-Length: -28\r\n\r\n" BODY, .ending = END_KEEP},
    {"length-huge", .answer = OK "Content-Length: 18446744073709551644\r\n\r\n" BODY,
        .ending = END_KEEP},
    {"length-large", .answer = OK "Content-Length: 1000000000000\r\n\r\n" BODY,
        .ending = END_STALL},
    {"length-twice", .answer = OK LENGTH "Content-Length: 7\r\n\r\n" BODY, .ending = END_KEEP},
    {"length-same-twice", .answer = OK LENGTH LENGTH CRLF BODY, .ending = END_KEEP},
    {"length-list", .answer = OK "Content-Length: 28, 28\r\n\r\n" BODY, .ending = END_KEEP},
    {"length-none", .answer = OK CRLF, .ending = END_CLOSE},
    {"length-of-nothing", .answer = "HTTP/1.1 204 No Content\r\n" LENGTH CRLF, .ending = END_KEEP},
    {"chunked", .answer = OK "Transfer-Encoding: chunked\r\n\r\n1c\r\n" BODY "\r\n0\r\n\r\n",
        .ending = END_KEEP},
    {"chunked-with-length", .answer = OK LENGTH "Transfer-Encoding: chunked\r\n\r\n" BODY,
        .ending = END_KEEP},
    {"gzip", .answer = OK LENGTH "Content-Encoding: gzip\r\n\r\n" BODY, .ending = END_KEEP},
    {"unasked", .serve = serve_unasked},

    {"garbage", .answer = "\x80\x81 this is not HTTP at all", .ending = END_STALL},
    {"http10", .answer = "HTTP/1.0 200 OK\r\n" LENGTH CRLF BODY, .ending = END_KEEP},
    {"http2", .answer = "HTTP/2 200 \r\n" LENGTH CRLF BODY, .ending = END_KEEP},
    {"bare-lf", .answer = "HTTP/1.1 200 OK\nContent-Length: 28\n\n" BODY, .ending = END_STALL},
    {"folded", .answer = OK "X-Long: a\r\n b\r\n" LENGTH CRLF BODY, .ending = END_KEEP},
    {"space-before-colon", .answer = OK "Content-Length : 28\r\n\r\n" BODY, .ending = END_KEEP},
    {"interim-103", .answer = "HTTP/1.1 103 Early Hints\r\n" LENGTH CRLF BODY, .ending = END_KEEP},
    {"switch", .answer = "HTTP/1.1 101 Switching Protocols\r\n\r\n", .ending = END_STALL},

    {"redirect",
        .answer =
            "HTTP/1.1 302 Found\r\nLocation: https://other.example/\r\nContent-Length: 0\r\n\r\n",
        .ending = END_KEEP},
    {"problem-403",
        .answer = "HTTP/1.1 403 Forbidden\r\n" PROBLEM "Content-Length: 55\r\n\r\n"
                  "{\"status\":403,\"code\":\"denied\",\"detail\":\"no such grant\"}",
        .ending = END_KEEP},
    {"problem-503",
        .answer = "HTTP/1.1 503 Service Unavailable\r\n" PROBLEM
                  "Retry-After: 7\r\nContent-Length: 30\r\n\r\n"
                  "{\"status\":503,\"code\":\"sealed\"}",
        .ending = END_KEEP},
    {"problem-garbage",
        .answer = "HTTP/1.1 404 Not Found\r\n" PROBLEM "Content-Length: 8\r\n\r\n{\"detail",
        .ending = END_KEEP},
    {"status-500", .answer = "HTTP/1.1 500 Internal Server Error\r\n" LENGTH CRLF BODY,
        .ending = END_KEEP},
    {"status-999", .answer = "HTTP/1.1 999 Unknown\r\n" LENGTH CRLF BODY, .ending = END_KEEP},
};

#define MODES_COUNT (sizeof(modes) / sizeof(modes[0]))

void evil_print_modes(void)
{
	for (size_t i = 0; i < MODES_COUNT; i++)
		(void)puts(modes[i].name);
}

static const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; i < MODES_COUNT; i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];

	(void)fprintf(stderr, "evil: no mode %s\n", name);
	abort();
}

/* Reads one request with its body into request_text; false when none comes. */
static bool read_request(SSL *ssl)
{
	size_t len = 0;

	for (;;) {
		const char *end = strstr(request_text, "\r\n\r\n");
		const char *length = strstr(request_text, "Content-Length: ");
		int got;

		if (len > 0 && end) {
			size_t body_len = length && length < end ? (size_t)atol(length + 16) : 0;

			if (len >= (size_t)(end + 4 - request_text) + body_len)
				return true;
		}
		got = SSL_read(ssl, request_text + len, (int)(sizeof(request_text) - 1 - len));
		if (got <= 0)
			return false;
		len += (size_t)got;
		request_text[len] = '\0';
	}
}

static void end_connection(struct peer *peer, enum ending ending)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	char bytes[4096];

	if (ending == END_STALL)
		while (recv(peer->fd, bytes, sizeof(bytes), 0) > 0)
			;
	if (ending == END_RESET)
		(void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (ending == END_CLOSE && peer->ssl)
		(void)SSL_shutdown(peer->ssl);
	SSL_free(peer->ssl);
	(void)close(peer->fd);
}

static enum ending serve_request(const struct mode *mode, struct peer *peer)
{
	if (mode->serve)
		return mode->serve(peer);
	if (mode->answer[0] && !peer_write_text(peer, mode->answer))
		return END_RESET;

	return mode->ending;
}

/*
 * A close with unread bytes is a reset, which may overtake the alert that says why: what the client
 * has sent behind its certificate is read first.
 */
static void drain(int fd)
{
	const struct timeval limit = {.tv_sec = 1};
	char bytes[4096];

	(void)shutdown(fd, SHUT_WR);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

static enum ending serve_connection(const struct mode *mode, SSL_CTX *context, struct peer *peer)
{
	enum ending ending = END_KEEP;

	if (mode->greet)
		return mode->greet(peer->fd);

	peer->ssl = SSL_new(context);
	must(peer->ssl && SSL_set_fd(peer->ssl, peer->fd) == 1, "SSL_new");
	if (SSL_accept(peer->ssl) != 1) {
		drain(peer->fd);
		return END_CUT;
	}

	while (ending == END_KEEP) {
		request_text[0] = '\0';
		if (!read_request(peer->ssl))
			return END_CUT;
		peer->request++;
		ending = serve_request(mode, peer);
	}

	return ending;
}

static int verify_client(X509_STORE_CTX *store, void *argument)
{
	const struct mode *mode = argument;

	X509_STORE_CTX_set_error(store, mode->refusal);
	return mode->refusal == X509_V_OK;
}

static SSL_CTX *context_new(const struct mode *mode, const struct pki_pair *server)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	union {
		const struct mode *in;
		void *out;
	} argument = {.in = mode};

	must(context != NULL, "SSL_CTX_new");
	SSL_CTX_set_max_proto_version(context, mode->max_version ? mode->max_version : 0);
	must(SSL_CTX_use_certificate(context, server->certificate) == 1, "certificate");
	must(SSL_CTX_use_PrivateKey(context, server->key) == 1, "key");
	if (!mode->anonymous)
		SSL_CTX_set_verify(
		    context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(context, verify_client, argument.out);
	return context;
}

static void __attribute__((noreturn))
serve(const struct mode *mode, int listen_fd, const struct pki_pair *server)
{
	SSL_CTX *context = context_new(mode, server);
	int on = 1;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	for (;;) {
		struct peer peer = {.fd = accept(listen_fd, NULL, NULL)};

		must(peer.fd >= 0, "accept");
		(void)setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		end_connection(&peer, serve_connection(mode, context, &peer));
		ERR_clear_error();
	}
}

static int listen_on_loopback(char *ret_url, size_t size)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	union {
		struct sockaddr_in *ipv4;
		struct sockaddr *any;
	} pointer = {.ipv4 = &address};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, pointer.any, len) == 0 && listen(fd, 16) == 0, "listen");
	must(getsockname(fd, pointer.any, &len) == 0, "getsockname");
	(void)snprintf(ret_url, size, "https://127.0.0.1:%d", ntohs(address.sin_port));
	return fd;
}

static struct pki_pair server_certificate(const struct mode *mode, const struct pki_pair *ca)
{
	struct pki_pair other = mode->foreign ? pki_ca("other CA") : (struct pki_pair){NULL, NULL};
	const struct pki_pair *issuer = mode->foreign ? &other : mode->self_signed ? NULL : ca;
	struct pki_pair server =
	    mode->certificate ? pki_issue(issuer, mode->certificate) : pki_server(issuer);

	pki_free(&other);
	return server;
}

/* With the CA and the client that `evil` holds already. */
static void evil_run(struct evil *evil, const char *mode_name)
{
	const struct mode *mode = mode_find(mode_name);
	struct pki_pair server = server_certificate(mode, &evil->ca);
	int fd = listen_on_loopback(evil->url, sizeof(evil->url));

	evil->identity_pem = pki_identity(evil->url, &evil->client, &evil->ca);
	evil->pid = fork();
	must(evil->pid >= 0, "fork");
	if (evil->pid == 0)
		serve(mode, fd, &server);

	(void)close(fd);
	pki_free(&server);
}

void evil_start(const char *mode, struct evil *ret_evil)
{
	ret_evil->ca = pki_ca("Tacit test CA");
	ret_evil->client = pki_client(&ret_evil->ca, "web");
	evil_run(ret_evil, mode);
}

static struct pki_pair pair_share(const struct pki_pair *pair)
{
	must(EVP_PKEY_up_ref(pair->key) == 1 && X509_up_ref(pair->certificate) == 1, "up_ref");
	return *pair;
}

void evil_start_beside(const struct evil *first, const char *mode, struct evil *ret_evil)
{
	ret_evil->ca = pair_share(&first->ca);
	ret_evil->client = pair_share(&first->client);
	evil_run(ret_evil, mode);
}

void evil_stop(struct evil *evil)
{
	if (evil->pid > 0) {
		(void)kill(evil->pid, SIGKILL);
		(void)waitpid(evil->pid, NULL, 0);
	}
	secret_free(evil->identity_pem);
	pki_free(&evil->ca);
	pki_free(&evil->client);
	*evil = (struct evil){.pid = 0};
}

/* SPDX-License-Identifier: MIT */
/*
 * evil_join MODE TOKEN-FILE LOG-FILE: an enrolment listener that misbehaves. Writes a join token
 * for itself, and everything that anybody sends over TLS to the log; prints its URL in one line.
 * Ends by a signal. Without arguments: the modes.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "tacit/fd.h"
#include "tacit/join_token.h"
#include "tacit/json.h"
#include "tacit/secret.h"
#include "test_pki.h"

#define OK       "HTTP/1.1 200 OK\r\n"
#define LENGTH_0 "Content-Length: 0\r\n\r\n"
#define PROBLEM  "Content-Type: application/problem+json\r\n"

/* What it shows in the handshake. */
enum chain {
	CHAIN_GOOD,       /* its certificate, and the CA that the token names */
	CHAIN_WITHOUT_CA, /* its certificate alone */
	CHAIN_OF_OTHER,   /* the same from another CA */
	CHAIN_MIXED,      /* a certificate from another CA, beside the CA that the token names */
};

/* What it answers. */
enum answer {
	ANSWER_TEXT, /* `text` */
	ANSWER_CERTIFICATE,
	ANSWER_FOR_OTHER_KEY,
	ANSWER_OF_OTHER_CA,
	ANSWER_EXPIRED,
	ANSWER_FOR_A_SERVER,
	ANSWER_NOTHING, /* waits until the client goes away */
};

struct mode {
	const char *name;
	const char *text;
	const char *refusal; /* instead: a problem document with this code */
	enum chain chain;
	enum answer answer;
	const struct pki_spec *certificate; /* instead of a good one */
	int max_version;                    /* of TLS */
	bool stalls;                        /* in the handshake */
	const char *first;                  /* what the first request is answered instead */
};

static const struct pki_spec other_host = {
    .common_name = "127.0.0.1", .san = "DNS:other.example", .usage = "serverAuth"};
static const struct pki_spec expired = {.common_name = "server",
    .san = "IP:127.0.0.1",
    .usage = "serverAuth",
    .from_s = -7200,
    .to_s = -3600};
static const struct pki_spec of_client = {
    .common_name = "server", .san = "IP:127.0.0.1", .usage = "clientAuth"};

static const char sealed[] = "HTTP/1.1 503 Service Unavailable\r\n" PROBLEM
                             "Content-Length: 17\r\n\r\n{\"code\":\"sealed\"}";

static const struct mode modes[] = {
    /* Nothing is to be sent to these. */
    {"other-ca", .chain = CHAIN_OF_OTHER, .answer = ANSWER_CERTIFICATE},
    {"mixed-chain", .chain = CHAIN_MIXED, .answer = ANSWER_CERTIFICATE},
    {"without-ca", .chain = CHAIN_WITHOUT_CA, .answer = ANSWER_CERTIFICATE},
    {"other-host", .certificate = &other_host, .answer = ANSWER_CERTIFICATE},
    {"expired", .certificate = &expired, .answer = ANSWER_CERTIFICATE},
    {"of-client", .certificate = &of_client, .answer = ANSWER_CERTIFICATE},
    {"tls12", .max_version = TLS1_2_VERSION, .answer = ANSWER_CERTIFICATE},
    {"stall-handshake", .stalls = true},

    /* The token may be used up. */
    {"stall", .answer = ANSWER_NOTHING},
    {"cut", .text = ""},
    {"cut-answer",
        .text = "HTTP/1.1 201 Created\r\nContent-Length: 3000\r\n\r\n{\"certificate\":\""},
    {"redirect", .text = "HTTP/1.1 307 Temporary Redirect\r\n"
                         "Location: https://other.example/v1/enroll\r\n" LENGTH_0},
    {"status-500", .text = "HTTP/1.1 500 Internal Server Error\r\n" LENGTH_0},
    {"huge", .text = OK "Content-Length: 1000000000\r\n\r\n{"},
    {"garbage", .text = "\x80\x81 this is not HTTP at all\r\n\r\n"},
    {"not-json", .text = OK "Content-Length: 11\r\n\r\n<html>hello"},
    {"no-certificate", .text = OK "Content-Length: 2\r\n\r\n{}"},
    {"certificate-for-other-key", .answer = ANSWER_FOR_OTHER_KEY},
    {"certificate-of-other-ca", .answer = ANSWER_OF_OTHER_CA},
    {"certificate-expired", .answer = ANSWER_EXPIRED},
    {"certificate-for-server", .answer = ANSWER_FOR_A_SERVER},

    {"token-unknown", .refusal = "token_unknown"},
    {"token-used", .refusal = "token_used"},
    {"token-expired", .refusal = "token_expired"},
    {"token-revoked", .refusal = "token_revoked"},
    {"token-source", .refusal = "token_source"},

    /* All will be well. */
    {"good", .answer = ANSWER_CERTIFICATE},
    {"sealed-first", .answer = ANSWER_CERTIFICATE, .first = sealed},
};

static void must(bool condition, const char *what)
{
	if (condition)
		return;

	perror(what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static const struct mode *mode;
static struct pki_pair ca, other_ca;
static char url[64];
static int log_fd = -1;

static const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];

	exit(2);
}

/* What is asked for: the public key of the request's `csr`. */
static EVP_PKEY *key_of(const char *body)
{
	cleanup_json struct json *json = NULL;
	const char *text;
	X509_REQ *request;
	EVP_PKEY *key;
	BIO *bio;

	must(json_parse(body, strlen(body), &json, NULL) == 0, "body");
	text = json_text_at(json, "csr");
	must(text && json_text_at(json, "token"), "csr");
	bio = BIO_new_mem_buf(text, -1);
	request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	key = X509_REQ_get_pubkey(request);
	must(key != NULL, "key");
	BIO_free(bio);
	X509_REQ_free(request);
	return key;
}

static struct pki_pair certificate_for(EVP_PKEY *key)
{
	struct pki_spec spec = {
	    .common_name = "web", .san = "URI:tacit://test/client/web", .usage = "clientAuth"};

	if (mode->answer == ANSWER_EXPIRED) {
		spec.from_s = -7200;
		spec.to_s = -3600;
	}
	if (mode->answer == ANSWER_FOR_A_SERVER)
		spec.usage = "serverAuth";
	if (mode->answer == ANSWER_FOR_OTHER_KEY)
		key = pki_key("P-256");

	return pki_certify(mode->answer == ANSWER_OF_OTHER_CA ? &other_ca : &ca, &spec, key);
}

static void answer_certificate(SSL *ssl, const char *body)
{
	struct pki_pair client = certificate_for(key_of(body));
	cleanup_json struct json *json = json_new_object();
	cleanup_secret struct secret *text = NULL;
	char head[128];

	must(json_set_text(json, "certificate", pki_certificate_pem(&client)) == 0 &&
	         json_set_text(json, "ca",
	             pki_certificate_pem(mode->answer == ANSWER_OF_OTHER_CA ? &other_ca : &ca)) ==
	             0 &&
	         json_set_text(json, "server", "https://127.0.0.1:1") == 0 &&
	         json_print(json, &text) == 0,
	    "json");
	(void)snprintf(head, sizeof(head), "HTTP/1.1 201 Created\r\nContent-Length: %zu\r\n\r\n",
	    secret_len(text));
	(void)SSL_write(ssl, head, (int)strlen(head));
	(void)SSL_write(ssl, secret_bytes(text), (int)secret_len(text));
}

static void answer_refusal(SSL *ssl)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 403 Forbidden\r\n" PROBLEM "Content-Length: %zu\r\n\r\n{\"code\":\"%s\"}",
	    strlen(mode->refusal) + 11, mode->refusal);
	(void)SSL_write(ssl, text, (int)strlen(text));
}

/* One request with its body; NULL when none comes. */
static const char *request_read(SSL *ssl)
{
	static char text[16384];
	size_t len = 0;

	memset(text, 0, sizeof(text));
	for (;;) {
		const char *end = strstr(text, "\r\n\r\n");
		const char *length = strstr(text, "Content-Length: ");
		int got;

		if (end &&
		    (!length || len >= (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10)))
			return end + 4;
		got = SSL_read(ssl, text + len, (int)(sizeof(text) - 1 - len));
		if (got <= 0)
			return NULL;
		must(write(log_fd, text + len, (size_t)got) == got, "log");
		len += (size_t)got;
	}
}

static void wait_for_end(int fd)
{
	char bytes[1024];

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

static void serve(SSL *ssl, int fd)
{
	static unsigned requests;
	const char *body;

	if (SSL_accept(ssl) != 1 || !(body = request_read(ssl)))
		return;

	if (mode->first && requests++ == 0)
		(void)SSL_write(ssl, mode->first, (int)strlen(mode->first));
	else if (mode->refusal)
		answer_refusal(ssl);
	else if (mode->answer == ANSWER_TEXT)
		(void)SSL_write(ssl, mode->text, (int)strlen(mode->text));
	else if (mode->answer != ANSWER_NOTHING)
		answer_certificate(ssl, body);
	if (mode->answer == ANSWER_NOTHING)
		wait_for_end(fd);
}

static SSL_CTX *context_new(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	const struct pki_pair *issuer =
	    mode->chain == CHAIN_OF_OTHER || mode->chain == CHAIN_MIXED ? &other_ca : &ca;
	const struct pki_pair *sent = mode->chain == CHAIN_OF_OTHER ? &other_ca : &ca;
	struct pki_pair server =
	    mode->certificate ? pki_issue(issuer, mode->certificate) : pki_server(issuer);

	must(context && SSL_CTX_use_certificate(context, server.certificate) == 1 &&
	         SSL_CTX_use_PrivateKey(context, server.key) == 1,
	    "context");
	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_max_proto_version(context, mode->max_version);
	if (mode->chain != CHAIN_WITHOUT_CA)
		must(SSL_CTX_add1_chain_cert(context, sent->certificate) == 1, "chain");
	return context;
}

static int listen_on_loopback(void)
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
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", ntohs(address.sin_port));
	return fd;
}

static void token_write(const char *path)
{
	static const uint8_t bytes[JOIN_TOKEN_SECRET_BYTES] = "evil-join-token";
	cleanup_join_token struct join_token token = {0};
	cleanup_secret struct secret *text = NULL;
	unsigned len = sizeof(token.ca_hash);

	must(X509_digest(ca.certificate, EVP_sha256(), token.ca_hash, &len) == 1, "hash");
	(void)snprintf(token.url, sizeof(token.url), "%s", url);
	must(secret_new_from(bytes, sizeof(bytes), &token.secret) == 0 &&
	         join_token_format(&token, &text) == 0 && secret_append_text(text, "\n") == 0,
	    "token");
	(void)unlink(path);
	must(fd_create_file(AT_FDCWD, path, 0444, secret_bytes(text), secret_len(text)) == 0, path);
}

int main(int argc, char *argv[])
{
	SSL_CTX *context;
	int listen_fd;

	if (argc != 4) {
		for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
			(void)puts(modes[i].name);
		return argc == 1 ? 0 : 2;
	}

	(void)signal(SIGPIPE, SIG_IGN);
	mode = mode_find(argv[1]);
	ca = pki_ca("Tacit test CA");
	other_ca = pki_ca("Tacit test CA"); /* by the same name, to be told by its key alone */
	context = context_new();
	listen_fd = listen_on_loopback();
	log_fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	must(log_fd >= 0, argv[3]);
	token_write(argv[2]);
	(void)printf("%s\n", url);
	(void)fflush(stdout);

	for (;;) {
		int fd = accept(listen_fd, NULL, NULL);
		SSL *ssl = SSL_new(context);

		must(fd >= 0 && ssl && SSL_set_fd(ssl, fd) == 1, "accept");
		if (mode->stalls)
			wait_for_end(fd);
		else
			serve(ssl, fd);
		SSL_free(ssl);
		(void)close(fd);
		ERR_clear_error();
	}
}

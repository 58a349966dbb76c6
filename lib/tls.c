/* SPDX-License-Identifier: MIT */
#include "tacit/tls.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "identity_private.h"
#include "resolve.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"

struct tls_context {
	SSL_CTX *ssl_context;
	BIO_METHOD *transport;
	uint8_t ca_hash[IDENTITY_CA_HASH_BYTES]; /* of a pinned one */
};

struct tls_connection {
	SSL *ssl;
	int fd;
	int64_t deadline_ms; /* of the call that is under way */
	bool received;       /* whether that call has asked the socket already */
	bool broken;         /* after a fatal error nothing may be sent, not even close_notify */
};

/*
 * The transport. OpenSSL's own socket BIO uses write(2), which raises SIGPIPE when the peer has
 * gone; ignoring that signal is inherited over exec and would change how the application behaves.
 */
static int transport_write(BIO *bio, const char *bytes, int len)
{
	struct tls_connection *connection = BIO_get_data(bio);
	ssize_t sent = send(connection->fd, bytes, (size_t)len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)sent;
}

/*
 * OpenSSL reads on while records come that carry no data. A peer that sends nothing else must not
 * outlast the deadline, so from the second time on each read asks the clock first.
 */
static int transport_read(BIO *bio, char *buffer, int size)
{
	struct tls_connection *connection = BIO_get_data(bio);
	ssize_t got = -1;

	BIO_clear_retry_flags(bio);
	errno = EAGAIN;
	if (!connection->received || deadline_left_ms(connection->deadline_ms) > 0)
		got = recv(connection->fd, buffer, (size_t)size, 0);
	connection->received = true;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	return (int)got;
}

static long transport_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *transport_new(void)
{
	BIO_METHOD *method =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "tacit");

	if (!method || !BIO_meth_set_write(method, transport_write) ||
	    !BIO_meth_set_read(method, transport_read) ||
	    !BIO_meth_set_ctrl(method, transport_control)) {
		BIO_meth_free(method);
		return NULL;
	}

	return method;
}

/* What a client is strict about, whoever it is. */
static int context_harden(SSL_CTX *context)
{
	/* Without NO_AUTO_CHAIN every handshake would verify our own certificate once more. */
	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);

	if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1)
		return -TACIT_E_TLS;

	return 0;
}

static int context_identify(SSL_CTX *context, const struct identity *identity)
{
	if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), identity->ca) != 1 ||
	    SSL_CTX_use_certificate(context, identity->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, identity->key) != 1)
		return -TACIT_E_TLS;

	return 0;
}

/* The CA among what the server has sent, or NULL. */
static X509 *find_pinned(STACK_OF(X509) * sent, const uint8_t hash[static IDENTITY_CA_HASH_BYTES])
{
	for (int i = 0; i < sk_X509_num(sent); i++) {
		X509 *certificate = sk_X509_value(sent, i);

		if (certificate_has_hash(certificate, hash) && X509_check_ca(certificate) == 1)
			return certificate;
	}

	return NULL;
}

/* Makes the pinned CA the only anchor, and lets OpenSSL verify the chain to it as any other. */
static int verify_pinned(X509_STORE_CTX *store, void *argument)
{
	const struct tls_context *context = argument;
	X509 *ca = find_pinned(X509_STORE_CTX_get0_untrusted(store), context->ca_hash);
	STACK_OF(X509) *anchors = ca ? sk_X509_new_null() : NULL;
	int result = 0;

	if (anchors && sk_X509_push(anchors, ca) > 0) {
		X509_STORE_CTX_set0_trusted_stack(store, anchors);
		result = X509_verify_cert(store);
	} else {
		X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	}

	sk_X509_free(anchors);
	return result;
}

/* Of an identity, or of none: then of a pinned CA, whose hash is set afterwards. */
static int context_new(const struct identity *identity, struct tls_context **ret_context)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int r = -ENOMEM;

	if (!context)
		return -ENOMEM;

	crypto_start();
	OPENSSL_init_ssl(
	    OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_SSL_STRINGS,
	    NULL);
	context->transport = transport_new();
	context->ssl_context = SSL_CTX_new(TLS_client_method());
	if (context->transport && context->ssl_context)
		r = context_harden(context->ssl_context);
	if (r == 0 && identity)
		r = context_identify(context->ssl_context, identity);
	ERR_clear_error();
	if (r < 0) {
		tls_context_free(context);
		return r;
	}

	*ret_context = context;
	return 0;
}

int tls_context_new(const struct identity *identity, struct tls_context **ret_context)
{
	return context_new(identity, ret_context);
}

int tls_context_new_pinned(
    const uint8_t ca_hash[static IDENTITY_CA_HASH_BYTES], struct tls_context **ret_context)
{
	struct tls_context *context;
	int r = context_new(NULL, &context);

	if (r < 0)
		return r;

	memcpy(context->ca_hash, ca_hash, sizeof(context->ca_hash));
	SSL_CTX_set_cert_verify_callback(context->ssl_context, verify_pinned, context);
	*ret_context = context;
	return 0;
}

void tls_context_free(struct tls_context *context)
{
	if (!context)
		return;

	SSL_CTX_free(context->ssl_context);
	BIO_meth_free(context->transport);
	free(context);
}

/* Fails at once when the deadline has passed, even if the socket is ready: a flood is no reason. */
static int socket_wait(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = events};
		int left_ms = deadline_left_ms(deadline_ms);
		int count;

		if (left_ms == 0)
			return -TACIT_E_TIMEOUT;
		count = poll(&ready, 1, left_ms);
		if (count > 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -errno;
	}
}

static int socket_finish_connect(int fd, int64_t deadline_ms)
{
	socklen_t len = sizeof(int);
	int error = 0;
	int r;

	r = socket_wait(fd, POLLOUT, deadline_ms);
	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;

	return -error;
}

/* A connected descriptor, or an error. */
static int socket_connect(const struct address *address, int64_t deadline_ms)
{
	cleanup_fd int fd = -1;
	int on = 1;
	int r = 0;

	fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;

	/* Or the handshake waits 40 ms for a delayed acknowledgement. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &address->socket.any, address->len) < 0)
		r = errno == EINPROGRESS ? socket_finish_connect(fd, deadline_ms) : -errno;
	if (r < 0)
		return r;

	return fd_take(&fd);
}

/* One address that swallows everything must leave time for the others. */
static int64_t deadline_share(int64_t deadline_ms, size_t tries_left)
{
	return deadline_in_ms(deadline_left_ms(deadline_ms) / (int64_t)tries_left);
}

/* The first failure is the one that is told: the first address is the one that was meant. */
static int socket_connect_any(const struct url *url, int64_t deadline_ms)
{
	struct address addresses[ADDRESSES_MAX];
	size_t count;
	int first = 0;
	int r;

	r = resolve_url(url, deadline_ms, addresses, &count);
	if (r < 0)
		return r;

	for (size_t i = 0; i < count; i++) {
		r = socket_connect(&addresses[i], deadline_share(deadline_ms, count - i));
		if (r >= 0)
			return r;
		if (first == 0)
			first = r;
	}

	return first;
}

static const struct {
	long verdict;
	int err;
} verdicts[] = {
    {X509_V_ERR_HOSTNAME_MISMATCH, -TACIT_E_TLS_HOST},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, -TACIT_E_TLS_HOST},
    {X509_V_ERR_CERT_HAS_EXPIRED, -TACIT_E_TLS_SERVER_EXPIRED},
    {X509_V_ERR_CERT_NOT_YET_VALID, -TACIT_E_TLS_SERVER_EXPIRED},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, -TACIT_E_TLS_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, -TACIT_E_TLS_CA},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, -TACIT_E_TLS_CA},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, -TACIT_E_TLS_CA},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, -TACIT_E_TLS_CA},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, -TACIT_E_TLS_CA},
};

/* The alerts (RFC 8446, 6.2) by which a server says that it does not like our certificate. */
static const int refusals[] = {
    SSL_AD_CERTIFICATE_REQUIRED,
    SSL_AD_BAD_CERTIFICATE,
    SSL_AD_UNSUPPORTED_CERTIFICATE,
    SSL_AD_CERTIFICATE_REVOKED,
    SSL_AD_CERTIFICATE_EXPIRED,
    SSL_AD_CERTIFICATE_UNKNOWN,
    SSL_AD_UNKNOWN_CA,
    SSL_AD_ACCESS_DENIED,
};

/* What the error queue and `ssl_error` (SSL_get_error) mean; empties the queue. */
static int ssl_verdict(int ssl_error)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	ERR_clear_error();
	if (ssl_error != SSL_ERROR_SSL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return -TACIT_E_CUT_OFF;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (reason == SSL_AD_REASON_OFFSET + refusals[i])
			return -TACIT_E_TLS_REFUSED;

	return -TACIT_E_TLS;
}

/*
 * After a call on `ssl` that did not succeed: waits and returns 0 when it is to be repeated, 1
 * after the peer's orderly end, or an error.
 */
static int ssl_wait(struct tls_connection *connection, int result)
{
	int ssl_error = SSL_get_error(connection->ssl, result);
	short events = ssl_error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;

	if (ssl_error == SSL_ERROR_ZERO_RETURN)
		return 1;
	if (ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE)
		return socket_wait(connection->fd, events, connection->deadline_ms);

	connection->broken = true;
	return ssl_verdict(ssl_error);
}

static void call_begin(struct tls_connection *connection, int64_t deadline_ms)
{
	ERR_clear_error();
	connection->deadline_ms = deadline_ms;
	connection->received = false;
}

static int handshake_fault(
    struct tls_connection *connection, int err, struct fault *fault, const char *url_text)
{
	long verdict = SSL_get_verify_result(connection->ssl);

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (verdict == verdicts[i].verdict)
			return fault_set(fault, verdicts[i].err, "%s", url_text);
	if (verdict != X509_V_OK)
		return fault_set_why(
		    fault, -TACIT_E_TLS, X509_verify_cert_error_string(verdict), "%s", url_text);
	if (err == -TACIT_E_CUT_OFF)
		return fault_set_why(fault, err,
		    "the server closed the connection in the TLS handshake", "%s", url_text);

	return fault_set(fault, err, "%s", url_text);
}

static int handshake(struct tls_connection *connection)
{
	for (;;) {
		int result = SSL_connect(connection->ssl);
		int r;

		if (result == 1)
			return 0;
		r = ssl_wait(connection, result);
		if (r != 0)
			return r < 0 ? r : -TACIT_E_CUT_OFF;
	}
}

/* The name goes into SNI too, but an address may not (RFC 6066, 3). */
static int set_peer(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
	char name[256]; /* since OpenSSL's macro casts `const` away */

	X509_VERIFY_PARAM_set_hostflags(
	    parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1)
		return 0;

	ERR_clear_error();
	(void)snprintf(name, sizeof(name), "%s", host);
	if (X509_VERIFY_PARAM_set1_host(parameters, name, 0) != 1 ||
	    SSL_set_tlsext_host_name(ssl, name) != 1)
		return -TACIT_E_TLS;

	return 0;
}

/* Takes `fd` over in any case. */
static int connection_new(
    struct tls_context *context, const char *host, int fd, struct tls_connection **ret_connection)
{
	struct tls_connection *connection = calloc(1, sizeof(*connection));
	BIO *bio = connection ? BIO_new(context->transport) : NULL;
	SSL *ssl = bio ? SSL_new(context->ssl_context) : NULL;

	if (!ssl || set_peer(ssl, host) < 0) {
		SSL_free(ssl);
		BIO_free(bio);
		free(connection);
		(void)close(fd);
		return -ENOMEM;
	}

	BIO_set_data(bio, connection);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	connection->ssl = ssl;
	connection->fd = fd;
	/* Nothing is said to the peer at the end unless a handshake was completed. */
	connection->broken = true;
	*ret_connection = connection;
	return 0;
}

/* Whether an errno of connect(2) is told as such: the server is what fails, not this machine. */
static int connect_fault(struct fault *fault, int err, const char *url_text)
{
	if (err < -TACIT_E_BASE)
		return fault_set(fault, err, "%s", url_text);

	return fault_set_why(fault, -TACIT_E_UNREACHABLE, err_text(err), "%s", url_text);
}

int tls_connect(struct tls_context *context, const struct url *url, int64_t deadline_ms,
    struct tls_connection **ret_connection, struct fault *fault)
{
	struct tls_connection *connection = NULL;
	char url_text[280];
	int fd, r;

	url_print(url, url_text);
	fd = socket_connect_any(url, deadline_ms);
	if (fd < 0)
		return connect_fault(fault, fd, url_text);
	r = connection_new(context, url->host, fd, &connection);
	if (r < 0)
		return fault_set(fault, r, "%s", url_text);

	call_begin(connection, deadline_ms);
	r = handshake(connection);
	if (r < 0) {
		r = handshake_fault(connection, r, fault, url_text);
		tls_close(connection);
		return r;
	}

	connection->broken = false;
	*ret_connection = connection;
	return 0;
}

void tls_close(struct tls_connection *connection)
{
	if (!connection)
		return;

	ERR_clear_error();
	if (!connection->broken)
		(void)SSL_shutdown(connection->ssl);
	SSL_free(connection->ssl);
	ERR_clear_error();
	(void)close(connection->fd);
	free(connection);
}

/*
 * A server that refuses a certificate sends an alert and closes; what is written then meets a
 * reset, while the alert that explains it lies unread.
 */
static int explain_cut(struct tls_connection *connection)
{
	size_t got;
	char byte;

	connection->received = false;
	if (SSL_read_ex(connection->ssl, &byte, sizeof(byte), &got) == 1)
		return -TACIT_E_CUT_OFF;

	return ssl_verdict(SSL_get_error(connection->ssl, 0));
}

int tls_write_all(
    struct tls_connection *connection, const void *bytes, size_t len, int64_t deadline_ms)
{
	const uint8_t *at = bytes;

	call_begin(connection, deadline_ms);
	while (len > 0) {
		size_t written = 0;
		int r = 0;

		if (SSL_write_ex(connection->ssl, at, len, &written) != 1)
			r = ssl_wait(connection, 0);
		if (r == -TACIT_E_CUT_OFF)
			return explain_cut(connection);
		if (r != 0)
			return r < 0 ? r : -TACIT_E_CUT_OFF;
		at += written;
		len -= written;
	}

	return 0;
}

int tls_read(struct tls_connection *connection, void *buffer, size_t size, int64_t deadline_ms,
    size_t *ret_len)
{
	size_t got = 0;

	call_begin(connection, deadline_ms);
	while (SSL_read_ex(connection->ssl, buffer, size, &got) != 1) {
		int r = ssl_wait(connection, 0);

		if (r < 0)
			return r;
		if (r == 1)
			break;
	}

	*ret_len = got;
	return 0;
}

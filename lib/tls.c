/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tacit/deadline.h"
#include "tls_private.h"

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
		return tls_socket_wait(connection->fd, events, connection->deadline_ms);

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

	if (tls_verify_error(verdict) < 0)
		return fault_set(fault, tls_verify_error(verdict), "%s", url_text);
	if (verdict != X509_V_OK)
		return fault_set_why(
		    fault, -TACIT_E_TLS, X509_verify_cert_error_string(verdict), "%s", url_text);
	if (err == -TACIT_E_SEALED)
		return fault_set_why(
		    fault, err, "sealed: an operator must run tacit-server unseal", "%s", url_text);
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

		if (SSL_want_x509_lookup(connection->ssl)) /* tls_verify_before_ours() */
			return -TACIT_E_SEALED;
		if (result == 1)
			return tls_verify_is_sealed(connection->ssl) ? -TACIT_E_SEALED : 0;
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
	fd = tls_socket_connect(url, deadline_ms);
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

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TLS_PRIVATE_H
#define TACIT_TLS_PRIVATE_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "tacit/tls.h"

/*
 * What the files of the TLS client share: tls_context.c is what all its connections have in common,
 * tls_verify.c whom it believes, tls_socket.c the way to a server, tls_transport.c how OpenSSL
 * reads and writes there, and tls.c a connection.
 */
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

/* OpenSSL's reading and writing for a `struct tls_connection`; NULL when there is no memory. */
BIO_METHOD *tls_transport_new(void);

/*
 * Waits for `events` of poll(2). Fails at once when the deadline has passed, even if the socket is
 * ready: a flood is no reason. -TACIT_E_TIMEOUT, -errno.
 */
int tls_socket_wait(int fd, short events, int64_t deadline_ms);

/* A connected descriptor, or an error: -TACIT_E_TIMEOUT, -TACIT_E_RESOLVE, -errno of connect(2). */
int tls_socket_connect(const struct url *url, int64_t deadline_ms);

/* For SSL_CTX_set_cert_verify_callback(), with a `struct tls_context` whose CA is pinned. */
int tls_verify_pinned(X509_STORE_CTX *store, void *context);

/*
 * For SSL_CTX_set_verify(): forgives a certificate that is for no server when it is, to the last
 * byte, marked as that of a sealed one (proto.h), and nothing else that is wrong with it.
 */
int tls_verify_purpose(int ok, X509_STORE_CTX *store);

/*
 * For SSL_CTX_set_cert_cb(), which runs once the server has proven that it holds its key, and
 * before anything of ours is shown: ends the handshake there with a server that is sealed.
 */
int tls_verify_before_ours(SSL *ssl, void *context);

/* Whether the server that was verified is a sealed one. */
bool tls_verify_is_sealed(const SSL *ssl);

/* The error that a verdict of X509_verify_cert(3) stands for; 0 for one that has no name of ours.
 */
int tls_verify_error(long verdict);

#endif

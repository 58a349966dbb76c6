/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TLS_H
#define TACIT_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "tacit/err.h"
#include "tacit/identity.h"
#include "tacit/url.h"

/*
 * A TLS 1.3 client on OpenSSL: its own certificate, one trusted CA, the host name checked
 * (RFC 9525). lib/tls*.[ch] and lib/identity*.[ch] are the only includers of OpenSSL.
 */
struct tls_context;
struct tls_connection;

/* Keeps nothing of `identity` but references of OpenSSL's own. -TACIT_E_TLS, -ENOMEM. */
int tls_context_new(const struct identity *identity, struct tls_context **ret_context);

/*
 * For a client that is nobody yet and knows its CA by a hash alone: it presents no certificate and
 * trusts the one CA of that hash, which the server has to send along. All else is as above: the
 * chain, the purpose, the dates and the host name are verified, and before that nothing is sent.
 */
int tls_context_new_pinned(
    const uint8_t ca_hash[static IDENTITY_CA_HASH_BYTES], struct tls_context **ret_context);

void tls_context_free(struct tls_context *context);

/*
 * Resolves, connects (every address in turn) and shakes hands, all before `deadline_ms`.
 * -TACIT_E_RESOLVE, _UNREACHABLE, _TIMEOUT, _TLS, _TLS_CA, _TLS_HOST, _TLS_SERVER_EXPIRED,
 * _TLS_REFUSED; the URL in `fault`. In TLS 1.3 a refused client certificate shows only at the first
 * read, which then returns -TACIT_E_TLS_REFUSED.
 *
 * -TACIT_E_SEALED: the server has proven to be the one that is meant, and its certificate says that
 * it is sealed (proto.h). It has not been shown ours.
 */
int tls_connect(struct tls_context *context, const struct url *url, int64_t deadline_ms,
    struct tls_connection **ret_connection, struct fault *fault);
void tls_close(struct tls_connection *connection);

/*
 * Writes all of it. 0, -TACIT_E_TIMEOUT, -TACIT_E_CUT_OFF, -TACIT_E_TLS_REFUSED; -TACIT_E_TLS for
 * another alert and for a record that does not authenticate.
 */
int tls_write_all(
    struct tls_connection *connection, const void *bytes, size_t len, int64_t deadline_ms);

/* Reads what is there, at least one byte; *ret_len 0 is the peer's orderly end. Errors as above. */
int tls_read(struct tls_connection *connection, void *buffer, size_t size, int64_t deadline_ms,
    size_t *ret_len);

#endif

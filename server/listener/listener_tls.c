/* SPDX-License-Identifier: MIT */
#include "listener_tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tacit/deadline.h"
#include "verdicts.h"

/* What is shown: kept alive by the listener and by each connection that it was shown to. */
struct credentials {
	atomic_uint references;
	gnutls_certificate_credentials_t gnutls;
};

struct listener_tls {
	const struct authority *authority; /* borrowed */
	enum door door;
	pthread_mutex_t mutex; /* guards the pointer behind it */
	struct credentials *credentials;
	gnutls_datum_t ticket_key;
	struct verdicts *verdicts;
};

static const char not_of_ours[] = "certificate not of a client of this store";

/* What is wrong with the chain: 0 when it leads to our CA and is meant for clients. */
static unsigned chain_faults(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = {
	    .type = GNUTLS_DT_KEY_PURPOSE_OID,
	    .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned status = 0;

	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
		return GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNATURE_FAILURE;

	return status;
}

/* Perhaps not good today, but signed by our CA and for clients. */
static bool chain_is_ours(unsigned faults)
{
	const unsigned of_time =
	    GNUTLS_CERT_INVALID | GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED;

	return (faults & ~of_time) == 0 && faults != GNUTLS_CERT_INVALID;
}

/* NULL for a certificate that is good today. */
static const char *identity_fault(const struct certificate_identity *identity)
{
	int64_t now = time(NULL);

	if (now > identity->not_after)
		return "certificate expired";

	return now < identity->not_before ? "certificate not yet valid" : NULL;
}

/*
 * Finds out who the peer is, once for each connection; false when it is none of ours. What
 * verdicts.h remembers is not verified again; a resumed session comes without a handshake's
 * verification, since it has had one. *ret_fault is why it is not let in all the same; NULL.
 */
static bool connection_identify(struct connection *connection, bool resumed, const char **ret_fault)
{
	struct listener_tls *tls = connection->listener->tls;
	unsigned count = 0, faults;
	const gnutls_datum_t *leaf = gnutls_certificate_get_peers(connection->session, &count);

	*ret_fault = not_of_ours;
	if (!leaf || count == 0)
		return false;
	/* What else the peer sends along is no matter: our CA signs clients itself. */
	if (verdicts_find(tls->verdicts, leaf->data, leaf->size, &connection->identity)) {
		*ret_fault = identity_fault(&connection->identity);
		return true;
	}

	faults = resumed ? 0 : chain_faults(connection->session);
	if (!chain_is_ours(faults) || authority_read_client(tls->authority, leaf->data, leaf->size,
	                                  &connection->identity) < 0)
		return false;

	*ret_fault = identity_fault(&connection->identity);
	if (faults && !*ret_fault)
		*ret_fault = "certificate of the authority not valid today";
	if (!faults && count == 1)
		verdicts_add(tls->verdicts, leaf->data, leaf->size, &connection->identity);
	return true;
}

static void refusal_add(struct connection *connection, const char *reason, bool known)
{
	const struct refusal refusal = {.event = "tls.refused",
	    .reason = reason,
	    .client = known ? connection->identity.client : NULL,
	    .peer = connection->peer};

	refusals_add(connection->listener->server->unrecorded, &refusal, deadline_in_ms(0));
}

/*
 * GnuTLS calls it in the middle of the handshake; anything but 0 ends that. The alert is sent here,
 * since libmicrohttpd would just close, and a client could not tell that from a broken network.
 */
static int verify_peer(gnutls_session_t session)
{
	struct connection *connection = gnutls_db_get_ptr(session);
	const char *reason;
	bool known = connection_identify(connection, false, &reason);

	connection->identified = true;
	connection->accepted = known && !reason;
	if (connection->accepted) {
		metrics_add(&connection->listener->server->metrics.handshakes_accepted);
		return 0;
	}

	refusal_add(connection, reason, known);
	(void)gnutls_alert_send(session, GNUTLS_AL_FATAL,
	    known ? GNUTLS_A_CERTIFICATE_EXPIRED : GNUTLS_A_BAD_CERTIFICATE);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* How far a handshake gets tells why it has ended. */
static int on_handshake(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *message)
{
	struct connection *connection = gnutls_db_get_ptr(session);

	(void)when;
	(void)message;
	if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO)
		connection->said_hello = true;
	if (type == GNUTLS_HANDSHAKE_SERVER_HELLO)
		connection->was_answered = true;
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && incoming)
		connection->was_asked = true;
	return 0;
}

void connection_note_refusal(struct connection *connection)
{
	if (connection->identified)
		return; /* verify_peer() has said why */

	if (connection->was_asked)
		refusal_add(connection, "no certificate", false);
	else if (connection->said_hello && !connection->was_answered)
		refusal_add(connection, "no protocol in common", false);
}

static void credentials_release(struct credentials *credentials)
{
	if (!credentials || atomic_fetch_sub(&credentials->references, 1) != 1)
		return;

	if (credentials->gnutls)
		gnutls_certificate_free_credentials(credentials->gnutls);
	free(credentials);
}

static struct credentials *credentials_take(struct listener_tls *tls)
{
	struct credentials *credentials;

	(void)pthread_mutex_lock(&tls->mutex);
	credentials = tls->credentials;
	(void)atomic_fetch_add(&credentials->references, 1);
	(void)pthread_mutex_unlock(&tls->mutex);
	return credentials;
}

static gnutls_datum_t datum(const void *bytes, size_t len)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)bytes, .size = (unsigned)len};
}

static int credentials_set_key(
    const struct listener_tls *tls, gnutls_certificate_credentials_t credentials)
{
	const struct authority *authority = tls->authority;
	const struct secret *key = authority_server_key(authority);
	const gnutls_datum_t key_text = datum(secret_bytes(key), secret_len(key));
	char chain[2 * CERTIFICATE_PEM_MAX_BYTES];
	int len = snprintf(chain, sizeof(chain), "%s%s", authority_server_pem(authority),
	    tls->door == DOOR_ENROLMENT ? authority_ca_pem(authority) : "");
	const gnutls_datum_t chain_text = datum(chain, (size_t)len);

	return gnutls_certificate_set_x509_key_mem2(
	           credentials, &chain_text, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0) < 0
	           ? -TACIT_E_INTERNAL
	           : 0;
}

static int credentials_fill(
    const struct listener_tls *tls, gnutls_certificate_credentials_t *ret_credentials)
{
	const char *ca = authority_ca_pem(tls->authority);
	const gnutls_datum_t ca_text = datum(ca, strlen(ca));
	int r;

	if (gnutls_certificate_allocate_credentials(ret_credentials) < 0)
		return -ENOMEM;
	r = credentials_set_key(tls, *ret_credentials);
	if (r < 0 || tls->door == DOOR_ENROLMENT)
		return r;

	return gnutls_certificate_set_x509_trust_mem(
	           *ret_credentials, &ca_text, GNUTLS_X509_FMT_PEM) < 0
	           ? -TACIT_E_INTERNAL
	           : 0;
}

int listener_tls_reload(struct listener_tls *tls)
{
	struct credentials *credentials = calloc(1, sizeof(*credentials));
	struct credentials *old;
	int r;

	if (!credentials)
		return -ENOMEM;

	credentials->references = 1;
	r = credentials_fill(tls, &credentials->gnutls);
	if (r < 0) {
		credentials_release(credentials);
		return r;
	}

	(void)pthread_mutex_lock(&tls->mutex);
	old = tls->credentials;
	tls->credentials = credentials;
	(void)pthread_mutex_unlock(&tls->mutex);
	credentials_release(old);
	return 0;
}

/*
 * libmicrohttpd would only request a certificate; everything here is set on the session
 * before its handshake, so that a peer without one never reaches the HTTP parser.
 */
int connection_begin_tls(struct connection *connection)
{
	gnutls_session_t session = connection->session;
	struct listener_tls *tls = connection->listener->tls;

	connection->credentials = credentials_take(tls);
	if (gnutls_credentials_set(
	        session, GNUTLS_CRD_CERTIFICATE, connection->credentials->gnutls) < 0)
		return -TACIT_E_INTERNAL;
	if (tls->door == DOOR_ENROLMENT) {
		connection->identified = true; /* nobody in particular */
		return 0;
	}
	if (gnutls_session_ticket_enable_server(session, &tls->ticket_key) < 0)
		return -TACIT_E_INTERNAL;

	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	/* The one pointer of a session that libmicrohttpd leaves alone. */
	gnutls_db_set_ptr(session, connection);
	gnutls_session_set_verify_function(session, verify_peer);
	gnutls_handshake_set_hook_function(
	    session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE, on_handshake);
	return 0;
}

void connection_end_tls(struct connection *connection)
{
	credentials_release(connection->credentials);
	connection->credentials = NULL;
}

static void count_resumed(struct connection *connection)
{
	struct metrics *metrics = &connection->listener->server->metrics;

	metrics_add(&metrics->handshakes_accepted);
	metrics_add(&metrics->handshakes_resumed);
}

const struct certificate_identity *connection_identity(struct connection *connection)
{
	if (!connection->identified) {
		bool resumed = gnutls_session_is_resumed(connection->session) != 0;
		const char *fault;

		connection->identified = true;
		/* Whether it has expired since then is asked for each request. */
		connection->accepted =
		    connection_identify(connection, resumed, &fault) && (resumed || !fault);
		if (connection->accepted)
			count_resumed(connection);
	}

	return connection->accepted ? &connection->identity : NULL;
}

void connection_cork(struct connection *connection)
{
	gnutls_record_cork(connection->session);
}

int connection_uncork(struct connection *connection)
{
	return gnutls_record_uncork(connection->session, 0) < 0 ? -EAGAIN : 0;
}

int listener_tls_new(
    const struct authority *authority, enum door door, struct listener_tls **ret_tls)
{
	struct listener_tls *tls = calloc(1, sizeof(*tls));
	int r;

	if (!tls)
		return -ENOMEM;

	tls->authority = authority;
	tls->door = door;
	(void)pthread_mutex_init(&tls->mutex, NULL);
	tls->verdicts = verdicts_new();
	r = tls->verdicts ? listener_tls_reload(tls) : -ENOMEM;
	if (r == 0 && gnutls_session_ticket_key_generate(&tls->ticket_key) < 0)
		r = -TACIT_E_INTERNAL;
	if (r < 0) {
		listener_tls_free(tls);
		return r;
	}

	*ret_tls = tls;
	return 0;
}

void listener_tls_free(struct listener_tls *tls)
{
	if (!tls)
		return;

	credentials_release(tls->credentials);
	if (tls->ticket_key.data) {
		gnutls_memset(tls->ticket_key.data, 0, tls->ticket_key.size);
		gnutls_free(tls->ticket_key.data);
	}
	verdicts_free(tls->verdicts);
	(void)pthread_mutex_destroy(&tls->mutex);
	free(tls);
}

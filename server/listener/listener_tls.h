/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LISTENER_TLS_H
#define TACIT_SERVER_LISTENER_TLS_H

#include "listener_private.h"

/* The TLS side of a listener: what the server shows, and whom it takes. */
struct listener_tls;

/*
 * For DOOR_MAIN nobody gets past the handshake without a good certificate; for DOOR_ENROLMENT none
 * is asked for, and the CA's is shown along with the server's, so that a peer can compare it with
 * its join token before it has said anything. -ENOMEM, -TACIT_E_INTERNAL.
 */
int listener_tls_new(
    const struct authority *authority, enum door door, struct listener_tls **ret_tls);
void listener_tls_free(struct listener_tls *tls);

/*
 * Makes what is shown anew, from what the authority has now, for handshakes that begin from here
 * on. -ENOMEM, -TACIT_E_INTERNAL, and nothing has changed.
 */
int listener_tls_reload(struct listener_tls *tls);

/* To be called before the handshake. */
int connection_begin_tls(struct connection *connection);
void connection_end_tls(struct connection *connection);

/*
 * To be called when it ends: a peer that we did not let in is recorded. Those who went by
 * themselves, such as whoever only looked whether the port is open, are not.
 */
void connection_note_refusal(struct connection *connection);

/* Who asks; NULL when there is no certificate, or not one of a client of ours. */
const struct certificate_identity *connection_identity(struct connection *connection);

/*
 * Between the two, everything that is sent goes into one TLS record. connection_uncork() sends it,
 * and returns -EAGAIN when the socket does not take it.
 */
void connection_cork(struct connection *connection);
int connection_uncork(struct connection *connection);

#endif

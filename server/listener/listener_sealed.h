/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LISTENER_SEALED_H
#define TACIT_SERVER_LISTENER_SEALED_H

#include "route.h"
#include "sealed_file.h"
#include "tacit/err.h"

/*
 * What stands at a door while the store is sealed: TLS 1.3 with a certificate that says so, which
 * is all that our clients look at, and 503 `sealed` to any request of anybody who goes on all the
 * same. It knows no client: at DOOR_MAIN it takes whom the CA has signed, revoked or not, since
 * that is all that can be known, and tells them no more than the others.
 *
 * It shares nothing with the listener that takes over from it but the socket: no session ticket is
 * given out, and none is taken.
 */
struct listener_sealed;

/* On a socket that listens already, and that stays the caller's. -ENOMEM, -TACIT_E_INTERNAL. */
int listener_sealed_start(const struct sealed_file *file, enum door door, int fd,
    struct listener_sealed **ret_listener, struct fault *fault);

/*
 * Accepts nothing from now on, and ends once those who are being answered have their answer, or a
 * moment later. The socket goes on listening, so whoever comes meanwhile is kept by the kernel for
 * the next listener. NULL is allowed.
 */
void listener_sealed_stop(struct listener_sealed *listener);

#endif

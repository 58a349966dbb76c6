/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_COPY_H
#define TACIT_SERVER_AUDIT_COPY_H

#include <stddef.h>
#include <stdint.h>

#include "tacit/err.h"

/*
 * A copy of the audit log for syslog or journald, so that somebody who gets at the server's disk
 * does not get at all of it. It never waits and never fails: what the other side does not take is
 * lost there, and the next line that it takes says how many were.
 */
struct audit_copy;

/*
 * -errno when nobody listens there: now is when somebody reads what we say. It
 * may change later, and then change again.
 */
int audit_copy_new(const char *path, struct audit_copy **ret_copy, struct fault *fault);
void audit_copy_free(struct audit_copy *copy);

/* Sends each of the lines as a datagram (RFC 3164 as journald and rsyslog read it). */
void audit_copy_send(struct audit_copy *copy, const char *lines, size_t len);

/* How many lines were lost so far. */
uint64_t audit_copy_lost(const struct audit_copy *copy);

#endif

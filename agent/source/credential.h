/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_CREDENTIAL_H
#define TACIT_AGENT_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_options.h"
#include "tacit/err.h"
#include "tacit/http_client.h"
#include "tacit/identity.h"

/*
 * Who the agent is to the server, and that it stays so: an identity out of a file, or one that a
 * join token was given for, and its next certificate when two thirds of its life are over. (The
 * renewal of the files is renewal.h.)
 *
 * Keys and certificates that come from the server are kept in memory alone. The identity file is
 * never written: it may be mounted read-only, the user that the command runs as may not own it,
 * and two agents may share it. It is read again, though, when it is time for a new certificate or
 * the server refuses the old one, and used if what stands in it was issued later.
 */
struct credential;

/*
 * Reads the identity file, or opens the token's, as the options and variables say; connects to
 * nothing. The errors of identity_load(), -errno.
 */
int credential_open(
    const struct agent_options *options, struct credential **ret_credential, struct fault *fault);

/* NULL as long as the token was not presented. Alive until the next call but this. */
const struct identity *credential_identity(const struct credential *credential);

/* Whether it is the one in the file, which a later start will find again. */
bool credential_is_of_file(const struct credential *credential);

/* Has an identity afterwards, or an error of enrolment_make(). */
int credential_ensure(struct credential *credential, int64_t deadline_ms, struct fault *fault);

/* Milliseconds until it is time for a new certificate, 0 when it is. */
int64_t credential_left_ms(const struct credential *credential);

/*
 * Gets the next certificate, from the file or by way of `client`, which holds the old one. On
 * failure the old one stays, and credential_left_ms() is the time until another try is due.
 */
int credential_renew(struct credential *credential, struct http_client *client, int64_t deadline_ms,
    struct fault *fault);

/* Looks into the file; true when there is another identity now. */
bool credential_reload(struct credential *credential);

/* For a process that takes over from one that died: true when that had got an identity. */
bool credential_take_over(struct credential *credential);

void credential_free(struct credential *credential);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_H
#define TACIT_SERVER_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "tacit/err.h"

/*
 * The audit log: one JSON object on each line of DIR/audit.log. Its last member, `mac`, is
 * BLAKE2b-256 under the audit key of the mac of the line before and of everything in this line in
 * front of it. So a line that was changed, dropped or moved breaks the chain, and nobody without
 * the master key can mend it.
 *
 * A line is written, with one write(2), before the answer that it tells of goes out.
 */
struct audit;

#define AUDIT_FILE        "audit.log"
#define AUDIT_SECRETS_MAX 16 /* in one line; a larger bundle takes several */

struct audit_secret {
	const char *name;
	uint32_t version; /* 0: no version is meant */
};

struct audit_event {
	const char *event;   /* "secret.read" */
	const char *client;  /* who asked; NULL: the server itself */
	const char *peer;    /* its address; NULL */
	const char *request; /* request id; NULL */
	const char *subject; /* the client, pattern, ... that it is about; NULL */
	int status;          /* of the answer; 0: none */
	const struct audit_secret *secrets;
	size_t secrets_count;
};

/* Makes the log and writes its first line. -EEXIST, -errno. */
int audit_create(int dirfd, const struct keys *keys, struct fault *fault);

/*
 * Opens the log to go on with its chain. A last line that was cut off by a crash is removed, which
 * loses nothing: its answer never left. *ret_torn_bytes says how much that was.
 * -TACIT_E_CORRUPT when the last whole line does not authenticate.
 */
int audit_open(int dirfd, const struct keys *keys, struct audit **ret_audit, size_t *ret_torn_bytes,
    struct fault *fault);
void audit_close(struct audit *audit);

/* -TACIT_E_AUDIT_UNAVAILABLE when it cannot be written whole: then nothing may be answered. */
int audit_write(struct audit *audit, const struct audit_event *event);

/* Walks the whole chain. The first line that breaks it is in `fault`. */
int audit_verify(int dirfd, const struct keys *keys, uint64_t *ret_lines, struct fault *fault);

#endif

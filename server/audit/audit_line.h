/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_LINE_H
#define TACIT_SERVER_AUDIT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit.h"
#include "audit_time.h"

/*
 * The form of the audit log, and its chain. Pure: an event in, lines out, and back.
 *
 *   {"seq":8,"time":"...","event":"secret.read",...,"mac":"HEX"}
 *
 * Numbers go up by one from line to line. Only `audit.restarted`, which says that lines are
 * missing, may leave some out. The first line of a file that goes on from another one has a member
 * `previous`, the mac of the line before, so that the file can be verified when that one is gone.
 */
#define AUDIT_LINE_MAX_BYTES ((size_t)8192)

/* Lines in the making; `bytes` is owned. */
struct audit_text {
	char *bytes;
	size_t len;
	size_t size;
};

void audit_text_free(struct audit_text *text);

/*
 * Appends the line, or several lines where there are more secrets than fit into one, and moves
 * `chain` on. `heads_file` when nothing stands in front of it in its file. -ENOMEM, or
 * -TACIT_E_TOO_LARGE when a line would be; then neither has changed.
 */
int audit_line_add(struct audit_text *text, const struct keys *keys,
    const struct audit_event *event, bool heads_file, struct audit_mark *chain);

/* The line's number; 0 when it has none. `text` needs no NUL. */
uint64_t audit_line_sequence(const char *text, size_t len);

/* Its time, 24 bytes inside it; NULL when there is none. */
const char *audit_line_time(const char *text, size_t len);

/* Number and mac that the line claims, unverified. -TACIT_E_CORRUPT when it has none. */
int audit_line_chain(const char *text, size_t len, struct audit_mark *ret_chain);

/* A line that was found where it has to follow on others. */
struct audit_place {
	struct audit_mark chain; /* of the line before; sequence 0: none is known */
	bool heads_file;
};

/*
 * Whether the line, given without its newline, authenticates and follows. On success
 * `place->chain` becomes its own; *ret_gap says that it is an `audit.restarted`.
 * -TACIT_E_CORRUPT.
 */
int audit_line_verify(const struct keys *keys, const char *text, size_t len,
    struct audit_place *place, bool *ret_gap);

#endif

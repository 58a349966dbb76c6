/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_H
#define TACIT_SERVER_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "tacit/err.h"

/*
 * The audit log: one JSON object on each line of DIR/audit.log. Its last member, `mac`, is
 * BLAKE2b-256 under the audit key of the mac of the line before and of everything in this line in
 * front of it. So a line that was changed, dropped or moved breaks the chain, and nobody without
 * the master key can mend it. audit_line.h has its form, audit_verify.h looks whether it is whole.
 *
 * A line is written before the answer that it tells of goes out, by a thread of its own: a disk
 * that hangs takes that thread, and not those that answer. The lines of all who come while it is
 * at it go out with its next write.
 */
struct audit;

#define AUDIT_FILE        "audit.log"
#define AUDIT_MAC_BYTES   32
#define AUDIT_SECRETS_MAX 16  /* in one line; a larger bundle takes several */
#define AUDIT_WAIT_MS     500 /* a line that takes longer is too late for its request */

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

/*
 * Where the log stood at some time: its last line. A chain alone does not show that its end is
 * missing; a mark that is kept elsewhere (audit_mark.h) does.
 */
struct audit_mark {
	uint64_t sequence; /* 0: nothing is known */
	uint8_t mac[AUDIT_MAC_BYTES];
	bool is_end; /* of the log, when it was closed in good order: a line behind it is news */
};

/* Makes the log and writes its first line. -EEXIST, -errno. */
int audit_create(int dirfd, const struct keys *keys, struct audit **ret_audit, struct fault *fault);

/* What opening the log has found, and mended. */
struct audit_state {
	size_t torn_bytes;     /* of a last line that a crash has cut off */
	uint64_t missing_from; /* lines that were there at the mark, and are not; 0: none */
	uint64_t missing_to;
	uint64_t behind_from; /* lines behind a mark that was the end; 0: none */
	uint64_t behind_to;
};

/*
 * Opens the log to go on with its chain. A last line that was cut off by a crash is removed, which
 * loses nothing: its answer never left. Where the log was moved away (logrotate), the new file goes
 * on from the old one. When lines up to `mark` are missing, or the whole file is, a line
 * `audit.restarted` says which. -TACIT_E_CORRUPT when the last whole line does not authenticate.
 */
int audit_open(int dirfd, const struct keys *keys, const struct audit_mark *mark,
    struct audit **ret_audit, struct audit_state *ret_state, struct fault *fault);
void audit_close(struct audit *audit);

struct audit_copy;

/*
 * Starts the threads; until then each line is written by its caller, who waits as long as it takes.
 * `copy` gets each line too (audit_copy.h); it is taken over, and may be NULL. -EAGAIN.
 */
int audit_start(struct audit *audit, struct audit_copy *copy);

/* Where the log stands; what is in front of it is on disk by then. 0 or -errno. */
int audit_get_mark(struct audit *audit, struct audit_mark *ret_mark);

/* The directory that it is in; borrowed. */
int audit_directory(const struct audit *audit);

/* Where it stands, without asking the disk. */
void audit_position(struct audit *audit, struct audit_mark *ret_mark);

/*
 * Somebody who waits for lines, and is told once, from any thread and with the log's lock held: 0,
 * or -TACIT_E_AUDIT_UNAVAILABLE. The ticket is left alone from then on.
 */
struct audit_ticket {
	struct audit_ticket *next;
	bool is_request;
	void (*release)(struct audit_ticket *ticket, int err);
};

/*
 * -TACIT_E_AUDIT_UNAVAILABLE when it cannot be written whole and in time, or when the file was
 * deleted or changed under us: then nothing may be answered. The next call tries again; while a
 * write hangs it does not even wait. All lines of one event are written, or none.
 *
 * When the log can be written again, `audit.resumed` says how many requests were refused (what has
 * no request id is not one, and the caller may try again as often as he likes); and a
 * line that did reach the file, but too late, is followed by `audit.late`, which says so.
 */
int audit_write(struct audit *audit, const struct audit_event *event);

/*
 * The same for who does not wait here: the lines of all who come while one write is under way go
 * out with the next. When it returns 0 `ticket` will be told, or has been already; it is never told
 * otherwise. Nothing may be answered before.
 */
int audit_submit(struct audit *audit, const struct audit_event *event, struct audit_ticket *ticket);

/* False from the moment that a line cannot be written until one can again: see audit_tick(). */
bool audit_is_available(struct audit *audit);

/* Why the last line could not be written: -errno, or 0 when it was. */
int audit_trouble(struct audit *audit);

/*
 * To be called some times a second: refuses who waits for a write that takes more than
 * AUDIT_WAIT_MS, has what was written reach the disk, at most a second late, and says that the log
 * can be written again even if nobody asks for anything.
 */
void audit_tick(struct audit *audit);

/*
 * After the file was moved away: goes on in a new one. Where that is not possible at once
 * audit_tick() tries again. 0 also when the file is still the same; -errno, _AUDIT_UNAVAILABLE.
 */
int audit_reopen(struct audit *audit);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_PRIVATE_H
#define TACIT_SERVER_AUDIT_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit.h"
#include "audit_copy.h"
#include "audit_file.h"
#include "audit_line.h"
#include "worker.h"

/*
 * What the parts of audit.h share: audit_open.c opens and closes the log, audit.c takes events and
 * looks after the log, audit_batch.c writes them.
 */

/* How the next line has to begin its file; a file that it does not begin needs nothing. */
enum head {
	HEAD_NONE,
	HEAD_CONTINUED, /* the file before was moved away */
	HEAD_RESTARTED, /* it is lost */
};

/* A batch is what goes out with one write: what has to be said first, and the lines of events. */
struct batch {
	struct audit_text text;
	struct audit_mark chain;      /* behind its last line */
	struct audit_ticket *tickets; /* of who waits for it */
	uint64_t event_first;         /* number of the first event's first line; 0: there is none */
	uint64_t refused;             /* how many requests it says were */
	char request[32];             /* that the first event tells of; "" for none */
};

struct audit {
	const struct keys *keys; /* borrowed */
	int dirfd;               /* owned */
	pthread_mutex_t mutex;   /* guards all below */
	pthread_cond_t changed;

	struct audit_mark chain; /* behind the last line that is in the file */
	uint64_t file_first;     /* number of the first line in it; 0: none yet */
	enum head head;
	char head_subject[80];

	struct worker writer;
	struct audit_file file; /* the writer's, while it writes */
	struct batch filling;   /* follows on the one that is written */
	struct batch writing;
	bool writes;           /* there is a batch that is written */
	int64_t writes_due_ms; /* when it is late */
	bool is_late;          /* so it is, and who waited was refused */
	bool reopens;          /* nothing is begun meanwhile */
	bool reopen_hangs;     /* the writer is still at it */
	bool reopen_is_due;
	enum audit_replacement replacement;

	uint64_t late_first, late_last; /* lines that came too late; 0: none */
	char late_request[32];
	uint64_t refused; /* requests since the log could be written last */
	int trouble;      /* of the last batch; 0 or a negative error */

	struct worker syncer;
	int sync_fd;              /* the syncer's own */
	uint64_t synced, syncing; /* numbers of lines */
	int64_t sync_due_ms;
	bool sync_has_failed;

	struct audit_copy *copy; /* owned; NULL */
};

/* All of these with the mutex held, or before anybody else knows of the log. */

/*
 * Puts the lines of `event` into the batch that is filled, behind what has to be said first, and
 * has the writer begin if it does not write yet. `event` is NULL where something has to be said
 * anyway. `ticket` is released when they are written or when they are not going to be; on failure
 * it never is.
 */
int audit_batch_submit(
    struct audit *audit, const struct audit_event *event, struct audit_ticket *ticket);

/* The same, and waits for it, AUDIT_WAIT_MS at most. -TACIT_E_AUDIT_UNAVAILABLE. */
int audit_batch_write(struct audit *audit, const struct audit_event *event);

/* Notices when what is written takes too long; who waited for it is refused. */
void audit_batch_hurry(struct audit *audit);

/*
 * Waits until nothing is written any more; nobody may submit meanwhile. -TACIT_E_AUDIT_UNAVAILABLE
 * when a batch takes more than AUDIT_WAIT_MS.
 */
int audit_batch_settle(struct audit *audit);

void audit_batch_free(struct batch *batch);

#endif

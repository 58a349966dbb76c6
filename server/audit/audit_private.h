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

/* What the two halves of audit.h share: audit_open.c opens and closes the log, audit.c writes it.
 */

/* How the next line has to begin its file; a file that it does not begin needs nothing. */
enum head {
	HEAD_NONE,
	HEAD_CONTINUED, /* the file before was moved away */
	HEAD_RESTARTED, /* it is lost */
};

/* A batch is what goes out with one write: the line of an event, and what has to be said first. */
struct batch {
	struct audit_text text;
	struct audit_mark chain; /* behind its last line */
	uint64_t event_first;    /* number of the event's first line */
	uint64_t refused;        /* how many requests it says were */
	char request[32];        /* that the event tells of; "" for none */
};

struct audit {
	const struct keys *keys; /* borrowed */
	int dirfd;               /* owned */
	pthread_mutex_t mutex;   /* guards all below; one batch at a time */

	struct audit_mark chain; /* behind the last line that is in the file */
	uint64_t file_first;     /* number of the first line in it; 0: none yet */
	enum head head;
	char head_subject[80];

	struct worker writer;
	struct audit_file file; /* the writer's, while that is busy */
	struct batch batch;
	bool batch_is_late; /* the writer is at it, and its request was refused */
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

/*
 * Writes what has to be said anyway, and the event where it is not NULL. With the mutex held, or
 * before anybody else knows of the log. -TACIT_E_AUDIT_UNAVAILABLE.
 */
int audit_batch_write(struct audit *audit, const struct audit_event *event);

#endif

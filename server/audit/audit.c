/* SPDX-License-Identifier: MIT */
#include "audit_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tacit/deadline.h"
#include "tacit/fd.h"

#define SYNC_MS 1000

/* What the threads do. */

static int batch_job(void *context)
{
	struct audit *audit = context;
	const struct audit_text *text = &audit->batch.text;
	int r = audit_file_append(&audit->file, text->bytes, text->len);

	if (r == 0 && audit->copy)
		audit_copy_send(audit->copy, text->bytes, text->len);
	return r;
}

static int reopen_job(void *context)
{
	struct audit *audit = context;

	return audit_file_replace(&audit->file, audit->dirfd, &audit->replacement);
}

static int sync_job(void *context)
{
	struct audit *audit = context;
	int r = fdatasync(audit->sync_fd) < 0 ? -errno : 0;

	fd_cleanup(&audit->sync_fd);
	return r;
}

/* Putting a batch together. */

static int batch_add(struct audit *audit, const struct audit_event *event)
{
	struct batch *batch = &audit->batch;
	bool heads_file = audit->file_first == 0 && batch->text.len == 0;

	return audit_line_add(&batch->text, audit->keys, event, heads_file, &batch->chain);
}

static int batch_add_head(struct audit *audit)
{
	static const struct audit_event continued = {.event = "audit.continued"};
	const struct audit_event restarted = {
	    .event = "audit.restarted", .subject = audit->head_subject};

	if (audit->head == HEAD_NONE)
		return 0;

	return batch_add(audit, audit->head == HEAD_CONTINUED ? &continued : &restarted);
}

static int batch_add_late(struct audit *audit)
{
	char subject[96];
	const struct audit_event late = {.event = "audit.late",
	    .request = audit->late_request[0] ? audit->late_request : NULL,
	    .subject = subject,
	    .status = 503};

	if (audit->late_first == 0)
		return 0;

	(void)snprintf(subject, sizeof(subject),
	    "refused: lines %llu to %llu were written too late",
	    (unsigned long long)audit->late_first, (unsigned long long)audit->late_last);
	return batch_add(audit, &late);
}

static int batch_add_resumed(struct audit *audit)
{
	char subject[64];
	const struct audit_event resumed = {.event = "audit.resumed", .subject = subject};

	if (audit->refused == 0)
		return 0;

	(void)snprintf(subject, sizeof(subject), "requests refused meanwhile: %llu",
	    (unsigned long long)audit->refused);
	return batch_add(audit, &resumed);
}

/* `event` may be NULL: then only what is to be said anyway. */
static int batch_fill(struct audit *audit, const struct audit_event *event)
{
	struct batch *batch = &audit->batch;
	int r;

	batch->text.len = 0;
	batch->chain = audit->chain;
	batch->refused = audit->refused;
	r = batch_add_head(audit);
	if (r == 0)
		r = batch_add_late(audit);
	if (r == 0)
		r = batch_add_resumed(audit);

	batch->event_first = batch->chain.sequence + 1;
	if (r == 0 && event)
		r = batch_add(audit, event);
	(void)snprintf(batch->request, sizeof(batch->request), "%s",
	    event && event->request ? event->request : "");
	return r;
}

static void batch_is_written(struct audit *audit)
{
	if (audit->file_first == 0)
		audit->file_first = audit->chain.sequence + 1;
	audit->chain = audit->batch.chain;
	audit->head = HEAD_NONE;
	audit->late_first = 0;
	audit->refused -= audit->batch.refused;
}

static void batch_came_late(struct audit *audit)
{
	const struct batch *batch = &audit->batch;

	audit->trouble = 0;
	batch_is_written(audit);
	if (batch->event_first > batch->chain.sequence)
		return; /* there was no event in it */
	audit->late_first = batch->event_first;
	audit->late_last = batch->chain.sequence;
	memcpy(audit->late_request, batch->request, sizeof(audit->late_request));
}

int audit_batch_write(struct audit *audit, const struct audit_event *event)
{
	int r = batch_fill(audit, event);

	if (r == 0 && audit->batch.text.len > 0)
		r = worker_do(&audit->writer, batch_job, audit, AUDIT_WAIT_MS);
	audit->trouble = r;
	if (r == -ETIMEDOUT)
		audit->batch_is_late = true;
	if (r == 0)
		batch_is_written(audit);

	return r < 0 ? -TACIT_E_AUDIT_UNAVAILABLE : 0;
}

/* Going on in another file. */

static void file_is_replaced(struct audit *audit)
{
	if (audit->replacement == AUDIT_FILE_SAME)
		return;

	/* A file with nothing in it yet leaves what is to be said to its successor. */
	if (audit->file_first > 0 && audit->replacement == AUDIT_FILE_MOVED)
		audit->head = HEAD_CONTINUED;
	if (audit->file_first > 0 && audit->replacement == AUDIT_FILE_DELETED) {
		audit->head = HEAD_RESTARTED;
		(void)snprintf(audit->head_subject, sizeof(audit->head_subject),
		    "lines %llu to %llu are missing", (unsigned long long)audit->file_first,
		    (unsigned long long)audit->chain.sequence);
	}
	audit->file_first = 0;
}

static int reopen(struct audit *audit)
{
	int r = worker_do(&audit->writer, reopen_job, audit, AUDIT_WAIT_MS);

	audit->reopen_is_due = r < 0;
	if (r == 0)
		file_is_replaced(audit);
	return r;
}

/*
 * Takes note of what the writer has done since somebody did not wait for it any longer.
 * -TACIT_E_AUDIT_UNAVAILABLE while it still is at it.
 */
static int settle(struct audit *audit)
{
	int r = worker_poll(&audit->writer);

	if (r == -EBUSY)
		return -TACIT_E_AUDIT_UNAVAILABLE;
	if (r <= 0 && audit->batch_is_late) {
		audit->batch_is_late = false;
		if (r == 0)
			batch_came_late(audit);
	} else if (r == 0) {
		audit->reopen_is_due = false;
		file_is_replaced(audit);
	}

	return audit->sync_has_failed ? -TACIT_E_AUDIT_UNAVAILABLE : 0;
}

int audit_write(struct audit *audit, const struct audit_event *event)
{
	int r;

	(void)pthread_mutex_lock(&audit->mutex);
	r = settle(audit);
	if (r == 0)
		r = audit_batch_write(audit, event);
	audit->refused += r < 0 && event->request;
	(void)pthread_mutex_unlock(&audit->mutex);

	return r;
}

bool audit_is_available(struct audit *audit)
{
	bool is_available;

	(void)pthread_mutex_lock(&audit->mutex);
	is_available = settle(audit) == 0 && audit->refused == 0;
	(void)pthread_mutex_unlock(&audit->mutex);

	return is_available;
}

int audit_trouble(struct audit *audit)
{
	int trouble;

	(void)pthread_mutex_lock(&audit->mutex);
	trouble = audit->sync_has_failed ? -EIO : audit->trouble;
	(void)pthread_mutex_unlock(&audit->mutex);
	return trouble;
}

int audit_reopen(struct audit *audit)
{
	int r;

	(void)pthread_mutex_lock(&audit->mutex);
	audit->reopen_is_due = true;
	r = settle(audit);
	if (r == 0)
		r = reopen(audit);
	if (r == 0)
		r = audit_batch_write(audit, NULL);
	(void)pthread_mutex_unlock(&audit->mutex);

	return r == -ETIMEDOUT ? -TACIT_E_AUDIT_UNAVAILABLE : r;
}

/* Syncing has a thread of its own, so that no line waits for the disk while it takes its time. */

static void sync_end(struct audit *audit, int r)
{
	if (r == -ETIMEDOUT)
		return; /* it is under way */

	audit->sync_has_failed = r < 0;
	if (r == 0)
		audit->synced = audit->syncing;
}

static void sync_begin(struct audit *audit)
{
	int fd = fcntl(audit->file.fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return;

	audit->sync_fd = fd;
	audit->syncing = audit->chain.sequence;
	audit->sync_due_ms = deadline_in_ms(SYNC_MS);
	sync_end(audit, worker_do(&audit->syncer, sync_job, audit, 0));
}

static void sync_step(struct audit *audit, bool writer_is_idle)
{
	int r = worker_poll(&audit->syncer);

	if (r == -EBUSY)
		return;
	if (r <= 0)
		sync_end(audit, r);
	if (writer_is_idle && deadline_left_ms(audit->sync_due_ms) == 0 &&
	    (audit->synced < audit->chain.sequence || audit->sync_has_failed))
		sync_begin(audit);
}

void audit_tick(struct audit *audit)
{
	bool writer_is_idle;

	(void)pthread_mutex_lock(&audit->mutex);
	(void)settle(audit);
	writer_is_idle = !audit->writer.is_busy;
	sync_step(audit, writer_is_idle);
	if (writer_is_idle && audit->reopen_is_due)
		(void)reopen(audit);
	if (settle(audit) == 0 && (audit->head || audit->late_first > 0 || audit->refused > 0))
		(void)audit_batch_write(audit, NULL);
	(void)pthread_mutex_unlock(&audit->mutex);
}

int audit_directory(const struct audit *audit)
{
	return audit->dirfd;
}

void audit_position(struct audit *audit, struct audit_mark *ret_mark)
{
	(void)pthread_mutex_lock(&audit->mutex);
	*ret_mark = audit->chain;
	(void)pthread_mutex_unlock(&audit->mutex);
}

int audit_get_mark(struct audit *audit, struct audit_mark *ret_mark)
{
	int r;

	(void)pthread_mutex_lock(&audit->mutex);
	r = settle(audit);
	if (r == 0 && fdatasync(audit->file.fd) < 0)
		r = -errno;
	if (r == 0)
		*ret_mark = audit->chain;
	(void)pthread_mutex_unlock(&audit->mutex);

	return r;
}

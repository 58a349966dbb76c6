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

static void reopen_end(struct audit *audit, int r)
{
	audit->reopen_hangs = r == -ETIMEDOUT;
	audit->reopen_is_due = r < 0;
	if (r == 0)
		file_is_replaced(audit);
}

/* What has been submitted goes to the old file first: its lines follow on what is there. */
static int reopen(struct audit *audit)
{
	int r;

	audit->reopens = true;
	r = audit_batch_settle(audit);
	if (r == 0) {
		worker_rest(&audit->writer);
		r = worker_do(&audit->writer, reopen_job, audit, AUDIT_WAIT_MS);
	}
	reopen_end(audit, r);
	audit->reopens = false;
	(void)pthread_cond_broadcast(&audit->changed);
	return r;
}

static bool something_is_to_be_said(const struct audit *audit)
{
	return audit->head || audit->late_first > 0 || audit->refused > 0;
}

/*
 * Whether the log can be written to, as far as is known. Takes note of what the writer has done
 * since somebody did not wait for it any longer. -TACIT_E_AUDIT_UNAVAILABLE.
 */
static int look(struct audit *audit)
{
	int r = 0;

	while (audit->reopens)
		(void)pthread_cond_wait(&audit->changed, &audit->mutex);
	audit_batch_hurry(audit);
	if (audit->reopen_hangs)
		r = worker_poll(&audit->writer);
	if (audit->reopen_hangs && r != -EBUSY)
		reopen_end(audit, r);

	return audit->reopen_hangs || audit->is_late || audit->sync_has_failed
	           ? -TACIT_E_AUDIT_UNAVAILABLE
	           : 0;
}

/* A refusal is counted where it is not counted by the batch. */
static int look_for(struct audit *audit, const struct audit_event *event)
{
	int r = look(audit);

	audit->refused += r < 0 && event->request;
	return r;
}

int audit_submit(struct audit *audit, const struct audit_event *event, struct audit_ticket *ticket)
{
	int r;

	(void)pthread_mutex_lock(&audit->mutex);
	r = look_for(audit, event);
	if (r == 0)
		r = audit_batch_submit(audit, event, ticket);
	(void)pthread_mutex_unlock(&audit->mutex);

	return r;
}

int audit_write(struct audit *audit, const struct audit_event *event)
{
	int r;

	(void)pthread_mutex_lock(&audit->mutex);
	r = look_for(audit, event);
	if (r == 0)
		r = audit_batch_write(audit, event);
	(void)pthread_mutex_unlock(&audit->mutex);

	return r;
}

bool audit_is_available(struct audit *audit)
{
	bool is_available;

	(void)pthread_mutex_lock(&audit->mutex);
	is_available = look(audit) == 0 && audit->refused == 0;
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
	r = look(audit);
	audit->reopen_is_due = true;
	if (r == 0)
		r = reopen(audit);
	if (r == 0 && something_is_to_be_said(audit))
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

static void sync_step(struct audit *audit)
{
	int r = worker_poll(&audit->syncer);

	if (r == -EBUSY)
		return;
	if (r <= 0)
		sync_end(audit, r);
	if (!audit->is_late && !audit->reopen_hangs && deadline_left_ms(audit->sync_due_ms) == 0 &&
	    (audit->synced < audit->chain.sequence || audit->sync_has_failed))
		sync_begin(audit);
}

void audit_tick(struct audit *audit)
{
	(void)pthread_mutex_lock(&audit->mutex);
	(void)look(audit);
	sync_step(audit);
	if (look(audit) == 0 && audit->reopen_is_due)
		(void)reopen(audit);
	if (look(audit) == 0 && !audit->writes && something_is_to_be_said(audit))
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
	r = look(audit);
	if (r == 0 && fdatasync(audit->file.fd) < 0)
		r = -errno;
	if (r == 0)
		*ret_mark = audit->chain;
	(void)pthread_mutex_unlock(&audit->mutex);

	return r;
}

/* SPDX-License-Identifier: MIT */
#include "audit_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tacit/deadline.h"

/*
 * Two batches: while one is written, the next one is filled, and follows on its last line. So if
 * the one cannot be written, neither can the other.
 */

void audit_batch_free(struct batch *batch)
{
	audit_text_free(&batch->text);
}

/* --- putting one together --------------------------------------------------------------------- */

static int batch_add(struct audit *audit, const struct audit_event *event)
{
	struct batch *batch = &audit->filling;
	bool heads_file = audit->file_first == 0 && !audit->writes && batch->text.len == 0;

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
	audit->filling.refused = audit->refused;
	return batch_add(audit, &resumed);
}

static void batch_empty(struct batch *batch)
{
	batch->text.len = 0;
	batch->tickets = NULL;
	batch->event_first = 0;
	batch->refused = 0;
	batch->request[0] = '\0';
}

/* What is said first is said by the batch that nothing is in front of. */
static int batch_begin(struct audit *audit)
{
	struct batch *batch = &audit->filling;
	int r = 0;

	if (batch->text.len > 0)
		return 0;

	batch_empty(batch);
	batch->chain = audit->writes ? audit->writing.chain : audit->chain;
	if (audit->writes)
		return 0;

	r = batch_add_head(audit);
	if (r == 0)
		r = batch_add_late(audit);
	if (r == 0)
		r = batch_add_resumed(audit);
	if (r < 0)
		batch_empty(batch);
	return r;
}

static int batch_add_event(
    struct audit *audit, const struct audit_event *event, struct audit_ticket *ticket)
{
	struct batch *batch = &audit->filling;
	uint64_t first = batch->chain.sequence + 1;
	int r = event ? batch_add(audit, event) : 0;

	if (r < 0)
		return r;
	if (event && batch->event_first == 0) {
		batch->event_first = first;
		(void)snprintf(batch->request, sizeof(batch->request), "%s",
		    event->request ? event->request : "");
	}

	ticket->is_request = event && event->request;
	ticket->next = batch->tickets;
	batch->tickets = ticket;
	return 0;
}

/* --- what becomes of it ----------------------------------------------------------------------- */

/* The next one is looked up before: who is released is gone. */
static void tickets_release(struct audit *audit, struct batch *batch, int err)
{
	struct audit_ticket *next;

	for (struct audit_ticket *at = batch->tickets; at; at = next) {
		next = at->next;
		audit->refused += err < 0 && at->is_request;
		at->release(at, err);
	}
	batch->tickets = NULL;
	(void)pthread_cond_broadcast(&audit->changed);
}

static void batch_is_written(struct audit *audit)
{
	if (audit->file_first == 0)
		audit->file_first = audit->chain.sequence + 1;
	audit->chain = audit->writing.chain;
	audit->head = HEAD_NONE;
	audit->late_first = 0;
	audit->refused -= audit->writing.refused;
}

static void batch_came_late(struct audit *audit)
{
	const struct batch *batch = &audit->writing;

	batch_is_written(audit);
	if (batch->event_first == 0)
		return;
	audit->late_first = batch->event_first;
	audit->late_last = batch->chain.sequence;
	memcpy(audit->late_request, batch->request, sizeof(audit->late_request));
}

static void batch_is_lost(struct audit *audit)
{
	tickets_release(audit, &audit->writing, -TACIT_E_AUDIT_UNAVAILABLE);
	tickets_release(audit, &audit->filling, -TACIT_E_AUDIT_UNAVAILABLE);
	batch_empty(&audit->filling);
}

static void batch_finish(struct audit *audit, int r)
{
	audit->trouble = r;
	if (r < 0) {
		batch_is_lost(audit);
	} else if (audit->is_late) {
		batch_came_late(audit);
	} else {
		batch_is_written(audit);
		tickets_release(audit, &audit->writing, 0);
	}
	audit->is_late = false;
}

/* What was filled is to be written; false when there is nothing. */
static bool batch_take(struct audit *audit)
{
	struct batch full = audit->filling;

	audit->writes = full.text.len > 0;
	if (!audit->writes)
		return false;

	audit->filling = audit->writing;
	batch_empty(&audit->filling);
	audit->writing = full;
	audit->writes_due_ms = deadline_in_ms(AUDIT_WAIT_MS);
	return true;
}

/* A network file system has errors that must not look like our own verdict on a late batch. */
static int append(struct audit *audit)
{
	const struct audit_text *text = &audit->writing.text;
	int r = audit_file_append(&audit->file, text->bytes, text->len);

	if (r == 0 && audit->copy)
		audit_copy_send(audit->copy, text->bytes, text->len);
	return r == -ETIMEDOUT ? -EIO : r;
}

/* Writes what is there, and what has come meanwhile; the mutex is free while the disk is at it. */
static void write_out(struct audit *audit)
{
	do {
		int r;

		(void)pthread_mutex_unlock(&audit->mutex);
		r = append(audit);
		(void)pthread_mutex_lock(&audit->mutex);
		batch_finish(audit, r);
	} while (batch_take(audit));

	(void)pthread_cond_broadcast(&audit->changed);
}

static int write_out_job(void *context)
{
	struct audit *audit = context;

	(void)pthread_mutex_lock(&audit->mutex);
	write_out(audit);
	(void)pthread_mutex_unlock(&audit->mutex);
	return 0;
}

/* Without the thread, at the start, it is done here and takes as long as it takes. */
static void write_begin(struct audit *audit)
{
	if (audit->writes || !batch_take(audit))
		return;

	if (audit->writer.runs)
		worker_begin(&audit->writer, write_out_job, audit);
	else
		write_out(audit);
}

int audit_batch_submit(
    struct audit *audit, const struct audit_event *event, struct audit_ticket *ticket)
{
	int r = audit->is_late ? -TACIT_E_AUDIT_UNAVAILABLE : batch_begin(audit);

	if (r == 0)
		r = batch_add_event(audit, event, ticket);
	if (r < 0) {
		audit->refused += event && event->request;
		return -TACIT_E_AUDIT_UNAVAILABLE;
	}

	write_begin(audit);
	return 0;
}

/* --- waiting for it --------------------------------------------------------------------------- */

void audit_batch_hurry(struct audit *audit)
{
	if (!audit->writes || audit->is_late || deadline_left_ms(audit->writes_due_ms) > 0)
		return;

	audit->is_late = true;
	audit->trouble = -ETIMEDOUT;
	batch_is_lost(audit);
}

static void wait_until(struct audit *audit, int64_t deadline_ms)
{
	const struct timespec until = {
	    .tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};

	(void)pthread_cond_clockwait(&audit->changed, &audit->mutex, CLOCK_MONOTONIC, &until);
	audit_batch_hurry(audit);
}

int audit_batch_settle(struct audit *audit)
{
	while (audit->writes && !audit->is_late)
		wait_until(audit, audit->writes_due_ms);

	return audit->is_late ? -TACIT_E_AUDIT_UNAVAILABLE : 0;
}

/* Somebody who waits here. */
struct patience {
	struct audit_ticket ticket; /* first, so that a ticket is somebody */
	bool is_over;
	int err;
};

static void patience_ends(struct audit_ticket *ticket, int err)
{
	struct patience *patience = (struct patience *)(void *)ticket;

	patience->is_over = true;
	patience->err = err;
}

int audit_batch_write(struct audit *audit, const struct audit_event *event)
{
	struct patience patience = {.ticket = {.release = patience_ends}};
	int r = audit_batch_submit(audit, event, &patience.ticket);

	if (r < 0)
		return r;
	while (!patience.is_over)
		wait_until(audit, audit->writes_due_ms);

	return patience.err;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_files.h"
#include "audit_private.h"
#include "tacit/fd.h"

#define STOP_MS 2000

static int audit_new(int dirfd, int flags, const struct keys *keys, struct audit **ret_audit)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	int r = audit ? audit_file_open(dirfd, flags, &audit->file) : -ENOMEM;

	if (r < 0) {
		free(audit);
		return r;
	}

	audit->keys = keys;
	audit->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	audit->sync_fd = -1;
	(void)pthread_mutex_init(&audit->mutex, NULL);
	(void)pthread_cond_init(&audit->changed, NULL);
	worker_init(&audit->writer);
	worker_init(&audit->syncer);
	*ret_audit = audit;
	return 0;
}

/* A thread that is stuck in a system call still uses all of this: then it is left behind. */
void audit_close(struct audit *audit)
{
	if (!audit)
		return;
	if (!worker_stop(&audit->writer, STOP_MS) || !worker_stop(&audit->syncer, STOP_MS))
		return;

	audit_file_close(&audit->file);
	fd_cleanup(&audit->dirfd);
	audit_copy_free(audit->copy);
	audit_batch_free(&audit->filling);
	audit_batch_free(&audit->writing);
	(void)pthread_cond_destroy(&audit->changed);
	(void)pthread_mutex_destroy(&audit->mutex);
	free(audit);
}

int audit_start(struct audit *audit, struct audit_copy *copy)
{
	int r = worker_start(&audit->writer, "tacit-audit");

	audit->copy = copy;
	return r < 0 ? r : worker_start(&audit->syncer, "tacit-sync");
}

int audit_create(int dirfd, const struct keys *keys, struct audit **ret_audit, struct fault *fault)
{
	static const struct audit_event started = {.event = "audit.started"};
	struct audit *audit = NULL;
	int r = audit_new(dirfd, O_CREAT | O_EXCL, keys, &audit);

	if (r == 0)
		r = audit_write(audit, &started);
	if (r < 0) {
		audit_close(audit);
		return fault_set(fault, r, AUDIT_FILE);
	}

	*ret_audit = audit;
	return 0;
}

/* Finds the end of the chain. An empty file has none: what is missing is the mark's to say. */
static int log_resume(struct audit *audit, size_t *ret_torn_bytes)
{
	struct audit_end end;
	int r = audit_file_end(audit->file.fd, audit->keys, &end);

	if (r < 0)
		return r;
	if (end.torn_bytes > 0 && ftruncate(audit->file.fd, end.size) < 0)
		return -errno;

	audit->chain = end.chain;
	audit->file.size = end.size;
	audit->file_first = audit_log_file_first(audit->dirfd, AUDIT_FILE);
	*ret_torn_bytes = end.torn_bytes;
	return 0;
}

/* Whether nothing is missing between the mark and what was found. */
static bool reaches_mark(const struct audit_mark *chain, const struct audit_mark *mark)
{
	return chain->sequence > mark->sequence ||
	       (chain->sequence == mark->sequence && chain->sequence > 0 &&
	           memcmp(chain->mac, mark->mac, AUDIT_MAC_BYTES) == 0);
}

/* The end of the file that was moved away last; false if that is not where the log has ended. */
static bool moved_end(
    const struct audit *audit, const struct audit_mark *mark, struct audit_mark *ret_chain)
{
	cleanup_audit_files struct audit_files files = {0};
	struct audit_end end = {0};

	if (audit_files_list(audit->dirfd, &files) < 0)
		return false;
	for (size_t i = files.count; i > 0 && end.chain.sequence == 0; i--) {
		cleanup_fd int fd = audit_log_file_open(audit->dirfd, files.items[i - 1].name);

		if (fd < 0 || audit_file_end(fd, audit->keys, &end) < 0)
			return false;
	}

	*ret_chain = end.chain;
	return reaches_mark(&end.chain, mark);
}

static int say_head(struct audit *audit)
{
	int r;

	(void)pthread_mutex_lock(&audit->mutex);
	r = audit_batch_write(audit, NULL);
	(void)pthread_mutex_unlock(&audit->mutex);
	return r;
}

/* Says what is missing where the next reader will look for it: in the log itself. */
static int log_restart(
    struct audit *audit, const struct audit_mark *mark, struct audit_state *state)
{
	uint64_t had = audit->chain.sequence;

	state->missing_from = had < mark->sequence ? had + 1 : 1;
	state->missing_to = mark->sequence;
	(void)snprintf(audit->head_subject, sizeof(audit->head_subject),
	    "lines %llu to %llu are missing", (unsigned long long)state->missing_from,
	    (unsigned long long)state->missing_to);

	audit->head = HEAD_RESTARTED;
	if (had < mark->sequence)
		audit->chain.sequence = mark->sequence;
	if (had == 0)
		memcpy(audit->chain.mac, mark->mac, AUDIT_MAC_BYTES);
	return say_head(audit);
}

static void note_behind(
    const struct audit_mark *chain, const struct audit_mark *mark, struct audit_state *state)
{
	if (!mark->is_end || chain->sequence <= mark->sequence)
		return;

	state->behind_from = mark->sequence + 1;
	state->behind_to = chain->sequence;
}

static int log_begin(struct audit *audit, const struct audit_mark *mark, struct audit_state *state)
{
	struct audit_mark moved;

	if (audit->file_first > 0 && reaches_mark(&audit->chain, mark)) {
		note_behind(&audit->chain, mark, state);
		return 0;
	}
	if (audit->file_first > 0 || !moved_end(audit, mark, &moved))
		return log_restart(audit, mark, state);

	note_behind(&moved, mark, state);
	audit->chain = moved;
	audit->head = HEAD_CONTINUED;
	return say_head(audit);
}

int audit_open(int dirfd, const struct keys *keys, const struct audit_mark *mark,
    struct audit **ret_audit, struct audit_state *ret_state, struct fault *fault)
{
	struct audit_state state = {0};
	struct audit *audit = NULL;
	int r = audit_new(dirfd, O_CREAT, keys, &audit);

	if (r < 0)
		return fault_set(fault, r, AUDIT_FILE);

	r = log_resume(audit, &state.torn_bytes);
	if (r < 0)
		(void)fault_set(fault, r, "last line of " AUDIT_FILE);
	if (r == 0) {
		r = log_begin(audit, mark, &state);
		if (r < 0)
			(void)fault_set(fault, r, AUDIT_FILE);
	}
	if (r < 0) {
		audit_close(audit);
		return r;
	}

	*ret_state = state;
	*ret_audit = audit;
	return 0;
}

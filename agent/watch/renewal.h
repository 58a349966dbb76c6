/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_RENEWAL_H
#define TACIT_AGENT_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery.h"
#include "parent.h"
#include "second_start.h"
#include "session.h"
#include "tacit/bundle.h"
#include "tacit/err.h"
#include "watcher.h"

/*
 * The parent with --watch: to its duties as a parent comes to look after the watcher, and to signal
 * the command or start it again when files were renewed.
 *
 * A command that is to be started again gets TERM and, after a grace period, KILL. Once TERM, INT
 * or QUIT has come from outside it is not started again any more: somebody wants it to end.
 */
struct renewal {
	struct session *session;
	struct delivery *delivery;
	struct parent parent;
	struct watcher watcher;
	int64_t watcher_started_ms;
	int64_t watcher_due_ms; /* when to start it again; -1: not to */
	unsigned watcher_deaths;
	struct second_start start;
	struct bundle known;  /* what is delivered, without values */
	struct bundle coming; /* what is being told */
	bool is_coming;       /* a rotation was begun and not ended */
	bool is_ending;       /* the command was asked to end, by another than us */
	bool is_restarting;
	int64_t kill_ms; /* when the grace period ends; -1: no more */
	int signals_fd;
};

#define RENEWAL_NONE       \
	((struct renewal){ \
	    .watcher = WATCHER_NONE, .watcher_due_ms = -1, .kill_ms = -1, .signals_fd = -1})

/*
 * Starts the watcher, then the command, with signals blocked by signals_block(). On failure
 * neither may be left after renewal_free().
 */
int renewal_start(struct renewal *renewal, struct session *session, struct delivery *delivery,
    struct fault *fault);

/* Serves until the command ends for good; its exit code, 128+N, or a negative error. */
int renewal_serve(struct renewal *renewal, struct fault *fault);

/* Ends the watcher. */
void renewal_free(struct renewal *renewal);
#define cleanup_renewal __attribute__((cleanup(renewal_free)))

#endif

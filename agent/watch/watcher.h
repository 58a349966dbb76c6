/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_WATCHER_H
#define TACIT_AGENT_WATCHER_H

#include <stdbool.h>
#include <sys/types.h>

#include "delivery.h"
#include "session.h"
#include "tacit/bundle.h"
#include "tacit/err.h"

/*
 * A process that waits at the server for changes and brings the files up to date, so that its
 * parent, which may be PID 1, has nothing to do but its duties. It tells by notes (rotation.h).
 * It is as closed up as its parent, drops every value that it inherits, takes no signal but KILL,
 * and dies with its parent.
 */
struct watcher {
	pid_t pid;
	int notes_fd; /* owned; does not block */
};

#define WATCHER_NONE ((struct watcher){.pid = -1, .notes_fd = -1})

/*
 * Forks it, with signals blocked by signals_block(). `known` is what is delivered; `is_due` when
 * an earlier watcher has begun a rotation and not ended it. -errno when there can be none.
 */
int watcher_start(struct session *session, struct delivery *delivery, const struct bundle *known,
    bool is_due, struct watcher *ret_watcher, struct fault *fault);

/* Ends it and removes what it had staged. */
void watcher_stop(struct watcher *watcher, const struct secrets_dir *dir);

#endif

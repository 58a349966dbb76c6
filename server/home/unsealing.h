/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_UNSEALING_H
#define TACIT_SERVER_UNSEALING_H

#include <pthread.h>
#include <stdbool.h>

#include "keys.h"
#include "tacit/err.h"

/*
 * A server that was started sealed waits for somebody to bring the master key. The thread that
 * hears of it offers the keys here; the main thread, which waits for signals, takes them, opens
 * the store with them, and says how that went.
 */
struct unsealing {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t main_thread;
	struct keys *keys;
	bool is_settled;
	bool is_closed;
	struct fault verdict;
	unsigned wrong; /* attempts with another key */
};

/* Sent to the main thread when keys are there. */
#define UNSEALING_SIGNAL SIGUSR1

/* Called by the main thread. */
void unsealing_init(struct unsealing *unsealing);
/* The server stops: nobody will take keys any more, and who waits is told so. */
void unsealing_close(struct unsealing *unsealing);
void unsealing_destroy(struct unsealing *unsealing);

/*
 * Tries what somebody has brought. -TACIT_E_WRONG_KEY comes after a delay that grows with each
 * attempt; any other error is that of opening the store. Returns once that is done.
 */
int unsealing_try(
    struct unsealing *unsealing, int dirfd, const struct secret *material, struct fault *fault);

/* The keys that were offered, to be owned by the caller; NULL: there are none. */
struct keys *unsealing_take(struct unsealing *unsealing);

/* Says what became of them: `fault.err` is 0 when the store is open. */
void unsealing_settle(struct unsealing *unsealing, const struct fault *fault);

#endif

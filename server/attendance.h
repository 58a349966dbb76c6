/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ATTENDANCE_H
#define TACIT_SERVER_ATTENDANCE_H

#include <signal.h>

#include "control_server.h"
#include "home.h"
#include "upkeep.h"

/*
 * What attends to a store beside the listeners: upkeep, and the control socket. A server that is
 * started sealed has the socket first, and the rest once somebody has brought the key.
 */
struct attendance {
	struct unsealing unsealing;
	struct upkeep *upkeep;
	struct control_server *control;
	const char *dir; /* outlives all this */
};

/*
 * Waits for the key, with `signals` blocked, of which UNSEALING_SIGNAL is one, and opens the store
 * with it. 1 when a signal came that ends the server.
 */
int attendance_await_key(struct attendance *attendance, const struct config *config,
    const sigset_t *signals, struct home *home, struct audit_state *ret_audit, struct fault *fault);

/* For a store that is open. */
int attendance_begin(struct attendance *attendance, struct home *home,
    void (*complain)(const struct fault *fault), struct fault *fault);

/* After either of them, also after a failure. */
void attendance_end(struct attendance *attendance);

#endif

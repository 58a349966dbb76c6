/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ATTENDANCE_H
#define TACIT_SERVER_ATTENDANCE_H

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
	int control_fd;  /* until the control server takes it over; -1 */
	const char *dir; /* outlives all this */
};

/* Makes the control socket: before the sandbox, in which that cannot be done any more. */
int attendance_listen(struct attendance *attendance, const struct home *home, struct fault *fault);

/*
 * Waits for the key and opens the store with it. 1 when a signal came that ends the server; see
 * signals.h. Whoever brought the key goes on waiting, for what attendance_tell() says, so that he
 * does not find the doors of a sealed server afterwards.
 */
int attendance_await_key(struct attendance *attendance, const struct config *config,
    struct home *home, struct audit_state *ret_audit, struct fault *fault);

/* After that, whatever it returned. `err` 0: the store is open. */
void attendance_tell(struct attendance *attendance, int err, const struct fault *fault);

/* For a store that is open. */
int attendance_begin(struct attendance *attendance, struct home *home,
    void (*complain)(const struct fault *fault), struct fault *fault);

/* After any of them, also after a failure. */
void attendance_end(struct attendance *attendance);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_NOTIFY_H
#define TACIT_SERVER_NOTIFY_H

#include <stdint.h>

/*
 * Tells the service manager how we are: sd_notify(3), which is one datagram to the socket that
 * $NOTIFY_SOCKET names. Without one all of this does nothing. Nobody waits for these messages to
 * arrive, so none of them fails.
 */

/*
 * Connects, once, while sockets can still be made, and takes the variables out of the environment.
 * 0 also when there is no service manager; -TACIT_E_MALFORMED, -errno when it cannot be reached.
 */
int notify_begin(void);

/* READY=1, with what we are doing, in one line, for `systemctl status`. */
void notify_ready(const char *status);
/* RELOADING=1 and MONOTONIC_USEC, which Type=notify-reload wants; notify_ready() ends it. */
void notify_reloading(void);
void notify_stopping(void);

/* WATCHDOG=1: we are alive; nothing when the service manager does not ask. */
void notify_alive(void);
/* How long one may wait before the next of them: a third of WatchdogSec=, and a minute at most. */
int64_t notify_patience_ms(void);

void notify_end(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SIGNALS_H
#define TACIT_SERVER_SIGNALS_H

#include <stdint.h>

/* SIGTERM, SIGINT, SIGHUP and UNSEALING_SIGNAL, which the main thread alone is to see. */

/* To be called before any thread is made. */
void signals_block(void);

/* The one that came, or 0 when `wait_ms` are over. */
int signals_wait(int64_t wait_ms);

#endif

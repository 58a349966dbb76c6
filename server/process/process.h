/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_PROCESS_H
#define TACIT_SERVER_PROCESS_H

#define PROGRAM_NAME "tacit-server"

/* No core dumps, no tracing, no memory to be read by others. */
void process_harden(void);
/*
 * Keeps all memory of the process off swap where that is allowed without a limit, as it is to root:
 * values pass through the buffers of libraries too. Elsewhere secret.h locks its own.
 */
void process_lock_memory(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SANDBOX_H
#define TACIT_SERVER_SANDBOX_H

#include <stdbool.h>

#include "tacit/err.h"

/*
 * What the server gives up, for good, once its directory is open and its sockets are bound: from
 * then on it can accept connections, and read and write in that directory, and nothing else. Who
 * takes the process over through a bug in what it parses gets no more than that.
 *
 *   capabilities   none, and none to be had again (no_new_privs, capabilities(7))
 *   Landlock       no file outside of the directory, nothing executed; where the kernel can, no
 *                  TCP connection made or port bound and no signal outwards (landlock(7))
 *   seccomp        the system calls of a table; no new socket, process or executable memory
 */

/*
 * Enters it. The process must have one thread, since Landlock and capabilities hold for that one
 * and for those that it starts. *ret_landlock is false on a kernel without it (before 5.13, or told
 * to do without); whatever else is missing is an error, since half a sandbox is none.
 */
int sandbox_enter(int dirfd, bool *ret_landlock, struct fault *fault);

/*
 * Its parts. Dropping the bounding set takes CAP_SETPCAP, so whoever changes from root to another
 * user does that before; without it, nothing comes of the set anyway once there is no_new_privs.
 */
void sandbox_drop_bounding_set(void);
int sandbox_drop_capabilities(struct fault *fault);
int sandbox_enter_landlock(int dirfd, bool *ret_landlock, struct fault *fault);
int sandbox_enter_seccomp(struct fault *fault);

#endif

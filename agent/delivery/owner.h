/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_OWNER_H
#define TACIT_AGENT_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Who lives on a directory of secrets, so that a later run can tell one that was left behind by
 * SIGKILL from one that is in use.
 *
 * No lock can say so: after exec nothing of the agent is left to hold one, and a descriptor that
 * survives exec would be seen, and perhaps closed, by the command. A PID alone cannot either: it
 * is reused, and it is 1 in every container that shares /dev/shm with another (--ipc=host). So an
 * owner is a PID, the time when that process started (proc(5), field 22), which exec does not
 * change, and the PID namespace in which both mean something. It is kept as the target of a
 * symbolic link, which is written and read in one step and never half.
 */
#define OWNER_TEXT_BYTES 128

/*
 * Writes the owner text for this process and, when it is over 0, for `command`, which may outlive
 * it. -errno when /proc does not tell.
 */
int owner_print(pid_t command, char ret_text[static OWNER_TEXT_BYTES]);

/*
 * Whether every process of that text is certainly gone. A text that cannot be understood and an
 * owner in another PID namespace count as alive: only what is known to be dead is swept.
 */
bool owner_is_dead(const char *text);

#endif

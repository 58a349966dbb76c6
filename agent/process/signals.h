/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SIGNALS_H
#define TACIT_AGENT_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/*
 * What a signal does while secrets are under way. PID 1 has no default actions, so that without
 * handlers `docker stop` would wait for its whole grace period.
 *
 *   waiting for secrets   TERM, INT, HUP and QUIT end the agent with 128+N: nothing is written yet
 *   files are written     they are held back, so that none is left behind
 *   the command runs      exec: it has the mask and dispositions that the agent was given;
 *                         parent: every signal goes to it
 */

/*
 * Installs the handlers. A signal that was ignored stays ignored; SIGPIPE, which a broken
 * connection raises, does nothing. Handlers, other than SIG_IGN, do not survive exec.
 */
void signals_catch(void);

/* Holds back every signal but those that the process raises itself by a fault. */
void signals_block(void);

/* Puts the mask back that the agent was started with. */
void signals_unblock(void);

/* A signal that came since signals_block() and would have ended the agent, or 0. */
int signals_ended_by(void);

/*
 * The number of a signal that is named `HUP`, `SIGHUP` or `1`, in capitals or not; 0 for anything
 * else.
 */
int signal_parse(const char *text);

/*
 * Whether a parent passes the signal on to its command: all but those that report a fault of the
 * process itself (FPE ILL SEGV BUS ABRT TRAP SYS), SIGCHLD, and TTIN and TTOU of the terminal.
 */
bool signal_is_forwarded(int signal_number);

#endif

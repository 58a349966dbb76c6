/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_PARENT_H
#define TACIT_AGENT_PARENT_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tacit/err.h"

/*
 * The agent as parent of its command, with the duties of PID 1: it passes signals on, reaps every
 * orphan, and ends as the command ended.
 *
 * The command stays in the agent's process group. So the terminal treats both as the one job that
 * they are: a pipeline behind the agent keeps working, the shell above can stop and continue it,
 * and an interactive shell below makes a group of its own, as under any other parent. What the
 * terminal sends to the whole group (^C, ^\, ^Z, a new window size) has reached the command
 * already and is not passed on a second time.
 */
struct parent {
	pid_t command;
	struct sigaction inherited_sigchld;
	bool has_terminal;
};

/* Becomes a parent to whom orphans come and whose children do not vanish. -errno. */
int parent_prepare(struct parent *ret_parent, struct fault *fault);

/*
 * Starts the command, with signals blocked by signals_block(). A command that cannot be executed
 * says so itself on stderr and ends with 126 or 127. -errno when there can be no process.
 */
int parent_start(
    struct parent *parent, char *const command[], char *const environment[], struct fault *fault);

/*
 * Serves until the command ends; its exit code, or 128+N when signal N ended it. Gives back memory
 * as parent_shrink() does, soon after the start.
 */
int parent_serve(const struct parent *parent);

/*
 * The same in steps, for one that has more to attend to: reaps a child that has ended, if there is
 * one; passes a signal on if it is one to be passed on.
 */
bool parent_reap(const struct parent *parent, siginfo_t *ret_child);
void parent_pass_on(const struct parent *parent, int signal_number, int signal_code);

/* The exit code, or 128+N, of a child that was reaped. */
int parent_exit_code(const siginfo_t *child);

/* Gives back the memory that only the delivery needed: free heap, and the pages of its code. */
void parent_shrink(void);

/*
 * Overwrites the strings of an environment where they stand, so that /proc/PID/environ shows none
 * of them any more.
 */
void parent_wipe_environment(char *environment[]);

#endif

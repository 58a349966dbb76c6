/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_LAUNCH_H
#define TACIT_AGENT_LAUNCH_H

#include <stddef.h>

#include "tacit/err.h"

/* Exit codes, as env(1), tini and Docker have them. */
#define EXIT_AGENT_FAILED     125
#define EXIT_CANNOT_EXECUTE   126
#define EXIT_COMMAND_NOTFOUND 127
#define EXIT_SIGNALLED        128 /* + the signal's number */

/*
 * Replaces this process with `command` (ends with NULL), which is searched for in the PATH of
 * `environment`, and never handed to a shell. Comes back only with bad news: -ENOENT, -EACCES,
 * -ENOEXEC ..., the command in `fault`, and, where the file is there but what should run it is
 * not, the name of that.
 */
int launch_exec(char *const command[], char *const environment[], struct fault *fault);

/* The exit code for what launch_exec() returned. */
int launch_exit_code(int err);

/*
 * What has to exist so that a file can be executed: the interpreter of a `#!` line, or the
 * dynamic loader of a 64-bit ELF file (System V ABI, PT_INTERP). Pure: `bytes` is the beginning of
 * the file. Writes it to `ret_path`, or "" when there is none or it cannot be told.
 */
void launch_find_interpreter(const void *bytes, size_t len, char *ret_path, size_t size);

#endif

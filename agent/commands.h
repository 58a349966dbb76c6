/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_COMMANDS_H
#define TACIT_AGENT_COMMANDS_H

#include "tacit/options.h"

#define AGENT_NAME "tacit-agent"

/* The subcommands, as options.h wants them; each returns the exit code of the program. */
int command_run(const struct command *command, int argc, char *argv[]);
int command_fetch(const struct command *command, int argc, char *argv[]);
int command_doctor(const struct command *command, int argc, char *argv[]);
int command_copy(const struct command *command, int argc, char *argv[]);

#endif

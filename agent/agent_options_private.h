/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_AGENT_OPTIONS_PRIVATE_H
#define TACIT_AGENT_AGENT_OPTIONS_PRIVATE_H

#include "agent_options.h"

/*
 * The steps of agent_options_parse(): agent_options_set.c takes each option by itself,
 * agent_options_check.c judges them together.
 */

/* Sets what `--name value` says. -TACIT_E_USAGE, -TACIT_E_INVALID_ENV, -ENOMEM. */
int agent_options_set(
    struct agent_options *options, const char *name, const char *value, struct fault *fault);

/* That at most one source of secrets was named on the command line. -TACIT_E_USAGE. */
int agent_options_check_source(const struct agent_options *options, struct fault *fault);

/* Watching takes a server to watch and a parent to stay, for example. -TACIT_E_USAGE. */
int agent_options_check_combination(const struct agent_options *options, struct fault *fault);

/*
 * `run` needs a command and `fetch` takes none: the row of the subcommand says which it is.
 * -TACIT_E_USAGE.
 */
int agent_options_check_command(
    const struct command *command, const struct agent_options *options, struct fault *fault);

#endif

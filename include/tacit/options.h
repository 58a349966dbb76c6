/* SPDX-License-Identifier: MIT */
#ifndef TACIT_OPTIONS_H
#define TACIT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "tacit/err.h"

/*
 * Command lines of all three programs. A subcommand is one row, and its options are rows; the
 * same rows are the help text. Long options only, with `=` or a space, `--` ends them; the first
 * argument that is no option ends them too when `stop_at_argument` is set (the agent's command).
 */
struct option_row {
	const char *name;     /* "from-file", without dashes */
	const char *argument; /* "FILE", or NULL for a switch */
	const char *help;     /* one line */
};

struct command {
	const char *name;                 /* "put", or two words: "client add" */
	const char *arguments;            /* "NAME [REASON]" */
	const char *help;                 /* one line, for the list of commands */
	const struct option_row *options; /* ends with a row whose name is NULL */
	int (*run)(const struct command *command, int argc, char *argv[]);
};

struct program {
	const char *name;               /* "tacit-agent" */
	const char *summary;            /* one line */
	const struct command *commands; /* ends with a row whose name is NULL */
};

/*
 * Handles `--help` and `--version`, finds the subcommand and runs it with what is left (argv[0] is
 * the first argument behind the subcommand). Returns its exit code, or `usage_exit_code` after one
 * line on stderr.
 */
int program_run(const struct program *program, int usage_exit_code, int argc, char *argv[]);

/*
 * Steps through a command's options. Declare `struct option_cursor cursor = {...}` with argc and
 * argv, call until it returns 0 and then take arguments from argv[cursor.next].
 */
struct option_cursor {
	const struct command *command;
	int argc;
	char **argv;
	bool stop_at_argument; /* false: options and arguments may be mixed */
	int next;
	const char *value; /* of the option just returned */
};

/*
 * The index of the next option's row + 1; 0 at the end; -TACIT_E_USAGE with the fault set for an
 * unknown option, a missing value, or a value where none goes. `--help` prints the command's help
 * and exits 0.
 */
int option_next(struct option_cursor *cursor, struct fault *fault);

/* Prints a command's help to stdout, as `--help` does. */
void command_print_help(const char *program_name, const struct command *command);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "tacit/err.h"
#include "tacit/options.h"

/* Rows that stand at the end of every command's options. */
#define COMMON_OPTIONS                                                                            \
	{"identity", "FILE", "who to be (default: TACIT_IDENTITY, /run/tacit, ~/.config/tacit)"}, \
	    {"server", "URL", "where to go (default: TACIT_SERVER, or as the identity says)"},    \
	    {"timeout", "D", "longest wait for an answer, as 30s or 2m (default: 30s)"},          \
	{                                                                                         \
		NULL, NULL, NULL                                                                  \
	}
#define JSON_OPTION                        \
	{                                  \
		"json", NULL, "print JSON" \
	}

#define ARGUMENT_OPTIONS_MAX 16
#define ARGUMENT_GIVEN_MAX   64 /* options on one command line, repeated ones counted */

/* A command line that was taken apart by the rows of its command. Borrows argv. */
struct arguments {
	const struct command *command;
	const char *options[ARGUMENT_OPTIONS_MAX]; /* by row; "" for a switch, NULL if not given */
	struct {
		int row;
		const char *value;
	} given[ARGUMENT_GIVEN_MAX]; /* all of them, in order */
	int given_count;
	char **items;
	int count;
};

/*
 * How many arguments `shape` asks for, as it stands in the help: "NAME" one, "[PREFIX]" none or
 * one, "CLIENT PATTERN" two.
 */
void arguments_shape(const char *shape, int *ret_min, int *ret_max);

/* Reads options and arguments; of an option given twice the last wins. -TACIT_E_USAGE. */
int arguments_read(const struct command *command, int argc, char *argv[],
    struct arguments *ret_arguments, struct fault *fault);

/*
 * Whether there are as many arguments as the command asks for. -TACIT_E_USAGE, whose fault never
 * quotes one: somebody may have typed a value there.
 */
int arguments_check(const struct arguments *arguments, struct fault *fault);

/* The value of an option, "" for a switch; NULL if it was not given. */
const char *arguments_option(const struct arguments *arguments, const char *name);

/* The value that the `index`th option of that name was given; NULL when there are not so many. */
const char *arguments_nth(const struct arguments *arguments, const char *name, int index);

/* The argument at `index`, or NULL. */
const char *arguments_item(const struct arguments *arguments, int index);

/*
 * Reads a whole number from `min` to `max`: digits only, no sign, no blanks.
 * -TACIT_E_USAGE with `what` in the fault otherwise.
 */
int number_read(const char *text, const char *what, uint32_t min, uint32_t max, uint32_t *ret_value,
    struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#include "tacit/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 64

static const char *program_name = "";

static void print_row(const char *left, const char *right)
{
	(void)printf("  %-30s %s%s", left,
	    strlen(left) > 30 ? "\n                                 " : "", right);
	(void)putchar('\n');
}

void command_print_help(const char *name, const struct command *command)
{
	(void)printf("Usage: %s %s%s%s%s\n\n%s.\n", name, command->name,
	    command->options->name ? " [OPTION]..." : "", command->arguments[0] ? " " : "",
	    command->arguments, command->help);
	(void)printf("\nOptions:\n");
	for (const struct option_row *row = command->options; row->name; row++) {
		char left[96];

		(void)snprintf(left, sizeof(left), "--%s%s%s", row->name, row->argument ? " " : "",
		    row->argument ? row->argument : "");
		print_row(left, row->help);
	}
	print_row("--help", "show this help and exit");
}

static void program_print_help(const struct program *program)
{
	(void)printf("Usage: %s COMMAND [OPTION]... [ARGUMENT]...\n\n%s.\n\nCommands:\n",
	    program->name, program->summary);
	for (const struct command *command = program->commands; command->name; command++) {
		char left[160];

		(void)snprintf(left, sizeof(left), "%s%s%s", command->name,
		    command->arguments[0] ? " " : "", command->arguments);
		print_row(left, command->help);
	}
	(void)printf("\n`%s COMMAND --help` shows the options of a command.\n", program->name);
}

/* How many of argv's words the command's name takes, 0 when it is another one. */
static int command_words(const struct command *command, int argc, char *argv[])
{
	const char *space = strchr(command->name, ' ');
	size_t first_len = space ? (size_t)(space - command->name) : strlen(command->name);

	if (argc < 1 || strlen(argv[0]) != first_len ||
	    memcmp(argv[0], command->name, first_len) != 0)
		return 0;
	if (!space)
		return 1;

	return argc >= 2 && !strcmp(argv[1], space + 1) ? 2 : 0;
}

/* Whether some command of two words starts with this one: then the second one is what is wrong. */
static bool is_first_word(const struct program *program, const char *word)
{
	for (const struct command *command = program->commands; command->name; command++)
		if (!strncmp(command->name, word, strlen(word)) &&
		    command->name[strlen(word)] == ' ')
			return true;

	return false;
}

static int usage_error(const struct program *program, int exit_code, int argc, char *argv[])
{
	struct fault fault;

	if (argc < 1)
		(void)fault_set_why(&fault, -TACIT_E_USAGE, "see --help", "no command given");
	else if (argv[0][0] == '-')
		(void)fault_set_why(&fault, -TACIT_E_USAGE,
		    "options stand behind the command; see --help", "%s", argv[0]);
	else if (is_first_word(program, argv[0]))
		(void)fault_set_why(&fault, -TACIT_E_USAGE, "no such command; see --help", "%s%s%s",
		    argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
	else
		(void)fault_set_why(
		    &fault, -TACIT_E_USAGE, "no such command; see --help", "%s", argv[0]);
	fault_report(program->name, &fault);
	return exit_code;
}

int program_run(const struct program *program, int usage_exit_code, int argc, char *argv[])
{
	program_name = program->name;
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		program_print_help(program);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		(void)printf("%s %s\n", program->name, TACIT_VERSION);
		return 0;
	}

	for (const struct command *command = program->commands; command->name; command++) {
		int words = command_words(command, argc - 1, argv + 1);

		if (words > 0)
			return command->run(command, argc - 1 - words, argv + 1 + words);
	}

	return usage_error(program, usage_exit_code, argc - 1, argv + 1);
}

/* getopt_long wants its table in its own form; the last row is --help. */
static int getopt_table(const struct command *command, struct option ret_table[OPTIONS_MAX + 2])
{
	int count = 0;

	for (; command->options[count].name && count < OPTIONS_MAX; count++)
		ret_table[count] = (struct option){
		    .name = command->options[count].name,
		    .has_arg = command->options[count].argument ? required_argument : no_argument,
		};
	ret_table[count] = (struct option){.name = "help", .has_arg = no_argument};
	return count;
}

static int option_fault(const struct option_cursor *cursor, int answer, struct fault *fault)
{
	/*
	 * The word may be `--option=VALUE` or `-VALUE`, and a value is not for error texts. Within
	 * the latter optind has not moved on yet; getopt tells it by the letter in optopt.
	 */
	const char *word = optopt != 0 ? "-" : cursor->argv[optind - 2];
	int word_len = (int)strcspn(word, "=");

	return fault_set_why(fault, -TACIT_E_USAGE,
	    answer == ':' ? "needs a value; see --help"
	                  : "no such option, or no value belongs there; see --help",
	    "%s: option %.*s", cursor->command->name, word_len > 64 ? 64 : word_len, word);
}

int option_next(struct option_cursor *cursor, struct fault *fault)
{
	struct option table[OPTIONS_MAX + 2] = {0};
	int help = getopt_table(cursor->command, table);
	int index = 0;
	int answer;

	if (cursor->next == 0) {
		optind = 0; /* start anew, glibc's way */
		opterr = 0;
	}

	/* getopt skips argv[0]; ours is the first argument, so it is handed one word earlier. */
	answer = getopt_long(cursor->argc + 1, cursor->argv - 1,
	    cursor->stop_at_argument ? "+:" : ":", table, &index);
	cursor->next = optind - 1;
	cursor->value = optarg;
	if (answer < 0)
		return 0;
	if (answer != 0)
		return option_fault(cursor, answer, fault);
	if (index == help) {
		command_print_help(program_name, cursor->command);
		exit(0);
	}

	return index + 1;
}

/* SPDX-License-Identifier: MIT */
#include "tacit/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX    12

static const struct option_row put_options[] = {
    {"from-file", "FILE", "take the value from FILE"},
    {"raw", NULL, "no line end"},
    {"mode", "MODE", "the file's mode"},
    {0},
};

static const struct option_row no_options[] = {{0}};

/* What the last command was run with. */
static const struct command *ran;
static int ran_argc;
static char **ran_argv;

static int run_note(const struct command *command, int argc, char *argv[])
{
	ran = command;
	ran_argc = argc;
	ran_argv = argv;
	return 42;
}

/* Steps through its options as every command does. */
static int run_options(const struct command *command, int argc, char *argv[])
{
	struct option_cursor cursor = {.command = command, .argc = argc, .argv = argv};
	struct fault fault;
	int option;

	while ((option = option_next(&cursor, &fault)) > 0)
		;
	if (option < 0)
		fault_report("tacit", &fault);
	return option < 0 ? 2 : 0;
}

static const struct command commands[] = {
    {"put", "NAME", "Store a value", put_options, run_options},
    {"ls", "[PREFIX]", "List", no_options, run_note},
    {"status", "", "Show", no_options, run_note},
    {"client add", "NAME", "Add a client", put_options, run_note},
    {"client ls", "", "List clients", no_options, run_note},
    {0},
};

static const struct program program = {"tacit", "Puts and gets secrets", commands};

/* argv from words; getopt moves them about, so each call has its own. */
struct line {
	int argc;
	char *argv[WORDS_MAX + 2];
};

static void line_make(struct line *ret_line, const char *const words[])
{
	static char storage[WORDS_MAX + 1][64];

	ret_line->argc = 0;
	for (size_t i = 0; i <= WORDS_MAX && words[i]; i++) {
		(void)snprintf(storage[i], sizeof(storage[i]), "%s", words[i]);
		ret_line->argv[ret_line->argc++] = storage[i];
	}
	ret_line->argv[ret_line->argc] = NULL;
}

struct cursor_row {
	const char *words[WORDS_MAX]; /* the word in front is the subcommand's */
	bool stop_at_argument;
	const char *log; /* each option's index and value; then the arguments; or the fault */
};

static const struct cursor_row cursor_rows[] = {
    {{"put"}, false, "|"},
    {{"put", "a"}, false, "|a "},
    {{"put", "a", "b", "c"}, false, "|a b c "},

    /* with `=` or a space, in any order */
    {{"put", "--from-file=f"}, false, "1=f |"},
    {{"put", "--from-file", "f"}, false, "1=f |"},
    {{"put", "--raw"}, false, "2 |"},
    {{"put", "--mode=0400", "--raw", "--from-file=f", "a"}, false, "3=0400 2 1=f |a "},
    {{"put", "a", "--raw", "b", "--mode", "m", "c"}, false, "2 3=m |a b c "},
    {{"put", "--raw", "--raw"}, false, "2 2 |"},

    /* values are exact */
    {{"put", "--from-file="}, false, "1= |"},
    {{"put", "--from-file", ""}, false, "1= |"},
    {{"put", "--from-file=a=b"}, false, "1=a=b |"},
    {{"put", "--from-file", "--raw"}, false, "1=--raw |"},
    {{"put", "--from-file", "--"}, false, "1=-- |"},
    {{"put", "--from-file=-"}, false, "1=- |"},

    /* what is no option */
    {{"put", "-"}, false, "|- "},
    {{"put", ""}, false, "| "},
    {{"put", "--", "--raw"}, false, "|--raw "},
    {{"put", "--raw", "--", "--mode", "-x"}, false, "2 |--mode -x "},
    {{"put", "a", "--", "--raw"}, false, "|a --raw "},
    {{"put", "--", "--"}, false, "|-- "},

    /* the agent's command keeps its own options */
    {{"run", "--raw", "cmd", "--mode", "m"}, true, "2 |cmd --mode m "},
    {{"run", "cmd", "--raw"}, true, "|cmd --raw "},
    {{"run", "--", "cmd", "--raw"}, true, "|cmd --raw "},
    {{"run", "--raw", "--", "--raw", "--", "x"}, true, "2 |--raw -- x "},
    {{"run", "-", "--raw"}, true, "|- --raw "},
    {{"run"}, true, "|"},

    /* faults */
    {{"put", "--nope"}, false, "!put: option --nope"},
    {{"put", "--nope=s3cret"}, false, "!put: option --nope"},
    {{"put", "--raw=s3cret"}, false, "!put: option --raw"},
    {{"put", "--from-file"}, false, "!put: option --from-file"},
    {{"put", "a", "--mode"}, false, "!put: option --mode"},
    {{"put", "--raw", "--nope"}, false, "2 !put: option --nope"},
    {{"put", "a", "--nope", "b"}, false, "!put: option --nope"},

    /* there are no short ones, and their letters may be a value's */
    {{"put", "-s"}, false, "!put: option -"},
    {{"put", "-s3cret"}, false, "!put: option -"},
    {{"put", "--from-file", "--f1le", "-s3cret"}, false, "1=--f1le !put: option -"},
    {{"put", "name", "-s3cret"}, false, "!put: option -"},
    {{"put", "-s3=cret"}, false, "!put: option -"},
    {{"run", "-c", "x"}, true, "!put: option -"},
};

static void log_option(char *log, size_t size, int option, const char *value)
{
	size_t len = strlen(log);

	if (value)
		(void)snprintf(log + len, size - len, "%d=%s ", option, value);
	else
		(void)snprintf(log + len, size - len, "%d ", option);
}

static void log_arguments(char *log, size_t size, const struct option_cursor *cursor)
{
	(void)snprintf(log + strlen(log), size - strlen(log), "|");
	for (int i = cursor->next; i < cursor->argc; i++)
		(void)snprintf(log + strlen(log), size - strlen(log), "%s ", cursor->argv[i]);
}

static void options_are_read_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cursor_rows); i++) {
		struct option_cursor cursor = {
		    .command = &commands[0], .stop_at_argument = cursor_rows[i].stop_at_argument};
		struct fault fault = {0};
		struct line line;
		char log[256] = "";
		int option;

		line_make(&line, cursor_rows[i].words);
		cursor.argc = line.argc - 1;
		cursor.argv = line.argv + 1;
		while ((option = option_next(&cursor, &fault)) > 0)
			log_option(log, sizeof(log), option, cursor.value);
		if (option == 0)
			log_arguments(log, sizeof(log), &cursor);
		else
			(void)snprintf(
			    log + strlen(log), sizeof(log) - strlen(log), "!%s", fault.what);
		if (option < 0)
			assert_int_equal(fault.err, -TACIT_E_USAGE);
		if (strcmp(log, cursor_rows[i].log) != 0)
			fail_msg("row %zu: \"%s\" is not \"%s\"", i, log, cursor_rows[i].log);
	}
}

/* Values of an unknown or misused option are in no part of the fault. */
static void faults_hold_no_value(void **state)
{
	static const char *const lines[][WORDS_MAX] = {{"put", "--nope=s3cret"},
	    {"put", "--raw=s3cret"}, {"put", "-s3cret"}, {"put", "--from-file", "s3cret", "-x"},
	    {"put", "s3cret", "-abc"}};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct option_cursor cursor = {.command = &commands[0]};
		struct fault fault = {0};
		struct line line;
		int option;

		line_make(&line, lines[i]);
		cursor.argc = line.argc - 1;
		cursor.argv = line.argv + 1;
		while ((option = option_next(&cursor, &fault)) > 0)
			;
		assert_int_equal(option, -TACIT_E_USAGE);
		assert_null(strstr(fault.what, "s3c"));
		assert_null(strstr(fault.why, "s3c"));
	}
}

static void an_overlong_option_is_cut(void **state)
{
	char word[300] = "--";
	char *argv[] = {word, word, NULL};
	struct option_cursor cursor = {.command = &commands[0], .argc = 1, .argv = argv + 1};
	struct fault fault = {0};

	(void)state;
	memset(word + 2, 'x', sizeof(word) - 3);
	assert_int_equal(option_next(&cursor, &fault), -TACIT_E_USAGE);
	assert_in_range(strlen(fault.what), 64, 100);
}

static void a_fault_may_be_of_no_interest(void **state)
{
	char put[] = "put", nope[] = "--nope";
	char *argv[] = {put, nope, NULL};
	struct option_cursor cursor = {.command = &commands[0], .argc = 1, .argv = argv + 1};

	(void)state;
	assert_int_equal(option_next(&cursor, NULL), -TACIT_E_USAGE);
}

/* Each command line is read from its start, whatever became of the one before. */
static void cursors_do_not_disturb_each_other(void **state)
{
	static const char *const broken[] = {"put", "-abc", NULL};
	static const char *const whole[] = {"put", "--raw", "a", NULL};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct option_cursor cursor = {.command = &commands[0]};
		struct line line;

		line_make(&line, i % 2 ? broken : whole);
		cursor.argc = line.argc - 1;
		cursor.argv = line.argv + 1;
		assert_int_equal(option_next(&cursor, NULL), i % 2 ? -TACIT_E_USAGE : 2);
	}
}

struct command_row {
	const char *words[WORDS_MAX]; /* argv[0] included */
	size_t command;               /* its index */
	int argc;                     /* that it is run with */
};

static const struct command_row command_rows[] = {
    {{"tacit", "ls"}, 1, 0},
    {{"tacit", "ls", "web/"}, 1, 1},
    {{"tacit", "ls", "--help"}, 1, 1}, /* its own business */
    {{"tacit", "status"}, 2, 0},
    {{"tacit", "client", "add"}, 3, 0},
    {{"tacit", "client", "add", "web", "--raw"}, 3, 2},
    {{"tacit", "client", "ls"}, 4, 0},
    {{"tacit", "client", "ls", "client"}, 4, 1},
};

static void program_runs_the_command_of_that_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(command_rows); i++) {
		const struct command_row *row = &command_rows[i];
		struct line line;

		ran = NULL;
		line_make(&line, row->words);
		assert_int_equal(program_run(&program, 2, line.argc, line.argv), 42);
		assert_ptr_equal(ran, &commands[row->command]);
		assert_int_equal(ran_argc, row->argc);
		assert_ptr_equal(ran_argv, line.argv + line.argc - row->argc);
		assert_null(ran_argv[ran_argc]);
	}
}

/* What a program does in a process of its own. */
struct outcome {
	int exit_code;
	char out[4096];
	char err[1024];
};

static void drain(int fd, char *ret_text, size_t size)
{
	size_t len = 0;

	assert_int_equal(fd_read_full(fd, ret_text, size - 1, &len), 0);
	ret_text[len] = '\0';
	(void)close(fd);
}

static void run_apart(const char *const words[], int usage_exit_code, struct outcome *ret_outcome)
{
	int out[2], err[2], status;
	struct line line;
	pid_t pid;

	line_make(&line, words);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int r;

		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(err[1], STDERR_FILENO);
		r = program_run(&program, usage_exit_code, line.argc, line.argv);
		(void)fflush(NULL);
		_exit(r);
	}
	(void)close(out[1]);
	(void)close(err[1]);
	drain(out[0], ret_outcome->out, sizeof(ret_outcome->out));
	drain(err[0], ret_outcome->err, sizeof(ret_outcome->err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	ret_outcome->exit_code = WEXITSTATUS(status);
}

struct usage_row {
	const char *words[WORDS_MAX];
	const char *err;
};

static const struct usage_row usage_rows[] = {
    {{"tacit"}, "tacit: no command given: see --help\n"},
    {{"tacit", "nope"}, "tacit: nope: no such command; see --help\n"},
    {{"tacit", "l"}, "tacit: l: no such command; see --help\n"},
    {{"tacit", "lsx"}, "tacit: lsx: no such command; see --help\n"},
    {{"tacit", "LS"}, "tacit: LS: no such command; see --help\n"},
    {{"tacit", "--server", "u", "ls"},
        "tacit: --server: options stand behind the command; see --help\n"},
    {{"tacit", ""}, "tacit: no such command; see --help\n"},
    {{"tacit", "--nope"}, "tacit: --nope: options stand behind the command; see --help\n"},
    {{"tacit", "client"}, "tacit: client: no such command; see --help\n"},
    {{"tacit", "client", "nope"}, "tacit: client nope: no such command; see --help\n"},
    {{"tacit", "client add", "x"}, "tacit: client add: no such command; see --help\n"},
    {{"tacit", "clien", "add"}, "tacit: clien: no such command; see --help\n"},
    {{"tacit", "add"}, "tacit: add: no such command; see --help\n"},
};

static void wrong_commands_are_one_line_and_the_usage_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(usage_rows); i++)
		for (int code = 2; code <= 125; code += 123) {
			struct outcome outcome;

			run_apart(usage_rows[i].words, code, &outcome);
			assert_int_equal(outcome.exit_code, code);
			assert_string_equal(outcome.out, "");
			assert_string_equal(outcome.err, usage_rows[i].err);
		}
}

static void program_help_names_every_command(void **state)
{
	static const char *const words[] = {"tacit", "--help", NULL};
	struct outcome outcome;

	(void)state;
	run_apart(words, 2, &outcome);
	assert_int_equal(outcome.exit_code, 0);
	assert_string_equal(outcome.err, "");
	assert_non_null(strstr(outcome.out, "Usage: tacit COMMAND"));
	assert_non_null(strstr(outcome.out, "Puts and gets secrets."));
	for (const struct command *command = commands; command->name; command++) {
		assert_non_null(strstr(outcome.out, command->name));
		assert_non_null(strstr(outcome.out, command->help));
	}
}

static void command_help_names_every_option(void **state)
{
	static const char *const lines[][WORDS_MAX] = {{"tacit", "put", "--help"},
	    {"tacit", "put", "a", "--raw", "--help"}, {"tacit", "put", "--help", "--nope"}};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct outcome outcome;

		run_apart(lines[i], 2, &outcome);
		assert_int_equal(outcome.exit_code, 0);
		assert_string_equal(outcome.err, "");
		assert_non_null(strstr(outcome.out, "Usage: tacit put [OPTION]... NAME\n"));
		assert_non_null(strstr(outcome.out, "--from-file FILE"));
		assert_non_null(strstr(outcome.out, "take the value from FILE"));
		assert_non_null(strstr(outcome.out, "--raw "));
		assert_non_null(strstr(outcome.out, "--help"));
	}
}

static void help_behind_the_dashes_is_an_argument(void **state)
{
	static const char *const words[] = {"tacit", "put", "--", "--help", NULL};
	struct outcome outcome;

	(void)state;
	run_apart(words, 2, &outcome);
	assert_int_equal(outcome.exit_code, 0);
	assert_string_equal(outcome.out, "");
}

static void version_is_one_line(void **state)
{
	static const char *const words[] = {"tacit", "--version", NULL};
	struct outcome outcome;

	(void)state;
	run_apart(words, 2, &outcome);
	assert_int_equal(outcome.exit_code, 0);
	assert_string_equal(outcome.out, "tacit " TACIT_VERSION "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_are_read_as_the_table_says),
	    cmocka_unit_test(faults_hold_no_value),
	    cmocka_unit_test(an_overlong_option_is_cut),
	    cmocka_unit_test(a_fault_may_be_of_no_interest),
	    cmocka_unit_test(cursors_do_not_disturb_each_other),
	    cmocka_unit_test(program_runs_the_command_of_that_name),
	    cmocka_unit_test(wrong_commands_are_one_line_and_the_usage_code),
	    cmocka_unit_test(program_help_names_every_command),
	    cmocka_unit_test(command_help_names_every_option),
	    cmocka_unit_test(help_behind_the_dashes_is_an_argument),
	    cmocka_unit_test(version_is_one_line),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}

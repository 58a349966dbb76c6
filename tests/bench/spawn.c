/* SPDX-License-Identifier: MIT */
/*
 * Runs several commands in turn, A B A B, and measures each from its exec to its end.
 *
 *   spawn ROUNDS LABEL COMMAND [ARG]... [::: LABEL COMMAND [ARG]...]...
 *
 * Prints for each one line of KEY=VALUE pairs: the medians of wall and CPU time, the largest peak
 * RSS, and both times relative to the last command, and what they are over it, as the medians of
 * the rounds' own ratios and differences. Exits 1 if any command did not end with 0.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 8
#define ROUNDS_MAX   10000

struct command {
	const char *label;
	char **argv;
	double wall_us[ROUNDS_MAX];
	double cpu_us[ROUNDS_MAX];
	long peak_rss_kib;
	long failures;
};

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "spawn: %s\n", what);
	exit(2);
}

static double now_us(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double timeval_us(const struct timeval *time)
{
	return (double)time->tv_sec * 1e6 + (double)time->tv_usec;
}

static void command_run(struct command *command, long round)
{
	struct rusage usage = {0};
	double from_us = now_us();
	pid_t pid = 0;
	int status = 0;

	if (posix_spawnp(&pid, command->argv[0], NULL, NULL, command->argv, environ) != 0)
		fail(command->argv[0]);
	if (wait4(pid, &status, 0, &usage) != pid)
		fail("wait4");

	command->wall_us[round] = now_us() - from_us;
	command->cpu_us[round] = timeval_us(&usage.ru_utime) + timeval_us(&usage.ru_stime);
	if (usage.ru_maxrss > command->peak_rss_kib)
		command->peak_rss_kib = usage.ru_maxrss;
	if (status != 0)
		command->failures++;
}

static int compare(const void *left, const void *right)
{
	double difference = *(const double *)left - *(const double *)right;

	return (difference > 0) - (difference < 0);
}

static double median(const double *values, long count)
{
	static double sorted[ROUNDS_MAX];

	memcpy(sorted, values, (size_t)count * sizeof(*values));
	qsort(sorted, (size_t)count, sizeof(*sorted), compare);
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static double median_ratio(const double *values, const double *base, long count)
{
	static double ratios[ROUNDS_MAX];

	for (long i = 0; i < count; i++)
		ratios[i] = base[i] > 0 ? values[i] / base[i] : 0;
	return median(ratios, count);
}

static double median_over(const double *values, const double *base, long count)
{
	static double differences[ROUNDS_MAX];

	for (long i = 0; i < count; i++)
		differences[i] = values[i] - base[i];
	return median(differences, count);
}

static void report(const struct command *command, const struct command *base, long rounds)
{
	printf("label=%s wall_us=%.0f cpu_us=%.0f peak_rss_kib=%ld wall_ratio=%.3f cpu_ratio=%.3f "
	       "wall_over_us=%.0f cpu_over_us=%.0f failures=%ld\n",
	    command->label, median(command->wall_us, rounds), median(command->cpu_us, rounds),
	    command->peak_rss_kib, median_ratio(command->wall_us, base->wall_us, rounds),
	    median_ratio(command->cpu_us, base->cpu_us, rounds),
	    median_over(command->wall_us, base->wall_us, rounds),
	    median_over(command->cpu_us, base->cpu_us, rounds), command->failures);
}

/* Cuts the arguments at each `:::`. Returns how many commands there are. */
static size_t parse_commands(char **argv, struct command *commands)
{
	size_t count = 0;

	while (*argv) {
		if (count == COMMANDS_MAX || !argv[1])
			fail("a label needs a command, eight at most");
		commands[count].label = argv[0];
		commands[count++].argv = ++argv;
		while (*argv && strcmp(*argv, ":::") != 0)
			argv++;
		if (*argv)
			*argv++ = NULL;
	}
	return count;
}

int main(int argc, char **argv)
{
	static struct command commands[COMMANDS_MAX];
	long rounds = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
	long failures = 0;
	size_t count = 0;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		fail("ROUNDS LABEL COMMAND [ARG]... [::: LABEL COMMAND [ARG]...]...");
	count = parse_commands(argv + 2, commands);

	for (size_t i = 0; i < count; i++) /* warms the caches; overwritten below */
		command_run(&commands[i], 0);
	for (long round = 0; round < rounds; round++)
		for (size_t i = 0; i < count; i++)
			command_run(&commands[i], round);

	for (size_t i = 0; i < count; i++) {
		report(&commands[i], &commands[count - 1], rounds);
		failures += commands[i].failures;
	}
	return failures > 0;
}

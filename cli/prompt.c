/* SPDX-License-Identifier: MIT */
#include "prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/*
 * What may end or stop us while the terminal is silent. Not SIGTTIN and SIGTTOU: in the background
 * the very first tcsetattr(3) stops us, with nothing to put back yet.
 */
static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t caught;

struct silence {
	struct termios before;
	struct sigaction actions[SIGNAL_COUNT];
	sigset_t mask;
};

static void note_signal(int signal_number)
{
	caught = signal_number;
}

/*
 * The signals are blocked but for the wait in wait_for_line(), so that none can come between a
 * look at `caught` and that wait, and be slept through.
 */
static void catch_signals(struct silence *silence)
{
	const struct sigaction note = {.sa_handler = note_signal};
	sigset_t blocked;

	caught = 0;
	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		(void)sigaddset(&blocked, signals[i]);
		(void)sigaction(signals[i], &note, &silence->actions[i]);

		/* What our parent told us to ignore (nohup) stays ignored. */
		if (silence->actions[i].sa_handler == SIG_IGN)
			(void)sigaction(signals[i], &silence->actions[i], NULL);
	}

	(void)sigprocmask(SIG_BLOCK, &blocked, &silence->mask);
}

static void release_signals(const struct silence *silence)
{
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		(void)sigaction(signals[i], &silence->actions[i], NULL);

	(void)sigprocmask(SIG_SETMASK, &silence->mask, NULL);
}

static int silence_begin(struct silence *silence)
{
	if (tcgetattr(STDIN_FILENO, &silence->before) < 0)
		return -errno;

	struct termios silent = silence->before;

	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	silent.c_lflag |= ICANON | ISIG;
	catch_signals(silence);

	/* What was typed before the question is not an answer to it, hence the flush. */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0) {
		int err = -errno;

		release_signals(silence);

		return err;
	}

	return 0;
}

static void silence_end(const struct silence *silence)
{
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silence->before);
	release_signals(silence);
	(void)fputc('\n', stderr); /* the one that was typed did not show */
}

/* -EINTR when a signal came instead. */
static int wait_for_line(const struct silence *silence)
{
	struct pollfd terminal = {.fd = STDIN_FILENO, .events = POLLIN};

	return ppoll(&terminal, 1, NULL, &silence->mask) < 0 ? -errno : 0;
}

/* One line, or what came before an end-of-file character, without its line end. */
static int read_line(const struct silence *silence, struct secret *line)
{
	uint8_t *space = secret_space(line, PROMPT_MAX_BYTES + 2);
	int err = space ? wait_for_line(silence) : -ENOMEM;

	if (err < 0)
		return err;

	ssize_t got = read(STDIN_FILENO, space, PROMPT_MAX_BYTES + 2);

	if (got < 0)
		return -errno;

	size_t len = (size_t)got;

	if (len > 0 && space[len - 1] == '\n')
		len--;
	secret_grew(line, len);

	return 0;
}

static int ask_once(const char *question, const char *name, struct secret *line)
{
	struct silence silence;
	int err = silence_begin(&silence);

	if (err < 0)
		return err;

	(void)fprintf(stderr, "%s %s: ", question, name);
	err = read_line(&silence, line);
	silence_end(&silence);

	return err;
}

/* Asks again after a stop and a continue; a signal that ends us does so here, by its default. */
static int ask(const char *question, const char *name, struct secret **ret_line)
{
	cleanup_secret struct secret *line = NULL;
	int err = secret_new(PROMPT_MAX_BYTES + 2, &line);

	while (err == 0) {
		secret_reset(line);
		err = ask_once(question, name, line);
		if (!caught)
			break;

		(void)raise(caught);
		err = 0;
	}
	if (err < 0)
		return err;

	*ret_line = secret_take(&line);

	return 0;
}

static const char *complaint_about(const struct secret *first, const struct secret *second)
{
	if (secret_len(first) == 0)
		return "nothing was typed; an empty value can be piped in";
	if (secret_len(first) > PROMPT_MAX_BYTES)
		return "too long to type; pipe it in or use --from-file";
	if (second && !secret_equals(first, secret_bytes(second), secret_len(second)))
		return "the two are not the same";

	return NULL;
}

int prompt_value(const char *name, struct secret **ret_value, struct fault *fault)
{
	cleanup_secret struct secret *first = NULL;
	cleanup_secret struct secret *second = NULL;
	const char *complaint = NULL;
	int err = ask("Value of", name, &first);

	if (err == 0)
		complaint = complaint_about(first, NULL);
	if (err == 0 && !complaint)
		err = ask("Once more", name, &second);
	if (err < 0)
		return fault_set(fault, err, "terminal");

	if (!complaint)
		complaint = complaint_about(first, second);
	if (complaint)
		return fault_set_why(fault, -TACIT_E_MALFORMED, complaint, "%s", name);

	*ret_value = secret_take(&first);

	return 0;
}

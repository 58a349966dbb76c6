/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "launch.h"

static const int ending_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/* Raised by the process itself: to block them would turn a crash into a loop. */
static const int fault_signals[] = {
    SIGFPE,
    SIGILL,
    SIGSEGV,
    SIGBUS,
    SIGABRT,
    SIGTRAP,
    SIGSYS,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static sigset_t inherited_mask;

static void end_by_signal(int signal_number)
{
	_exit(EXIT_SIGNALLED + signal_number);
}

static void do_nothing(int signal_number)
{
	(void)signal_number;
}

static void catch_unless_ignored(int signal_number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct sigaction inherited;

	if (sigaction(signal_number, NULL, &inherited) == 0 && inherited.sa_handler == SIG_DFL)
		(void)sigaction(signal_number, &action, NULL);
}

void signals_catch(void)
{
	(void)sigprocmask(SIG_BLOCK, NULL, &inherited_mask);
	for (size_t i = 0; i < COUNT(ending_signals); i++)
		catch_unless_ignored(ending_signals[i], end_by_signal);
	catch_unless_ignored(SIGPIPE, do_nothing);
}

void signals_block(void)
{
	sigset_t blocked;

	(void)sigfillset(&blocked);
	for (size_t i = 0; i < COUNT(fault_signals); i++)
		(void)sigdelset(&blocked, fault_signals[i]);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
}

void signals_unblock(void)
{
	(void)sigprocmask(SIG_SETMASK, &inherited_mask, NULL);
}

int signals_ended_by(void)
{
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return 0;

	for (size_t i = 0; i < COUNT(ending_signals); i++) {
		struct sigaction action;

		if (sigismember(&pending, ending_signals[i]) == 1 &&
		    sigismember(&inherited_mask, ending_signals[i]) == 0 &&
		    sigaction(ending_signals[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			return ending_signals[i];
	}

	return 0;
}

bool signal_is_forwarded(int signal_number)
{
	for (size_t i = 0; i < COUNT(fault_signals); i++)
		if (fault_signals[i] == signal_number)
			return false;

	return signal_number != SIGCHLD && signal_number != SIGTTIN && signal_number != SIGTTOU;
}

static int signal_parse_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	return *end || number < 1 || number > SIGRTMAX ? 0 : (int)number;
}

int signal_parse(const char *text)
{
	if (*text >= '0' && *text <= '9')
		return signal_parse_number(text);
	if (!strncasecmp(text, "SIG", 3))
		text += 3;

	for (int number = 1; number < SIGRTMIN; number++) {
		const char *name = sigabbrev_np(number);

		if (name && !strcasecmp(name, text))
			return number;
	}

	return 0;
}

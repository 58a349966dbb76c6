/* SPDX-License-Identifier: MIT */
/*
 * Runs a command on a terminal of its own and talks to it:
 *
 *   cli_pty [-w COLUMNS] [EXPECT SEND]... -- COMMAND [ARG]...
 *
 * waits for each EXPECT in turn to show, then types SEND. Everything that shows goes to stdout.
 * Afterwards one line on stderr says whether the terminal still echoes. The exit status is the
 * command's, 128+N if signal N ended it, or 111 when
 * a text did not show within ten seconds or the command did not end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define EXIT_SILENT   111
#define PATIENCE_MS   10000
#define SHOWN_MAX     (1024 * 1024)
#define DEFAULT_WIDTH 80

struct terminal {
	int master;
	int slave; /* kept, so that its settings can be asked for after the command is gone */
	char shown[SHOWN_MAX];
	size_t shown_len;
	size_t expected_len; /* up to here texts were waited for */
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void terminal_open(struct terminal *terminal, int columns)
{
	struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};

	terminal->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->master < 0 || grantpt(terminal->master) < 0 || unlockpt(terminal->master) < 0)
		fail("posix_openpt");

	terminal->slave = open(ptsname(terminal->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->slave < 0 || ioctl(terminal->slave, TIOCSWINSZ, &size) < 0)
		fail("ptsname");
}

static pid_t run(const struct terminal *terminal, char *command[])
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid > 0)
		return pid;

	if (setsid() < 0 || ioctl(terminal->slave, TIOCSCTTY, 0) < 0)
		_exit(125);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(terminal->slave, fd);
	(void)execvp(command[0], command);
	_exit(127);
}

/* Reads what shows within `timeout_ms`; false when nothing did. */
static bool terminal_read(struct terminal *terminal, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = terminal->master, .events = POLLIN};
	size_t room = sizeof(terminal->shown) - terminal->shown_len;

	if (room == 0 || poll(&poll_fd, 1, timeout_ms) <= 0)
		return false;

	ssize_t got = read(terminal->master, terminal->shown + terminal->shown_len, room);

	if (got <= 0)
		return false;

	terminal->shown_len += (size_t)got;

	return true;
}

static bool has_shown(struct terminal *terminal, const char *text)
{
	char *from = terminal->shown + terminal->expected_len;
	char *at = memmem(from, terminal->shown_len - terminal->expected_len, text, strlen(text));

	if (!at)
		return false;

	terminal->expected_len = (size_t)(at - terminal->shown) + strlen(text);

	return true;
}

static bool expect(struct terminal *terminal, const char *text)
{
	while (!has_shown(terminal, text)) {
		if (!terminal_read(terminal, PATIENCE_MS))
			return false;
	}

	return true;
}

static void type(const struct terminal *terminal, const char *text)
{
	if (write(terminal->master, text, strlen(text)) != (ssize_t)strlen(text))
		fail("write");
}

static bool is_late(const struct timespec *started)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);

	return (now.tv_sec - started->tv_sec) * 1000 > PATIENCE_MS;
}

/*
 * Reads along until the command has ended, so that it never waits for a full terminal. One that
 * waits for more than was typed is ended, and *ret_silent says so.
 */
static int finish(struct terminal *terminal, pid_t pid, bool *ret_silent)
{
	struct timespec started;
	int status;

	(void)clock_gettime(CLOCK_MONOTONIC, &started);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		(void)terminal_read(terminal, 10);
		if (!*ret_silent && is_late(&started)) {
			*ret_silent = true;
			(void)kill(pid, SIGKILL);
		}
	}
	while (terminal_read(terminal, 50))
		;

	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void report_echo(const struct terminal *terminal)
{
	struct termios settings;

	if (tcgetattr(terminal->slave, &settings) < 0)
		fail("tcgetattr");

	(void)fprintf(stderr, "echo is %s\n", settings.c_lflag & ECHO ? "on" : "off");
}

int main(int argc, char *argv[])
{
	static struct terminal terminal;
	int columns = DEFAULT_WIDTH;
	int at = 1;

	if (argc > 2 && strcmp(argv[1], "-w") == 0) {
		columns = atoi(argv[2]);
		at = 3;
	}

	int separator = at;

	while (separator < argc && strcmp(argv[separator], "--") != 0)
		separator++;
	if (separator + 1 >= argc)
		return 1;

	terminal_open(&terminal, columns);

	pid_t pid = run(&terminal, argv + separator + 1);
	bool silent = false;

	for (; at + 1 < separator && !silent; at += 2) {
		silent = !expect(&terminal, argv[at]);
		if (!silent)
			type(&terminal, argv[at + 1]);
	}
	if (silent)
		(void)kill(pid, SIGKILL);

	int status = finish(&terminal, pid, &silent);

	(void)fwrite(terminal.shown, 1, terminal.shown_len, stdout);
	report_echo(&terminal);

	return silent ? EXIT_SILENT : status;
}

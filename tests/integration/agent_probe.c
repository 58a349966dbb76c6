/* SPDX-License-Identifier: MIT */
/*
 * The command that the agent's tests run under it, and what they look at it with:
 *
 *   exit N              ends with N
 *   kill N              ends by signal N
 *   hold                prints "ready" and waits
 *   signals             prints "ready", then the number of each signal that comes; TERM ends it
 *   orphans N           leaves N ended orphans to whoever reaps them, and one that lives for five
 *                       seconds; prints "ready" and waits
 *   children PID        prints the number of ended children of PID that nobody has reaped
 *   descriptors         prints the numbers of all that are open
 *   limits              prints the core limits, dumpable, the signal mask and what is ignored
 *   search PID FILE     prints how often the content of FILE is found in the memory of PID
 *   reader FILE LENGTH  reads FILE in a loop until TERM comes: it must always be there, with LENGTH
 *                       bytes that are all the same; prints "ready", then how many contents it saw
 *   listen PATH         listens on a socket for everybody, prints "ready" and waits
 *   connect PATH        connects to one and prints "connected"
 *   pty STEP... -- COMMAND [ARG]...
 *                       runs COMMAND on a new terminal; a step is `expect:TEXT` or `send:TEXT`
 *                       (`^C` and the like are control characters, `^M` ends a line) or `pause:MS`;
 *                       its exit code
 */
#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tacit/fd.h"

static int usage(void)
{
	(void)fprintf(stderr, "agent_probe: wrong usage\n");
	return 2;
}

static int say_ready(void)
{
	return puts("ready") < 0 || fflush(stdout) != 0 ? 1 : 0;
}

static int run_exit(char *argv[])
{
	return atoi(argv[0]); /* NOLINT(cert-err34-c): typed by the tests */
}

static int run_kill(char *argv[])
{
	int number = atoi(argv[0]); /* NOLINT(cert-err34-c): typed by the tests */

	(void)signal(number, SIG_DFL);
	(void)raise(number);
	return 1;
}

static int run_hold(char *argv[])
{
	(void)argv;
	(void)say_ready();
	while (pause() < 0)
		continue;

	return 1;
}

static int run_signals(char *argv[])
{
	sigset_t all;
	int number;

	(void)argv;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)say_ready();
	do {
		if (sigwait(&all, &number) == 0)
			(void)printf("%d\n", number);
		(void)fflush(stdout);
	} while (number != SIGTERM);

	return 0;
}

/* A child that ends at once and leaves a child of its own, which lives for a while. */
static int orphan_leave(unsigned seconds)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() == 0)
			(void)sleep(seconds);
		_exit(0);
	}

	return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : 1;
}

static int run_orphans(char *argv[])
{
	int count = atoi(argv[0]); /* NOLINT(cert-err34-c): typed by the tests */

	for (int i = 0; i < count; i++)
		if (orphan_leave(0) != 0)
			return 1;

	return orphan_leave(5) == 0 ? run_hold(argv) : 1;
}

static int run_children(char *argv[])
{
	char command[128];

	(void)snprintf(command, sizeof(command),
	    "grep -l '^PPid:[[:space:]]*%d$' /proc/[0-9]*/status 2>/dev/null | xargs -r grep -l "
	    "'^State:.*Z' 2>/dev/null | wc -l",
	    atoi(argv[0]));     /* NOLINT(cert-err34-c): typed by the tests */
	return system(command); /* NOLINT(cert-env33-c): a test */
}

static int run_descriptors(char *argv[])
{
	(void)argv;
	for (int fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			(void)printf("%d ", fd);
	(void)puts("");
	return 0;
}

static int run_limits(char *argv[])
{
	struct rlimit core;
	sigset_t mask;
	int blocked = 0;
	int ignored = 0;

	(void)argv;
	(void)getrlimit(RLIMIT_CORE, &core);
	(void)sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		blocked += sigismember(&mask, number) == 1 ? 1 : 0;
		ignored +=
		    sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN ? 1 : 0;
	}
	(void)printf("core %lld %lld dumpable %d blocked %d ignored %d\n", (long long)core.rlim_cur,
	    (long long)core.rlim_max, prctl(PR_GET_DUMPABLE), blocked, ignored);
	return 0;
}

static size_t occurrences(const char *bytes, size_t len, const char *needle, size_t needle_len)
{
	size_t count = 0;
	const char *end = bytes + len;

	for (const char *at = bytes;
	     (at = memmem(at, (size_t)(end - at), needle, needle_len)) != NULL; at++)
		count++;

	return count;
}

static size_t search_range(
    int memory_fd, uint64_t from, uint64_t to, const char *needle, size_t needle_len)
{
	size_t size = (size_t)(to - from);
	char *bytes = malloc(size);
	ssize_t got = bytes ? pread(memory_fd, bytes, size, (off_t)from) : -1;
	size_t count = got > 0 ? occurrences(bytes, (size_t)got, needle, needle_len) : 0;

	free(bytes);
	return count;
}

static int run_search(char *argv[])
{
	char path[64];
	char needle[4096];
	char line[512];
	size_t needle_len;
	size_t count = 0;
	size_t readable = 0;

	(void)snprintf(path, sizeof(path), "/proc/%s/mem", argv[0]);
	cleanup_fd int memory_fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)snprintf(path, sizeof(path), "/proc/%s/maps", argv[0]);
	cleanup_file FILE *maps = fopen(path, "re");
	cleanup_fd int needle_fd = open(argv[1], O_RDONLY | O_CLOEXEC);

	if (memory_fd < 0 || !maps || needle_fd < 0 ||
	    fd_read_full(needle_fd, needle, sizeof(needle), &needle_len) < 0 || needle_len == 0)
		return 1;

	while (fgets(line, sizeof(line), maps)) {
		unsigned long long from;
		unsigned long long to;
		char mode;

		if (sscanf(line, "%llx-%llx %c", &from, &to, &mode) != 3 || mode != 'r')
			continue;
		readable++;
		count += search_range(memory_fd, from, to, needle, needle_len);
	}
	(void)printf("%zu\n", count);
	return readable > 0 ? 0 : 1;
}

/* `^X` is a control character. */
static size_t text_decode(const char *text, char *ret_bytes)
{
	size_t len = 0;

	for (; *text; text++) {
		bool control = text[0] == '^' && text[1];

		ret_bytes[len++] = (char)(control ? toupper((unsigned char)*++text) & 0x1f : *text);
	}

	return len;
}

/* What the terminal has shown since the last expected text. */
struct screen {
	int fd;
	char text[65536];
	size_t len;
};

static bool screen_read(struct screen *screen, int timeout_ms)
{
	struct pollfd ready = {.fd = screen->fd, .events = POLLIN};
	ssize_t got;

	if (poll(&ready, 1, timeout_ms) <= 0)
		return false;
	got = read(screen->fd, screen->text + screen->len, sizeof(screen->text) - 1 - screen->len);
	if (got <= 0)
		return false;
	screen->len += (size_t)got;
	screen->text[screen->len] = '\0';
	return true;
}

static int screen_expect(struct screen *screen, const char *text)
{
	char *found;

	while (!(found = strstr(screen->text, text))) {
		if (screen_read(screen, 10000))
			continue;
		(void)fprintf(
		    stderr, "expected '%s', the terminal shows '%s'\n", text, screen->text);
		return 1;
	}

	found += strlen(text);
	screen->len -= (size_t)(found - screen->text);
	memmove(screen->text, found, screen->len + 1);
	return 0;
}

static int step_take(struct screen *screen, const char *step)
{
	char bytes[1024];

	if (!strncmp(step, "expect:", 7))
		return screen_expect(screen, step + 7);
	if (!strncmp(step, "send:", 5))
		return fd_write_all(screen->fd, bytes, text_decode(step + 5, bytes)) < 0 ? 1 : 0;

	if (!strncmp(step, "pause:", 6))
		return poll(NULL, 0, atoi(step + 6)); /* NOLINT(cert-err34-c) */

	return usage();
}

static int run_pty(char *argv[])
{
	static struct screen screen;
	char **command = argv;
	pid_t pid;
	int status;

	while (*command && strcmp(*command, "--") != 0)
		command++;
	if (!*command || !command[1])
		return usage();

	pid = forkpty(&screen.fd, NULL, NULL, NULL);
	if (pid == 0) {
		(void)execvp(command[1], command + 1);
		_exit(127);
	}
	for (; argv < command; argv++)
		if (step_take(&screen, *argv) != 0) {
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL);
			return 1;
		}
	while (screen_read(&screen, 10000))
		screen.len = 0;
	if (waitpid(pid, &status, 0) != pid)
		return 1;

	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static volatile sig_atomic_t reader_ends;

static void reader_end(int signal_number)
{
	(void)signal_number;
	reader_ends = 1;
}

/* The byte that the file is full of; -1 when it is anything but that. */
static int reader_look(const char *path, size_t expected_len, char *bytes)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0 || fd_read_full(fd, bytes, expected_len + 1, &len) < 0 || len != expected_len)
		return -1;
	if (memcmp(bytes, bytes + 1, len - 1) != 0)
		return -1;

	return (unsigned char)bytes[0];
}

static int run_reader(char *argv[])
{
	size_t len = (size_t)strtoul(argv[1], NULL, 10);
	char *bytes = malloc(len + 1);
	size_t contents = 0;
	int last = -1;

	(void)signal(SIGTERM, reader_end);
	(void)say_ready();
	while (bytes && !reader_ends) {
		int byte = reader_look(argv[0], len, bytes);

		if (byte < 0) {
			(void)printf("missing, partial or mixed after %zu contents\n", contents);
			return 1;
		}
		contents += byte != last ? 1 : 0;
		last = byte;
	}
	free(bytes);
	(void)printf("%zu\n", contents);
	return 0;
}

/* A socket, and the address of `path` for it. */
static int socket_for(const char *path, struct sockaddr_un *ret_address)
{
	ret_address->sun_family = AF_UNIX;
	(void)snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int run_listen(char *argv[])
{
	struct sockaddr_un address;
	int fd = socket_for(argv[0], &address);

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0 ||
	    chmod(argv[0], 0666) < 0)
		return 1;

	return run_hold(argv);
}

static int run_connect(char *argv[])
{
	struct sockaddr_un address;
	int fd = socket_for(argv[0], &address);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;

	return puts("connected") < 0 ? 1 : 0;
}

static const struct {
	const char *name;
	int arguments_min;
	int (*run)(char *argv[]);
} actions[] = {
    {"exit", 1, run_exit},
    {"kill", 1, run_kill},
    {"hold", 0, run_hold},
    {"signals", 0, run_signals},
    {"orphans", 1, run_orphans},
    {"children", 1, run_children},
    {"descriptors", 0, run_descriptors},
    {"limits", 0, run_limits},
    {"search", 2, run_search},
    {"reader", 2, run_reader},
    {"listen", 1, run_listen},
    {"connect", 1, run_connect},
    {"pty", 2, run_pty},
};

int main(int argc, char *argv[])
{
	for (size_t i = 0; argc > 1 && i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(actions[i].name, argv[1]) && argc - 2 >= actions[i].arguments_min)
			return actions[i].run(argv + 2);

	return usage();
}

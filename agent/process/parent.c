/* SPDX-License-Identifier: MIT */
#include "parent.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launch.h"
#include "signals.h"
#include "tacit/fd.h"

#define SHRINK_AFTER_MS 50

static _Noreturn void command_run(
    char *const command[], char *const environment[], const struct parent *parent)
{
	struct fault fault = {0};
	int r;

	(void)sigaction(SIGCHLD, &parent->inherited_sigchld, NULL);
	signals_unblock();
	r = launch_exec(command, environment, &fault);
	fault_report("tacit-agent", &fault);
	_exit(launch_exit_code(r));
}

static bool terminal_exists(void)
{
	cleanup_fd int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd >= 0;
}

int parent_prepare(struct parent *ret_parent, struct fault *fault)
{
	/* With SIGCHLD ignored the kernel would reap for us, and keep the exit code to itself. */
	const struct sigaction action = {.sa_handler = SIG_DFL};
	struct parent parent = {.has_terminal = terminal_exists()};

	(void)sigaction(SIGCHLD, &action, &parent.inherited_sigchld);
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return fault_set(fault, -errno, "subreaper");

	*ret_parent = parent;
	return 0;
}

int parent_start(
    struct parent *parent, char *const command[], char *const environment[], struct fault *fault)
{
	pid_t pid = fork();

	if (pid < 0)
		return fault_set(fault, -errno, "%s", command[0]);
	if (pid == 0)
		command_run(command, environment, parent);

	parent->command = pid;
	return 0;
}

/* Whether the terminal sent the signal, and sent it to the command as well. */
static bool has_reached_command(const struct parent *parent, int signal_number, int signal_code)
{
	switch (signal_number) {
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGWINCH:
		return signal_code == SI_KERNEL && getpgid(parent->command) == getpgrp();
	default:
		return false;
	}
}

/*
 * The command was stopped. Where a shell waits for the agent it must see the agent stop as well.
 * TSTP, not STOP: in a process group that nobody could continue the kernel discards it.
 */
static void stop_too(const struct parent *parent)
{
	const struct sigaction stop = {.sa_handler = SIG_DFL};
	struct sigaction inherited;
	sigset_t only_stop;

	if (!parent->has_terminal || getpid() == 1)
		return;

	(void)sigemptyset(&only_stop);
	(void)sigaddset(&only_stop, SIGTSTP);
	(void)sigaction(SIGTSTP, &stop, &inherited);
	(void)raise(SIGTSTP);
	(void)sigprocmask(SIG_UNBLOCK, &only_stop, NULL); /* here it stops */
	(void)sigprocmask(SIG_BLOCK, &only_stop, NULL);
	(void)sigaction(SIGTSTP, &inherited, NULL);
}

int parent_exit_code(const siginfo_t *child)
{
	return child->si_code == CLD_EXITED ? child->si_status : EXIT_SIGNALLED + child->si_status;
}

bool parent_reap(const struct parent *parent, siginfo_t *ret_child)
{
	for (;;) {
		siginfo_t child = {0};

		if (waitid(P_ALL, 0, &child, WEXITED | WSTOPPED | WNOHANG) < 0 || !child.si_pid)
			return false;
		if (child.si_code != CLD_STOPPED) {
			*ret_child = child;
			return true;
		}
		if (child.si_pid == parent->command)
			stop_too(parent);
	}
}

void parent_pass_on(const struct parent *parent, int signal_number, int signal_code)
{
	if (signal_is_forwarded(signal_number) &&
	    !has_reached_command(parent, signal_number, signal_code))
		(void)kill(parent->command, signal_number);
}

/*
 * The next signal. Memory is given back only when it has been quiet for a while: the command is to
 * start first, and one that ends at once should not have to wait for pages that come back.
 */
static int signal_wait(const sigset_t *signals, bool *is_shrunk, siginfo_t *ret_info)
{
	const struct timespec a_while = {.tv_nsec = SHRINK_AFTER_MS * 1000000L};
	int signal_number;

	if (*is_shrunk)
		return sigwaitinfo(signals, ret_info);

	signal_number = sigtimedwait(signals, ret_info, &a_while);
	if (signal_number < 0 && errno == EAGAIN) {
		parent_shrink();
		*is_shrunk = true;
	}
	return signal_number;
}

int parent_serve(const struct parent *parent)
{
	bool is_shrunk = false;
	sigset_t all;

	(void)sigfillset(&all);
	for (;;) {
		siginfo_t child;
		siginfo_t info;
		int signal_number;

		while (parent_reap(parent, &child))
			if (child.si_pid == parent->command)
				return parent_exit_code(&child);
		signal_number = signal_wait(&all, &is_shrunk, &info);
		if (signal_number > 0)
			parent_pass_on(parent, signal_number, info.si_code);
	}
}

void parent_wipe_environment(char *environment[])
{
	for (; *environment; environment++)
		explicit_bzero(*environment, strlen(*environment));
}

/* Pages that nobody can write hold what the file holds: they come back when they are needed. */
static int segments_drop(struct dl_phdr_info *info, size_t size, void *data)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)data;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t from = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
		uintptr_t to = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;

		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			/* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader's own numbers */
			(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}

	return 0;
}

void parent_shrink(void)
{
	(void)malloc_trim(0);
	(void)dl_iterate_phdr(segments_drop, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Has a process that runs make a system call, as whoever has taken it over would, and prints what
 * came of it. So a sandbox is looked at where it is, and not where it is said to be.
 * usage: inject PID CALL         CALL is a row of `attempts` below
 *
 * Needs root, and x86-64: on another processor it prints `not here`.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __x86_64__

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define TEXT        ((unsigned long long)-1) /* stands for the address of the row's text */
#define BELOW_STACK 4096                     /* out of the way of the red zone */

static const struct {
	const char *name;
	long call;
	unsigned long long arguments[6];
	const char *text;
} attempts[] = {
    {"getpid", SYS_getpid, {0}, ""},
    {"open-passwd", SYS_openat, {(unsigned long long)AT_FDCWD, TEXT, O_RDONLY}, "/etc/passwd"},
    {"open-proc", SYS_openat, {(unsigned long long)AT_FDCWD, TEXT, O_RDONLY}, "/proc/1/status"},
    {"create-tmp", SYS_openat, {(unsigned long long)AT_FDCWD, TEXT, O_CREAT | O_WRONLY, 0600},
        "/tmp/tacit-injected"},
    {"list-root", SYS_openat, {(unsigned long long)AT_FDCWD, TEXT, O_RDONLY | O_DIRECTORY}, "/"},
    {"socket", SYS_socket, {AF_INET, SOCK_STREAM}, ""},
    {"connect", SYS_connect, {0, TEXT, 16}, "\x02"},
    {"unix-socket", SYS_socket, {AF_UNIX, SOCK_DGRAM}, ""},
    {"map-code", SYS_mmap,
        {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, (unsigned long long)-1}, ""},
    {"kill-others", SYS_kill, {1, 0}, ""},
    {"set-dumpable", SYS_prctl, {4, 1}, ""},
    {"execve", SYS_execve, {TEXT, 0, 0}, "/bin/true"},
    {"ptrace", SYS_ptrace, {PTRACE_ATTACH, 1}, ""},
    {"fork", SYS_clone, {SIGCHLD}, ""},
    {"setuid", SYS_setuid, {0}, ""},
    {"io_uring", SYS_io_uring_setup, {1, 0}, ""},
    {"bpf", SYS_bpf, {0}, ""},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}, ""},
};

#define ATTEMPTS_COUNT (sizeof(attempts) / sizeof(attempts[0]))

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int wait_stop(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, __WALL) != pid)
		die("waitpid");
	return status;
}

/* Ended by the kernel: says by which signal. */
static void report_death(int status)
{
	if (!WIFSIGNALED(status))
		return;

	(void)printf("killed by SIG%s\n", sigabbrev_np(WTERMSIG(status)));
	exit(0);
}

static void stop(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		die("ptrace");
	(void)wait_stop(pid);
}

static void text_put(pid_t pid, unsigned long long address, size_t row)
{
	const struct iovec remote = {.iov_base = (void *)address, .iov_len = 64};
	char text[64] = {0};
	const struct iovec local = {.iov_base = text, .iov_len = sizeof(text)};

	memcpy(text, attempts[row].text, strlen(attempts[row].text));
	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(text))
		die("process_vm_writev");
}

static void registers_fill(struct user_regs_struct *registers, size_t row)
{
	unsigned long long text = registers->rsp - BELOW_STACK, arguments[6];

	for (int i = 0; i < 6; i++)
		arguments[i] =
		    attempts[row].arguments[i] == TEXT ? text : attempts[row].arguments[i];
	registers->rip -= 2; /* it was stopped behind a `syscall`, which is two bytes */
	registers->rax = (unsigned long long)attempts[row].call;
	registers->orig_rax = (unsigned long long)-1;
	registers->rdi = arguments[0];
	registers->rsi = arguments[1];
	registers->rdx = arguments[2];
	registers->r10 = arguments[3];
	registers->r8 = arguments[4];
	registers->r9 = arguments[5];
}

/* Steps to the next entry into a system call or return from one. */
static void step(pid_t pid)
{
	int status;

	do {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
			die("ptrace");
		status = wait_stop(pid);
		report_death(status);
	} while (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80));
}

static long inject(pid_t pid, size_t row)
{
	struct user_regs_struct saved, registers;

	stop(pid);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &saved) < 0)
		die("ptrace");
	registers = saved;
	text_put(pid, saved.rsp - BELOW_STACK, row);
	registers_fill(&registers, row);
	if (ptrace(PTRACE_SETREGS, pid, NULL, &registers) < 0)
		die("ptrace");
	step(pid);
	step(pid);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0)
		die("ptrace");

	/* A call that is to end the process is rolled back, and a signal is on its way. */
	if (registers.rax == (unsigned long long)attempts[row].call) {
		if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
			die("ptrace");
		report_death(wait_stop(pid));
	}

	/* What it was doing ends as if by a signal. */
	saved.rax = (unsigned long long)-EINTR;
	saved.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &saved) < 0 ||
	    ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
		die("ptrace");
	return (long)registers.rax;
}

int main(int argc, char *argv[])
{
	size_t row = 0;
	long result;

	while (argc == 3 && row < ATTEMPTS_COUNT && strcmp(attempts[row].name, argv[2]) != 0)
		row++;
	if (argc != 3 || row == ATTEMPTS_COUNT)
		return 2;

	result = inject((pid_t)atoi(argv[1]), row);
	(void)printf("%s\n", result < 0 ? strerrorname_np((int)-result) : "done");
	return 0;
}

#else

int main(void)
{
	(void)printf("not here\n");
	return 0;
}

#endif

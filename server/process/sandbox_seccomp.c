/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox.h"

/* What becomes of a call. */
enum verdict {
	VERDICT_ALLOW,
	VERDICT_REFUSE, /* EACCES: a library may try, and lives without */
	VERDICT_KILL,   /* only somebody who has taken the process over calls this */
};

struct row {
	int call;
	enum verdict verdict;
};

#define ALLOW(name)                           \
	{                                     \
		SCMP_SYS(name), VERDICT_ALLOW \
	}
#define REFUSE(name)                           \
	{                                      \
		SCMP_SYS(name), VERDICT_REFUSE \
	}
#define KILL(name)                           \
	{                                    \
		SCMP_SYS(name), VERDICT_KILL \
	}

/*
 * The table. What is in no row gets ENOSYS, as from a kernel that is too old to know the call: that
 * is the one answer for which the C library has another way ready, so that a newer one does not
 * fail us. What is allowed only with some arguments is in conditional_rows().
 */
static const struct row rows[] = {
    /* Memory: malloc, thread stacks, libsodium's guarded pages. mmap and mprotect: see below. */
    ALLOW(brk),
    ALLOW(munmap),
    ALLOW(mremap),
    ALLOW(madvise),
    ALLOW(mlock),
    ALLOW(mlock2),
    ALLOW(munlock),

    /* Threads: libmicrohttpd's pool and the reaper. clone: see below. */
    ALLOW(futex),
    ALLOW(set_robust_list),
    ALLOW(rseq),
    ALLOW(exit),
    ALLOW(exit_group),
    ALLOW(gettid),
    ALLOW(getpid),
    ALLOW(sched_yield),
    ALLOW(sched_getaffinity),
    ALLOW(membarrier),

    /* Signals and time: the main thread's loop, deadlines. tgkill: see below. */
    ALLOW(rt_sigaction),
    ALLOW(rt_sigprocmask),
    ALLOW(rt_sigreturn),
    ALLOW(rt_sigtimedwait),
    ALLOW(restart_syscall),
    ALLOW(clock_gettime),
    ALLOW(clock_getres),
    ALLOW(clock_nanosleep),
    ALLOW(nanosleep),
    ALLOW(gettimeofday),
    ALLOW(time),

    /* Files: SQLite, the audit log, replacing a file whole. Which ones is Landlock's to say. */
    ALLOW(open),
    ALLOW(openat),
    ALLOW(close),
    ALLOW(read),
    ALLOW(write),
    ALLOW(readv),
    ALLOW(writev),
    ALLOW(pread64),
    ALLOW(pwrite64),
    ALLOW(lseek),
    ALLOW(stat),
    ALLOW(lstat),
    ALLOW(fstat),
    ALLOW(newfstatat),
    ALLOW(statx),
    ALLOW(fstatfs),
    ALLOW(access),
    ALLOW(faccessat),
    ALLOW(faccessat2),
    ALLOW(readlink),
    ALLOW(readlinkat),
    ALLOW(getcwd),
    ALLOW(getdents64),
    ALLOW(fcntl),
    ALLOW(flock),
    ALLOW(fsync),
    ALLOW(fdatasync),
    ALLOW(ftruncate),
    ALLOW(fallocate),
    ALLOW(unlink),
    ALLOW(unlinkat),
    ALLOW(rename),
    ALLOW(renameat),
    ALLOW(renameat2),
    ALLOW(umask),
    ALLOW(fchmod),
    ALLOW(fchown), /* SQLite as root gives its log to the owner of the database */

    /* Sockets that are there, and what they accept; the wake-up channels of the pool. */
    ALLOW(accept),
    ALLOW(accept4),
    ALLOW(recvfrom),
    ALLOW(recvmsg),
    ALLOW(sendto),
    ALLOW(sendmsg),
    ALLOW(shutdown),
    ALLOW(getsockname),
    ALLOW(getpeername),
    ALLOW(getsockopt),
    ALLOW(setsockopt),
    ALLOW(poll),
    ALLOW(ppoll),
    ALLOW(eventfd2),
    ALLOW(pipe2),

    /* Who and what we are. */
    ALLOW(getrandom),
    ALLOW(getuid),
    ALLOW(geteuid),
    ALLOW(getgid),
    ALLOW(getegid),
    ALLOW(getrusage),
    ALLOW(uname),
    ALLOW(sysinfo),

    /* Outwards leads no way: a resolver or syslog(3) may ask, and is told so. */
    REFUSE(socket),
    REFUSE(socketpair),
    REFUSE(connect),
    REFUSE(bind),
    REFUSE(listen),
    REFUSE(ioctl),

    /* Taking over: other programs, other processes, the kernel. */
    KILL(execve),
    KILL(execveat),
    KILL(fork),
    KILL(vfork),
    KILL(ptrace),
    KILL(process_vm_readv),
    KILL(process_vm_writev),
    KILL(pidfd_getfd),
    KILL(kcmp),
    KILL(memfd_create),
    KILL(io_uring_setup),
    KILL(userfaultfd),
    KILL(bpf),
    KILL(perf_event_open),
    KILL(unshare),
    KILL(setns),
    KILL(mount),
    KILL(umount2),
    KILL(pivot_root),
    KILL(chroot),
    KILL(move_mount),
    KILL(open_tree),
    KILL(fsopen),
    KILL(init_module),
    KILL(finit_module),
    KILL(kexec_load),
    KILL(reboot),
    KILL(keyctl),
    KILL(add_key),
    KILL(request_key),
    KILL(setuid),
    KILL(setresuid),
    KILL(setgid),
    KILL(setresgid),
    KILL(capset),
};

static const uint32_t verdict_actions[] = {
    [VERDICT_ALLOW] = SCMP_ACT_ALLOW,
    [VERDICT_REFUSE] = SCMP_ACT_ERRNO(EACCES),
    [VERDICT_KILL] = SCMP_ACT_KILL_PROCESS,
};

/* Adds a rule with conditions on the arguments. */
#define RULE(filter, action, name, ...)                                                 \
	seccomp_rule_add_array(filter, action, SCMP_SYS(name),                          \
	    sizeof((struct scmp_arg_cmp[]){__VA_ARGS__}) / sizeof(struct scmp_arg_cmp), \
	    (struct scmp_arg_cmp[]){__VA_ARGS__})

/* Calls that are right with some arguments only. */
static int conditional_rows(scmp_filter_ctx filter)
{
	const scmp_datum_t pid = (scmp_datum_t)getpid();
	int r;

	/* No memory is both written and executed, nor is any file mapped as code from now on. */
	r = RULE(filter, SCMP_ACT_ALLOW, mmap, SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = RULE(
		    filter, SCMP_ACT_ALLOW, mprotect, SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Threads and no processes. clone3 hides its flags; the C library then takes clone. */
	if (r == 0)
		r = RULE(filter, SCMP_ACT_ALLOW, clone,
		    SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r == 0)
		r = RULE(filter, SCMP_ACT_KILL_PROCESS, clone,
		    SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	/* abort(3) */
	if (r == 0)
		r = RULE(filter, SCMP_ACT_ALLOW, tgkill, SCMP_A0_64(SCMP_CMP_EQ, pid));
	/* A thread's name; limits of our own. */
	if (r == 0)
		r = RULE(filter, SCMP_ACT_ALLOW, prctl, SCMP_A0_64(SCMP_CMP_EQ, PR_SET_NAME));
	if (r == 0)
		r = RULE(filter, SCMP_ACT_ALLOW, prlimit64, SCMP_A0_64(SCMP_CMP_EQ, 0));
	return r;
}

static int filter_fill(scmp_filter_ctx filter)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	for (size_t i = 0; r == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
		r = seccomp_rule_add_array(
		    filter, verdict_actions[rows[i].verdict], rows[i].call, 0, NULL);

	return r == 0 ? conditional_rows(filter) : r;
}

int sandbox_enter_seccomp(struct fault *fault)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = filter ? filter_fill(filter) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);

	return r < 0 ? fault_set(fault, r, "seccomp") : 0;
}

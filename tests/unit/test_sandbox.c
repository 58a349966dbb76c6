/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox.h"
#include "tacit/fd.h"

/* A sanitizer makes calls of its own, and a server that has one makes no sandbox. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char dir[] = "/tmp/tacit-test-XXXXXX";
static int dirfd = -1;
static int tcp_fd = -1; /* made before */
static long landlock_abi;

/* What is tried in there: 0, or the error. */

static int result_of(long result)
{
	return result < 0 ? errno : 0;
}

static int open_passwd(void)
{
	return result_of(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int open_up(void)
{
	return result_of(openat(dirfd, "../", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int create_here(void)
{
	int fd = openat(dirfd, "new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0 || ftruncate(fd, 0) < 0 ||
	    renameat(dirfd, "new", dirfd, "newer") < 0 || unlinkat(dirfd, "newer", 0) < 0)
		return errno;
	return 0;
}

static int list_here(void)
{
	return result_of(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int mkdir_here(void)
{
	return result_of(syscall(SYS_mkdirat, dirfd, "sub", 0700));
}

static int symlink_here(void)
{
	return result_of(syscall(SYS_symlinkat, "/etc/passwd", dirfd, "link"));
}

static int follow_link(void)
{
	return result_of(openat(dirfd, "leads-out", O_RDONLY | O_CLOEXEC));
}

static int run_program(void)
{
	return result_of(execl("/bin/true", "true", NULL));
}

static int run_program_here(void)
{
	return result_of(syscall(SYS_execveat, dirfd, "program", NULL, NULL, 0));
}

static int make_socket(void)
{
	return result_of(socket(AF_INET, SOCK_STREAM, 0));
}

static int connect_out(void)
{
	const struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return result_of(connect(tcp_fd, (const struct sockaddr *)&address, sizeof(address)));
}

static int bind_port(void)
{
	const struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return result_of(bind(tcp_fd, (const struct sockaddr *)&address, sizeof(address)));
}

static int trace_parent(void)
{
	return result_of(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int signal_parent(void)
{
	return result_of(kill(getppid(), 0));
}

static int make_process(void)
{
	return result_of(fork());
}

static void *just_return(void *context)
{
	return context;
}

static int make_thread(void)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, just_return, NULL);

	return r != 0 ? r : pthread_join(thread, NULL);
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	               MAP_FAILED
	           ? errno
	           : 0;
}

static int make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? EFAULT : result_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int allocate(void)
{
	void *memory = malloc(10 << 20);
	bool there = memory != NULL;

	free(memory);
	return there ? 0 : ENOMEM;
}

static int be_dumpable(void)
{
	return result_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int call_newer_than_us(void)
{
	return result_of(syscall(5000));
}

static int make_user_namespace(void)
{
	return result_of(syscall(SYS_unshare, 0x10000000));
}

static int new_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : 0;
}

/* The kernel's own list, since /proc cannot be read in there. */
static int any_capability(void)
{
	for (unsigned long cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 && geteuid() == 0)
			return 0;

	return EPERM;
}

/* Which parts of it are entered. */
enum entered {
	LANDLOCK,
	SECCOMP,
	ALL,
};

static int enter(enum entered entered, bool *ret_landlock)
{
	struct fault fault = {0};

	if (entered == ALL)
		return sandbox_enter(dirfd, ret_landlock, &fault);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;

	return entered == LANDLOCK ? sandbox_enter_landlock(dirfd, ret_landlock, &fault)
	                           : sandbox_enter_seccomp(&fault);
}

#define KILLED 1000

/* In a child; its result, or KILLED and the signal. */
static int tried(enum entered entered, int (*attempt)(void))
{
	pid_t child = fork();
	bool landlock;
	int status;

	if (child == 0) {
		static const struct rlimit none = {0};

		(void)setrlimit(RLIMIT_CORE, &none);
		_exit(enter(entered, &landlock) < 0 ? 254 : attempt());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

struct row {
	const char *name;
	int (*attempt)(void);
	int expected;
	long abi; /* of Landlock, that it takes; 0: all have it */
};

static void try_rows(enum entered entered, const struct row rows[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int result =
		    rows[i].abi > landlock_abi ? rows[i].expected : tried(entered, rows[i].attempt);

		if (result != rows[i].expected)
			print_message("# %s: %d\n", rows[i].name, result);
		assert_int_equal(result, rows[i].expected);
	}
}

static void landlock_leaves_the_directory_and_nothing_else(void **state)
{
	static const struct row rows[] = {
	    {"create, rename, remove here", create_here, 0, 1},
	    {"list here", list_here, 0, 1},
	    {"open /etc/passwd", open_passwd, EACCES, 1},
	    {"open the directory above", open_up, EACCES, 1},
	    {"a link that leads out", follow_link, EACCES, 1},
	    {"make a directory here", mkdir_here, EACCES, 1},
	    {"make a link here", symlink_here, EACCES, 1},
	    {"run a program", run_program, EACCES, 1},
	    {"run a program that lies here", run_program_here, EACCES, 1},
	    {"connect", connect_out, EACCES, 4},
	    {"bind", bind_port, EACCES, 4},
	    {"signal another process", signal_parent, EPERM, 6},
	    {"allocate", allocate, 0, 1},
	};

	(void)state;
	try_rows(LANDLOCK, rows, COUNT(rows));
}

static void seccomp_leaves_what_is_on_its_list(void **state)
{
	static const struct row rows[] = {
	    {"create, rename, remove here", create_here, 0, 0},
	    {"open /etc/passwd", open_passwd, 0, 0}, /* that is Landlock's to say */
	    {"allocate", allocate, 0, 0},
	    {"make a thread", make_thread, 0, 0},
	    {"make a socket", make_socket, EACCES, 0},
	    {"connect", connect_out, EACCES, 0},
	    {"bind", bind_port, EACCES, 0},
	    {"map code", map_code, ENOSYS, 0},
	    {"make code of what was written", make_code, ENOSYS, 0},
	    {"signal another process", signal_parent, ENOSYS, 0},
	    {"be dumpable", be_dumpable, ENOSYS, 0},
	    {"a call that is newer than us", call_newer_than_us, ENOSYS, 0},
	    {"make a directory", mkdir_here, ENOSYS, 0},
	    {"run a program", run_program, KILLED + SIGSYS, 0},
	    {"run a program that lies here", run_program_here, KILLED + SIGSYS, 0},
	    {"trace another process", trace_parent, KILLED + SIGSYS, 0},
	    {"make a process", make_process, KILLED + SIGSYS, 0},
	    {"make a user namespace", make_user_namespace, KILLED + SIGSYS, 0},
	};

	(void)state;
	try_rows(SECCOMP, rows, COUNT(rows));
}

static void all_of_it_holds_together(void **state)
{
	static const struct row rows[] = {
	    {"create, rename, remove here", create_here, 0, 0},
	    {"make a thread", make_thread, 0, 0},
	    {"open /etc/passwd", open_passwd, EACCES, 1},
	    {"connect", connect_out, EACCES, 0},
	    {"run a program", run_program, KILLED + SIGSYS, 0},
	    {"trace another process", trace_parent, KILLED + SIGSYS, 0},
	};

	(void)state;
	try_rows(ALL, rows, COUNT(rows));
}

static int sandbox_without_seccomp(void)
{
	struct fault fault = {0};

	return sandbox_drop_capabilities(&fault) < 0 ? 254 : any_capability();
}

static void no_capability_is_left_in_any_set(void **state)
{
	(void)state;
	assert_int_equal(tried(LANDLOCK, sandbox_without_seccomp), EPERM);
	assert_int_equal(tried(LANDLOCK, new_privileges), EPERM);
}

/* As on a kernel that is too old. */
static int enter_without_landlock(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	struct fault fault = {0};
	bool landlock = true;

	if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) <
	        0 ||
	    seccomp_load(filter) < 0)
		return 253;
	if (sandbox_enter(dirfd, &landlock, &fault) < 0 || landlock)
		return 252;

	return open_passwd() == 0 && make_socket() == EACCES ? 0 : 251;
}

static void without_landlock_the_rest_holds_and_that_is_told(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		_exit(enter_without_landlock());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void *wait_for_ever(void *context)
{
	(void)context;
	(void)pause();
	return NULL;
}

/* Landlock and capabilities would not hold for a thread that is there already. */
static void with_a_second_thread_it_is_refused(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		struct fault fault = {0};
		pthread_t thread;
		bool landlock;

		if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
			_exit(254);
		_exit(sandbox_enter(dirfd, &landlock, &fault) == -TACIT_E_INTERNAL ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int prepare(void **state)
{
	(void)state;
	landlock_abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	if (!mkdtemp(dir))
		return -1;

	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (symlinkat("/etc/passwd", dirfd, "leads-out") < 0)
		return -1;

	return fd_create_file(dirfd, "program", 0700, "#!/bin/true\n", 12);
}

static int clean_up(void **state)
{
	(void)state;
	(void)unlinkat(dirfd, "leads-out", 0);
	(void)unlinkat(dirfd, "program", 0);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(landlock_leaves_the_directory_and_nothing_else),
	    cmocka_unit_test(seccomp_leaves_what_is_on_its_list),
	    cmocka_unit_test(all_of_it_holds_together),
	    cmocka_unit_test(no_capability_is_left_in_any_set),
	    cmocka_unit_test(without_landlock_the_rest_holds_and_that_is_told),
	    cmocka_unit_test(with_a_second_thread_it_is_refused),
	};

	return _cmocka_run_group_tests(
	    "sandbox", tests, SANITIZED ? 1 : COUNT(tests), prepare, clean_up);
}

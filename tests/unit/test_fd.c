/* SPDX-License-Identifier: MIT */
#include "tacit/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A directory of each test's own, removed with everything in it. */
struct sandbox {
	char path[256];
	int fd;
	mode_t umask;
};

static int sandbox_open(void **state)
{
	const char *base = getenv("TMPDIR");
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));

	assert_non_null(sandbox);
	(void)snprintf(
	    sandbox->path, sizeof(sandbox->path), "%s/tacit-fd-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(sandbox->path));
	sandbox->fd = open(sandbox->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(sandbox->fd >= 0);
	sandbox->umask = umask(022);
	*state = sandbox;
	return 0;
}

static size_t sandbox_entries(const struct sandbox *sandbox, bool remove)
{
	DIR *directory = opendir(sandbox->path);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		count++;
		if (remove && unlinkat(sandbox->fd, entry->d_name, 0) < 0)
			(void)unlinkat(sandbox->fd, entry->d_name, AT_REMOVEDIR);
	}
	(void)closedir(directory);
	return count;
}

static int sandbox_close(void **state)
{
	struct sandbox *sandbox = *state;

	(void)umask(sandbox->umask);
	(void)sandbox_entries(sandbox, true);
	(void)close(sandbox->fd);
	(void)rmdir(sandbox->path);
	free(sandbox);
	return 0;
}

static void assert_file_holds(const struct sandbox *sandbox, const char *name, const char *text)
{
	cleanup_fd int fd = openat(sandbox->fd, name, O_RDONLY | O_CLOEXEC);
	char content[256];
	size_t len;

	assert_true(fd >= 0);
	assert_int_equal(fd_read_full(fd, content, sizeof(content), &len), 0);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(content, text, len);
}

static mode_t file_mode(const struct sandbox *sandbox, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(sandbox->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static int create(const struct sandbox *sandbox, const char *name, mode_t mode, const char *text)
{
	return fd_create_file(sandbox->fd, name, mode, text, strlen(text));
}

static int replace(const struct sandbox *sandbox, const char *name, mode_t mode, const char *text)
{
	return fd_replace_file(sandbox->fd, name, mode, text, strlen(text));
}

static void files_get_their_mode_under_any_umask(void **state)
{
	static const mode_t umasks[] = {0, 022, 027, 077, 0277, 0400, 0777};
	static const mode_t modes[] = {0400, 0440, 0600, 0644, 0700};
	struct sandbox *sandbox = *state;

	for (size_t u = 0; u < COUNT(umasks); u++)
		for (size_t m = 0; m < COUNT(modes); m++) {
			(void)umask(umasks[u]);
			assert_int_equal(create(sandbox, "f", modes[m], "x"), 0);
			assert_int_equal(file_mode(sandbox, "f"), modes[m]);
			assert_int_equal(replace(sandbox, "f", modes[m] ^ 0040, "y"), 0);
			assert_int_equal(file_mode(sandbox, "f"), modes[m] ^ 0040);
			assert_int_equal(unlinkat(sandbox->fd, "f", 0), 0);
		}
}

static void files_hold_exactly_their_bytes(void **state)
{
	static const size_t lens[] = {0, 1, 4095, 4096, 4097, 512000};
	struct sandbox *sandbox = *state;

	for (size_t i = 0; i < COUNT(lens); i++) {
		cleanup_free uint8_t *bytes = malloc(lens[i] + 1);
		cleanup_free uint8_t *back = malloc(lens[i] + 1);
		cleanup_fd int fd = -1;
		size_t len;

		assert_non_null(bytes);
		assert_non_null(back);
		for (size_t b = 0; b < lens[i]; b++)
			bytes[b] = (uint8_t)(b * 7 + b / 256);
		assert_int_equal(fd_replace_file(sandbox->fd, "f", 0400, bytes, lens[i]), 0);
		fd = openat(sandbox->fd, "f", O_RDONLY | O_CLOEXEC);
		assert_int_equal(fd_read_full(fd, back, lens[i] + 1, &len), 0);
		assert_int_equal(len, lens[i]);
		assert_memory_equal(back, bytes, len);
	}
	assert_int_equal(sandbox_entries(sandbox, false), 1);
}

static void create_never_takes_the_place_of_anything(void **state)
{
	struct sandbox *sandbox = *state;

	assert_int_equal(create(sandbox, "file", 0600, "old"), 0);
	assert_int_equal(symlinkat("nowhere", sandbox->fd, "dangling"), 0);
	assert_int_equal(symlinkat("file", sandbox->fd, "link"), 0);
	assert_int_equal(mkdirat(sandbox->fd, "directory", 0700), 0);

	assert_int_equal(create(sandbox, "file", 0400, "new"), -EEXIST);
	assert_int_equal(create(sandbox, "dangling", 0400, "new"), -EEXIST);
	assert_int_equal(create(sandbox, "link", 0400, "new"), -EEXIST);
	assert_int_equal(create(sandbox, "directory", 0400, "new"), -EEXIST);

	assert_file_holds(sandbox, "file", "old");
	assert_int_equal(file_mode(sandbox, "file"), 0600);
	assert_int_equal(sandbox_entries(sandbox, false), 4);
}

static void replace_takes_the_link_and_not_its_target(void **state)
{
	struct sandbox *sandbox = *state;

	assert_int_equal(create(sandbox, "target", 0600, "old"), 0);
	assert_int_equal(symlinkat("target", sandbox->fd, "link"), 0);
	assert_int_equal(replace(sandbox, "link", 0400, "new"), 0);
	assert_file_holds(sandbox, "target", "old");
	assert_file_holds(sandbox, "link", "new");
	assert_int_equal(file_mode(sandbox, "link"), 0400);
}

/* Whoever has the old file open goes on reading the old bytes. */
static void replace_makes_a_new_file(void **state)
{
	struct sandbox *sandbox = *state;
	cleanup_fd int fd = -1;
	char content[8];
	size_t len;

	assert_int_equal(create(sandbox, "f", 0400, "old"), 0);
	fd = openat(sandbox->fd, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(replace(sandbox, "f", 0400, "newer"), 0);
	assert_int_equal(fd_read_full(fd, content, sizeof(content), &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(content, "old", 3);
	assert_file_holds(sandbox, "f", "newer");
}

static void failures_leave_nothing_behind(void **state)
{
	struct sandbox *sandbox = *state;
	char long_name[300];

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(mkdirat(sandbox->fd, "directory", 0700), 0);

	assert_int_equal(create(sandbox, "no/such/place", 0400, "x"), -ENOENT);
	assert_int_equal(replace(sandbox, "no/such/place", 0400, "x"), -ENOENT);
	assert_int_equal(create(sandbox, long_name, 0400, "x"), -ENAMETOOLONG);
	assert_int_equal(replace(sandbox, long_name, 0400, "x"), -ENAMETOOLONG);
	assert_int_equal(create(sandbox, "", 0400, "x"), -ENOENT);
	assert_int_equal(replace(sandbox, "directory", 0400, "x"), -EISDIR);
	assert_int_equal(fd_create_file(-1, "f", 0400, "x", 1), -EBADF);
	assert_int_equal(sandbox_entries(sandbox, false), 1);
}

static void a_directory_may_be_open_for_its_path_alone(void **state)
{
	struct sandbox *sandbox = *state;
	cleanup_fd int path_fd = open(sandbox->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(fd_create_file(path_fd, "f", 0400, "x", 1), 0);
	assert_file_holds(sandbox, "f", "x");
}

/*
 * One may write into a 0300 directory, but not open it for syncing its entries. That must be
 * known before there is a file, or a failed call would leave one.
 */
static void a_directory_that_cannot_be_synced_gets_no_file(void **state)
{
	struct sandbox *sandbox = *state;
	int r, w;

	assert_int_equal(fchmod(sandbox->fd, 0300), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchown(sandbox->fd, 65534, 65534), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	r = create(sandbox, "f", 0400, "x");
	w = replace(sandbox, "f", 0400, "x");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(fchmod(sandbox->fd, 0700), 0);

	assert_int_equal(r, -EACCES);
	assert_int_equal(w, -EACCES);
	assert_int_equal(sandbox_entries(sandbox, false), 0);
}

#define RACERS 8

static void only_one_of_many_creators_wins(void **state)
{
	struct sandbox *sandbox = *state;
	int winners = 0;

	for (int i = 0; i < RACERS; i++)
		if (fork() == 0)
			_exit(create(sandbox, "f", 0400, "x") == 0 ? 42 : 0);
	for (int i = 0; i < RACERS; i++) {
		int status;

		assert_true(wait(&status) > 0);
		winners += WIFEXITED(status) && WEXITSTATUS(status) == 42;
	}
	assert_int_equal(winners, 1);
	assert_int_equal(sandbox_entries(sandbox, false), 1);
}

static bool file_write(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0;
}

/* Mounts of its own need root, or a namespace in which one is that. */
static bool become_root(void)
{
	char uid_map[32], gid_map[32];

	(void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", getuid());
	(void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", getgid());
	return geteuid() == 0 ||
	       (unshare(CLONE_NEWUSER) == 0 && file_write("/proc/self/uid_map", uid_map) &&
	           file_write("/proc/self/setgroups", "deny") &&
	           file_write("/proc/self/gid_map", gid_map));
}

/* Mounts a file system over the sandbox, seen by this process alone, and enters it. */
static void sandbox_mount(struct sandbox *sandbox, const char *type, const char *options)
{
	if (!become_root() || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, "") < 0 ||
	    mount("none", sandbox->path, type, 0, options) < 0) {
		print_message("# %s cannot be mounted here: %s\n", type, strerror(errno));
		skip();
	}
	(void)close(sandbox->fd);
	sandbox->fd = open(sandbox->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(sandbox->fd >= 0);
}

static void sandbox_unmount(struct sandbox *sandbox)
{
	(void)close(sandbox->fd);
	assert_int_equal(umount2(sandbox->path, MNT_DETACH), 0);
	sandbox->fd = open(sandbox->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void a_full_disk_gets_no_file_and_loses_none(void **state)
{
	static const char big[3 * 4096] = {1};
	struct sandbox *sandbox = *state;

	sandbox_mount(sandbox, "tmpfs", "size=8k");
	assert_int_equal(create(sandbox, "kept", 0400, "old"), 0);
	assert_int_equal(fd_create_file(sandbox->fd, "f", 0400, big, sizeof(big)), -ENOSPC);
	assert_int_equal(sandbox_entries(sandbox, false), 1);
	assert_int_equal(fd_replace_file(sandbox->fd, "kept", 0400, big, sizeof(big)), -ENOSPC);
	assert_int_equal(sandbox_entries(sandbox, false), 1);
	assert_file_holds(sandbox, "kept", "old");

	/* What the failed attempts took has been given back. */
	assert_int_equal(create(sandbox, "small", 0400, "fits"), 0);
	sandbox_unmount(sandbox);
}

static void a_disk_without_inodes_gets_no_file(void **state)
{
	struct sandbox *sandbox = *state;

	sandbox_mount(sandbox, "tmpfs", "nr_inodes=2"); /* the directory is one */
	assert_int_equal(create(sandbox, "kept", 0400, "old"), 0);
	assert_int_equal(create(sandbox, "f", 0400, "x"), -ENOSPC);
	assert_int_equal(replace(sandbox, "kept", 0400, "x"), -ENOSPC);
	assert_int_equal(sandbox_entries(sandbox, false), 1);
	assert_file_holds(sandbox, "kept", "old");
	sandbox_unmount(sandbox);
}

static void a_read_only_disk_is_an_error(void **state)
{
	struct sandbox *sandbox = *state;

	sandbox_mount(sandbox, "tmpfs", "ro");
	assert_int_equal(create(sandbox, "f", 0400, "x"), -EROFS);
	assert_int_equal(replace(sandbox, "f", 0400, "x"), -EROFS);
	sandbox_unmount(sandbox);
}

static void tmpfs_and_ramfs_are_memory(void **state)
{
	struct sandbox *sandbox = *state;

	sandbox_mount(sandbox, "tmpfs", "");
	assert_true(fd_is_memory(sandbox->fd));
	sandbox_unmount(sandbox);
	sandbox_mount(sandbox, "ramfs", "");
	assert_true(fd_is_memory(sandbox->fd));
	sandbox_unmount(sandbox);
}

static void nothing_else_is_memory(void **state)
{
	cleanup_fd int memory_fd = memfd_create("tacit-test", MFD_CLOEXEC);
	cleanup_fd int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ends[2];

	(void)state;
	assert_true(fd_is_memory(memory_fd)); /* tmpfs too, inside the kernel */
	assert_false(fd_is_memory(proc_fd));
	assert_false(fd_is_memory(-1));
	assert_int_equal(pipe(ends), 0);
	assert_false(fd_is_memory(ends[0]));
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Interrupts every blocking call of this process once a millisecond. */
static void alarms_set(bool on)
{
	const struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
	const struct itimerval timer = {
	    .it_interval = {.tv_usec = on ? 1000 : 0}, .it_value = {.tv_usec = on ? 1000 : 0}};

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

#define STREAM_BYTES (1 << 20)

static uint8_t stream_byte(size_t at)
{
	return (uint8_t)(at * 31 + at / 251);
}

/* The other end, in a process of its own: so slow that this one blocks, in odd pieces. */
static pid_t stream_peer(int fd, bool writes)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	pid_t pid = fork();

	if (pid != 0)
		return pid;

	for (size_t at = 0; at < STREAM_BYTES;) {
		uint8_t piece[30011];
		size_t want = STREAM_BYTES - at < sizeof(piece) ? STREAM_BYTES - at : sizeof(piece);
		ssize_t got;

		for (size_t i = 0; i < want; i++)
			piece[i] = stream_byte(at + i);
		(void)nanosleep(&pause, NULL);
		got = writes ? write(fd, piece, want) : read(fd, piece, want);
		for (ssize_t i = 0; i < got; i++)
			if (piece[i] != stream_byte(at + (size_t)i))
				_exit(1);
		if (got <= 0)
			_exit(2);
		at += (size_t)got;
	}
	_exit(0);
}

static void assert_peer_is_content(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	assert_int_equal(status, 0);
}

static void write_goes_on_after_interruptions(void **state)
{
	cleanup_free uint8_t *bytes = malloc(STREAM_BYTES);
	int ends[2];
	pid_t pid;
	int r;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < STREAM_BYTES; i++)
		bytes[i] = stream_byte(i);
	assert_int_equal(pipe(ends), 0);
	pid = stream_peer(ends[0], false);
	alarms_set(true);
	r = fd_write_all(ends[1], bytes, STREAM_BYTES);
	alarms_set(false);
	assert_int_equal(r, 0);
	assert_peer_is_content(pid);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void read_goes_on_after_interruptions(void **state)
{
	cleanup_free uint8_t *bytes = malloc(STREAM_BYTES);
	size_t len = 0;
	int ends[2];
	pid_t pid;
	int r;

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(pipe(ends), 0);
	pid = stream_peer(ends[1], true);
	(void)close(ends[1]);
	alarms_set(true);
	r = fd_read_full(ends[0], bytes, STREAM_BYTES, &len);
	alarms_set(false);
	assert_int_equal(r, 0);
	assert_int_equal(len, STREAM_BYTES);
	for (size_t i = 0; i < STREAM_BYTES; i++)
		if (bytes[i] != stream_byte(i))
			fail_msg("byte %zu", i);
	assert_peer_is_content(pid);
	(void)close(ends[0]);
}

static void read_stops_at_the_end_or_when_full(void **state)
{
	char buffer[8];
	int ends[2];
	size_t len;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_write_all(ends[1], "0123456789", 10), 0);
	assert_int_equal(fd_read_full(ends[0], buffer, sizeof(buffer), &len), 0);
	assert_int_equal(len, sizeof(buffer));
	(void)close(ends[1]);
	assert_int_equal(fd_read_full(ends[0], buffer, sizeof(buffer), &len), 0);
	assert_int_equal(len, 2);
	assert_memory_equal(buffer, "89", 2);
	assert_int_equal(fd_read_full(ends[0], buffer, sizeof(buffer), &len), 0);
	assert_int_equal(len, 0);
	(void)close(ends[0]);
}

static void reading_and_writing_report_errors(void **state)
{
	char buffer[8];
	size_t len = 77;
	int ends[2];

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(fd_read_full(-1, buffer, sizeof(buffer), &len), -EBADF);
	assert_int_equal(len, 77);
	assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(fd_write_all(-1, "x", 0), 0);
	assert_int_equal(pipe(ends), 0);
	(void)close(ends[0]);
	assert_int_equal(fd_write_all(ends[1], "x", 1), -EPIPE);
	(void)close(ends[1]);
}

static int open_and_leave(void)
{
	cleanup_fd int fd = open("/", O_RDONLY | O_CLOEXEC);
	int number = fd;

	errno = EDOM;
	return number;
}

static void an_owner_closes_itself_and_keeps_errno(void **state)
{
	int fd = open_and_leave();

	(void)state;
	assert_int_equal(errno, EDOM);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);

	/* Closed already, so that close(2) itself sets errno. */
	errno = EDOM;
	fd_cleanup(&fd);
	assert_int_equal(errno, EDOM);
	assert_int_equal(fd, -1);
	fd_cleanup(&fd);
	assert_int_equal(fd, -1);
}

static void what_was_taken_stays_open(void **state)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	int taken = fd_take(&fd);

	(void)state;
	assert_int_equal(fd, -1);
	fd_cleanup(&fd);
	assert_true(fcntl(taken, F_GETFD) >= 0);
	(void)close(taken);
}

static void files_and_memory_are_freed_once(void **state)
{
	FILE *file = fopen("/dev/null", "re");
	void *memory = malloc(1);
	void *nothing = NULL;
	FILE *no_file = NULL;

	(void)state;
	file_cleanup(&file);
	assert_null(file);
	file_cleanup(&file);
	file_cleanup(&no_file);
	free_cleanup(&memory);
	assert_null(memory);
	free_cleanup(&memory);
	free_cleanup(&nothing);
}

#define sandbox_test(function) \
	cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    sandbox_test(files_get_their_mode_under_any_umask),
	    sandbox_test(files_hold_exactly_their_bytes),
	    sandbox_test(create_never_takes_the_place_of_anything),
	    sandbox_test(replace_takes_the_link_and_not_its_target),
	    sandbox_test(replace_makes_a_new_file),
	    sandbox_test(failures_leave_nothing_behind),
	    sandbox_test(a_directory_may_be_open_for_its_path_alone),
	    sandbox_test(a_directory_that_cannot_be_synced_gets_no_file),
	    sandbox_test(only_one_of_many_creators_wins),
	    sandbox_test(a_full_disk_gets_no_file_and_loses_none),
	    sandbox_test(a_disk_without_inodes_gets_no_file),
	    sandbox_test(a_read_only_disk_is_an_error),
	    sandbox_test(tmpfs_and_ramfs_are_memory),
	    cmocka_unit_test(nothing_else_is_memory),
	    cmocka_unit_test(write_goes_on_after_interruptions),
	    cmocka_unit_test(read_goes_on_after_interruptions),
	    cmocka_unit_test(read_stops_at_the_end_or_when_full),
	    cmocka_unit_test(reading_and_writing_report_errors),
	    cmocka_unit_test(an_owner_closes_itself_and_keeps_errno),
	    cmocka_unit_test(what_was_taken_stays_open),
	    cmocka_unit_test(files_and_memory_are_freed_once),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}

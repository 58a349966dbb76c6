/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "install.h"
#include "owner.h"
#include "scratch.h"
#include "secrets_dir.h"
#include "tacit/fd.h"

static int base_make(void **state)
{
	(void)state;
	scratch_make();
	return 0;
}

static int base_remove(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

static void item_add(struct bundle *bundle, const char *name, const void *bytes, size_t len)
{
	struct secret *secret;

	assert_int_equal(secret_new_from(bytes, len, &secret), 0);
	assert_int_equal(bundle_add(bundle, name, secret), 0);
}

static size_t entries_count(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") ? 1 : 0;
	(void)closedir(dir);
	return count;
}

static void assert_file(const char *path, mode_t mode, const void *bytes, size_t len)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_secret struct secret *content = NULL;
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | mode);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(secret_read(fd, 1024 * 1024, &content), 0);
	assert_true(secret_equals(content, bytes, len));
}

static struct secrets_dir dir_open(const char *path)
{
	const struct secrets_dir_wish wish = {.path = path};
	struct secrets_dir dir = SECRETS_DIR_NONE;
	struct fault fault = {0};

	assert_int_equal(secrets_dir_find(&wish, &dir, &fault), 0);
	assert_true(fd_is_memory(dir.fd));
	return dir;
}

static void install_writes_exact_bytes_and_modes(void **state)
{
	static const uint8_t every_byte[] = {0, 1, '\n', '\r', 0x7f, 0x80, 0xff, 0, '\n'};
	struct secrets_dir dir = dir_open(scratch);
	cleanup_bundle struct bundle bundle = {0};
	cleanup_text_list struct text_list files = {0};
	uint8_t *large = malloc(512000);
	mode_t mask = umask(0777);

	(void)state;
	assert_non_null(large);
	for (size_t i = 0; i < 512000; i++)
		large[i] = (uint8_t)(i * 7);
	item_add(&bundle, "web/binary", every_byte, sizeof(every_byte));
	item_add(&bundle, "empty", "", 0);
	item_add(&bundle, "large", large, 512000);
	bundle.items[0].mode = 0440;

	assert_int_equal(install_bundle(&dir, &bundle, &files, NULL), 0);
	(void)umask(mask);
	assert_int_equal(entries_count(scratch), 3);
	assert_file(in_scratch("binary"), 0440, every_byte, sizeof(every_byte));
	assert_file(in_scratch("empty"), 0400, "", 0);
	assert_file(in_scratch("large"), 0400, large, 512000);

	install_remove(&dir, &files);
	assert_int_equal(entries_count(scratch), 0);
	secrets_dir_close(&dir);
	free(large);
}

/* The old file must stay whole for whoever has it open, and be replaced by name. */
static void install_replaces_in_one_step(void **state)
{
	struct secrets_dir dir = dir_open(scratch);
	cleanup_bundle struct bundle old = {0};
	cleanup_bundle struct bundle new = {0};
	cleanup_text_list struct text_list files = {0};
	cleanup_fd int reader = -1;
	char buffer[16];

	(void)state;
	item_add(&old, "db", "first", 5);
	item_add(&new, "db", "second", 6);
	assert_int_equal(install_bundle(&dir, &old, &files, NULL), 0);
	reader = open(in_scratch("db"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(install_bundle(&dir, &new, &files, NULL), 0);

	assert_int_equal(read(reader, buffer, sizeof(buffer)), 5);
	assert_memory_equal(buffer, "first", 5);
	assert_file(in_scratch("db"), 0400, "second", 6);
	assert_int_equal(files.count, 1);
	secrets_dir_close(&dir);
}

/* What a killed run left under a name that we need is in nobody's way. */
static void install_takes_over_a_staged_file_of_a_killed_run(void **state)
{
	struct secrets_dir dir = dir_open(scratch);
	cleanup_bundle struct bundle bundle = {0};
	cleanup_text_list struct text_list files = {0};
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/.staged-%d-0", scratch, getpid());
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0400)), 0);
	item_add(&bundle, "db", "value", 5);
	assert_int_equal(install_bundle(&dir, &bundle, &files, NULL), 0);
	assert_file(in_scratch("db"), 0400, "value", 5);
	assert_int_equal(entries_count(scratch), 1);
	secrets_dir_close(&dir);
}

static void install_leaves_nothing_when_one_target_is_a_directory(void **state)
{
	struct secrets_dir dir = dir_open(scratch);
	cleanup_bundle struct bundle bundle = {0};
	cleanup_text_list struct text_list files = {0};
	struct fault fault = {0};

	(void)state;
	item_add(&bundle, "a", "1", 1);
	item_add(&bundle, "b", "2", 1);
	assert_int_equal(mkdir(in_scratch("b"), 0700), 0);
	assert_int_equal(install_bundle(&dir, &bundle, &files, &fault), -EISDIR);
	assert_string_equal(fault.what, in_scratch("b"));
	assert_int_equal(entries_count(scratch), 1);
	secrets_dir_close(&dir);
}

static void find_makes_a_wished_directory_and_removes_it(void **state)
{
	struct secrets_dir dir = dir_open(in_scratch("new/"));
	struct stat st;

	(void)state;
	assert_string_equal(dir.path, in_scratch("new"));
	assert_int_equal(stat(in_scratch("new"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_false(dir.is_mount);
	secrets_dir_remove(&dir);
	assert_int_equal(entries_count(scratch), 0);
}

static void find_tightens_a_directory_of_our_own_and_keeps_it(void **state)
{
	struct secrets_dir dir;
	struct stat st;

	(void)state;
	assert_int_equal(chmod(scratch, 0777), 0);
	dir = dir_open(scratch);
	assert_int_equal(stat(scratch, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	secrets_dir_remove(&dir);
	assert_int_equal(stat(scratch, &st), 0);
}

/* Even for root, who owns it: others need it as it is. */
static void find_makes_its_own_directory_in_a_shared_place(void **state)
{
	struct secrets_dir dir = dir_open("/dev/shm");
	char expected[64];
	struct stat st;

	(void)state;
	(void)snprintf(expected, sizeof(expected), "/dev/shm/tacit-%u-%d", geteuid(), getpid());
	assert_string_equal(dir.path, expected);
	assert_int_equal(stat("/dev/shm", &st), 0);
	assert_int_equal(st.st_mode & 01777, 01777);
	secrets_dir_remove(&dir);
	assert_int_equal(access(expected, F_OK), -1);
}

static void assert_refused(const char *path, bool outlives_us, int err)
{
	const struct secrets_dir_wish wish = {.path = path, .outlives_us = outlives_us};
	struct secrets_dir dir = SECRETS_DIR_NONE;
	struct fault fault = {0};

	print_message("# %s\n", path);
	assert_int_equal(secrets_dir_find(&wish, &dir, &fault), err);
	assert_string_equal(fault.what, path);
	assert_int_equal(dir.fd, -1);
}

static void find_refuses(void **state)
{
	char disk[] = "/var/tmp/tacit-test-XXXXXX"; /* where a tmpfs is never mounted */
	char new[sizeof(disk) + 4];

	(void)state;
	assert_non_null(mkdtemp(disk));
	(void)snprintf(new, sizeof(new), "%s/new", disk);
	assert_int_equal(symlink(scratch, in_scratch("link")), 0);
	assert_int_equal(close(open(in_scratch("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);

	assert_refused(disk, false, -TACIT_E_NOT_MEMORY);
	assert_refused(new, false, -TACIT_E_NOT_MEMORY);
	assert_refused("/nosuch/dir", false, -ENOENT);
	assert_refused(in_scratch("file"), false, -ENOTDIR);
	assert_refused(in_scratch("link"), false, -ENOTDIR);
	assert_refused(in_scratch("link/"), false, -ENOTDIR);
	assert_refused("/dev/shm", true, -TACIT_E_INSECURE_DIR);
	assert_int_equal(rmdir(disk), 0); /* and empty as it was */
}

/* A process that lives until `ret_pipe` is closed. */
static pid_t process_start(int *ret_pipe)
{
	int ends[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	(void)close(ends[0]);
	*ret_pipe = ends[1];
	return pid;
}

static void process_end(pid_t pid, int pipe_fd)
{
	(void)close(pipe_fd);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void owner_is_alive_while_it_lives(void **state)
{
	char text[OWNER_TEXT_BYTES];

	(void)state;
	assert_int_equal(owner_print(0, text), 0);
	assert_false(owner_is_dead(text));
}

/* The same PID with another start time is another process; another namespace is unknown. */
static void owner_is_dead_only_when_that_is_certain(void **state)
{
	char text[OWNER_TEXT_BYTES];
	char other[OWNER_TEXT_BYTES];
	unsigned long long namespace;
	unsigned long long start;
	long long pid;

	(void)state;
	assert_int_equal(owner_print(0, text), 0);
	assert_int_equal(sscanf(text, "%llu %lld.%llu", &namespace, &pid, &start), 3);

	(void)snprintf(other, sizeof(other), "%llu %lld.%llu 0.0", namespace, pid, start + 1);
	assert_true(owner_is_dead(other));
	(void)snprintf(other, sizeof(other), "%llu %lld.%llu 0.0", namespace + 1, pid, start + 1);
	assert_false(owner_is_dead(other));
	(void)snprintf(other, sizeof(other), "%llu %lld.%llu 0.0x", namespace, pid, start + 1);
	assert_false(owner_is_dead(other));
	assert_false(owner_is_dead(""));
	assert_false(owner_is_dead("junk"));
}

static void owner_lives_as_long_as_its_command(void **state)
{
	char text[OWNER_TEXT_BYTES];
	char orphaned[OWNER_TEXT_BYTES];
	unsigned long long namespace;
	unsigned long long start;
	long long pid;
	int consumed = 0;
	int pipe_fd;
	pid_t command = process_start(&pipe_fd);

	(void)state;
	assert_int_equal(owner_print(command, text), 0);
	assert_int_equal(sscanf(text, "%llu %lld.%llu%n", &namespace, &pid, &start, &consumed), 3);
	(void)snprintf(orphaned, sizeof(orphaned), "%llu %lld.%llu%s", namespace, pid, start + 1,
	    text + consumed);

	assert_false(owner_is_dead(orphaned));
	process_end(command, pipe_fd);
	assert_true(owner_is_dead(orphaned));
	assert_false(owner_is_dead(text));
}

/* What stands in a base directory, and whether a later run leaves it. */
static void sweep_takes_the_dead_and_only_them(void **state)
{
	char own[OWNER_TEXT_BYTES];
	char dead[OWNER_TEXT_BYTES];
	unsigned long long namespace;
	cleanup_fd int base_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(owner_print(0, own), 0);
	assert_int_equal(sscanf(own, "%llu", &namespace), 1);
	(void)snprintf(dead, sizeof(dead), "%llu %d.1 0.0", namespace, getpid());

	assert_int_equal(mkdir(in_scratch("tacit-1"), 0700), 0);
	assert_int_equal(
	    close(open(in_scratch("tacit-1/db"), O_CREAT | O_WRONLY | O_CLOEXEC, 0400)), 0);
	assert_int_equal(symlink(dead, in_scratch(".tacit-1.owner")), 0);
	assert_int_equal(mkdir(in_scratch("tacit-2"), 0700), 0);
	assert_int_equal(symlink(own, in_scratch(".tacit-2.owner")), 0);
	assert_int_equal(mkdir(in_scratch("tacit-3"), 0700), 0); /* nobody says whose */
	assert_int_equal(mkdir(in_scratch("elsewhere"), 0700), 0);
	assert_int_equal(
	    symlink(in_scratch("elsewhere"), in_scratch("tacit-4")), 0); /* not a directory */
	assert_int_equal(
	    close(open(in_scratch("elsewhere/x"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_int_equal(symlink(dead, in_scratch(".tacit-4.owner")), 0);

	secrets_dir_sweep(base_fd);

	assert_int_equal(access(in_scratch("tacit-1"), F_OK), -1);
	assert_int_equal(access(in_scratch("tacit-2"), F_OK), 0);
	assert_int_equal(access(in_scratch("tacit-3"), F_OK), 0);
	assert_int_equal(access(in_scratch("elsewhere/x"), F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
	        install_writes_exact_bytes_and_modes, base_make, base_remove),
	    cmocka_unit_test_setup_teardown(install_replaces_in_one_step, base_make, base_remove),
	    cmocka_unit_test_setup_teardown(
	        install_takes_over_a_staged_file_of_a_killed_run, base_make, base_remove),
	    cmocka_unit_test_setup_teardown(
	        install_leaves_nothing_when_one_target_is_a_directory, base_make, base_remove),
	    cmocka_unit_test_setup_teardown(
	        find_makes_a_wished_directory_and_removes_it, base_make, base_remove),
	    cmocka_unit_test_setup_teardown(
	        find_tightens_a_directory_of_our_own_and_keeps_it, base_make, base_remove),
	    cmocka_unit_test_setup_teardown(
	        find_makes_its_own_directory_in_a_shared_place, base_make, base_remove),
	    cmocka_unit_test_setup_teardown(find_refuses, base_make, base_remove),
	    cmocka_unit_test(owner_is_alive_while_it_lives),
	    cmocka_unit_test(owner_is_dead_only_when_that_is_certain),
	    cmocka_unit_test(owner_lives_as_long_as_its_command),
	    cmocka_unit_test_setup_teardown(
	        sweep_takes_the_dead_and_only_them, base_make, base_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <elf.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "launch.h"
#include "signals.h"
#include "tacit/fd.h"

static const struct {
	const char *script;
	const char *interpreter;
} script_cases[] = {
    {"#!/bin/sh\n", "/bin/sh"},
    {"#! /usr/bin/env node\n", "/usr/bin/env"},
    {"#!\t/bin/sh -e", "/bin/sh"},
    {"#!/bin/sh\r\n", "/bin/sh (the line ends with CR LF)"},
    {"#!", ""},
    {"#", ""},
    {"", ""},
    {"echo hello\n", ""},
};

static void scripts_name_their_interpreter(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(script_cases) / sizeof(script_cases[0]); i++) {
		char path[64] = "unset";

		launch_find_interpreter(
		    script_cases[i].script, strlen(script_cases[i].script), path, sizeof(path));
		assert_string_equal(path, script_cases[i].interpreter);
	}
}

struct elf_file {
	Elf64_Ehdr head;
	Elf64_Phdr segments[2];
	char loader[32];
};

static struct elf_file elf_make(const char *loader)
{
	struct elf_file file = {0};

	memcpy(file.head.e_ident, ELFMAG, SELFMAG);
	file.head.e_ident[EI_CLASS] = ELFCLASS64;
	file.head.e_phoff = offsetof(struct elf_file, segments);
	file.head.e_phnum = 2;
	file.segments[0].p_type = PT_PHDR;
	file.segments[1].p_type = PT_INTERP;
	file.segments[1].p_offset = offsetof(struct elf_file, loader);
	file.segments[1].p_filesz = strlen(loader) + 1;
	(void)strcpy(file.loader, loader);
	return file;
}

static void elf_files_name_their_loader(void **state)
{
	struct elf_file file = elf_make("/lib64/ld-linux-x86-64.so.2");
	char path[64];

	(void)state;
	launch_find_interpreter(&file, sizeof(file), path, sizeof(path));
	assert_string_equal(path, "/lib64/ld-linux-x86-64.so.2");
}

/* Every cut, and every lie about an offset, gives "" and no access beyond the bytes. */
static void broken_elf_files_name_nothing(void **state)
{
	static const uint64_t lies[] = {1, 63, 65, 4096, UINT32_MAX, UINT64_MAX, UINT64_MAX - 40};
	const struct elf_file good = elf_make("/lib/ld");
	char path[64];

	(void)state;
	for (size_t len = 0; len < offsetof(struct elf_file, loader); len++) {
		void *exact = malloc(len + 1);

		assert_non_null(exact);
		memcpy(exact, &good, len);
		launch_find_interpreter(exact, len, path, sizeof(path));
		assert_string_equal(path, "");
		free(exact);
	}
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct elf_file bad = good;

		bad.head.e_phoff = lies[i];
		launch_find_interpreter(&bad, sizeof(bad), path, sizeof(path));
		assert_string_equal(path, "");
		bad = good;
		bad.segments[1].p_offset = lies[i] > 64 ? lies[i] : 4096;
		launch_find_interpreter(&bad, sizeof(bad), path, sizeof(path));
		assert_string_equal(path, "");
		bad = good;
		bad.segments[1].p_filesz = lies[i] > 64 ? lies[i] : 4096;
		launch_find_interpreter(&bad, sizeof(bad), path, sizeof(path));
		assert_string_equal(path, "");
	}
}

struct place {
	char dir[64];
	char path_env[192]; /* PATH: an absent directory, `first`, `second` */
	char *environment[2];
};

static void file_make(const char *dir, const char *name, mode_t mode, const char *text)
{
	char path[192];
	cleanup_fd int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static int place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char first[80];
	char second[80];

	assert_non_null(place);
	(void)strcpy(place->dir, "/tmp/tacit-test-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	(void)snprintf(first, sizeof(first), "%s/first", place->dir);
	(void)snprintf(second, sizeof(second), "%s/second", place->dir);
	assert_int_equal(mkdir(first, 0700), 0);
	assert_int_equal(mkdir(second, 0700), 0);
	file_make(first, "plain", 0600, "x");
	file_make(second, "garbage", 0700, "\x01\x02\x03");
	file_make(second, "orphan", 0700, "#!/nowhere/interpreter\n");
	file_make(second, "shebangless", 0700, "exit 0\n");
	(void)snprintf(place->path_env, sizeof(place->path_env), "PATH=%s/absent:%s:%s", place->dir,
	    first, second);
	place->environment[0] = place->path_env;
	*state = place;
	return 0;
}

static int place_remove(void **state)
{
	struct place *place = *state;
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", place->dir);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test's own directory */
	free(place);
	return 0;
}

static const struct {
	const char *command;
	int err;
	int exit_code;
	const char *why; /* a part of it */
} exec_cases[] = {
    {"nosuch", -ENOENT, 127, "not found in PATH"},
    {"plain", -EACCES, 126, ""},
    {"garbage", -ENOEXEC, 126, ""},
    {"shebangless", -ENOEXEC, 126, ""},
    {"orphan", -ENOENT, 127, "its interpreter /nowhere/interpreter is not in this image"},
    {"", -ENOENT, 127, "not found"},
    {"/nosuch/path", -ENOENT, 127, ""},
    {"/etc", -EACCES, 126, ""},
    {"/etc/passwd/x", -ENOTDIR, 127, ""},
};

static void exec_failures_are_told_apart(void **state)
{
	struct place *place = *state;
	const char *preload = getenv("LD_PRELOAD");

	if (preload && strstr(preload, "vgpreload"))
		return; /* valgrind dies of an execve(2) that fails late */

	for (size_t i = 0; i < sizeof(exec_cases) / sizeof(exec_cases[0]); i++) {
		char name[64];
		char *command[] = {name, NULL};
		struct fault fault = {0};

		(void)snprintf(name, sizeof(name), "%s", exec_cases[i].command);
		print_message("# '%s'\n", name);
		assert_int_equal(
		    launch_exec(command, place->environment, &fault), exec_cases[i].err);
		assert_int_equal(launch_exit_code(fault.err), exec_cases[i].exit_code);
		assert_non_null(strstr(fault.why, exec_cases[i].why));
	}
}

static void signals_about_ourselves_are_not_forwarded(void **state)
{
	static const int kept[] = {
	    SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU, SIGCHLD};
	size_t forwarded = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_false(signal_is_forwarded(kept[i]));
	for (int number = 1; number <= 31; number++)
		forwarded += signal_is_forwarded(number) ? 1 : 0;
	assert_int_equal(forwarded, 31 - sizeof(kept) / sizeof(kept[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scripts_name_their_interpreter),
	    cmocka_unit_test(elf_files_name_their_loader),
	    cmocka_unit_test(broken_elf_files_name_nothing),
	    cmocka_unit_test_setup_teardown(exec_failures_are_told_apart, place_make, place_remove),
	    cmocka_unit_test(signals_about_ourselves_are_not_forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

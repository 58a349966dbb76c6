/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "launch.h"
#include "tacit/fd.h"

#define OWN_PATH "/proc/self/exe"

/* PATH itself, or PATH/tacit-agent where PATH is a directory. */
static int target_path(const char *path, char ret_path[static PATH_MAX])
{
	struct stat st;
	bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	int len = snprintf(ret_path, PATH_MAX, "%s%s", path, is_dir ? "/" AGENT_NAME : "");

	return len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int file_copy(int from_fd, int to_fd)
{
	struct stat st;

	if (fstat(from_fd, &st) < 0)
		return -errno;

	while (st.st_size > 0) {
		ssize_t sent = sendfile(to_fd, from_fd, NULL, (size_t)st.st_size);

		if (sent < 0)
			return -errno;
		if (sent == 0)
			return -EIO;
		st.st_size -= sent;
	}

	return fchmod(to_fd, 0755) < 0 ? -errno : 0;
}

/* Whole or not at all, also over a copy that is being executed. */
static int program_copy(const char *path)
{
	cleanup_fd int from_fd = open(OWN_PATH, O_RDONLY | O_CLOEXEC);
	cleanup_fd int to_fd = -1;
	char temporary[PATH_MAX + 32];
	int r;

	(void)snprintf(temporary, sizeof(temporary), "%s.%ld.new", path, (long)getpid());
	if (from_fd < 0)
		return -errno;
	to_fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (to_fd < 0)
		return -errno;

	r = file_copy(from_fd, to_fd);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(temporary);

	return r;
}

static int copy(const struct command *command, int argc, char *argv[], struct fault *fault)
{
	struct option_cursor cursor = {.command = command, .argc = argc, .argv = argv};
	char path[PATH_MAX];
	int r = option_next(&cursor, fault);

	if (r < 0)
		return r;
	if (argc - cursor.next != 1)
		return fault_set_why(fault, -TACIT_E_USAGE, "needs one PATH; see --help", "copy");

	r = target_path(argv[cursor.next], path);
	if (r == 0)
		r = program_copy(path);

	return r < 0 ? fault_set(fault, r, "%s", argv[cursor.next]) : 0;
}

int command_copy(const struct command *command, int argc, char *argv[])
{
	struct fault fault = {0};

	if (copy(command, argc, argv, &fault) == 0)
		return 0;

	fault_report(AGENT_NAME, &fault);
	return EXIT_AGENT_FAILED;
}

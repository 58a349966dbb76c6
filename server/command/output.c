/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tacit/fd.h"

/* For the signal handler: what to take away. */
static char unfinished[PATH_MAX];

static void end_by_signal(int number)
{
	(void)unlink(unfinished);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void clear_up_on_signals(const char *path)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGTERM};

	(void)snprintf(unfinished, sizeof(unfinished), "%s", path);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], end_by_signal);
}

int output_begin(struct output *output, const char *what, struct fault *fault)
{
	struct stat status;
	char why[64];

	if (!strcmp(output->path, "-")) {
		output->fd = STDOUT_FILENO;
		if (!isatty(output->fd))
			return 0;
		(void)snprintf(why, sizeof(why), "%s is not for a terminal", what);
		return fault_set_why(fault, -TACIT_E_USAGE, why, "-");
	}
	if (!output->force && lstat(output->path, &status) == 0)
		return fault_set_why(
		    fault, -EEXIST, "is there already; --force replaces it", "%s", output->path);
	if ((size_t)snprintf(output->temporary, sizeof(output->temporary), "%s.part",
	        output->path) >= sizeof(output->temporary))
		return fault_set(fault, -ENAMETOOLONG, "%s", output->path);

	/* What an earlier attempt has left is nobody's. */
	(void)unlink(output->temporary);
	clear_up_on_signals(output->temporary);
	output->fd =
	    open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return output->fd < 0 ? fault_set(fault, -errno, "%s", output->temporary) : 0;
}

static int directory_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	cleanup_fd int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int output_end(struct output *output, struct fault *fault)
{
	int r = 0;

	if (output->fd == STDOUT_FILENO)
		return 0;
	if (fchmod(output->fd, output->mode) < 0 || fsync(output->fd) < 0 ||
	    renameat2(AT_FDCWD, output->temporary, AT_FDCWD, output->path,
	        output->force ? 0 : RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == 0)
		r = directory_sync(output->path);

	return r < 0 ? fault_set(fault, r, "%s", output->path) : 0;
}

void output_close(struct output *output)
{
	if (output->fd < 0 || output->fd == STDOUT_FILENO)
		return;

	(void)unlink(output->temporary);
	(void)close(output->fd);
}

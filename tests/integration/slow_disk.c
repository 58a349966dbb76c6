/* SPDX-License-Identifier: MIT */
/*
 * To be preloaded into a server, between it and a disk that takes its time over the log of the
 * store: while the file is there that HANG_SYNC names, a sync does not come back; while the one is
 * there that FAIL_SYNC names, it fails. After each that succeeds, the file that SYNCED names is a
 * copy of the log as it may be found after a power cut.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fdatasync(int fd);

static bool is_there(const char *variable)
{
	const char *path = getenv(variable);

	return path && access(path, F_OK) == 0;
}

static bool is_log(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	return len > 4 && memcmp(path + len - 4, "-wal", 4) == 0;
}

static void copy_bytes(int from, int to)
{
	static char bytes[65536];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(from, bytes, sizeof(bytes), at)) > 0 &&
	       write(to, bytes, (size_t)got) == got)
		at += got;
}

/* There at once or not at all, since the server may be killed at any moment. */
static void copy_to(int fd, const char *path)
{
	char temporary[PATH_MAX];
	int to;

	(void)snprintf(temporary, sizeof(temporary), "%s.new", path);
	to = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (to < 0)
		return;

	copy_bytes(fd, to);
	(void)close(to);
	(void)rename(temporary, path);
}

int fdatasync(int fd)
{
	static int (*real)(int);
	const char *synced = getenv("SYNCED");
	int r;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
	if (!is_log(fd))
		return real(fd);

	while (is_there("HANG_SYNC"))
		(void)usleep(20000);
	if (is_there("FAIL_SYNC")) {
		errno = EIO;
		return -1;
	}
	r = real(fd);
	if (r == 0 && synced)
		copy_to(fd, synced);
	return r;
}

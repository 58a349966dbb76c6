/* SPDX-License-Identifier: MIT */
/*
 * An app that reports what it sees and then waits for SIGTERM, which ends it with status 43.
 * usage: probe VARIABLE...   each holds the path of a file; no value is ever printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS_MAGIC_NUMBER 0x01021994
#define STATUS_ON_SIGTERM  43

extern char **environ;

/* The CRC-32 of gzip, as busybox's `crc32` prints it. */
static uint32_t crc32_add(uint32_t crc, uint8_t byte)
{
	crc ^= byte;
	for (int bit = 0; bit < 8; bit++)
		crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
	return crc;
}

static uint32_t crc32_file(FILE *file, size_t *ret_len)
{
	uint32_t crc = UINT32_MAX;
	size_t len = 0;

	for (int byte = getc(file); byte != EOF; byte = getc(file), len++)
		crc = crc32_add(crc, (uint8_t)byte);
	*ret_len = len;
	return ~crc;
}

static void report_file(const char *variable)
{
	const char *path = getenv(variable);
	FILE *file = path ? fopen(path, "re") : NULL;
	struct stat status;
	struct statfs filesystem;
	size_t len = 0;

	if (!file) {
		printf("file %s %s: %s\n", variable, path ? path : "(unset)", strerror(errno));
		return;
	}
	if (fstat(fileno(file), &status) < 0 || fstatfs(fileno(file), &filesystem) < 0)
		abort();
	uint32_t crc = crc32_file(file, &len);
	printf("file %s %s mode=%o owner=%u:%u fs=%s crc32=%08x bytes=%zu\n", variable, path,
	    (unsigned int)status.st_mode & 07777, (unsigned int)status.st_uid,
	    (unsigned int)status.st_gid,
	    filesystem.f_type == TMPFS_MAGIC_NUMBER ? "tmpfs" : "other", crc, len);
	fclose(file);
}

static void on_sigterm(int signal_number)
{
	(void)signal_number;
	_exit(STATUS_ON_SIGTERM);
}

int main(int argc, char *argv[])
{
	signal(SIGTERM, on_sigterm);
	printf("begin\npid %d\nuser %u:%u\n", (int)getpid(), (unsigned int)getuid(),
	    (unsigned int)getgid());
	for (int i = 1; i < argc; i++)
		report_file(argv[i]);
	for (char **entry = environ; *entry; entry++)
		printf("variable %.*s\n", (int)strcspn(*entry, "="), *entry);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}

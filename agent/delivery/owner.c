/* SPDX-License-Identifier: MIT */
#include "owner.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tacit/fd.h"

#define STAT_BYTES 1024

/* Of proc(5), counted from 1. */
#define FIELD_STATE 3
#define FIELD_START 22

struct process {
	unsigned long long pid;
	unsigned long long start_ticks;
};

static int pid_namespace(unsigned long long *ret_inode)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0)
		return -errno;

	*ret_inode = (unsigned long long)st.st_ino;
	return 0;
}

static int stat_read(unsigned long long pid, char ret_text[static STAT_BYTES])
{
	char path[64];
	size_t len;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%llu/stat", pid);

	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;

	r = fd_read_full(fd, ret_text, STAT_BYTES - 1, &len);
	if (r < 0)
		return r;

	ret_text[len] = '\0';
	return 0;
}

/* One number at *at, which then stands behind it. */
static bool number_take(const char **at, unsigned long long *ret_number)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;

	errno = 0;
	*ret_number = strtoull(*at, &end, 10);
	*at = end;
	return errno == 0;
}

static bool byte_take(const char **at, char byte)
{
	if (**at != byte)
		return false;

	(*at)++;
	return true;
}

/* The command name stands in parentheses and may hold anything, so count from the last one. */
static int stat_parse(const char *text, char *ret_state, unsigned long long *ret_start_ticks)
{
	const char *at = strrchr(text, ')');

	if (!at || at[1] != ' ' || !at[2])
		return -EINVAL;

	*ret_state = at[2];
	for (int field = FIELD_STATE - 1; at && field < FIELD_START; field++)
		at = strchr(at + 1, ' ');
	if (!at || !byte_take(&at, ' ') || !number_take(&at, ret_start_ticks))
		return -EINVAL;

	return 0;
}

static int process_describe(pid_t pid, struct process *ret_process)
{
	char text[STAT_BYTES];
	char state;
	int r = stat_read((unsigned long long)pid, text);

	if (r < 0)
		return r;

	ret_process->pid = (unsigned long long)pid;
	return stat_parse(text, &state, &ret_process->start_ticks);
}

static bool process_is_dead(const struct process *process)
{
	unsigned long long start_ticks;
	char text[STAT_BYTES];
	char state;
	int r = stat_read(process->pid, text);

	if (r == -ENOENT || r == -ESRCH)
		return true;
	if (r < 0 || stat_parse(text, &state, &start_ticks) < 0)
		return false;

	return start_ticks != process->start_ticks || state == 'Z' || state == 'X';
}

int owner_print(pid_t command, char ret_text[static OWNER_TEXT_BYTES])
{
	struct process own = {0};
	struct process child = {0};
	unsigned long long namespace = 0;
	int r = pid_namespace(&namespace);

	if (r == 0)
		r = process_describe(getpid(), &own);
	if (r == 0 && command > 0)
		r = process_describe(command, &child);
	if (r < 0)
		return r;

	(void)snprintf(ret_text, OWNER_TEXT_BYTES, "%llu %llu.%llu %llu.%llu", namespace, own.pid,
	    own.start_ticks, child.pid, child.start_ticks);
	return 0;
}

static bool process_take(const char **at, struct process *ret_process)
{
	return byte_take(at, ' ') && number_take(at, &ret_process->pid) && byte_take(at, '.') &&
	       number_take(at, &ret_process->start_ticks);
}

bool owner_is_dead(const char *text)
{
	struct process own = {0};
	struct process child = {0};
	unsigned long long theirs = 0;
	unsigned long long ours = 0;

	if (!number_take(&text, &theirs) || !process_take(&text, &own) ||
	    !process_take(&text, &child) || *text)
		return false;
	if (pid_namespace(&ours) < 0 || theirs != ours)
		return false;

	return process_is_dead(&own) && (child.pid == 0 || process_is_dead(&child));
}

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_FILES_H
#define TACIT_SERVER_AUDIT_FILES_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>

#include "audit.h"

/*
 * The log as it lies in its directory: audit.log, and in front of it what was moved away under a
 * name that starts with `audit.log.` or `audit.log-`. Their order is that of their lines, whatever
 * they are called. What does not start with a line, such as a compressed file, is left out.
 */
struct audit_log_file {
	char name[NAME_MAX + 1];
	uint64_t first; /* number of its first line; 0: it is empty */
};

struct audit_files {
	struct audit_log_file *items; /* owned */
	size_t count;
};

void audit_files_free(struct audit_files *files);
#define cleanup_audit_files __attribute__((cleanup(audit_files_free)))

/* Lists them, oldest first; audit.log is the last one, if it is there. 0 or -errno. */
int audit_files_list(int dirfd, struct audit_files *ret_files);

/* Opens one for reading. -errno. */
int audit_log_file_open(int dirfd, const char *name);

/* Number of its first line; 0 when it does not start with one. */
uint64_t audit_log_file_first(int dirfd, const char *name);

#endif

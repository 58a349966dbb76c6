/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_FILE_H
#define TACIT_SERVER_AUDIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit.h"

/*
 * The one file that the audit log is written to. Every call here may take as long as the disk
 * likes; who calls, and how long is waited, is decided in audit.c.
 */
struct audit_file {
	int fd;
	off_t size; /* what it has to end at */
	bool torn;  /* there is half a line behind that end */
};

/* Opens or makes the file; `flags` as O_CREAT. 0 or -errno. */
int audit_file_open(int dirfd, int flags, struct audit_file *ret_file);
void audit_file_close(struct audit_file *file);

/* Appends all of it or nothing. -errno; -ENOENT for a deleted file, -ESTALE for a changed one. */
int audit_file_append(struct audit_file *file, const char *bytes, size_t len);

/* What is found at the end of a file. */
struct audit_end {
	struct audit_mark chain; /* of the last line; sequence 0 when there is none */
	size_t torn_bytes;       /* what stands behind the last newline */
	off_t size;              /* without that */
};

/* -TACIT_E_CORRUPT when the last whole line does not authenticate; -errno. */
int audit_file_end(int fd, const struct keys *keys, struct audit_end *ret_end);

enum audit_replacement {
	AUDIT_FILE_SAME,    /* it was not moved */
	AUDIT_FILE_MOVED,   /* it has another name now */
	AUDIT_FILE_DELETED, /* it is gone */
};

/*
 * Opens a new file where the old one was moved away or deleted, and syncs and closes that.
 * -EEXIST when there is one already, and it is not empty; -errno. `file` is untouched on failure.
 */
int audit_file_replace(struct audit_file *file, int dirfd, enum audit_replacement *ret_replacement);

#endif

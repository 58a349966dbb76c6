/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_READ_H
#define TACIT_SERVER_AUDIT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit.h"
#include "audit_time.h"
#include "tacit/json.h"

/*
 * Reading the log, page by page, beside whoever writes it: nothing here takes a lock. Lines are
 * shown as they are; whether they are true is audit_verify.h's to say.
 */
struct audit_query {
	uint64_t after;     /* only lines with a higher number */
	const char *since;  /* not before that time, in the form of the log; NULL */
	const char *client; /* that it did, or that was done to it; NULL */
	const char *secret; /* a pattern, one of the line's secrets; NULL */
	size_t limit;       /* this many lines at most */
	uint64_t max_bytes; /* this much of the log is read, about */
};

struct audit_page {
	struct json *entries; /* an array; owned */
	uint64_t next;        /* number of the last line that was looked at; `after` for more */
	bool more;            /* there may be: the page is full */
	uint64_t damaged;     /* lines that are none, so that nothing is known of them */
};

/*
 * One page, from the oldest file on. To find its start the log is searched by number and time,
 * which go up from line to line; a clock that was set back makes `since` imprecise around there.
 * -ENOMEM, -errno.
 */
int audit_read(int dirfd, const struct audit_query *query, struct audit_page *ret_page);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_VERIFY_H
#define TACIT_SERVER_AUDIT_VERIFY_H

#include "audit.h"

/* Whether the log is whole: all its files, from the oldest one that is there. */
struct audit_findings {
	uint64_t lines;
	uint64_t gaps; /* lines `audit.restarted` */
	uint64_t files;
};

/*
 * Walks the whole chain, up to `mark` at least, and no further where that is its end.
 * -TACIT_E_CORRUPT with the first line that breaks it in `fault`, by its place in its file; -errno.
 */
int audit_verify(int dirfd, const struct keys *keys, const struct audit_mark *mark,
    struct audit_findings *ret_findings, struct fault *fault);

/*
 * The same in pieces, so that nobody waits long: where a walk stands, as a text that the caller
 * keeps and hands back. "" begins; "" again when it is at the end. At most about `max_bytes` are
 * read. Who makes up such a text deceives only himself. -TACIT_E_MALFORMED; -TACIT_E_CONFLICT when
 * the file has been removed meanwhile.
 */
#define AUDIT_CURSOR_BYTES 192

int audit_verify_some(int dirfd, const struct keys *keys, const struct audit_mark *mark,
    uint64_t max_bytes, char cursor[static AUDIT_CURSOR_BYTES], struct audit_findings *ret_findings,
    struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_MARK_H
#define TACIT_SERVER_AUDIT_MARK_H

#include "audit.h"
#include "vault.h"

/*
 * Where the audit log stood, kept in the vault: at the start and at the end of each run. Whoever
 * shortens the log while the server is down would have to shorten this too; and whoever puts a
 * database of an earlier end in its place has a log with lines behind that end.
 */

/* A store that has none yet gives the sequence 0. The errors of vault.h. */
int audit_mark_load(struct vault *vault, struct audit_mark *ret_mark);
int audit_mark_store(struct vault *vault, struct audit *audit, bool is_end);

#endif

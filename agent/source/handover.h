/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_HANDOVER_H
#define TACIT_AGENT_HANDOVER_H

#include <stdbool.h>

#include "tacit/secret.h"

/*
 * What a watcher leaves to the one that takes over from it: the newest identity, since a token is
 * spent by then and a file may be out of date. It stands in memory that the processes share from
 * before the fork, locked where that is allowed, in no core dump and on no disk. One that dies
 * while it writes leaves what was there before.
 */
struct handover;

/* -errno when there is no memory to share. */
int handover_new(struct handover **ret_handover);

/* Leaves this text, and not what was left before; one that is too long is not left. */
void handover_leave(struct handover *handover, const struct secret *text);

/* A copy of what was left last. -ENOENT when nothing was, -ENOMEM. */
int handover_take(const struct handover *handover, struct secret **ret_text);

/* Whether the join token was, or is being, presented: then nobody else should. */
void handover_note_token(struct handover *handover, bool is_presented);
bool handover_has_token(const struct handover *handover);

/* Wipes it, for every process that shares it, and gives the memory back. NULL is allowed. */
void handover_free(struct handover *handover);

#endif

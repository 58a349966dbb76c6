/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SECOND_START_H
#define TACIT_AGENT_SECOND_START_H

#include "delivery.h"
#include "scrub.h"
#include "session.h"
#include "tacit/bundle.h"
#include "tacit/err.h"
#include "text_list.h"

/*
 * What it takes to start a command a second time, after our own environment was overwritten: what
 * scrubbing let through at the start. No secret is kept; with --env value each is read from its
 * file when it is wanted.
 */
struct second_start {
	const struct session *session;
	const struct secrets_dir *dir;
	struct text_list kept;
};

/* Copies what scrubbing let through. -ENOMEM. */
int second_start_note(struct second_start *start, const struct environment *environment);

/*
 * The environment of the command, `known` being what is delivered now. Borrows from `start`.
 * -errno, or what scrub_environment() says.
 */
int second_start_environment(const struct second_start *start, const struct bundle *known,
    struct environment *ret_environment, struct fault *fault);

void second_start_free(struct second_start *start);

#endif

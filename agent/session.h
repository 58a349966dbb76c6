/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SESSION_H
#define TACIT_AGENT_SESSION_H

#include <limits.h>
#include <stdint.h>

#include "agent_options.h"
#include "privilege.h"
#include "source.h"
#include "tacit/err.h"

/* What `run` and `fetch` have in common before the delivery. */
struct session {
	struct agent_options options;
	char private_dir[PATH_MAX]; /* with --private: where the options point then */
	struct user user;           /* with --user */
	const char *home;           /* of that user, if it is a new one and known; else NULL */
	int64_t deadline_ms;
	struct source *source;     /* NULL where it could not be opened, with --on-failure start */
	struct fault source_fault; /* why not */
};

/*
 * Parses the options, enters the namespaces of --private, closes the process up, reads the
 * templates and opens the source as who we are, and becomes --user. `ret_session` is to be freed in
 * any case.
 */
int session_open(const struct command *command, int argc, char *argv[], struct session *ret_session,
    struct fault *fault);

void session_free(struct session *session);
#define cleanup_session __attribute__((cleanup(session_free)))

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SOURCE_H
#define TACIT_AGENT_SOURCE_H

#include <stdint.h>

#include "agent_options.h"
#include "tacit/bundle.h"
#include "tacit/err.h"

/*
 * Where secrets come from: a server, a .env file, or variables of our own environment. A source is
 * opened as the user that we were started as (root may read an identity that the command's user
 * may not), and read as the user that the command runs as.
 */
struct source;

struct source_ops {
	int (*fetch)(struct source *source, int64_t deadline_ms, struct bundle *ret_bundle,
	    struct fault *fault);
	void (*free)(struct source *source);

	/* Of a source that can be watched; else NULL. */
	int (*wait)(
	    struct source *source, int wait_s, struct bundle *ret_bundle, struct fault *fault);
	void (*ask_anew)(struct source *source);
	void (*disconnect)(struct source *source);
	int (*renew)(struct source *source, struct fault *fault);
	int64_t (*valid_until)(struct source *source);
	void (*take_over)(struct source *source);
	void (*leave)(struct source *source); /* NULL for one that has nobody to tell */
};

/* What every source starts with; the rest is its own. source_*() below say what each call does. */
struct source {
	const struct source_ops *ops;
};

/* Opens the source that the options name. Connects to nothing yet. */
int source_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault);

/* Gets everything that there is to get, before `deadline_ms`; all or nothing. */
int source_fetch(
    struct source *source, int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault);

/*
 * Waits up to `wait_s` seconds for something newer than what was fetched last: 1 and all that
 * there is now, which may be nothing at all; 0 when nothing has changed. Only for a server.
 */
int source_wait(struct source *source, int wait_s, struct bundle *ret_bundle, struct fault *fault);

/* Forgets what was fetched last, so that the next source_wait() gets it once more. */
void source_ask_anew(struct source *source);

/*
 * Closes the connection, so that a fork shares none; the next fetch or wait opens its own. What
 * forks off asks in our name.
 */
void source_disconnect(struct source *source);

/*
 * Gets the next certificate when it is time for it: 1 when there is a new one, 0 when it is not
 * time. On failure the old one is used on, and it is time again after a while.
 */
int source_renew(struct source *source, struct fault *fault);

/* When the certificate of now ends, in seconds since the epoch. */
int64_t source_valid_until(struct source *source);

/* For a watcher that takes over from one that died: goes on as what that had become. */
void source_take_over(struct source *source);

/*
 * Before the end of one that watches: tells the server that it is there no more, if it was ever
 * seen there. Takes 300 ms at most, and whether it worked is no matter.
 */
void source_leave(struct source *source);

void source_free(struct source *source);
void source_cleanup(struct source **source);
#define cleanup_source __attribute__((cleanup(source_cleanup)))

/* The three kinds, each in its own file. */
int source_server_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault);
int source_env_file_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault);
int source_environ_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_DELIVERY_H
#define TACIT_AGENT_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_options.h"
#include "scrub.h"
#include "secrets_dir.h"
#include "source.h"
#include "tacit/bundle.h"
#include "tacit/err.h"

/* A delivery: from the source to files that are all there, or to nothing. */
struct delivery {
	struct bundle bundle;     /* the values, until delivery_forget() */
	struct text_list sources; /* variables that values came from, or are a copy of */
	struct secrets_dir dir;
	struct text_list files; /* that are ours to remove */
	struct environment environment;
};

#define DELIVERY_NONE ((struct delivery){.dir = SECRETS_DIR_NONE})

/*
 * Fetches, selects and writes, as the user that the command runs as. Signals are held back from
 * the first write on. `outlives_us` as in secrets_dir.h. On failure nothing is left behind but
 * what delivery_free() takes.
 */
int delivery_make(const struct agent_options *options, struct source *source, int64_t deadline_ms,
    bool outlives_us, struct delivery *delivery, struct fault *fault);

/* Builds the command's environment out of our own; `home` is its new HOME, or NULL. */
int delivery_scrub(struct delivery *delivery, const struct agent_options *options, const char *home,
    struct fault *fault);

/* Wipes every value from memory; the files stay. */
void delivery_forget(struct delivery *delivery);

/* Removes the files, and the directory where it is ours. */
void delivery_undo(struct delivery *delivery);

/* Frees the memory and closes the directory; the files stay. */
void delivery_free(struct delivery *delivery);
#define cleanup_delivery __attribute__((cleanup(delivery_free)))

#endif

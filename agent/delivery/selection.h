/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SELECTION_H
#define TACIT_AGENT_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tacit/bundle.h"
#include "tacit/err.h"
#include "tacit/name.h"

/*
 * Which secrets are wanted, and in what shape: `NAME[=FILE][,env=VAR][,mode=0400][,optional]`.
 * Pure: texts and a bundle in, a bundle out.
 */
struct selection_item {
	char name[NAME_MAX_BYTES + 1];
	char file[NAME_MAX_BYTES + 1]; /* "" keeps what the source says */
	char env[NAME_MAX_BYTES + 1];  /* "" likewise */
	mode_t mode;                   /* 0 likewise */
	bool optional;
};

struct selection {
	struct selection_item *items; /* owned, `count` of them */
	size_t count;
};

/*
 * Adds one specification. -TACIT_E_INVALID_NAME, -TACIT_E_INVALID_ENV, -TACIT_E_INVALID_MODE,
 * -TACIT_E_USAGE for anything else that is wrong with it, -ENOMEM.
 */
int selection_add(struct selection *selection, const char *text, struct fault *fault);

/* Adds several specifications, separated by white space or `;`. Errors as above. */
int selection_add_all(struct selection *selection, const char *text, struct fault *fault);

/*
 * Leaves in `bundle` what is selected, in that order and shape; an empty selection leaves all. A
 * new file name brings its default variable along, unless the source had set one of its own.
 * -TACIT_E_NOT_FOUND for one that is neither there nor optional; -ENOMEM. After a failure the
 * bundle is whole but of no use.
 */
int selection_apply(const struct selection *selection, struct bundle *bundle, struct fault *fault);

void selection_free(struct selection *selection);

#endif

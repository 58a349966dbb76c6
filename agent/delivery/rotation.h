/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_ROTATION_H
#define TACIT_AGENT_ROTATION_H

#include <stdbool.h>

#include "secrets_dir.h"
#include "tacit/bundle.h"
#include "tacit/err.h"
#include "text_list.h"

/*
 * Brings the files of a directory to what a new bundle says, under the eyes of whoever reads them:
 * what has changed is staged and renamed in one sweep, then what is gone is removed.
 *
 * What has changed is told by comparing with the files themselves. So nothing has to be kept in
 * memory, and a process that takes over from another one needs to know no versions.
 *
 * Each rotation is told through a pipe: NOTE_BEGINS, a NOTE_ITEM for every secret that is there
 * then, and, when the files are in place, NOTE_DONE. The items come first because a file that
 * nobody has heard of would not be removed at the end.
 */
enum note_kind {
	NOTE_BEGINS,
	NOTE_ITEM,
	NOTE_DONE,
};

/* Not over PIPE_BUF, so that a pipe takes one whole or not at all. No value is in it. */
struct note {
	enum note_kind kind;
	struct bundle_item item; /* its `value` is NULL */
};

struct rotation {
	const struct secrets_dir *dir;
	int notes_fd;
	struct bundle known; /* what is delivered, without values */
	bool is_due;         /* a rotation has begun and NOTE_DONE was not sent */
};

/*
 * Takes the values out of `bundle` and drops each when it is written. Where nothing has changed
 * and none is due it does and tells nothing: 0; else 1. On failure the files that were there still
 * are: -errno, -EPIPE when nobody listens. The names of secrets whose files were removed are
 * added to `gone`.
 */
int rotation_make(
    struct rotation *rotation, struct bundle *bundle, struct text_list *gone, struct fault *fault);

/* A copy of `bundle` without its values. 0 or -ENOMEM; `ret_names` is untouched on failure. */
int bundle_copy_names(const struct bundle *bundle, struct bundle *ret_names);

#endif

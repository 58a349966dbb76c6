/* SPDX-License-Identifier: MIT */
#ifndef TACIT_PROGRESS_H
#define TACIT_PROGRESS_H

#include <stdint.h>

/*
 * How far something is that takes longer than a second: one line on standard error that is written
 * over, on a terminal and nowhere else. Declare it with these two members set.
 */
struct progress {
	const char *program;
	const char *what; /* "records" */
	int64_t begun_ms;
	int64_t shown_ms;
};

/*
 * To be called often: it shows nothing in the first second, and then five times a second at most.
 * `total` may be 0 when it is not known.
 */
void progress_show(struct progress *progress, uint64_t done, uint64_t total);
/* Takes the line away again. */
void progress_end(struct progress *progress);

#endif

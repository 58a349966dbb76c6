/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TEST_SCRATCH_H
#define TACIT_TEST_SCRATCH_H

/*
 * A directory in memory, 0700, that is this test's alone, whatever else runs at the same time.
 * What cannot be made fails the test.
 */
extern char scratch[32]; /* its path */

void scratch_make(void);
/* With all that is in it; never what a link in it points to, or what is mounted in it. */
void scratch_remove(void);

/* The path of `name` in it; the last four of them are valid. */
const char *in_scratch(const char *name);

#endif

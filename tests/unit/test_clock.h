/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TEST_CLOCK_H
#define TACIT_TEST_CLOCK_H

#include <time.h>

/* How far the clock of time(2) is ahead: a test that links test_clock.c has it instead of libc's.
 */
extern time_t clock_ahead_s;

#endif

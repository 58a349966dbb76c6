/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TEST_BRIEF_H
#define TACIT_TEST_BRIEF_H

#include <stdlib.h>

/*
 * Valgrind is thirty times slower than the machine. A program that would take minutes there keeps
 * its slow tests, each with its reason, at the end of its list; TACIT_TEST_BRIEF, which
 * tests/run.sh sets for valgrind alone, leaves them out, and their number is missing from the
 * count. The sanitizers run all of them.
 */
#define run_group(tests, slow, setup, teardown)                                             \
	_cmocka_run_group_tests(#tests, (tests),                                            \
	    sizeof(tests) / sizeof((tests)[0]) - (getenv("TACIT_TEST_BRIEF") ? (slow) : 0), \
	    (setup), (teardown))

#endif

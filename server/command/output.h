/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_OUTPUT_H
#define TACIT_SERVER_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tacit/err.h"

/*
 * The file that a command was told to make: under another name until it is whole, and taken away
 * again by a signal or a failure. `-` is stdout, unless that is a terminal.
 */
struct output {
	const char *path;
	mode_t mode;
	bool force; /* take the place of a file that is there */
	char temporary[PATH_MAX];
	int fd;
};

#define OUTPUT_NONE ((struct output){.fd = -1})

/* -EEXIST without `force`, -TACIT_E_USAGE for a terminal, -errno. `what` is for people. */
int output_begin(struct output *output, const char *what, struct fault *fault);

/* Has it on the disk, under its name. -errno. */
int output_end(struct output *output, struct fault *fault);

/* After either, also after a failure. */
void output_close(struct output *output);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SEALED_DOORS_H
#define TACIT_SERVER_SEALED_DOORS_H

#include "activation.h"
#include "listener_sealed.h"

/* The doors for clients, while the store behind them is sealed. */
struct sealed_doors {
	struct listener_sealed *main;      /* NULL: not open */
	struct listener_sealed *enrolment; /* the same */
};

/*
 * Opens them on the sockets that there are, and says so. Without a usable SEALED_FILE in `dirfd`
 * they stay closed, and that is said; a failure is any other.
 */
int sealed_doors_open(int dirfd, const int fds[static LISTENERS_COUNT],
    struct sealed_doors *ret_doors, struct fault *fault);
/* For good; the sockets go on listening. */
void sealed_doors_close(struct sealed_doors *doors);

/* Makes the file for the next time. A server that cannot write it serves all the same. */
void sealed_doors_renew(int dirfd, const struct authority *authority);

#endif

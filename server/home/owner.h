/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_OWNER_H
#define TACIT_SERVER_OWNER_H

#include "config.h"
#include "tacit/err.h"

/*
 * Whom root becomes before it writes to a store: whoever owns the directory, so that nothing is
 * left in it that its owner cannot read.
 */

/* For good. Who is named as config->user has to be that one. -EPERM and what user.h returns. */
int owner_become(const struct config *config, struct fault *fault);

/* Until user_resume(), in a new directory, which is given to config->user if there is one. */
int owner_assume(const struct config *config, int dirfd, struct fault *fault);

#endif

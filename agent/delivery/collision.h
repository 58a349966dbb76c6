/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_COLLISION_H
#define TACIT_AGENT_COLLISION_H

#include "scrub.h"
#include "tacit/bundle.h"
#include "tacit/err.h"

/*
 * Whether every secret has a file, and what is exported for it a variable, of its own. Pure.
 * -TACIT_E_FILE_COLLISION, both secrets named in `fault`; -ENOMEM.
 */
int collision_check(const struct bundle *bundle, enum env_mode mode, struct fault *fault);

#endif

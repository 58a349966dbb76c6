/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_UPKEEP_H
#define TACIT_SERVER_UPKEEP_H

#include <stdint.h>

#include "route.h"
#include "tacit/err.h"

/*
 * What a server does beside answering, on a thread of its own and in steps that are each as short
 * as a request: bringing data keys over to a new term of the keyring (rewrap.h), and giving the
 * space of deleted records back to the file system. Between two steps it rests for as long as the
 * last one took, so that it never has more than half of the routes' lock.
 */
struct upkeep;

/* `complain` is told once of each failure that is not the one before. */
int upkeep_start(struct server *server, void (*complain)(const struct fault *fault),
    struct upkeep **ret_upkeep, struct fault *fault);
/* Ends after the step under way. NULL is allowed. */
void upkeep_stop(struct upkeep *upkeep);

struct upkeep_state {
	bool rewraps;       /* data keys are still on their way */
	uint64_t rows;      /* of them done in this walk */
	struct fault fault; /* of the last step; err is 0 when it went well */
};

void upkeep_look(struct upkeep *upkeep, struct upkeep_state *ret_state);
/* Does not wait for the next tick. */
void upkeep_hurry(struct upkeep *upkeep);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_REFUSALS_H
#define TACIT_SERVER_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "audit.h"

/*
 * Who was not let in at all. Anybody who can reach the port can be refused as often as he likes,
 * so of each address and reason the audit log gets the first one, and then, a minute later, how
 * many more there were. That bounds what a flood can write: there are REFUSALS_MAX of them at a
 * time, and what goes beyond is counted together.
 *
 * Thread-safe.
 */
struct refusals;

#define REFUSALS_MAX      64
#define REFUSALS_GROUP_MS 60000

struct refusal {
	const char *event;  /* borrowed for ever: "tls.refused" */
	const char *reason; /* borrowed for ever: "certificate expired" */
	const char *client; /* as far as it is certain; NULL */
	const char *peer;   /* its address, with or without a port */
	int status;         /* of the answer; 0: none */
};

/* NULL when there is no memory. */
struct refusals *refusals_new(void);
void refusals_free(struct refusals *refusals);

/* Takes note; refusals_write() records it. */
void refusals_add(struct refusals *refusals, const struct refusal *refusal, int64_t now_ms);

/* Takes note, and says whether it is the first one, which the caller then records himself. */
bool refusals_count(struct refusals *refusals, const struct refusal *refusal, int64_t now_ms);

/* The first one could not be recorded: the next one is the first. */
void refusals_take_back(struct refusals *refusals, const struct refusal *refusal);

#define REFUSALS_END (INT64_MAX - REFUSALS_GROUP_MS)

/* Records what is due; at REFUSALS_END all of it. What cannot be written is due again. */
void refusals_write(struct refusals *refusals, struct audit *audit, int64_t now_ms);

#endif

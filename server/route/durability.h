/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_DURABILITY_H
#define TACIT_SERVER_DURABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "tacit/err.h"
#include "vault.h"

/*
 * Answers that wait for the disk. What a request changes is there for everybody at once, so that
 * nobody waits in the routes' lock for a sync; but no answer leaves, whoever it is for, before all
 * that it may tell of is on the disk. One thread syncs for all who wait (group commit).
 *
 * After a sync that fails nobody can say what is on the disk (the kernel may have dropped the
 * pages): from then on no answer is good, and the server has to be started again.
 */
struct durability;

/* An answer that waits. It belongs to who waits, and is left alone once it was released. */
struct held {
	struct held *next;
	uint64_t revision; /* of the vault: what has to be on the disk */
	/* Called once, from any thread: 0, or -TACIT_E_STORE_UNAVAILABLE instead of the answer. */
	void (*release)(struct held *held, int err);
};

/*
 * Makes the thread. What is in the vault by now has to be on the disk already. `on_failure` gets
 * `context`, once, from that thread. -ENOMEM, -EAGAIN, and what vault_lazy_begin() returns.
 */
int durability_start(struct vault *vault, void (*on_failure)(void *context), void *context,
    struct durability **ret_durability);

/* Whether an answer that may tell of this revision can leave; true for NULL, where commits are not
 * lazy. */
bool durability_reached(struct durability *durability, uint64_t revision);

/* Releases `held` as soon as its revision is on the disk; that may be before this returns. */
void durability_hold(struct durability *durability, struct held *held);

/* 0, or -TACIT_E_STORE_UNAVAILABLE after a sync that failed. */
int durability_trouble(struct durability *durability);

/* Releases all who wait, now and from now on, as if the sync had failed: there is no more time. */
void durability_give_up(struct durability *durability);

/* Nobody may wait any more. NULL is allowed. */
void durability_stop(struct durability *durability);

#endif

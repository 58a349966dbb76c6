/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_WATCH_H
#define TACIT_SERVER_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tacit/name.h"

/*
 * Requests that wait for a change (`Prefer: wait=50`, RFC 7240). A waiter costs a list node and a
 * suspended connection, no thread. It is woken by a change that concerns its client, or when its
 * time is up, and then asks again; whether there really is news for it is decided there, once.
 *
 * `wake` is called with the watch's lock held, exactly once, and the waiter is off the list then.
 */
struct waiter {
	struct waiter *previous, *next;
	char client[CLIENT_NAME_MAX_BYTES + 1];
	int64_t until_ms; /* a deadline, see deadline.h */
	void (*wake)(struct waiter *waiter);
	bool waits;
};

struct watch {
	pthread_mutex_t mutex;
	struct waiter *first;
	size_t count;
	bool closed;
};

#define WATCH_MAX_S 55 /* a suspended connection does not notice that its peer is gone */

void watch_init(struct watch *watch);
void watch_destroy(struct watch *watch);

/* Puts a waiter on the list; after watch_close() it is woken at once. */
void watch_add(struct watch *watch, struct waiter *waiter);

/* Takes a waiter off the list if it is still there, without waking it. */
void watch_remove(struct watch *watch, struct waiter *waiter);

/* Wakes the waiters whose client `concerns` says yes to. */
void watch_notify(
    struct watch *watch, bool (*concerns)(void *context, const char *client), void *context);

/* How many wait. */
size_t watch_count(struct watch *watch);

/* Wakes those whose time is up. */
void watch_expire(struct watch *watch);

/* Wakes all, now and from now on: the listener is about to stop. */
void watch_close(struct watch *watch);

/* Seconds of a Prefer header's `wait`, WATCH_MAX_S at most; 0 when it asks for none. */
int watch_parse_prefer(const char *prefer);

#endif

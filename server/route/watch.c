/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tacit/deadline.h"

void watch_init(struct watch *watch)
{
	*watch = (struct watch){0};
	(void)pthread_mutex_init(&watch->mutex, NULL);
}

void watch_destroy(struct watch *watch)
{
	(void)pthread_mutex_destroy(&watch->mutex);
}

static void waiter_unlink(struct watch *watch, struct waiter *waiter)
{
	if (waiter->previous)
		waiter->previous->next = waiter->next;
	else
		watch->first = waiter->next;
	if (waiter->next)
		waiter->next->previous = waiter->previous;
	waiter->previous = NULL;
	waiter->next = NULL;
	waiter->waits = false;
	watch->count--;
}

static void waiter_wake(struct watch *watch, struct waiter *waiter)
{
	waiter_unlink(watch, waiter);
	waiter->wake(waiter);
}

void watch_add(struct watch *watch, struct waiter *waiter)
{
	(void)pthread_mutex_lock(&watch->mutex);
	waiter->previous = NULL;
	waiter->next = watch->first;
	if (waiter->next)
		waiter->next->previous = waiter;
	watch->first = waiter;
	watch->count++;
	waiter->waits = true;
	if (watch->closed)
		waiter_wake(watch, waiter);
	(void)pthread_mutex_unlock(&watch->mutex);
}

void watch_remove(struct watch *watch, struct waiter *waiter)
{
	(void)pthread_mutex_lock(&watch->mutex);
	if (waiter->waits)
		waiter_unlink(watch, waiter);
	(void)pthread_mutex_unlock(&watch->mutex);
}

void watch_notify(
    struct watch *watch, bool (*concerns)(void *context, const char *client), void *context)
{
	struct waiter *next;

	(void)pthread_mutex_lock(&watch->mutex);
	for (struct waiter *at = watch->first; at; at = next) {
		next = at->next;
		if (concerns(context, at->client))
			waiter_wake(watch, at);
	}
	(void)pthread_mutex_unlock(&watch->mutex);
}

size_t watch_count(struct watch *watch)
{
	size_t count;

	(void)pthread_mutex_lock(&watch->mutex);
	count = watch->count;
	(void)pthread_mutex_unlock(&watch->mutex);
	return count;
}

void watch_expire(struct watch *watch)
{
	struct waiter *next;

	(void)pthread_mutex_lock(&watch->mutex);
	for (struct waiter *at = watch->first; at; at = next) {
		next = at->next;
		if (deadline_left_ms(at->until_ms) == 0)
			waiter_wake(watch, at);
	}
	(void)pthread_mutex_unlock(&watch->mutex);
}

static bool concerns_everyone(void *context, const char *client)
{
	(void)context;
	(void)client;
	return true;
}

void watch_close(struct watch *watch)
{
	(void)pthread_mutex_lock(&watch->mutex);
	watch->closed = true;
	(void)pthread_mutex_unlock(&watch->mutex);
	watch_notify(watch, concerns_everyone, NULL);
}

/* Preferences are separated by commas, and one that we do not know is no error (RFC 7240, 2). */
int watch_parse_prefer(const char *prefer)
{
	static const char wait[] = "wait=";

	while (prefer && *prefer) {
		prefer += strspn(prefer, " \t,");
		if (!strncasecmp(prefer, wait, sizeof(wait) - 1) &&
		    isdigit((unsigned char)prefer[sizeof(wait) - 1])) {
			long seconds = strtol(prefer + sizeof(wait) - 1, NULL, 10);

			return seconds > WATCH_MAX_S ? WATCH_MAX_S : (int)seconds;
		}
		prefer += strcspn(prefer, ",");
	}

	return 0;
}

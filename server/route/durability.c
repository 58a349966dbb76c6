/* SPDX-License-Identifier: MIT */
#include "durability.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct durability {
	struct vault *vault;
	void (*on_failure)(void *context);
	void *context;

	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	struct held *waiting; /* for the next sync */
	struct held *syncing; /* for the one under way */
	bool gave_up;
	bool stops;

	atomic_uint_fast64_t reached; /* the revision that is on the disk */
	atomic_bool failed;
};

static struct held *list_take(struct held **list)
{
	struct held *taken = *list;

	*list = NULL;
	return taken;
}

static uint64_t list_newest(const struct held *list)
{
	uint64_t newest = 0;

	for (; list; list = list->next)
		if (list->revision > newest)
			newest = list->revision;
	return newest;
}

/* The next one is looked up before: who is released is gone. */
static void list_release(struct held *list, int err)
{
	struct held *next;

	for (; list; list = next) {
		next = list->next;
		list->release(list, err);
	}
}

/* With the mutex held, but for the sync itself. Whoever waits by now has committed before. */
static void sync_waiting(struct durability *durability)
{
	uint64_t revision = list_newest(durability->waiting);
	struct held *done;
	int r;

	durability->syncing = list_take(&durability->waiting);
	(void)pthread_mutex_unlock(&durability->mutex);
	r = vault_sync(durability->vault);
	(void)pthread_mutex_lock(&durability->mutex);

	if (r == 0)
		atomic_store(&durability->reached, revision);
	else if (!atomic_exchange(&durability->failed, true))
		durability->on_failure(durability->context);
	done = list_take(&durability->syncing);
	list_release(done, durability_trouble(durability));
}

static void *sync_run(void *context)
{
	struct durability *durability = context;

	(void)pthread_mutex_lock(&durability->mutex);
	while (!durability->stops) {
		if (durability->waiting)
			sync_waiting(durability);
		else
			(void)pthread_cond_wait(&durability->changed, &durability->mutex);
	}
	(void)pthread_mutex_unlock(&durability->mutex);

	return NULL;
}

static void durability_free(struct durability *durability)
{
	(void)pthread_cond_destroy(&durability->changed);
	(void)pthread_mutex_destroy(&durability->mutex);
	free(durability);
}

int durability_start(struct vault *vault, void (*on_failure)(void *context), void *context,
    struct durability **ret_durability)
{
	struct durability *durability;
	int r = vault_lazy_begin(vault);

	if (r < 0)
		return r;
	durability = calloc(1, sizeof(*durability));
	if (!durability)
		return -ENOMEM;

	durability->vault = vault;
	durability->on_failure = on_failure;
	durability->context = context;
	durability->reached = vault_revision(vault);
	(void)pthread_mutex_init(&durability->mutex, NULL);
	(void)pthread_cond_init(&durability->changed, NULL);
	if (pthread_create(&durability->thread, NULL, sync_run, durability) != 0) {
		durability_free(durability);
		return -EAGAIN;
	}

	(void)pthread_setname_np(durability->thread, "tacit-store");
	*ret_durability = durability;
	return 0;
}

bool durability_reached(struct durability *durability, uint64_t revision)
{
	return !durability ||
	       (revision <= atomic_load(&durability->reached) && !atomic_load(&durability->failed));
}

void durability_hold(struct durability *durability, struct held *held)
{
	bool is_lost;

	(void)pthread_mutex_lock(&durability->mutex);
	is_lost = durability->gave_up || atomic_load(&durability->failed);
	if (!is_lost) {
		held->next = durability->waiting;
		durability->waiting = held;
		(void)pthread_cond_signal(&durability->changed);
	}
	(void)pthread_mutex_unlock(&durability->mutex);

	if (is_lost)
		held->release(held, -TACIT_E_STORE_UNAVAILABLE);
}

int durability_trouble(struct durability *durability)
{
	return durability && atomic_load(&durability->failed) ? -TACIT_E_STORE_UNAVAILABLE : 0;
}

void durability_give_up(struct durability *durability)
{
	if (!durability)
		return;

	(void)pthread_mutex_lock(&durability->mutex);
	durability->gave_up = true;
	list_release(list_take(&durability->syncing), -TACIT_E_STORE_UNAVAILABLE);
	list_release(list_take(&durability->waiting), -TACIT_E_STORE_UNAVAILABLE);
	(void)pthread_mutex_unlock(&durability->mutex);
}

void durability_stop(struct durability *durability)
{
	if (!durability)
		return;

	(void)pthread_mutex_lock(&durability->mutex);
	durability->stops = true;
	(void)pthread_cond_signal(&durability->changed);
	(void)pthread_mutex_unlock(&durability->mutex);
	(void)pthread_join(durability->thread, NULL);
	durability_free(durability);
}

/* SPDX-License-Identifier: MIT */
#include "unsealing.h"

#include <signal.h>
#include <unistd.h>

#define DELAY_S     1
#define DELAY_MAX_S 8

void unsealing_init(struct unsealing *unsealing)
{
	*unsealing = (struct unsealing){.main_thread = pthread_self()};
	(void)pthread_mutex_init(&unsealing->mutex, NULL);
	(void)pthread_cond_init(&unsealing->changed, NULL);
}

void unsealing_close(struct unsealing *unsealing)
{
	(void)pthread_mutex_lock(&unsealing->mutex);
	unsealing->is_closed = true;
	(void)pthread_cond_signal(&unsealing->changed);
	(void)pthread_mutex_unlock(&unsealing->mutex);
}

void unsealing_destroy(struct unsealing *unsealing)
{
	keys_free(unsealing->keys);
	(void)pthread_cond_destroy(&unsealing->changed);
	(void)pthread_mutex_destroy(&unsealing->mutex);
}

/* One request at a time comes here, so waiting holds up nobody but who guesses. */
static void delay(unsigned wrong)
{
	unsigned seconds = DELAY_S << (wrong < 4 ? wrong - 1 : 3);

	(void)sleep(seconds < DELAY_MAX_S ? seconds : DELAY_MAX_S);
}

static int unsealing_offer(struct unsealing *unsealing, struct keys *keys, struct fault *fault)
{
	(void)pthread_mutex_lock(&unsealing->mutex);
	unsealing->keys = keys;
	unsealing->is_settled = false;
	(void)pthread_kill(unsealing->main_thread, UNSEALING_SIGNAL);
	while (!unsealing->is_settled && !unsealing->is_closed)
		(void)pthread_cond_wait(&unsealing->changed, &unsealing->mutex);
	if (unsealing->is_settled)
		*fault = unsealing->verdict;
	else
		(void)fault_set_why(fault, -TACIT_E_SEALED, "the server stops", SEAL_FILE);
	(void)pthread_mutex_unlock(&unsealing->mutex);
	return fault->err;
}

int unsealing_try(
    struct unsealing *unsealing, int dirfd, const struct secret *material, struct fault *fault)
{
	struct keys *keys = NULL;
	struct seal seal;
	int r = seal_read(dirfd, &seal, fault);

	if (r < 0)
		return r;
	r = keys_unseal(&seal, material, &keys);
	if (r == 0)
		return unsealing_offer(unsealing, keys, fault);

	if (r == -TACIT_E_WRONG_KEY)
		delay(++unsealing->wrong);
	return fault_set(fault, r, SEAL_FILE);
}

struct keys *unsealing_take(struct unsealing *unsealing)
{
	struct keys *keys;

	(void)pthread_mutex_lock(&unsealing->mutex);
	keys = unsealing->keys;
	unsealing->keys = NULL;
	(void)pthread_mutex_unlock(&unsealing->mutex);
	return keys;
}

void unsealing_settle(struct unsealing *unsealing, const struct fault *fault)
{
	(void)pthread_mutex_lock(&unsealing->mutex);
	unsealing->verdict = *fault;
	unsealing->is_settled = true;
	(void)pthread_cond_signal(&unsealing->changed);
	(void)pthread_mutex_unlock(&unsealing->mutex);
}

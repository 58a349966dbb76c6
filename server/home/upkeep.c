/* SPDX-License-Identifier: MIT */
#include "upkeep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rewrap.h"

#define TICK_MS       1000
#define PAUSE_MAX_US  50000LL
#define AFTER_FAIL_MS 30000

struct upkeep {
	struct server *server;
	void (*complain)(const struct fault *fault);
	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows; taken after the routes' lock */
	pthread_cond_t changed;
	bool stops;
	bool hurries;
	struct rewrap rewrap;
	struct fault fault;
};

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Remembers how a step went, and says so once. */
static void upkeep_note(struct upkeep *upkeep, const struct fault *fault)
{
	bool is_news;

	(void)pthread_mutex_lock(&upkeep->mutex);
	is_news = fault->err < 0 &&
	          (fault->err != upkeep->fault.err || strcmp(fault->what, upkeep->fault.what) != 0);
	upkeep->fault = *fault;
	(void)pthread_mutex_unlock(&upkeep->mutex);
	if (is_news && upkeep->complain)
		upkeep->complain(fault);
}

/* 1 when there is more to do at once. */
static int step(struct upkeep *upkeep, struct fault *fault)
{
	struct server *server = upkeep->server;
	int r = 0;

	(void)pthread_mutex_lock(&server->mutex);
	if (rewrap_is_due(server->vault)) {
		struct rewrap rewrap = upkeep->rewrap;

		r = rewrap_step(&rewrap, server->vault, server->secrets, fault);
		(void)pthread_mutex_lock(&upkeep->mutex);
		upkeep->rewrap = rewrap;
		(void)pthread_mutex_unlock(&upkeep->mutex);
	} else {
		r = vault_reclaim(server->vault);
		if (r < 0)
			(void)fault_set(fault, r, "space of deleted records");
	}
	(void)pthread_mutex_unlock(&server->mutex);
	return r;
}

static void upkeep_rest(struct upkeep *upkeep, int64_t rest_us, bool may_be_hurried)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(rest_us / 1000000);
	until.tv_nsec += (long)(rest_us % 1000000) * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}

	(void)pthread_mutex_lock(&upkeep->mutex);
	while (!upkeep->stops && !(may_be_hurried && upkeep->hurries) &&
	       pthread_cond_timedwait(&upkeep->changed, &upkeep->mutex, &until) == 0)
		;
	if (may_be_hurried)
		upkeep->hurries = false;
	(void)pthread_mutex_unlock(&upkeep->mutex);
}

static bool upkeep_stops(struct upkeep *upkeep)
{
	bool stops;

	(void)pthread_mutex_lock(&upkeep->mutex);
	stops = upkeep->stops;
	(void)pthread_mutex_unlock(&upkeep->mutex);
	return stops;
}

static void *upkeep_run(void *context)
{
	struct upkeep *upkeep = context;

	while (!upkeep_stops(upkeep)) {
		struct fault fault = {0};
		int64_t begun_us = now_us(), took_us;
		int r = step(upkeep, &fault);

		took_us = now_us() - begun_us;
		upkeep_note(upkeep, &fault);
		if (r > 0)
			upkeep_rest(upkeep, took_us < PAUSE_MAX_US ? took_us : PAUSE_MAX_US, false);
		else
			upkeep_rest(upkeep, (r < 0 ? AFTER_FAIL_MS : TICK_MS) * 1000LL, true);
	}

	return NULL;
}

static void condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(condition, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

static void upkeep_free(struct upkeep *upkeep)
{
	(void)pthread_cond_destroy(&upkeep->changed);
	(void)pthread_mutex_destroy(&upkeep->mutex);
	free(upkeep);
}

int upkeep_start(struct server *server, void (*complain)(const struct fault *fault),
    struct upkeep **ret_upkeep, struct fault *fault)
{
	struct upkeep *upkeep = calloc(1, sizeof(*upkeep));
	int r;

	if (!upkeep)
		return fault_set(fault, -ENOMEM, "upkeep");

	upkeep->server = server;
	upkeep->complain = complain;
	(void)pthread_mutex_init(&upkeep->mutex, NULL);
	condition_init(&upkeep->changed);
	r = pthread_create(&upkeep->thread, NULL, upkeep_run, upkeep);
	if (r != 0) {
		upkeep_free(upkeep);
		return fault_set(fault, -r, "upkeep");
	}

	*ret_upkeep = upkeep;
	return 0;
}

void upkeep_stop(struct upkeep *upkeep)
{
	if (!upkeep)
		return;

	(void)pthread_mutex_lock(&upkeep->mutex);
	upkeep->stops = true;
	(void)pthread_cond_signal(&upkeep->changed);
	(void)pthread_mutex_unlock(&upkeep->mutex);
	(void)pthread_join(upkeep->thread, NULL);
	upkeep_free(upkeep);
}

void upkeep_look(struct upkeep *upkeep, struct upkeep_state *ret_state)
{
	(void)pthread_mutex_lock(&upkeep->server->mutex);
	ret_state->rewraps = rewrap_is_due(upkeep->server->vault);
	(void)pthread_mutex_lock(&upkeep->mutex);
	ret_state->rows = upkeep->rewrap.rows;
	ret_state->fault = upkeep->fault;
	(void)pthread_mutex_unlock(&upkeep->mutex);
	(void)pthread_mutex_unlock(&upkeep->server->mutex);
}

void upkeep_hurry(struct upkeep *upkeep)
{
	(void)pthread_mutex_lock(&upkeep->mutex);
	upkeep->hurries = true;
	(void)pthread_cond_signal(&upkeep->changed);
	(void)pthread_mutex_unlock(&upkeep->mutex);
}

/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

void worker_init(struct worker *worker)
{
	*worker = (struct worker){0};
	(void)sem_init(&worker->wanted, 0, 0);
	(void)sem_init(&worker->done, 0, 0);
}

static void wait_for_ever(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0 && errno == EINTR)
		;
}

static bool wait_for(sem_t *semaphore, int wait_ms)
{
	struct timespec until;
	int r;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}

	do
		r = sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
	while (r < 0 && errno == EINTR);
	return r == 0;
}

/* A job's own errors must not look like ours: a network file system has them too. */
static int run(int (*job)(void *context), void *context)
{
	int r = job(context);

	return r == -ETIMEDOUT || r == -EBUSY ? -EIO : r;
}

/* A worker is told to end by a job that is none. */
static void *work(void *context)
{
	struct worker *worker = context;

	for (;;) {
		wait_for_ever(&worker->wanted);
		if (!worker->job)
			return NULL;
		worker->result = run(worker->job, worker->context);
		(void)sem_post(&worker->done);
	}
}

int worker_start(struct worker *worker, const char *name)
{
	if (pthread_create(&worker->thread, NULL, work, worker) != 0)
		return -EAGAIN;

	(void)pthread_setname_np(worker->thread, name);
	worker->runs = true;
	return 0;
}

int worker_do(struct worker *worker, int (*job)(void *context), void *context, int wait_ms)
{
	if (worker->is_busy)
		return -EBUSY;
	if (!worker->runs)
		return run(job, context);

	worker->job = job;
	worker->context = context;
	worker->is_busy = true;
	(void)sem_post(&worker->wanted);
	if (!wait_for(&worker->done, wait_ms))
		return -ETIMEDOUT;

	worker->is_busy = false;
	return worker->result;
}

void worker_rest(struct worker *worker)
{
	if (worker->is_busy)
		wait_for_ever(&worker->done);
	worker->is_busy = false;
}

void worker_begin(struct worker *worker, int (*job)(void *context), void *context)
{
	worker_rest(worker);
	worker->job = job;
	worker->context = context;
	worker->is_busy = true;
	(void)sem_post(&worker->wanted);
}

int worker_poll(struct worker *worker)
{
	if (!worker->is_busy)
		return 1;
	if (sem_trywait(&worker->done) < 0)
		return -EBUSY;

	worker->is_busy = false;
	return worker->result;
}

bool worker_stop(struct worker *worker, int wait_ms)
{
	if (worker->is_busy && !wait_for(&worker->done, wait_ms))
		return false;

	worker->is_busy = false;
	if (worker->runs) {
		worker->job = NULL;
		(void)sem_post(&worker->wanted);
		(void)pthread_join(worker->thread, NULL);
		worker->runs = false;
	}
	(void)sem_destroy(&worker->wanted);
	(void)sem_destroy(&worker->done);
	return true;
}

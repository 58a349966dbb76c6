/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_WORKER_H
#define TACIT_SERVER_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

/*
 * A thread that does one job at a time for callers who wait only so long: for system calls that
 * may never return, such as a write to a file system that hangs. Nothing else can be done about
 * those; the thread that made the call is lost until it comes back.
 *
 * One caller at a time, which is the caller's business. Without worker_start() jobs are done by the
 * caller himself.
 */
struct worker {
	sem_t wanted, done;
	int (*job)(void *context);
	void *context;
	int result;
	pthread_t thread;
	bool runs;    /* the thread is there */
	bool is_busy; /* a job was begun whose result nobody has seen yet */
};

void worker_init(struct worker *worker);

/* -EAGAIN. `name` is the thread's, 15 bytes at most. */
int worker_start(struct worker *worker, const char *name);

/*
 * Does `job` and gives its result, 0 or negative. -ETIMEDOUT when it takes longer than `wait_ms`
 * (it goes on, see worker_poll()); -EBUSY when an earlier one does. Where a job itself ends so it
 * is -EIO.
 */
int worker_do(struct worker *worker, int (*job)(void *context), void *context, int wait_ms);

/* Has `job` done and does not wait. A job that was begun before has to be at its very end. */
void worker_begin(struct worker *worker, int (*job)(void *context), void *context);

/* Waits for a job that is at its very end; there need not be one. */
void worker_rest(struct worker *worker);

/* Asks for a job that was not waited for: 1 there is none, -EBUSY, or else its result, once. */
int worker_poll(struct worker *worker);

/*
 * Ends the thread. False when a job does not come back within `wait_ms`: then the thread, and all
 * that it uses, must be left as it is.
 */
bool worker_stop(struct worker *worker, int wait_ms);

#endif

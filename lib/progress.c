/* SPDX-License-Identifier: MIT */
#include "tacit/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 1000
#define INTERVAL_MS 200

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total)
{
	int64_t now = now_ms();

	if (progress->begun_ms == 0)
		progress->begun_ms = now;
	if (now - progress->begun_ms < PATIENCE_MS || now - progress->shown_ms < INTERVAL_MS ||
	    !isatty(STDERR_FILENO))
		return;

	progress->shown_ms = now;
	(void)fprintf(stderr, "\r%s: %llu", progress->program, (unsigned long long)done);
	if (total > 0)
		(void)fprintf(stderr, " of %llu", (unsigned long long)total);
	(void)fprintf(stderr, " %s\033[K", progress->what);
	(void)fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->shown_ms > 0)
		(void)fprintf(stderr, "\r\033[K");
	progress->shown_ms = 0;
}

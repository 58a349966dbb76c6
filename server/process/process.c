/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process.h"

void process_harden(void)
{
	static const struct rlimit none = {0};

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	/* A peer that goes away must be an error of write(2), not the end of the server. */
	(void)signal(SIGPIPE, SIG_IGN);
}

void process_lock_memory(void)
{
	static const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit limit;

	if (geteuid() == 0)
		(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	/* With a limit, an allocation beyond it would fail some day. */
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

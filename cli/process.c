/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void process_guard(void)
{
	static const struct rlimit no_core = {0, 0};

	/* None of these can fail for a process that asks for less. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)signal(SIGPIPE, SIG_IGN);
}

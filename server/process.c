/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "commands.h"

void process_harden(void)
{
	static const struct rlimit none = {0};

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	/* A peer that goes away must be an error of write(2), not the end of the server. */
	(void)signal(SIGPIPE, SIG_IGN);
}

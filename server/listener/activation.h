/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ACTIVATION_H
#define TACIT_SERVER_ACTIVATION_H

#include "tacit/err.h"

/*
 * Sockets that the service manager has bound for us: sd_listen_fds(3). They are told apart by their
 * FileDescriptorName=.
 */
enum listener_name {
	LISTENER_MAIN,
	LISTENER_ENROLL,
	LISTENER_METRICS,
	LISTENERS_COUNT,
};

/* "main", "enroll", "metrics" */
const char *listener_name_text(enum listener_name name);

/*
 * Takes what was passed; -1 in *ret_fds where nothing was. A single socket without a name of ours
 * is the main one. Fails, and closes nothing, when a name is unknown or comes twice, or when one of
 * them is not a listening TCP socket. The variables leave the environment in any case.
 */
int activation_take(int ret_fds[static LISTENERS_COUNT], struct fault *fault);

#endif

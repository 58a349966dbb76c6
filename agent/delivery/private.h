/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_PRIVATE_H
#define TACIT_AGENT_PRIVATE_H

#include <stdbool.h>

#include "tacit/err.h"

/*
 * A user and a mount namespace of our own, in which an ordinary user may mount: a ramfs, which is
 * never swapped, lies over the secrets directory and is seen by this process and its children
 * alone. It goes with the last of them.
 *
 * Inside, UID and GID are what they are outside, and every other mount and the working directory
 * stay where they are. The capabilities that a user namespace gives are given back, and
 * no_new_privs is set, so that nothing is gained. Root needs no user namespace and gets none: it
 * keeps what it has.
 *
 * It is no wall against a process of the same user that looks for it: to the kernel he owns the
 * namespace, and /proc/PID/root leads in.
 */

/*
 * Enters them and mounts over `path` (absolute, a directory that exists, or one in /run).
 * -EPERM, -EACCES, -ENOSPC and other -errno, with what forbids it and what to do in `fault`; the
 * caller must then end. To be called before anything secret is in memory, since the process must
 * be dumpable to write its own maps.
 */
int private_enter(const char *path, struct fault *fault);

/* What may forbid user namespaces, as the kernel tells it. */
struct private_facts {
	bool apparmor_restricts; /* kernel.apparmor_restrict_unprivileged_userns */
	bool clone_is_off;       /* kernel.unprivileged_userns_clone is 0 */
	bool seccomp_filters;    /* of /proc/self/status */
};

/* The reason for a person, and the remedy. Pure. */
const char *private_why(int err, const struct private_facts *facts);

#endif

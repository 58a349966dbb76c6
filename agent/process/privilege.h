/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_PRIVILEGE_H
#define TACIT_AGENT_PRIVILEGE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tacit/err.h"

/*
 * Becoming the user that the command runs as. Names are looked up in the text of /etc/passwd and
 * /etc/group, and nowhere else: getpwnam(3) would load modules of the image into a static program.
 */
struct user {
	uid_t uid;
	gid_t gid;
	char home[PATH_MAX]; /* "" when /etc/passwd does not say */
};

/*
 * Parses `USER[:GROUP]`, each a name or a number, against the two texts (pure; either may be ""):
 * without a group the user's own one, or for a number that is not listed a GID equal to the UID.
 * -TACIT_E_NOT_FOUND for a name that is not listed, -TACIT_E_MALFORMED for anything else.
 */
int user_parse(
    const char *spec, const char *passwd_text, const char *group_text, struct user *ret_user);

/* The same against the files; one that is missing counts as empty. */
int user_lookup(const char *spec, struct user *ret_user, struct fault *fault);

/* Whether the process is not that user and group yet. */
bool user_differs(const struct user *user);

/*
 * Becomes `user` for good, in all of real, effective and saved IDs, with that one group only and
 * with no capability in any set. The bounding set too is emptied; where that is not allowed,
 * no_new_privs is set, so that the command cannot get any back through a set-user-ID file either.
 * -EPERM and other -errno; the caller must then end, since half of it may have happened.
 */
int privilege_become(const struct user *user, struct fault *fault);

/*
 * Stays the user and gives up every capability, for good: with no_new_privs, under which a program
 * with capabilities of its own still runs, without them.
 */
int privilege_give_up(struct fault *fault);

/* Keeps this process and its command from leaving memory in core dumps or to a debugger. */
int privilege_close_up(struct fault *fault);

#endif

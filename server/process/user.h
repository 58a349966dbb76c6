/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_USER_H
#define TACIT_SERVER_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "tacit/err.h"

/* Whom the server runs as, when root starts it. */
struct user {
	uid_t uid;
	gid_t gid;
};

/*
 * "NAME", "UID", "NAME:GROUP", "UID:GID". Without a group it is the user's own, or for a UID that
 * no one has, the number itself. -TACIT_E_USAGE, also when there is no such user.
 */
int user_lookup(const char *text, struct user *ret_user, struct fault *fault);

/*
 * Becomes that user for good, without the groups and capabilities of root but one: to bind a port
 * below 1024, until the sandbox takes it. Does nothing for who is that user already. -EPERM.
 */
int user_become(const struct user *user, struct fault *fault);

/* Makes files as that user, until user_resume(). Both do nothing for who is not root. */
int user_assume(const struct user *user, struct fault *fault);
void user_resume(void);

#endif

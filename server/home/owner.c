/* SPDX-License-Identifier: MIT */
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tacit/fd.h"
#include "user.h"

static int owner_find(
    const struct config *config, int dirfd, struct user *ret_user, struct fault *fault)
{
	struct stat status;

	if (fstat(dirfd, &status) < 0)
		return fault_set(fault, -errno, "%s", config->dir);

	*ret_user = (struct user){.uid = status.st_uid, .gid = status.st_gid};
	return 0;
}

int owner_become(const struct config *config, struct fault *fault)
{
	cleanup_fd int dirfd = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct user owner = {0}, user;
	int r = dirfd < 0 ? fault_set(fault, -errno, "%s", config->dir)
	                  : owner_find(config, dirfd, &owner, fault);

	if (r < 0)
		return r;

	user = owner;
	if (config->user && user_lookup(config->user, &user, fault) < 0)
		return fault->err;
	if (user.uid != owner.uid)
		return fault_set_why(
		    fault, -EPERM, "belongs to another user than --user names", "%s", config->dir);

	return geteuid() == 0 || config->user ? user_become(&user, fault) : 0;
}

int owner_assume(const struct config *config, int dirfd, struct fault *fault)
{
	struct user user = {0};
	int r = config->user ? user_lookup(config->user, &user, fault)
	                     : owner_find(config, dirfd, &user, fault);

	if (r == 0 && config->user && fchown(dirfd, user.uid, user.gid) < 0)
		r = fault_set(fault, -errno, "--user %s: %s", config->user, config->dir);

	return r < 0 ? r : user_assume(&user, fault);
}

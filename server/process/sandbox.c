/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#define CAPABILITIES_MAX 64

/*
 * The leak checker of a sanitizer build traces its own process at the end, and reads files to say
 * what it has found: such a build is for tests, and does without.
 */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

static int capabilities_call(long call, struct __user_cap_data_struct data[static 2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(call, &header, data) < 0 ? -errno : 0;
}

void sandbox_drop_bounding_set(void)
{
	for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* What counts is what is left: a service manager may have taken them all, and capset(2) too. */
int sandbox_drop_capabilities(struct fault *fault)
{
	struct __user_cap_data_struct none[2] = {0}, left[2] = {0};
	int r;

	sandbox_drop_bounding_set();
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)capabilities_call(SYS_capset, none);
	r = capabilities_call(SYS_capget, left);
	for (int i = 0; r == 0 && i < 2; i++)
		if (left[i].effective || left[i].permitted || left[i].inheritable)
			r = -EPERM;

	return r < 0 ? fault_set(fault, r, "capabilities") : 0;
}

/* A directory has two links, and one for each directory in it; without /proc nobody can tell. */
static bool has_one_thread(void)
{
	struct stat status;

	return stat("/proc/self/task", &status) < 0 || status.st_nlink <= 3;
}

int sandbox_enter(int dirfd, bool *ret_landlock, struct fault *fault)
{
	int r;

	*ret_landlock = true;
	if (SANITIZED)
		return 0;
	if (!has_one_thread())
		return fault_set_why(
		    fault, -TACIT_E_INTERNAL, "there are threads already", "sandbox");

	r = sandbox_drop_capabilities(fault);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = fault_set(fault, -errno, "no_new_privs");
	if (r == 0)
		r = sandbox_enter_landlock(dirfd, ret_landlock, fault);

	return r < 0 ? r : sandbox_enter_seccomp(fault);
}

/* SPDX-License-Identifier: MIT */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "private_mounts.h"
#include "privilege.h"
#include "tacit/fd.h"

#define STATUS_BYTES 4096

/* The beginning of a file of /proc; "" when it cannot be read. */
static void text_read(const char *path, char ret_text[static STATUS_BYTES])
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0 || fd_read_full(fd, ret_text, STATUS_BYTES - 1, &len) < 0)
		len = 0;
	ret_text[len] = '\0';
}

static struct private_facts facts_gather(void)
{
	struct private_facts facts;
	char text[STATUS_BYTES];

	text_read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", text);
	facts.apparmor_restricts = text[0] == '1';
	text_read("/proc/sys/kernel/unprivileged_userns_clone", text);
	facts.clone_is_off = text[0] == '0';
	text_read("/proc/self/status", text);
	facts.seccomp_filters = strstr(text, "\nSeccomp:\t2") != NULL;
	return facts;
}

const char *private_why(int err, const struct private_facts *facts)
{
	if (err == -ENOSPC || err == -EUSERS)
		return "no more user namespaces are allowed; raise user.max_user_namespaces";
	if (err == -EINVAL || err == -ENOSYS)
		return "this kernel has no user namespaces";
	if (err != -EPERM && err != -EACCES)
		return err_text(err);
	if (facts->clone_is_off)
		return "the kernel forbids it to users; set kernel.unprivileged_userns_clone=1";
	if (facts->apparmor_restricts)
		return "AppArmor forbids it; give tacit-agent a profile that has `userns,` or set "
		       "kernel.apparmor_restrict_unprivileged_userns=0";
	if (facts->seccomp_filters)
		return "a seccomp filter forbids it, as in a container, where /run/secrets is "
		       "private already; leave --private out";

	return "user namespaces are forbidden here, by a chroot or a policy of this system";
}

static int explain(struct fault *fault, int err, const char *what)
{
	const struct private_facts facts = facts_gather();

	return fault_set_why(fault, err, private_why(err, &facts), "--private: %s", what);
}

static int text_write(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* Each to itself; a group map may be written only where setgroups(2) is given up (CVE-2014-8989) */
static int ids_map(uid_t uid, gid_t gid)
{
	char map[64];
	int r = text_write("/proc/self/setgroups", "deny");

	(void)snprintf(map, sizeof(map), "%lu %lu 1", (unsigned long)uid, (unsigned long)uid);
	if (r == 0)
		r = text_write("/proc/self/uid_map", map);
	(void)snprintf(map, sizeof(map), "%lu %lu 1", (unsigned long)gid, (unsigned long)gid);
	if (r == 0)
		r = text_write("/proc/self/gid_map", map);

	return r;
}

/* Says whether there is a user namespace to come down from. */
static int namespaces_enter(bool *ret_is_user, struct fault *fault)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	*ret_is_user = false;
	if (uid == 0 && unshare(CLONE_NEWNS) == 0)
		return 0;

	*ret_is_user = true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return explain(fault, -errno, "user namespace");

	r = ids_map(uid, gid);
	return r < 0 ? explain(fault, r, "map of users") : 0;
}

int private_enter(const char *path, struct fault *fault)
{
	bool is_user;
	int r = namespaces_enter(&is_user, fault);

	if (r < 0)
		return r;
	/* What the host mounts later still comes in; what is mounted here never gets out. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return explain(fault, -errno, "mounts");

	r = private_mount(path, fault);
	if (r == -EPERM || r == -EACCES)
		return explain(fault, r, "mounts");
	if (r < 0 || !is_user)
		return r;

	return privilege_give_up(fault);
}

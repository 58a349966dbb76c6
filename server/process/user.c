/* SPDX-License-Identifier: MIT */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "sandbox.h"

#define ID_MAX        (UINT32_MAX - 1) /* -1 means "leave it" to the system calls */
#define ACCOUNT_BYTES 16384            /* one line of /etc/passwd or /etc/group, taken apart */

static bool id_parse(const char *text, uint32_t *ret_id)
{
	unsigned long long id;

	if (!text[0] || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
		return false;

	id = strtoull(text, NULL, 10);
	*ret_id = (uint32_t)id;
	return id <= ID_MAX;
}

static int account_find(const char *name, struct user *ret_user)
{
	char buffer[ACCOUNT_BYTES];
	struct passwd account, *found = NULL;

	if (id_parse(name, &ret_user->uid)) {
		(void)getpwuid_r(ret_user->uid, &account, buffer, sizeof(buffer), &found);
		ret_user->gid = found ? found->pw_gid : ret_user->uid;
		return 0;
	}

	(void)getpwnam_r(name, &account, buffer, sizeof(buffer), &found);
	if (!found)
		return -TACIT_E_USAGE;

	*ret_user = (struct user){.uid = found->pw_uid, .gid = found->pw_gid};
	return 0;
}

static int group_find(const char *name, gid_t *ret_gid)
{
	char buffer[ACCOUNT_BYTES];
	struct group group, *found = NULL;

	if (id_parse(name, ret_gid))
		return 0;

	(void)getgrnam_r(name, &group, buffer, sizeof(buffer), &found);
	if (!found)
		return -TACIT_E_USAGE;

	*ret_gid = found->gr_gid;
	return 0;
}

int user_lookup(const char *text, struct user *ret_user, struct fault *fault)
{
	const char *colon = strchr(text, ':');
	size_t name_len = colon ? (size_t)(colon - text) : strlen(text);
	struct user user = {0};
	char name[256];
	int r;

	if (name_len == 0 || name_len >= sizeof(name) || (colon && !colon[1]))
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "want NAME or UID[:GID]", "--user %s", text);

	(void)snprintf(name, sizeof(name), "%.*s", (int)name_len, text);
	r = account_find(name, &user);
	if (r == 0 && colon)
		r = group_find(colon + 1, &user.gid);
	if (r < 0)
		return fault_set_why(fault, r, "no such user or group", "--user %s", text);

	*ret_user = user;
	return 0;
}

/* Nothing but the right to bind low ports is left of what root could do. */
static int capabilities_keep_low_ports(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	data[0].permitted = 1U << CAP_NET_BIND_SERVICE;
	data[0].effective = data[0].permitted;
	if (syscall(SYS_capset, &header, data) == 0)
		return 0;

	/* A hardened root may never have had it. */
	memset(data, 0, sizeof(data));
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int ids_set(const struct user *user)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(1, &user->gid) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0 ||
	    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return -errno;

	return 0;
}

/* What the calls claim to have done is looked at. */
static bool ids_are(const struct user *user)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (uid[i] != user->uid || gid[i] != user->gid)
			return false;

	return true;
}

int user_become(const struct user *user, struct fault *fault)
{
	int r;

	if (ids_are(user))
		return 0;

	sandbox_drop_bounding_set();
	r = ids_set(user);
	if (r == 0)
		r = capabilities_keep_low_ports();
	if (r == 0 && !ids_are(user))
		r = -EPERM;
	/* A change of user has made the process dumpable. */
	if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		r = -errno;

	return r < 0 ? fault_set(fault, r, "becoming user %lu:%lu", (unsigned long)user->uid,
	                   (unsigned long)user->gid)
	             : 0;
}

/* Effective ones only: the way back stays open. */
static int effective_ids_set(uid_t uid, gid_t gid)
{
	/* Groups are root's to change, in whichever direction it goes. */
	if ((uid == 0 && seteuid(uid) < 0) || setegid(gid) < 0 || seteuid(uid) < 0)
		return -errno;

	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

int user_assume(const struct user *user, struct fault *fault)
{
	int r = getuid() == 0 ? effective_ids_set(user->uid, user->gid) : 0;

	return r < 0 ? fault_set(fault, r, "becoming user %lu:%lu", (unsigned long)user->uid,
	                   (unsigned long)user->gid)
	             : 0;
}

void user_resume(void)
{
	if (getuid() == 0 && effective_ids_set(0, 0) < 0)
		abort(); /* files would be made, or left behind, as somebody else */
}

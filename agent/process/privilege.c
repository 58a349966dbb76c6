/* SPDX-License-Identifier: MIT */
#include "privilege.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "tacit/fd.h"

#define ACCOUNTS_MAX_BYTES 1048576UL
#define CAPABILITIES_MAX   64
#define ID_MAX             (UINT32_MAX - 1) /* -1 means "leave it" to the system calls */

/* passwd: name, password, UID, GID, comment, home, shell; group: name, password, GID, members. */
enum field {
	FIELD_NAME = 0,
	FIELD_ID = 2,
	PASSWD_FIELD_GID = 3,
	PASSWD_FIELD_HOME = 5,
};

struct span {
	const char *at;
	size_t len;
};

/* Field number `index` of the line at `line`; empty where the line has fewer. */
static struct span line_field(const char *line, int index)
{
	const char *end = line + strcspn(line, "\n");

	for (; index > 0 && line < end; index--) {
		line += strcspn(line, ":\n");
		if (line < end)
			line++;
	}

	return (struct span){line, strcspn(line, ":\n")};
}

static bool span_is(struct span span, const char *text)
{
	return strlen(text) == span.len && memcmp(span.at, text, span.len) == 0;
}

static int id_parse(struct span span, uint32_t *ret_id)
{
	uint64_t id = 0;

	if (span.len == 0 || span.len > 10)
		return -TACIT_E_MALFORMED;
	for (size_t i = 0; i < span.len; i++) {
		if (!isdigit((unsigned char)span.at[i]))
			return -TACIT_E_MALFORMED;
		id = id * 10 + (uint64_t)(span.at[i] - '0');
	}
	if (id > ID_MAX)
		return -TACIT_E_MALFORMED;

	*ret_id = (uint32_t)id;
	return 0;
}

/* The first line whose field `index` is `value`, or NULL. */
static const char *line_find(const char *text, enum field index, const char *value)
{
	for (const char *line = text; line && *line;) {
		const char *newline = strchr(line, '\n');

		if (span_is(line_field(line, (int)index), value))
			return line;
		line = newline ? newline + 1 : NULL;
	}

	return NULL;
}

static bool is_number(const char *text)
{
	return isdigit((unsigned char)text[0]) != 0;
}

static int user_from_line(const char *line, struct user *user)
{
	struct span home = line_field(line, PASSWD_FIELD_HOME);

	if (id_parse(line_field(line, FIELD_ID), &user->uid) < 0 ||
	    id_parse(line_field(line, PASSWD_FIELD_GID), &user->gid) < 0)
		return -TACIT_E_MALFORMED;
	if (home.len > 0 && home.at[0] == '/')
		(void)snprintf(user->home, sizeof(user->home), "%.*s", (int)home.len, home.at);

	return 0;
}

static int user_find(const char *name, const char *passwd_text, struct user *user)
{
	const char *line = line_find(passwd_text, is_number(name) ? FIELD_ID : FIELD_NAME, name);

	if (line)
		return user_from_line(line, user);
	if (!is_number(name))
		return -TACIT_E_NOT_FOUND;

	if (id_parse((struct span){name, strlen(name)}, &user->uid) < 0)
		return -TACIT_E_MALFORMED;

	user->gid = user->uid;
	return 0;
}

static int group_find(const char *name, const char *group_text, gid_t *ret_gid)
{
	const char *line;

	if (is_number(name))
		return id_parse((struct span){name, strlen(name)}, ret_gid);

	line = line_find(group_text, FIELD_NAME, name);
	if (!line)
		return -TACIT_E_NOT_FOUND;

	return id_parse(line_field(line, FIELD_ID), ret_gid);
}

int user_parse(
    const char *spec, const char *passwd_text, const char *group_text, struct user *ret_user)
{
	struct user user = {0};
	char name[256];
	const char *colon = strchr(spec, ':');
	size_t name_len = colon ? (size_t)(colon - spec) : strlen(spec);
	int r;

	if (name_len == 0 || name_len >= sizeof(name) || (colon && !colon[1]))
		return -TACIT_E_MALFORMED;

	(void)snprintf(name, sizeof(name), "%.*s", (int)name_len, spec);
	r = user_find(name, passwd_text, &user);
	if (r == 0 && colon)
		r = group_find(colon + 1, group_text, &user.gid);
	if (r < 0)
		return r;

	*ret_user = user;
	return 0;
}

/* Never NULL but when there is no memory; the caller frees it. */
static char *accounts_read(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	size_t len = 0;

	if (fd < 0)
		return strdup("");

	text = calloc(1, ACCOUNTS_MAX_BYTES + 1);
	if (text && fd_read_full(fd, text, ACCOUNTS_MAX_BYTES, &len) < 0)
		len = 0;
	if (text)
		text[len] = '\0';

	return text;
}

int user_lookup(const char *spec, struct user *ret_user, struct fault *fault)
{
	cleanup_free char *passwd_text = accounts_read("/etc/passwd");
	cleanup_free char *group_text = accounts_read("/etc/group");
	int r;

	if (!passwd_text || !group_text)
		return fault_set(fault, -ENOMEM, "--user %s", spec);

	r = user_parse(spec, passwd_text, group_text, ret_user);
	if (r == -TACIT_E_NOT_FOUND)
		return fault_set_why(
		    fault, r, "not in /etc/passwd or /etc/group; give numbers", "--user %s", spec);
	if (r < 0)
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "must be UID[:GID] or names", "--user %s", spec);

	return 0;
}

bool user_differs(const struct user *user)
{
	uid_t uid[3];
	gid_t gid[3];

	(void)getresuid(&uid[0], &uid[1], &uid[2]);
	(void)getresgid(&gid[0], &gid[1], &gid[2]);
	for (int i = 0; i < 3; i++)
		if (uid[i] != user->uid || gid[i] != user->gid)
			return true;

	return false;
}

static int bounding_set_drop(void)
{
	for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno != EPERM)
			return -errno;
		/* It takes CAP_SETPCAP, which a hardened root often lacks. */
		return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
	}

	return 0;
}

static int capabilities_call(long call, struct __user_cap_data_struct data[static 2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(call, &header, data) < 0 ? -errno : 0;
}

static int capabilities_drop(void)
{
	struct __user_cap_data_struct data[2] = {0};

	/* Kernels before 4.3 have no ambient set. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;

	return capabilities_call(SYS_capset, data);
}

static int no_capability_check(void)
{
	struct __user_cap_data_struct data[2] = {0};
	int r = capabilities_call(SYS_capget, data);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++)
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			return -EPERM;

	return 0;
}

/* What the calls above claimed to have done is looked at, once: fail closed. */
static int result_check(const struct user *user)
{
	int r = no_capability_check();

	if (r < 0)
		return r;
	if (user_differs(user) || getgroups(0, NULL) > 1)
		return -EPERM;

	return 0;
}

static int ids_set(const struct user *user)
{
	if (setgroups(1, &user->gid) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;

	return 0;
}

int privilege_become(const struct user *user, struct fault *fault)
{
	int r = bounding_set_drop();

	if (r == 0)
		r = ids_set(user);
	if (r == 0)
		r = capabilities_drop();
	if (r == 0)
		r = result_check(user);
	if (r == 0)
		return privilege_close_up(fault); /* a change of user makes the process dumpable */

	return fault_set_why(fault, r,
	    r == -EPERM ? "not allowed; it takes root with the capabilities SETUID and SETGID" : "",
	    "--user %lu:%lu", (unsigned long)user->uid, (unsigned long)user->gid);
}

int privilege_give_up(struct fault *fault)
{
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;

	if (r == 0)
		r = capabilities_drop();
	if (r == 0)
		r = no_capability_check();

	return r < 0 ? fault_set(fault, r, "capabilities") : 0;
}

int privilege_close_up(struct fault *fault)
{
	struct rlimit limit;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || getrlimit(RLIMIT_CORE, &limit) < 0)
		return fault_set(fault, -errno, "core dumps");

	/* The hard limit stays: whoever needs a core dump of the command can still ask for one. */
	limit.rlim_cur = 0;
	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		return fault_set(fault, -errno, "core dumps");

	return 0;
}

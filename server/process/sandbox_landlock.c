/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"
#include "tacit/fd.h"

/*
 * The kernel's interface as of ABI 6 (Linux 6.12), spelled out here since the headers of the
 * system that builds us may be older than the kernel that runs us. glibc wraps none of it.
 */
#define RULESET_VERSION    1U
#define RULE_PATH_BENEATH  1

#define FS_EXECUTE         (1ULL << 0)
#define FS_WRITE_FILE      (1ULL << 1)
#define FS_READ_FILE       (1ULL << 2)
#define FS_READ_DIR        (1ULL << 3)
#define FS_REMOVE_FILE     (1ULL << 5)
#define FS_MAKE_REG        (1ULL << 8)
#define FS_TRUNCATE        (1ULL << 14)

#define NET_BIND_TCP       (1ULL << 0)
#define NET_CONNECT_TCP    (1ULL << 1)

#define SCOPE_ABSTRACT     (1ULL << 0)
#define SCOPE_SIGNAL       (1ULL << 1)

#define LANDLOCK_ABI_TCP   4
#define LANDLOCK_ABI_SCOPE 6

struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

/* All that an ABI can forbid: bits 0 to this. A kernel refuses bits that it does not know. */
static const uint8_t fs_last_bit[] = {[1] = 12, [2] = 13, [3] = 14, [4] = 14, [5] = 15};

/* What SQLite, the audit log and the replacing of files do in DIR. */
#define FS_NEEDED \
	(FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE)

static struct ruleset ruleset_for(long abi)
{
	long fs_abi = abi < 5 ? abi : 5;
	struct ruleset ruleset = {.fs = (2ULL << fs_last_bit[fs_abi]) - 1};

	if (abi >= LANDLOCK_ABI_TCP)
		ruleset.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= LANDLOCK_ABI_SCOPE)
		ruleset.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return ruleset;
}

/* 0 where the kernel has none, or was told not to use it. */
static long landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);

	return abi < 0 ? 0 : abi;
}

static int landlock_apply(int dirfd, long abi)
{
	const struct ruleset ruleset = ruleset_for(abi);
	const struct path_beneath home = {.allowed = FS_NEEDED & ruleset.fs, .parent_fd = dirfd};
	cleanup_fd int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);

	if (fd < 0 || syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &home, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return -errno;

	return 0;
}

int sandbox_enter_landlock(int dirfd, bool *ret_landlock, struct fault *fault)
{
	long abi = landlock_abi();
	int r = abi > 0 ? landlock_apply(dirfd, abi) : 0;

	if (r < 0)
		return fault_set(fault, r, "Landlock");

	*ret_landlock = abi > 0;
	return 0;
}

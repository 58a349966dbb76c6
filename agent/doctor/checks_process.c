/* SPDX-License-Identifier: MIT */
#include "checks.h"

/* What the process is: its user, its privileges, what it may ask of the kernel. */

/* Whether the user ids here are not those of the host; the initial map is `0 0 4294967295`. */
static bool is_user_namespace(const struct facts *facts)
{
	unsigned long map[3]; /* inside, outside, count */

	return numbers_read(facts->texts[FACT_UID_MAP], 3, map) &&
	       !(map[0] == 0 && map[1] == 0 && map[2] == UINT32_MAX);
}

struct finding check_user(const struct facts *facts)
{
	unsigned long uids[4]; /* real, effective, saved, for files */

	if (!numbers_read(line_value(facts->texts[FACT_STATUS], "Uid:"), 4, uids))
		return found_unreadable("/proc/self/status");
	if (uids[0] && uids[1] && uids[2] && uids[3])
		return found(VERDICT_PASS, "uid %lu", uids[1]);
	if (is_user_namespace(facts))
		return found(VERDICT_WARN, "root, in a user namespace");

	return found(VERDICT_FAIL, "root");
}

static int bits_count(uint64_t bits)
{
	return __builtin_popcountll(bits);
}

/* What is effective or ambient is permitted too (capabilities(7)). */
struct finding check_capabilities(const struct facts *facts)
{
	uint64_t permitted, inheritable, bounding;

	if (!status_number(facts, "CapPrm:", 16, &permitted) ||
	    !status_number(facts, "CapInh:", 16, &inheritable) ||
	    !status_number(facts, "CapBnd:", 16, &bounding))
		return found_unreadable("/proc/self/status");

	if (permitted | inheritable)
		return found(VERDICT_FAIL, "%d held", bits_count(permitted | inheritable));
	if (bounding)
		return found(VERDICT_WARN, "none held, %d could be gained", bits_count(bounding));

	return found(VERDICT_PASS, "none, and none can be gained");
}

struct finding check_new_privileges(const struct facts *facts)
{
	uint64_t is_set;

	if (!status_number(facts, "NoNewPrivs:", 10, &is_set))
		return found_unreadable("/proc/self/status");

	return found(is_set ? VERDICT_PASS : VERDICT_FAIL,
	    is_set ? "none" : "set-uid programs can give them");
}

struct finding check_seccomp(const struct facts *facts)
{
	uint64_t mode;

	if (!status_number(facts, "Seccomp:", 10, &mode))
		return found_unreadable("/proc/self/status");

	return found(mode ? VERDICT_PASS : VERDICT_FAIL,
	    mode ? "system calls are filtered" : "every system call is allowed");
}

struct finding check_core_dumps(const struct facts *facts)
{
	const char *soft = line_value(facts->texts[FACT_LIMITS], "Max core file size");

	if (!soft)
		return found_unreadable("/proc/self/limits");

	if (soft[0] == '0' && (soft[1] == ' ' || soft[1] == '\0'))
		return found(VERDICT_PASS, "off");

	return found(VERDICT_WARN, "on: a crash writes memory to a disk");
}

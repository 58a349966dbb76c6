/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "checks.h"

/* What it may use up, and where its memory goes. */

static struct finding check_limit(const char *text)
{
	if (!text)
		return found_unreadable("the control group");
	if (!cgroup_limits(text))
		return found(VERDICT_FAIL, "no limit");

	return found(VERDICT_PASS, "%.*s", (int)strcspn(text, "\n"), text);
}

struct finding check_memory(const struct facts *facts)
{
	return check_limit(facts->texts[FACT_MEMORY_LIMIT]);
}

struct finding check_cpu(const struct facts *facts)
{
	return check_limit(facts->texts[FACT_CPU_LIMIT]);
}

struct finding check_pids(const struct facts *facts)
{
	return check_limit(facts->texts[FACT_PIDS_LIMIT]);
}

/* Version 1 limits memory and swap together, version 2 swap alone. */
static bool is_kept_off_swap(const struct facts *facts)
{
	const char *swap = facts->texts[FACT_SWAP_LIMIT];
	const char *memory = facts->texts[FACT_MEMORY_LIMIT];

	if (!swap || !cgroup_limits(swap))
		return false;
	if (facts->swap_limit_is_v2)
		return strtoull(swap, NULL, 10) == 0;

	return memory && strtoull(swap, NULL, 10) <= strtoull(memory, NULL, 10);
}

static bool is_dir_kept_off_swap(const struct facts *facts)
{
	struct mount mount;

	return facts->texts[FACT_MOUNTINFO] && secrets_place(facts, &mount) &&
	       (part_is(mount.type, "ramfs") || part_lists(mount.super, "noswap"));
}

struct finding check_swap(const struct facts *facts)
{
	const char *swaps = facts->texts[FACT_SWAPS];
	const char *devices = swaps ? strchr(swaps, '\n') : NULL;
	bool is_dir_safe = is_dir_kept_off_swap(facts);

	if (is_kept_off_swap(facts))
		return found(VERDICT_PASS, "not allowed to this container");
	if (!swaps)
		return found_unreadable("/proc/swaps");
	if (!devices || !devices[1])
		return found(VERDICT_PASS, "the host has none");

	return found(VERDICT_WARN, "memory can reach the disk of the host%s",
	    is_dir_safe ? ", but not the files of the secrets (noswap)" : "");
}

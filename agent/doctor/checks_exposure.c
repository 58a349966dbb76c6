/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "leaks.h"

/* Where secrets stand in the open, or would, and how old the image is. */

#define SECONDS_PER_DAY    86400
#define PACKAGES_OLD_DAYS  30
#define UNTOLD_BEFORE_DAYS 3650 /* reproducible builds set all times to 1970 or 1980 */

/* Adds one more name to a list that ends with `...` where there is no room for it. */
static void name_list(char *list, size_t size, const char *name, size_t name_len)
{
	size_t used = strlen(list);
	bool is_full = used + name_len + sizeof(", , ...") > size;

	if (part_ends_with((struct part){list, used}, "..."))
		return;
	if (is_full) {
		name = "...";
		name_len = 3;
	}

	(void)snprintf(list + used, size - used, "%s%.*s", used ? ", " : "", (int)name_len, name);
	for (char *c = list + used; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
}

struct finding check_variables(const struct facts *facts)
{
	char names[FINDING_DETAIL_BYTES] = "";

	for (char *const *variable = facts->environment; *variable; variable++)
		if (leak_in_variable(*variable))
			name_list(names, sizeof(names), *variable, strcspn(*variable, "="));

	if (names[0])
		return found(VERDICT_FAIL, "%s", names);

	return found(VERDICT_PASS, "none looks like a secret");
}

/*
 * The number of the first argument that looks like a secret; 0 when none does, -ENOMEM. Its name is
 * not told: what stands before a `=` may be part of a value.
 */
static int leaking_argument(const char *arguments)
{
	size_t len = strlen(arguments);
	char *text = strdup(arguments);
	int leaking = 0;

	if (!text)
		return -ENOMEM;

	for (size_t i = 0; i < len; i++)
		if (text[i] == FACT_ARGUMENT_END)
			text[i] = '\0';
	for (size_t at = 0, next, number = 0; at < len && !leaking; at = next, number++) {
		next = at + strlen(text + at) + 1;
		if (leak_in_argument(text + at, next < len ? text + next : NULL))
			leaking = (int)number + (number == 0);
	}
	explicit_bzero(text, len);
	free(text);

	return leaking;
}

struct finding check_arguments(const struct facts *facts)
{
	const char *first = facts->texts[FACT_FIRST_ARGUMENTS];
	const char *own = facts->texts[FACT_OWN_ARGUMENTS];
	int of_first, of_own;

	if (!first || !own)
		return found_unreadable("/proc/PID/cmdline");

	of_first = leaking_argument(first);
	of_own = leaking_argument(own);
	if (of_first < 0 || of_own < 0)
		return found(VERDICT_UNKNOWN, "no memory to look");
	if (of_first)
		return found(VERDICT_FAIL, "argument %d of PID 1 looks like a secret", of_first);
	if (of_own)
		return found(VERDICT_FAIL, "argument %d looks like a secret", of_own);

	return found(VERDICT_PASS, "none looks like a secret");
}

/*
 * Old packages warn and never fail: a container that has started for months would else refuse to
 * start one day, for nothing that changed in it.
 */
struct finding check_packages(const struct facts *facts)
{
	int64_t days = (facts->now_s - facts->packages_s) / SECONDS_PER_DAY;

	if (facts->packages_s == 0)
		return found(VERDICT_PASS, "no package database");
	if (facts->packages_s < UNTOLD_BEFORE_DAYS * (int64_t)SECONDS_PER_DAY || days < 0)
		return found(VERDICT_UNKNOWN, "the image does not tell when they were installed");

	return found(days > PACKAGES_OLD_DAYS ? VERDICT_WARN : VERDICT_PASS,
	    "changed %" PRId64 " days ago", days);
}

struct finding check_secrets_dir(const struct facts *facts)
{
	struct mount mount;
	const char *place;

	if (!facts->texts[FACT_MOUNTINFO])
		return found_unreadable("/proc/self/mountinfo");

	place = secrets_place(facts, &mount);
	if (!place)
		return found(VERDICT_FAIL, "no tmpfs for them");
	if (!mount_is_memory(&mount))
		return found(VERDICT_FAIL, "%.100s is on a disk", place);

	return found(VERDICT_PASS, "%.100s, in memory", place);
}

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TEST_PATTERN_ORACLE_H
#define TACIT_TEST_PATTERN_ORACLE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ORACLE_TEXT_MAX 255

/*
 * The definition of a pattern, written as a recursion without any cleverness and exponential in
 * the number of its stars. Both texts carry a `/` in front of each segment, so that `**` is
 * `(/segment)*` and nothing else.
 */
static inline bool oracle_walk(const char *pattern, const char *name)
{
	if (!strncmp(pattern, "/**", 3)) {
		const char *next = *name ? strchr(name + 1, '/') : NULL;

		if (oracle_walk(pattern + 3, name))
			return true;
		return *name == '/' && oracle_walk(pattern, next ? next : name + strlen(name));
	}
	if (*pattern == '*')
		return oracle_walk(pattern + 1, name) ||
		       (*name && *name != '/' && oracle_walk(pattern, name + 1));
	if (*pattern == '\0' || *name == '\0')
		return *pattern == *name;

	return *pattern == *name && oracle_walk(pattern + 1, name + 1);
}

static inline bool oracle_matches(const char *pattern, const char *name)
{
	char slash_pattern[ORACLE_TEXT_MAX + 2], slash_name[ORACLE_TEXT_MAX + 2];

	(void)snprintf(slash_pattern, sizeof(slash_pattern), "/%s", pattern);
	(void)snprintf(slash_name, sizeof(slash_name), "/%s", name);
	return oracle_walk(slash_pattern, slash_name);
}

#endif

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "grants.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * An oracle that shares nothing with the code it judges: a pattern is expanded to every string it
 * stands for over a tiny alphabet of names, by trying all ways to split; roles are a list of pairs.
 */
static bool oracle_segment(const char *pattern, size_t pattern_len, const char *name, size_t len)
{
	if (pattern_len == 0)
		return len == 0;
	if (pattern[0] != '*')
		return len > 0 && pattern[0] == name[0] &&
		       oracle_segment(pattern + 1, pattern_len - 1, name + 1, len - 1);

	for (size_t take = 0; take <= len; take++)
		if (oracle_segment(pattern + 1, pattern_len - 1, name + take, len - take))
			return true;

	return false;
}

/* `pattern` and `name` are at the start of a segment, or NULL behind the last one. */
static bool oracle_matches(const char *pattern, const char *name)
{
	size_t pattern_len, len;
	const char *pattern_rest, *rest;

	if (!pattern)
		return !name;
	pattern_len = strcspn(pattern, "/");
	pattern_rest = pattern[pattern_len] ? pattern + pattern_len + 1 : NULL;
	if (pattern_len == 2 && pattern[0] == '*' && pattern[1] == '*' &&
	    oracle_matches(pattern_rest, name))
		return true;
	if (!name)
		return false;

	len = strcspn(name, "/");
	rest = name[len] ? name + len + 1 : NULL;
	if (pattern_len == 2 && pattern[0] == '*' && pattern[1] == '*')
		return oracle_matches(pattern, rest);

	return oracle_segment(pattern, pattern_len, name, len) &&
	       oracle_matches(pattern_rest, rest);
}

static bool oracle_role_allows(enum role role, enum action action)
{
	static const struct {
		enum role role;
		enum action action;
	} pairs[] = {
	    {ROLE_ADMIN, ACTION_READ},
	    {ROLE_ADMIN, ACTION_LIST},
	    {ROLE_ADMIN, ACTION_WRITE},
	    {ROLE_ADMIN, ACTION_DELETE},
	    {ROLE_ADMIN, ACTION_MANAGE},
	    {ROLE_ADMIN, ACTION_AUDIT},
	    {ROLE_OPERATOR, ACTION_LIST},
	    {ROLE_OPERATOR, ACTION_WRITE},
	    {ROLE_OPERATOR, ACTION_DELETE},
	    {ROLE_OPERATOR, ACTION_MANAGE},
	    {ROLE_OPERATOR, ACTION_AUDIT},
	    {ROLE_AUDITOR, ACTION_AUDIT},
	};

	for (size_t i = 0; i < COUNT(pairs); i++)
		if (pairs[i].role == role && pairs[i].action == action)
			return true;

	return false;
}

static bool oracle_allows(
    enum role role, const struct grant grants[], size_t count, enum action action, const char *name)
{
	if (oracle_role_allows(role, action))
		return true;
	for (size_t i = 0; i < count; i++) {
		if (action == ACTION_MANAGE || action == ACTION_AUDIT || !name)
			continue;
		if ((action == ACTION_WRITE || action == ACTION_DELETE) && !grants[i].write)
			continue;
		if (oracle_matches(grants[i].pattern, name))
			return true;
	}

	return false;
}

static uint64_t random_state = 2026;

/* A name over few letters, so that patterns often match; with `stars`, a pattern. */
static void make_text(bool stars, char ret_text[static 64])
{
	static const char *const pieces[] = {
	    "a", "b", "ab", "aa", "a.b", "*", "a*", "*b", "a*b", "**"};
	size_t segments = 1 + random_next(&random_state) % 4;

	ret_text[0] = '\0';
	for (size_t i = 0; i < segments; i++) {
		size_t piece = random_next(&random_state) % (stars ? 10 : 5);

		(void)snprintf(ret_text + strlen(ret_text), 64 - strlen(ret_text), "%s%s",
		    i ? "/" : "", pieces[piece]);
	}
}

static void decides_as_the_oracle_does(void **state)
{
	static const enum role roles[] = {ROLE_CLIENT, ROLE_AUDITOR, ROLE_OPERATOR, ROLE_ADMIN};
	unsigned allowed = 0, denied = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct grant grants[4];
		char name[64], pattern[64];
		size_t count = random_next(&random_state) % 5;
		enum role role = roles[random_next(&random_state) % 8 % COUNT(roles)];

		for (size_t j = 0; j < count; j++) {
			make_text(true, pattern);
			assert_true(name_is_pattern(pattern));
			(void)snprintf(grants[j].pattern, sizeof(grants[j].pattern), "%s", pattern);
			grants[j].write = random_next(&random_state) % 2;
		}
		make_text(false, name);
		assert_true(name_is_secret(name));
		for (enum action action = ACTION_READ; action <= ACTION_AUDIT; action++) {
			bool nameless = action == ACTION_MANAGE || action == ACTION_AUDIT;
			bool expected =
			    oracle_allows(role, grants, count, action, nameless ? NULL : name);
			bool got =
			    grants_allow(role, grants, count, action, nameless ? NULL : name);

			if (got != expected)
				fail_msg(
				    "case %d: role %s, action %d, name %s, first pattern %s: %d", i,
				    role_text(role), (int)action, name,
				    count ? grants[0].pattern : "none", got);
			if (role != ROLE_CLIENT || nameless)
				continue;
			allowed += got;
			denied += !got;
		}
	}
	/* Both verdicts have been tried often. */
	assert_in_range(allowed, 2000, 18000);
	assert_in_range(denied, 2000, 18000);
}

static void nothing_is_allowed_without_a_grant(void **state)
{
	static const enum role roles[] = {ROLE_CLIENT, ROLE_AUDITOR};

	(void)state;
	for (size_t i = 0; i < COUNT(roles); i++)
		for (enum action action = ACTION_READ; action <= ACTION_DELETE; action++)
			assert_false(grants_allow(roles[i], NULL, 0, action, "a"));
	assert_false(grants_allow(ROLE_CLIENT, NULL, 0, ACTION_MANAGE, NULL));
	assert_false(grants_allow(ROLE_CLIENT, NULL, 0, ACTION_AUDIT, NULL));
	assert_false(grants_allow(ROLE_OPERATOR, NULL, 0, ACTION_READ, "a"));
}

static void no_grant_gives_the_right_to_manage(void **state)
{
	static const struct grant everything[] = {{"**", true}};

	(void)state;
	assert_true(grants_allow(ROLE_CLIENT, everything, 1, ACTION_DELETE, "a/b"));
	assert_false(grants_allow(ROLE_CLIENT, everything, 1, ACTION_MANAGE, NULL));
	assert_false(grants_allow(ROLE_CLIENT, everything, 1, ACTION_AUDIT, NULL));
	assert_false(grants_allow(ROLE_AUDITOR, everything, 1, ACTION_MANAGE, NULL));
}

static void roles_have_names(void **state)
{
	static const char *const wrong[] = {"", "Admin", "root", "client ", "admins"};
	enum role role;

	(void)state;
	for (enum role at = ROLE_CLIENT; at <= ROLE_ADMIN; at++) {
		assert_int_equal(role_parse(role_text(at), &role), 0);
		assert_int_equal(role, at);
	}
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(role_parse(wrong[i], &role), -TACIT_E_INVALID_ROLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decides_as_the_oracle_does),
	    cmocka_unit_test(nothing_is_allowed_without_a_grant),
	    cmocka_unit_test(no_grant_gives_the_right_to_manage),
	    cmocka_unit_test(roles_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

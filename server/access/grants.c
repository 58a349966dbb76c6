/* SPDX-License-Identifier: MIT */
#include "grants.h"

#include <string.h>

#include "tacit/err.h"

static const char *const role_texts[] = {
    [ROLE_CLIENT] = "client",
    [ROLE_AUDITOR] = "auditor",
    [ROLE_OPERATOR] = "operator",
    [ROLE_ADMIN] = "admin",
};

#define ROLES_COUNT (sizeof(role_texts) / sizeof(role_texts[0]))

/* What a role may do without any grant. */
static const bool role_allows[ROLES_COUNT][ACTION_AUDIT + 1] = {
    [ROLE_AUDITOR] = {[ACTION_AUDIT] = true},
    [ROLE_OPERATOR] = {[ACTION_LIST] = true,
        [ACTION_WRITE] = true,
        [ACTION_DELETE] = true,
        [ACTION_MANAGE] = true,
        [ACTION_AUDIT] = true},
    [ROLE_ADMIN] = {[ACTION_READ] = true,
        [ACTION_LIST] = true,
        [ACTION_WRITE] = true,
        [ACTION_DELETE] = true,
        [ACTION_MANAGE] = true,
        [ACTION_AUDIT] = true},
};

int role_parse(const char *text, enum role *ret_role)
{
	for (size_t i = 0; i < ROLES_COUNT; i++) {
		if (!strcmp(role_texts[i], text)) {
			*ret_role = (enum role)i;
			return 0;
		}
	}

	return -TACIT_E_INVALID_ROLE;
}

const char *role_text(enum role role)
{
	return role_texts[role];
}

static bool grant_allows(const struct grant *grant, enum action action, const char *name)
{
	bool reads = action == ACTION_READ || action == ACTION_LIST;
	bool writes = action == ACTION_WRITE || action == ACTION_DELETE;

	/* Who may write may also read what he wrote: compare-and-set is impossible otherwise. */
	return (reads || (writes && grant->write)) && pattern_matches(grant->pattern, name);
}

bool grants_allow(
    enum role role, const struct grant grants[], size_t count, enum action action, const char *name)
{
	if (role_allows[role][action])
		return true;
	if (!name)
		return false;

	for (size_t i = 0; i < count; i++)
		if (grant_allows(&grants[i], action, name))
			return true;

	return false;
}

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_GRANTS_H
#define TACIT_SERVER_GRANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tacit/name.h"

/* Who may do what. Pure, and denied unless something here says otherwise. */

enum role {
	ROLE_CLIENT,   /* what its grants say */
	ROLE_AUDITOR,  /* the audit log and the status; no secrets but by grant */
	ROLE_OPERATOR, /* manages secrets and clients, reads values only by grant */
	ROLE_ADMIN,    /* everything */
};

/* -TACIT_E_INVALID_ROLE for another word. */
int role_parse(const char *text, enum role *ret_role);
const char *role_text(enum role role);

struct grant {
	char pattern[NAME_MAX_BYTES + 1];
	bool write;
};

enum action {
	ACTION_READ,   /* a value */
	ACTION_LIST,   /* that a secret exists, and its metadata */
	ACTION_WRITE,  /* put, roll back, change metadata */
	ACTION_DELETE, /* delete and destroy */
	ACTION_MANAGE, /* clients, grants, tokens; no name */
	ACTION_AUDIT,  /* the audit log and the status; no name */
};

/* `name` is NULL for actions that concern no secret. */
bool grants_allow(enum role role, const struct grant grants[], size_t count, enum action action,
    const char *name);

#endif

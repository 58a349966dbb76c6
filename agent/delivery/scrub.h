/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_SCRUB_H
#define TACIT_AGENT_SCRUB_H

#include <stdbool.h>
#include <stddef.h>

#include "tacit/bundle.h"
#include "tacit/err.h"
#include "text_list.h"

/*
 * The command's environment. Pure: an array and rules in, an array out.
 *
 * What is inherited stays, less every TACIT_*, less the variable that each delivered secret
 * replaces, less any variable whose value contains a delivered secret of SCRUB_MIN_BYTES or more;
 * then what is exported for each secret is added.
 */
#define SCRUB_MIN_BYTES 8

/* execve(2) takes no longer string (MAX_ARG_STRLEN, 32 pages with the NUL). */
#define ENVIRONMENT_STRING_MAX_BYTES (128 * 1024 - 1)

enum env_mode {
	ENV_FILE,  /* NAME_FILE=PATH, without NAME */
	ENV_VALUE, /* NAME=VALUE, without NAME_FILE */
	ENV_NONE,  /* neither is set, NAME is removed */
};

struct scrub_rules {
	const struct bundle *bundle;
	const char *dir; /* the directory of the files; used by ENV_FILE only */
	enum env_mode mode;
	const struct text_list *keep;    /* variables that go through whatever they hold */
	const struct text_list *sources; /* variables that the secrets were taken from */
	bool pristine;                   /* of what is inherited only PATH, HOME, TERM, TZ, LANG */
	const char *home;                /* the new HOME, or NULL */
};

struct environment {
	char **vars; /* as execve(2) takes them; owns only what `made` owns */
	size_t count;
	struct secret **made; /* owned: the strings that were added, in wiped memory */
	size_t made_count;
	const char **removed; /* borrowed from `inherited`: what was removed for what it holds */
	size_t removed_count;
};

/*
 * Builds the environment out of `inherited` (ends with NULL), whose strings it borrows.
 * -ENOMEM; with ENV_VALUE -E2BIG or -TACIT_E_MALFORMED for a value that no variable can hold (too
 * long, or with a NUL), named in `fault`. `ret_environment` is untouched on failure.
 */
int scrub_environment(char *const inherited[], const struct scrub_rules *rules,
    struct environment *ret_environment, struct fault *fault);

/*
 * One line for a person: the names of what was removed, "DB_PASSWORD, TACIT_IDENTITY", never a
 * value. Control characters become `?`. The caller frees it; NULL when there is no memory.
 */
char *environment_removed_text(const struct environment *environment);

void environment_free(struct environment *environment);
#define cleanup_environment __attribute__((cleanup(environment_free)))

#endif

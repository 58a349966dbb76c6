/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_AGENT_OPTIONS_H
#define TACIT_AGENT_AGENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "scrub.h"
#include "selection.h"
#include "tacit/err.h"
#include "tacit/options.h"
#include "templates.h"
#include "text_list.h"

enum launch_mode {
	LAUNCH_AUTO, /* exec for PID 1 and for a directory that is a mount; else stay */
	LAUNCH_EXEC,
	LAUNCH_PARENT,
};

enum failure_mode {
	FAILURE_FAILS,
	FAILURE_STARTS, /* the command starts without its secrets, and one line says so */
};

/*
 * Everything that one is asked to do. An option beats its variable. Texts are borrowed from argv
 * and the environment; lists and the selection are copies.
 */
struct agent_options {
	const char *identity;   /* NULL: the default places */
	const char *token_file; /* NULL: none */
	const char *token;      /* out of TACIT_TOKEN, for who is not given an identity; or NULL */
	const char *server;     /* NULL: what the identity says */
	const char *env_file;   /* NULL: none */
	struct text_list from_env;
	struct selection selection;
	struct templates templates;
	const char *dir;  /* NULL: the default places */
	const char *user; /* NULL: stay who we are */
	enum launch_mode launch;
	enum env_mode env;
	struct text_list keep;
	bool pristine;
	bool private; /* a mount namespace of the command's own */
	bool require_hardened;
	int64_t timeout_ms;       /* of everything until all is delivered */
	const char *cache;        /* NULL: none */
	int64_t cache_max_age_ms; /* 0: the default */
	enum failure_mode on_failure;
	bool watch;
	int signal;     /* to the command after a renewal; 0: none */
	bool restart;   /* the command after a renewal */
	char **command; /* borrowed, ends with NULL; has at least one word for `run` */
};

/* Why --cache and a join token exclude each other; which of them there is shows only later. */
extern const char cache_and_token[];

extern const struct option_row run_option_rows[];
extern const struct option_row fetch_option_rows[];

/*
 * Parses the options of `command`, whose rows are one of the two above, and the TACIT_* variables
 * behind them. -TACIT_E_USAGE for what cannot be, -TACIT_E_INVALID_ENV and what selection.h and
 * templates.h return for a bad name; -ENOMEM. `ret_options` is to be freed in any case.
 */
int agent_options_parse(const struct command *command, int argc, char *argv[],
    struct agent_options *ret_options, struct fault *fault);

void agent_options_free(struct agent_options *options);
#define cleanup_agent_options __attribute__((cleanup(agent_options_free)))

#endif

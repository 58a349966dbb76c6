/* SPDX-License-Identifier: MIT */
#include "agent_options.h"

#include <stdlib.h>

#include "agent_options_private.h"

#define DEFAULT_TIMEOUT_MS 30000

/* clang-format off */
#define COMMON_ROWS                                                                                \
	{"identity", "FILE", "key and certificates in one PEM file (TACIT_IDENTITY)"},             \
	{"token-file", "FILE", "become a client by the join token in it (TACIT_TOKEN)"},           \
	{"server", "URL[,URL]", "instead of the identity's server (TACIT_SERVER)"},                \
	{"env-file", "FILE", "no server: take the secrets from a .env file"},                      \
	{"from-env", "NAME[,NAME]", "no server: from these variables (TACIT_FROM_ENV)"},           \
	{"secret", "NAME[=FILE][,env=VAR][,mode=0400][,optional]",                                 \
	    "this one only; repeatable (TACIT_SECRETS); default: all"},                            \
	{"template", "SRC=DST",                                                                    \
	    "write SRC as the file DST, ${secret:NAME} replaced; repeatable"},                     \
	{"dir", "DIR", "where the files go, in memory (TACIT_DIR)"},                               \
	{"user", "USER[:GROUP]", "when root: whose the files are, and who runs"},                  \
	{"cache", "FILE", "a sealed copy, for a start while the server is away"},                  \
	{"cache-max-age", "TIME", "with --cache: no older one is taken; default: 24h"},            \
	{"timeout", "TIME", "for everything until all is delivered; default: 30s"}

const struct option_row fetch_option_rows[] = {
	COMMON_ROWS,
	{NULL, NULL, NULL},
};

const struct option_row run_option_rows[] = {
	COMMON_ROWS,
	{"on-failure", "fail|start", "start: without secrets if need be; default: fail"},
	{"exec", NULL, "become the command (default for PID 1, or if DIR is a mount)"},
	{"init", NULL, "stay as parent; remove the files when the command ends"},
	{"watch", NULL, "stay as parent; renew the files when a secret changes"},
	{"signal", "SIG", "with --watch: send this, say HUP, when files were renewed"},
	{"restart", NULL, "with --watch: start the command again when files were renewed"},
	{"env", "file|value|none", "export NAME_FILE, or NAME=value, or nothing; default: file"},
	{"keep", "VAR", "let a variable through, whatever it holds; repeatable"},
	{"require-hardened", NULL, "start nothing where a check of `doctor` fails"},
	{"private", NULL, "on a laptop: files in a mount namespace that no other program is in"},
	{"pristine", NULL, "inherit nothing but PATH, HOME, TERM, TZ and LANG"},
	{NULL, NULL, NULL},
};
/* clang-format on */

/* A variable that is set to nothing counts as not set: it is how Compose clears one. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* TACIT_IDENTITY is left to credential_open() and identity_load(), which know all the places. */
static int variables_apply(struct agent_options *options, struct fault *fault)
{
	const char *from_env = variable("TACIT_FROM_ENV");
	const char *secrets = variable("TACIT_SECRETS");
	bool source_is_given = options->env_file || options->from_env.count > 0 ||
	                       options->identity || options->token_file || options->server;
	int r = 0;

	if (from_env && !source_is_given)
		r = agent_options_set(options, "from-env", from_env, fault);
	if (r == 0 && secrets && options->selection.count == 0)
		r = selection_add_all(&options->selection, secrets, fault);
	if (!options->identity && !options->token_file)
		options->token = variable("TACIT_TOKEN");
	if (!options->server)
		options->server = variable("TACIT_SERVER");
	if (!options->dir)
		options->dir = variable("TACIT_DIR");

	return r;
}

int agent_options_parse(const struct command *command, int argc, char *argv[],
    struct agent_options *ret_options, struct fault *fault)
{
	struct option_cursor cursor = {
	    .command = command, .argc = argc, .argv = argv, .stop_at_argument = true};
	int r;

	*ret_options = (struct agent_options){.timeout_ms = DEFAULT_TIMEOUT_MS};
	while ((r = option_next(&cursor, fault)) > 0) {
		r = agent_options_set(
		    ret_options, command->options[r - 1].name, cursor.value, fault);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = agent_options_check_source(ret_options, fault);
	if (r == 0)
		r = variables_apply(ret_options, fault);
	if (r == 0)
		r = agent_options_check_combination(ret_options, fault);
	if (r < 0)
		return r;

	ret_options->command = argv + cursor.next;
	return agent_options_check_command(command, ret_options, fault);
}

void agent_options_free(struct agent_options *options)
{
	text_list_free(&options->from_env);
	text_list_free(&options->keep);
	selection_free(&options->selection);
	templates_free(&options->templates);
}

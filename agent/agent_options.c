/* SPDX-License-Identifier: MIT */
#include "agent_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signals.h"
#include "tacit/deadline.h"
#include "tacit/name.h"

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

static int set_identity(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)fault;
	options->identity = value;
	return 0;
}

static int set_token_file(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)fault;
	options->token_file = value;
	return 0;
}

static int set_server(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)fault;
	options->server = value;
	return 0;
}

static int set_env_file(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)fault;
	options->env_file = value;
	return 0;
}

static int from_env_add(
    struct agent_options *options, const char *text, size_t len, struct fault *fault)
{
	struct text_list *names = &options->from_env;

	if (text_list_add(names, text, len) < 0)
		return fault_set(fault, -ENOMEM, "--from-env");
	if (!name_is_env(names->texts[names->count - 1]))
		return fault_set(
		    fault, -TACIT_E_INVALID_ENV, "--from-env %s", names->texts[names->count - 1]);

	for (size_t i = 0; i + 1 < names->count; i++)
		if (!strcmp(names->texts[i], names->texts[names->count - 1]))
			return fault_set_why(
			    fault, -TACIT_E_USAGE, "named twice", "--from-env %s", names->texts[i]);

	return 0;
}

static int set_from_env(struct agent_options *options, const char *value, struct fault *fault)
{
	for (;; value++) {
		size_t len = strcspn(value, ",");
		int r = from_env_add(options, value, len, fault);

		if (r < 0)
			return r;
		value += len;
		if (!*value)
			return 0;
	}
}

static int set_secret(struct agent_options *options, const char *value, struct fault *fault)
{
	return selection_add(&options->selection, value, fault);
}

static int set_template(struct agent_options *options, const char *value, struct fault *fault)
{
	return templates_add(&options->templates, value, fault);
}

static int set_dir(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)fault;
	options->dir = value;
	return 0;
}

static int set_user(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)fault;
	options->user = value;
	return 0;
}

static int set_launch(struct agent_options *options, enum launch_mode launch, struct fault *fault)
{
	if (options->launch != LAUNCH_AUTO && options->launch != launch)
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "only one can be had", "--exec and --init");

	options->launch = launch;
	return 0;
}

static int set_exec(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)value;
	return set_launch(options, LAUNCH_EXEC, fault);
}

static int set_init(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)value;
	return set_launch(options, LAUNCH_PARENT, fault);
}

/* The index of `word` among `words`, which end with NULL; -TACIT_E_USAGE for another one. */
static int choose(
    const char *option, const char *const words[], const char *word, struct fault *fault)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;

	return fault_set_why(
	    fault, -TACIT_E_USAGE, "no such choice; see --help", "--%s %s", option, word);
}

static int set_env(struct agent_options *options, const char *value, struct fault *fault)
{
	static const char *const words[] = {
	    [ENV_FILE] = "file", [ENV_VALUE] = "value", [ENV_NONE] = "none", NULL};
	int choice = choose("env", words, value, fault);

	if (choice < 0)
		return choice;

	options->env = (enum env_mode)choice;
	return 0;
}

static int set_on_failure(struct agent_options *options, const char *value, struct fault *fault)
{
	static const char *const words[] = {
	    [FAILURE_FAILS] = "fail", [FAILURE_STARTS] = "start", NULL};
	int choice = choose("on-failure", words, value, fault);

	if (choice < 0)
		return choice;

	options->on_failure = (enum failure_mode)choice;
	return 0;
}

static int set_keep(struct agent_options *options, const char *value, struct fault *fault)
{
	if (text_list_add(&options->keep, value, strlen(value)) < 0)
		return fault_set(fault, -ENOMEM, "--keep");

	return 0;
}

static int set_pristine(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)value;
	(void)fault;
	options->pristine = true;
	return 0;
}

static int set_private(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)value;
	(void)fault;
	options->private = true;
	return 0;
}

static int set_require_hardened(
    struct agent_options *options, const char *value, struct fault *fault)
{
	(void)value;
	(void)fault;
	options->require_hardened = true;
	return 0;
}

static int set_watch(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)value;
	(void)fault;
	options->watch = true;
	return 0;
}

static int set_signal(struct agent_options *options, const char *value, struct fault *fault)
{
	options->signal = signal_parse(value);
	if (!options->signal)
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "no such signal; say HUP", "--signal %s", value);

	return 0;
}

static int set_restart(struct agent_options *options, const char *value, struct fault *fault)
{
	(void)value;
	(void)fault;
	options->restart = true;
	return 0;
}

static int set_cache(struct agent_options *options, const char *value, struct fault *fault)
{
	if (!*value)
		return fault_set_why(fault, -TACIT_E_USAGE, "no name of a file", "--cache");

	options->cache = value;
	return 0;
}

static int set_cache_max_age(struct agent_options *options, const char *value, struct fault *fault)
{
	if (duration_parse(value, &options->cache_max_age_ms) < 0 ||
	    options->cache_max_age_ms < 1000)
		return fault_set_why(fault, -TACIT_E_USAGE,
		    "not a duration of a second or more; say 24h", "--cache-max-age %s", value);

	return 0;
}

static int set_timeout(struct agent_options *options, const char *value, struct fault *fault)
{
	if (duration_parse(value, &options->timeout_ms) < 0)
		return fault_set_why(fault, -TACIT_E_USAGE, "not a duration; say 30s or 500ms",
		    "--timeout %s", value);

	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct agent_options *options, const char *value, struct fault *fault);
} setters[] = {
    {"identity", set_identity},
    {"token-file", set_token_file},
    {"server", set_server},
    {"env-file", set_env_file},
    {"from-env", set_from_env},
    {"secret", set_secret},
    {"template", set_template},
    {"dir", set_dir},
    {"user", set_user},
    {"cache", set_cache},
    {"cache-max-age", set_cache_max_age},
    {"timeout", set_timeout},
    {"exec", set_exec},
    {"init", set_init},
    {"watch", set_watch},
    {"signal", set_signal},
    {"restart", set_restart},
    {"env", set_env},
    {"keep", set_keep},
    {"pristine", set_pristine},
    {"private", set_private},
    {"require-hardened", set_require_hardened},
    {"on-failure", set_on_failure},
};

static int option_set(
    struct agent_options *options, const char *name, const char *value, struct fault *fault)
{
	for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); i++)
		if (!strcmp(setters[i].name, name))
			return setters[i].set(options, value, fault);

	return fault_set(fault, -TACIT_E_USAGE, "--%s", name);
}

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
		r = set_from_env(options, from_env, fault);
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

static int sources_check(const struct agent_options *options, struct fault *fault)
{
	bool is_server = options->identity || options->token_file || options->server;
	int sources = (options->env_file ? 1 : 0) + (options->from_env.count > 0 ? 1 : 0) +
	              (is_server ? 1 : 0);

	if (options->identity && options->token_file)
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "only one can be had", "--identity and --token-file");
	if (sources <= 1)
		return 0;

	return fault_set_why(fault, -TACIT_E_USAGE, "only one can be had",
	    "--env-file, --from-env and --identity, --token-file or --server");
}

const char cache_and_token[] =
    "only one can be had: the key of a join token is in memory alone, so "
    "that nobody could open the cache after a restart";

/* Watching takes a server to watch and a parent to stay, for example. */
static int combinations_check(const struct agent_options *options, struct fault *fault)
{
	bool is_server = !options->env_file && options->from_env.count == 0;
	const struct {
		bool is_wrong;
		const char *what;
		const char *why;
	} rules[] = {
	    {options->restart && options->launch == LAUNCH_EXEC, "--restart and --exec",
	        "only one can be had"},
	    {options->watch && options->launch == LAUNCH_EXEC, "--watch and --exec",
	        "only one can be had"},
	    {options->signal && options->restart, "--signal and --restart", "only one can be had"},
	    {options->signal && !options->watch, "--signal", "only with --watch"},
	    {options->restart && !options->watch, "--restart", "only with --watch"},
	    {options->private && options->user, "--private and --user",
	        "only one can be had: in a user namespace of its own there is no other user"},
	    {options->watch && !is_server, "--watch",
	        "only a server can be watched, no .env file and no variables"},
	    {options->cache && !is_server, "--cache",
	        "only a server's secrets are cached, no .env file and no variables"},
	    {options->cache && options->token_file, "--cache and --token-file", cache_and_token},
	    {options->cache_max_age_ms && !options->cache, "--cache-max-age", "only with --cache"},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].is_wrong)
			return fault_set_why(
			    fault, -TACIT_E_USAGE, rules[i].why, "%s", rules[i].what);

	return 0;
}

/* `run` needs a command and `fetch` takes none: the row of the subcommand says which it is. */
static int command_check(
    const struct command *command, const struct agent_options *options, struct fault *fault)
{
	bool is_wanted = command->arguments[0] != '\0';

	if (is_wanted && !options->command[0])
		return fault_set_why(fault, -TACIT_E_USAGE,
		    "no command given; usage: tacit-agent run [OPTION]... -- COMMAND [ARG]...",
		    "%s", command->name);
	if (!is_wanted && options->command[0])
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "takes no arguments; see --help", "%s", command->name);

	return 0;
}

int agent_options_parse(const struct command *command, int argc, char *argv[],
    struct agent_options *ret_options, struct fault *fault)
{
	struct option_cursor cursor = {
	    .command = command, .argc = argc, .argv = argv, .stop_at_argument = true};
	int r;

	*ret_options = (struct agent_options){.timeout_ms = DEFAULT_TIMEOUT_MS};
	while ((r = option_next(&cursor, fault)) > 0) {
		r = option_set(ret_options, command->options[r - 1].name, cursor.value, fault);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = sources_check(ret_options, fault);
	if (r == 0)
		r = variables_apply(ret_options, fault);
	if (r == 0)
		r = combinations_check(ret_options, fault);
	if (r < 0)
		return r;

	ret_options->command = argv + cursor.next;
	return command_check(command, ret_options, fault);
}

void agent_options_free(struct agent_options *options)
{
	text_list_free(&options->from_env);
	text_list_free(&options->keep);
	selection_free(&options->selection);
	templates_free(&options->templates);
}

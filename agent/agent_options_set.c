/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "agent_options_private.h"
#include "signals.h"
#include "tacit/deadline.h"
#include "tacit/name.h"

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

static int set_signal(struct agent_options *options, const char *value, struct fault *fault)
{
	options->signal = signal_parse(value);
	if (!options->signal)
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "no such signal; say HUP", "--signal %s", value);

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

/* Options whose value has a form of its own. */
static const struct {
	const char *name;
	int (*set)(struct agent_options *options, const char *value, struct fault *fault);
} setters[] = {
    {"from-env", set_from_env},
    {"secret", set_secret},
    {"template", set_template},
    {"cache", set_cache},
    {"cache-max-age", set_cache_max_age},
    {"timeout", set_timeout},
    {"exec", set_exec},
    {"init", set_init},
    {"signal", set_signal},
    {"env", set_env},
    {"keep", set_keep},
    {"on-failure", set_on_failure},
};

/* A text is taken as it is; false when the option is none. */
static bool text_set(struct agent_options *options, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **member;
	} rows[] = {
	    {"identity", &options->identity},
	    {"token-file", &options->token_file},
	    {"server", &options->server},
	    {"env-file", &options->env_file},
	    {"dir", &options->dir},
	    {"user", &options->user},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, name)) {
			*rows[i].member = value;
			return true;
		}

	return false;
}

/* A switch comes without a value; false when the option is none. */
static bool switch_set(struct agent_options *options, const char *name)
{
	const struct {
		const char *name;
		bool *member;
	} rows[] = {
	    {"watch", &options->watch},
	    {"restart", &options->restart},
	    {"pristine", &options->pristine},
	    {"private", &options->private},
	    {"require-hardened", &options->require_hardened},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, name)) {
			*rows[i].member = true;
			return true;
		}

	return false;
}

int agent_options_set(
    struct agent_options *options, const char *name, const char *value, struct fault *fault)
{
	if (text_set(options, name, value) || switch_set(options, name))
		return 0;

	for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); i++)
		if (!strcmp(setters[i].name, name))
			return setters[i].set(options, value, fault);

	return fault_set(fault, -TACIT_E_USAGE, "--%s", name);
}

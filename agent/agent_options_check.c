/* SPDX-License-Identifier: MIT */
#include "agent_options_private.h"

/* What each option alone cannot know: which of them go together. */

int agent_options_check_source(const struct agent_options *options, struct fault *fault)
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

int agent_options_check_combination(const struct agent_options *options, struct fault *fault)
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

int agent_options_check_command(
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

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "secrets.h"

static int default_dir(char *ret_dir, size_t size)
{
	const char *data_home = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	int len;

	if (geteuid() == 0)
		len = snprintf(ret_dir, size, "/var/lib/tacit");
	else if (data_home && data_home[0] == '/')
		len = snprintf(ret_dir, size, "%s/tacit", data_home);
	else if (home && home[0] == '/')
		len = snprintf(ret_dir, size, "%s/.local/share/tacit", home);
	else
		return -TACIT_E_USAGE;

	return (size_t)len < size ? 0 : -TACIT_E_USAGE;
}

static int set_dir(struct config *config, const char *value)
{
	int len = snprintf(config->dir, sizeof(config->dir), "%s", value);

	return value[0] && (size_t)len < sizeof(config->dir) ? 0 : -TACIT_E_USAGE;
}

static int set_san(struct config *config, const char *value)
{
	if (config->san_count == SAN_MAX)
		return -TACIT_E_USAGE;

	config->san[config->san_count++] = value;
	return 0;
}

static int set_keep_versions(struct config *config, const char *value)
{
	char *end;
	unsigned long versions = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || versions < 1 ||
	    versions > SECRET_VERSIONS_MAX)
		return -TACIT_E_USAGE;

	config->keep_versions = (uint32_t)versions;
	return 0;
}

static int config_set(struct config *config, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **member;
	} texts[] = {
	    {"url", &config->url},
	    {"listen", &config->listen},
	    {"enroll-listen", &config->enroll_listen},
	    {"enroll-url", &config->enroll_url},
	    {"audit-syslog", &config->audit_syslog},
	    {"key-file", &config->key_source.key_file},
	    {"passphrase-file", &config->key_source.passphrase_file},
	    {"key-fd", &config->key_source.key_fd},
	    {"passphrase-fd", &config->key_source.passphrase_fd},
	    {"new-key-file", &config->new_key_source.key_file},
	    {"new-passphrase-file", &config->new_key_source.passphrase_file},
	    {"new-key-fd", &config->new_key_source.key_fd},
	    {"new-passphrase-fd", &config->new_key_source.passphrase_fd},
	};

	if (!strcmp(name, "dir"))
		return set_dir(config, value);
	if (!strcmp(name, "san"))
		return set_san(config, value);
	if (!strcmp(name, "json")) {
		config->json = true;
		return 0;
	}
	if (!strcmp(name, "sealed")) {
		config->sealed = true;
		return 0;
	}
	if (!strcmp(name, "keep-versions"))
		return set_keep_versions(config, value);
	if (!strcmp(name, "force")) {
		config->force = true;
		return 0;
	}
	if (!strcmp(name, "verify")) {
		config->verify = true;
		return 0;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(name, texts[i].name))
			*texts[i].member = value;

	return 0;
}

/* The commands that do say so in their line of help: `--dir DIR FILE`. */
static bool takes_argument(const struct command *command)
{
	const char *last = strrchr(command->arguments, ' ');

	return last && !strcmp(last, " FILE");
}

static int argument_take(const struct command *command, const struct option_cursor *cursor,
    struct config *config, struct fault *fault)
{
	int at = cursor->next;

	if (takes_argument(command)) {
		if (at == cursor->argc)
			return fault_set_why(fault, -TACIT_E_USAGE, "give one", "FILE");
		config->argument = cursor->argv[at++];
	}

	return at == cursor->argc ? 0
	                          : fault_set_why(fault, -TACIT_E_USAGE,
	                                "unexpected argument; see --help", "%s", cursor->argv[at]);
}

static int sources_given(const struct key_source *source)
{
	return (source->key_file != NULL) + (source->passphrase_file != NULL) +
	       (source->key_fd != NULL) + (source->passphrase_fd != NULL);
}

static int config_fill(const struct command *command, int argc, char *argv[], struct config *config,
    struct fault *fault)
{
	struct option_cursor cursor = {.command = command, .argc = argc, .argv = argv};
	int option;

	while ((option = option_next(&cursor, fault)) > 0) {
		const char *name = command->options[option - 1].name;

		if (config_set(config, name, cursor.value) < 0)
			return fault_set_why(
			    fault, -TACIT_E_USAGE, "not a usable value", "--%s", name);
	}
	if (option < 0)
		return option;
	if (argument_take(command, &cursor, config, fault) < 0)
		return -TACIT_E_USAGE;
	if (!config->dir[0] && default_dir(config->dir, sizeof(config->dir)) < 0)
		return fault_set_why(fault, -TACIT_E_USAGE, "give one", "--dir");
	if (sources_given(&config->key_source) > 1 || sources_given(&config->new_key_source) > 1)
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "one of them, not more", "options for one master key");

	return 0;
}

int config_parse(const struct command *command, int argc, char *argv[], struct config *ret_config)
{
	struct fault fault = {0};

	*ret_config = (struct config){0};
	if (config_fill(command, argc, argv, ret_config, &fault) < 0) {
		fault_report(PROGRAM_NAME, &fault);
		return 2;
	}

	return -1;
}

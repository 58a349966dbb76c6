/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "secrets.h"
#include "tacit/deadline.h"

#define CONNECTIONS_MAX 1000000

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

static int set_count(uint32_t *member, uint32_t max, const char *value)
{
	char *end;
	unsigned long count = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || count == 0 || count > max)
		return -TACIT_E_USAGE;

	*member = (uint32_t)count;
	return 0;
}

/* A certificate of a few seconds is for trying out how it is renewed. */
static int set_ttl(int64_t *member, const char *value)
{
	return duration_parse(value, member) == 0 && *member >= 1000 ? 0 : -TACIT_E_USAGE;
}

/* Members that are not just a text. */
static int config_set_parsed(struct config *config, const char *name, const char *value)
{
	if (!strcmp(name, "dir"))
		return set_dir(config, value);
	if (!strcmp(name, "san"))
		return set_san(config, value);
	if (!strcmp(name, "connections-per-address"))
		return set_count(&config->connections_per_address, CONNECTIONS_MAX, value);
	if (!strcmp(name, "keep-versions"))
		return set_count(&config->keep_versions, SECRET_VERSIONS_MAX, value);
	if (!strcmp(name, "certificate-ttl"))
		return set_ttl(&config->certificate_ttl_ms, value);
	if (!strcmp(name, "log-format"))
		return log_format_parse(value, &config->log_format) ? 0 : -TACIT_E_USAGE;

	return 0;
}

static void config_set_text(struct config *config, const char *name, const char *value)
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
	    {"metrics-listen", &config->metrics_listen},
	    {"user", &config->user},
	    {"out", &config->out},
	    {"config", &config->config},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(name, texts[i].name))
			*texts[i].member = value;
}

/* A switch comes without a value. */
static void config_set_switch(struct config *config, const char *name)
{
	const struct {
		const char *name;
		bool *member;
	} switches[] = {
	    {"json", &config->json},
	    {"no-sandbox", &config->no_sandbox},
	    {"sealed", &config->sealed},
	    {"force", &config->force},
	    {"verify", &config->verify},
	    {"revoke-old", &config->revoke_old},
	};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (!strcmp(name, switches[i].name))
			*switches[i].member = true;
}

/* Every option is of one kind; the other two have no row for it. */
static int config_set(void *context, const char *name, const char *value)
{
	struct config *config = context;

	config_set_text(config, name, value);
	config_set_switch(config, name);
	return config_set_parsed(config, name, value);
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

static int config_walk(const struct command *command, int argc, char *argv[], struct config *config,
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

	return argument_take(command, &cursor, config, fault);
}

/*
 * The command line is walked twice when it names a file: to find the name, and to have the last
 * word over what the file says.
 */
static int config_fill(const struct command *command, int argc, char *argv[], struct config *config,
    struct fault *fault)
{
	int r = config_walk(command, argc, argv, config, fault);

	if (r == 0 && config->config) {
		const char *path = config->config;

		*config = (struct config){0};
		r = config_file_read(path, command, config_set, config, &config->file, fault);
		if (r == 0)
			r = config_walk(command, argc, argv, config, fault);
	}
	if (r < 0)
		return r;
	config->dir_is_default = !config->dir[0];
	if (config->dir_is_default && default_dir(config->dir, sizeof(config->dir)) < 0)
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
		config_free(ret_config);
		return err_exit_code(fault.err);
	}

	log_set_format(ret_config->log_format);

	return -1;
}

void config_free(struct config *config)
{
	config_file_free(config->file);
	config->file = NULL;
}

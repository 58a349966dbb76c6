/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <time.h>

#include "commands.h"
#include "config.h"
#include "home.h"
#include "restore.h"

const struct option_row command_restore_options[] = {
    {"dir", "DIR", "a directory that is empty or not there yet (/var/lib/tacit)"},
    {"user", "USER[:GROUP]", "whose the directory is, and as whom root will serve it"},
    {"verify", NULL, "only check that FILE is whole; needs no key and writes nothing"},
    KEY_OPTION_ROWS,
    {0},
};

static void time_text(int64_t seconds, char ret_text[static 32])
{
	time_t when = (time_t)seconds;
	struct tm utc;

	(void)gmtime_r(&when, &utc);
	(void)strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void explain(const struct config *config, int64_t begun)
{
	char when[32];

	time_text(begun, when);
	if (config->verify)
		(void)printf(
		    "%s is whole, by its checksum, and from %s. Whether it is genuine, only "
		    "restoring tells: that takes the master key.\n",
		    config->argument, when);
	else
		(void)printf(
		    "Restored %s to %s, as it was at %s: what was changed, revoked or "
		    "destroyed since then is so no longer.\n"
		    "A new identity of an admin is %s/%s. Next: tacit-server serve --dir %s\n",
		    config->argument, config->dir, when, config->dir, ADMIN_FILE, config->dir);
}

int command_restore(const struct command *command, int argc, char *argv[])
{
	struct progress progress = {.program = PROGRAM_NAME, .what = "KiB"};
	struct config config;
	struct fault fault = {0};
	int64_t begun;
	int r, exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;

	r = config.verify ? restore_verify(config.argument, &progress, &begun, &fault)
	                  : restore_from(&config, config.argument, &progress, &begun, &fault);
	progress_end(&progress);
	if (r < 0) {
		fault_report(PROGRAM_NAME, &fault);
		return err_exit_code(fault.err);
	}

	explain(&config, begun);
	return 0;
}

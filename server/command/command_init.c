/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "commands.h"
#include "config.h"
#include "home.h"

const struct option_row command_init_options[] = {
    {"dir", "DIR", "the store's directory, made with mode 0700 (/var/lib/tacit)"},
    {"url", "URL", "where clients will reach the server: https://HOST:PORT"},
    {"user", "USER[:GROUP]", "whose the directory is, and as whom root will serve it"},
    {"san", "NAME", "another name or address of the server; may be repeated"},
    {"passphrase-file", "FILE", "the master key comes from a passphrase (Argon2id)"},
    {"key-file", "FILE", "the master key is FILE, 32 bytes; made if it is not there"},
    {"passphrase-fd", "N", "read the passphrase from the open descriptor N"},
    {"key-fd", "N", "read the master key from the open descriptor N"},
    {0},
};

static void explain_master_key(const struct config *config)
{
	if (config->key_source.passphrase_file || config->key_source.passphrase_fd)
		(void)printf(
		    "The master key comes from the passphrase: without it nobody reads this "
		    "store, you included.\n");
	else if (config->key_source.key_fd)
		(void)printf("The master key came by descriptor and was kept nowhere: without it "
		             "nobody reads this store, you included.\n");
	else if (config->key_source.key_file)
		(void)printf(
		    "The master key is in %s. Whoever has it and %s/%s reads every secret; "
		    "keep them apart.\n",
		    config->key_source.key_file, config->dir, STORE_FILE);
	else
		(void)printf(
		    "The master key is in %s/%s. That protects copies of %s that travel without "
		    "it\n"
		    "(backups, a stolen database file), not against somebody who reads the whole "
		    "directory.\nUse --key-file or --passphrase-file to keep the key elsewhere.\n",
		    config->dir, MASTER_KEY_FILE, STORE_FILE);
}

int command_init(const struct command *command, int argc, char *argv[])
{
	struct config config;
	struct fault fault = {0};
	int exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;
	if (!config.url) {
		(void)fault_set_why(&fault, -TACIT_E_USAGE, "give one: https://HOST:PORT", "--url");
		fault_report(PROGRAM_NAME, &fault);
		return 2;
	}
	if (home_create(&config, &fault) < 0) {
		fault_report(PROGRAM_NAME, &fault);
		return err_exit_code(fault.err);
	}

	(void)printf("Made a store in %s for %s.\n", config.dir, config.url);
	explain_master_key(&config);
	(void)printf("The admin's identity is %s/%s. Next: tacit-server serve --dir %s\n",
	    config.dir, ADMIN_FILE, config.dir);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_COMMANDS_H
#define TACIT_SERVER_COMMANDS_H

#include "process.h"
#include "tacit/options.h"

/* The subcommands, one file each. */

/* Where the master key of an existing store comes from: the same for every command. */
#define KEY_OPTION_ROWS                                                                       \
	{"passphrase-file", "FILE", "read the passphrase from FILE (else it is asked for)"},  \
	    {"key-file", "FILE", "the master key, when it is no longer where init found it"}, \
	    {"passphrase-fd", "N", "read the passphrase from the open descriptor N"},         \
	{                                                                                     \
		"key-fd", "N", "read the master key from the open descriptor N"               \
	}

extern const struct option_row command_init_options[];
extern const struct option_row command_serve_options[];
extern const struct option_row command_check_options[];
extern const struct option_row command_backup_options[];
extern const struct option_row command_restore_options[];
extern const struct option_row command_rekey_options[];
extern const struct option_row command_admin_options[];
extern const struct option_row command_health_options[];
extern const struct option_row command_unseal_options[];

int command_init(const struct command *command, int argc, char *argv[]);
int command_serve(const struct command *command, int argc, char *argv[]);
int command_check(const struct command *command, int argc, char *argv[]);
int command_backup(const struct command *command, int argc, char *argv[]);
int command_restore(const struct command *command, int argc, char *argv[]);
int command_rekey(const struct command *command, int argc, char *argv[]);
int command_admin(const struct command *command, int argc, char *argv[]);
int command_health(const struct command *command, int argc, char *argv[]);
int command_unseal(const struct command *command, int argc, char *argv[]);

#endif

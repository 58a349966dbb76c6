/* SPDX-License-Identifier: MIT */
#include "commands.h"

static const struct command commands[] = {
    {"init", "--dir DIR --url https://HOST:PORT", "make a new store, its CA and admin.pem",
        command_init_options, command_init},
    {"serve", "--dir DIR", "serve the store over mTLS", command_serve_options, command_serve},
    {"check", "--dir DIR", "verify every record, the database and the audit chain",
        command_check_options, command_check},
    {"backup", "--dir DIR FILE", "copy the store into one file, sealed as it is",
        command_backup_options, command_backup},
    {"restore", "--dir NEWDIR FILE", "make a store out of a backup", command_restore_options,
        command_restore},
    {"unseal", "--dir DIR", "bring the master key to a server that was started sealed",
        command_unseal_options, command_unseal},
    {"rekey", "--dir DIR", "a new master key, and new keys around every value",
        command_rekey_options, command_rekey},
    {"admin", "--dir DIR", "a new identity of an admin, when the old one is lost or expired",
        command_admin_options, command_admin},
    {"health", "--dir DIR", "whether the server of a store is well: 0, else 1",
        command_health_options, command_health},
    {0},
};

static const struct program program = {
    .name = PROGRAM_NAME,
    .summary = "The encrypted secrets store, its certificate authority and its HTTP API",
    .commands = commands,
};

int main(int argc, char *argv[])
{
	process_harden();
	return program_run(&program, 2, argc, argv);
}

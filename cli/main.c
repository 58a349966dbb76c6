/* SPDX-License-Identifier: MIT */
#include "commands.h"
#include "process.h"

#define EXIT_USAGE 2

static const struct command commands[] = {
    {"put", "NAME", "store a value: from stdin, or typed without echo", put_options, put_run},
    {"get", "NAME", "print a value, byte for byte", get_options, get_run},
    {"ls", "[PREFIX]", "list the secrets that you may read", ls_options, ls_run},
    {"rm", "NAME", "remove a secret; its versions stay until destroyed", rm_options, rm_run},
    {"versions", "NAME", "list the versions of a secret", versions_options, versions_run},
    {"rollback", "NAME VERSION", "make an old version the current one again", rollback_options,
        rollback_run},
    {"destroy", "NAME", "destroy one version, or all, beyond recovery", destroy_options,
        destroy_run},
    {"import", "FILE.env", "store every variable of a .env file", import_options, import_run},
    {"client add", "NAME", "add a client and write its identity file", client_add_options,
        client_add_run},
    {"client ls", "", "list the clients", client_ls_options, client_ls_run},
    {"client revoke", "NAME", "refuse a client from now on", client_revoke_options,
        client_revoke_run},
    {"grant", "CLIENT PATTERN", "let a client read what a pattern covers", grant_options,
        grant_run},
    {"ungrant", "CLIENT PATTERN", "take a grant back", ungrant_options, ungrant_run},
    {"grants", "[CLIENT]", "list who may read what", grants_options, grants_run},
    {"token create", "CLIENT", "make a join token, with which a machine becomes that client",
        token_create_options, token_create_run},
    {"token ls", "", "list the join tokens", token_ls_options, token_ls_run},
    {"token revoke", "ID", "refuse a join token from now on", token_revoke_options,
        token_revoke_run},
    {"status", "", "show which instance holds which version, and who is behind", status_options,
        status_run},
    {"audit", "", "show who did what, or verify the log of it", audit_options, audit_run},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct program program = {
    .name = "tacit",
    .summary = "Manages the secrets, clients, grants and join tokens of a Tacit server",
    .commands = commands,
};

int main(int argc, char *argv[])
{
	process_guard();

	return program_run(&program, EXIT_USAGE, argc, argv);
}

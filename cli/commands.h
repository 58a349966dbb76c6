/* SPDX-License-Identifier: MIT */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "tacit/options.h"

/* What main.c puts into its table: for each command its options and its function. */
#define COMMAND(name)                                    \
	extern const struct option_row name##_options[]; \
	int name##_run(const struct command *command, int argc, char *argv[])

/* put.c */
COMMAND(put);
/* secrets.c */
COMMAND(get);
COMMAND(ls);
COMMAND(rm);
COMMAND(versions);
COMMAND(rollback);
COMMAND(destroy);
/* import.c */
COMMAND(import);
/* clients.c */
COMMAND(client_add);
COMMAND(client_ls);
COMMAND(client_revoke);
/* tokens.c */
COMMAND(token_create);
COMMAND(token_ls);
COMMAND(token_revoke);
/* grants.c */
COMMAND(grant);
COMMAND(ungrant);
COMMAND(grants);

/* status.c */
COMMAND(status);
/* audit.c */
COMMAND(audit);

#undef COMMAND

#endif

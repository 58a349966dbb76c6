/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ASSEMBLY_H
#define TACIT_SERVER_ASSEMBLY_H

#include "route.h"

/*
 * The parts of a struct server, put together over an open vault. Which key opened it, and in which
 * order a directory is checked before, is home.h's affair; so is the audit log, which is opened
 * behind them.
 */

/*
 * Loads every part that is not there yet. Takes `vault` over in any case, since the parts hold on
 * to it: server_disassemble() follows on failure too. -ENOMEM, and what the parts' loading returns.
 */
int server_assemble(struct server *server, struct vault *vault, struct fault *fault);

/* Ends all parts, the audit log and the vault included; `server` is all zeros after that. */
void server_disassemble(struct server *server);

#endif

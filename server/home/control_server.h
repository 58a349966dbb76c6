/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_CONTROL_SERVER_H
#define TACIT_SERVER_CONTROL_SERVER_H

#include "route.h"
#include "unsealing.h"
#include "upkeep.h"

/*
 * The side of control.h that the server is on. Requests run one after the other, but for those that
 * only look, which have their answer at once.
 *
 *   unseal   material                                     only while sealed
 *   rekey    material, u8 by_passphrase, text key_file, u8 has_new, new material
 *   backup                                                data: see backup.h
 *   health                                                at once; the verdict says it
 */
struct control_server;

struct control_host {
	int dirfd;
	struct unsealing *unsealing; /* NULL once there are keys */
	struct server *server;       /* NULL while sealed, like the rest */
	struct upkeep *upkeep;
	const char *dir; /* its path */
};

/* Takes the descriptor over when it succeeds. */
int control_server_start(const struct control_host *host, int *listen_fd,
    struct control_server **ret_control, struct fault *fault);

/* From now on requests are about this: called once the store is open. */
void control_server_set_host(struct control_server *control, const struct control_host *host);

/* Ends after the requests under way. NULL is allowed. Removes the socket. */
void control_server_stop(struct control_server *control);

#endif

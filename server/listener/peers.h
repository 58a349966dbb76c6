/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_PEERS_H
#define TACIT_SERVER_PEERS_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * How many connections each address has, so that one alone cannot take all that there are. An IPv6
 * peer owns the 64 bits behind its network's prefix, so the prefix is what counts. Thread-safe.
 */
struct peers;
struct peer;

/* NULL when there is no memory. */
struct peers *peers_new(unsigned limit);
void peers_free(struct peers *peers);

/* Whether the address has as many as it may. */
bool peers_full(struct peers *peers, const struct sockaddr *address);

/* One more; NULL when there is no memory, or for neither IPv4 nor IPv6, which is not counted. */
struct peer *peers_enter(struct peers *peers, const struct sockaddr *address);
/* And one less; NULL is allowed. */
void peers_leave(struct peers *peers, struct peer *peer);

#endif

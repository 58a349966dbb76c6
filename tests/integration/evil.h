/* SPDX-License-Identifier: MIT */
#ifndef TACIT_EVIL_H
#define TACIT_EVIL_H

#include <stdint.h>
#include <sys/types.h>

#include "tacit/identity.h"
#include "tacit/secret.h"
#include "test_pki.h"

/*
 * A server that misbehaves, for tests of everything that talks to one. A mode names what it does;
 * evil.c has the table. It makes a CA, a certificate for itself and an identity for its client.
 */
#define EVIL_SECRET "correct-horse-battery-staple" /* what it serves; must turn up in no fault */

struct evil {
	pid_t pid;
	char url[64];
	struct secret *identity_pem; /* with `url` in its comment */
	struct pki_pair ca;
	struct pki_pair client;
};

/*
 * Starts it in a child process on a free port of 127.0.0.1. `mode` is one of the table's, else
 * the program aborts.
 */
void evil_start(const char *mode, struct evil *ret_evil);

/* Starts another one that the client of the first may talk to as well. */
void evil_start_beside(const struct evil *first, const char *mode, struct evil *ret_evil);

/* Ends it and frees what `evil` holds. */
void evil_stop(struct evil *evil);

/* Prints the names of all modes to stdout, one on a line. */
void evil_print_modes(void);

#endif

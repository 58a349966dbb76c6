/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_ENROLMENT_H
#define TACIT_AGENT_ENROLMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "tacit/err.h"
#include "tacit/identity.h"
#include "tacit/secret.h"

/*
 * Becoming a client by a join token.
 *
 * A token may be good for one use only, and to present it once more after that raises an alarm. So
 * it is presented again only after a try that cannot have used it up: nothing was sent, or the
 * server said that it can do nothing at the moment.
 */
struct enrolment {
	const char *label;    /* for faults: "TACIT_TOKEN", or the path of its file; borrowed */
	const char *variable; /* the token's text, borrowed; NULL: it comes from `fd` */
	int fd;               /* owned */
	struct secret *text;  /* once it was read */
	struct fault end;     /* why it is not presented any more; err 0 as long as it may be */
};

#define ENROLMENT_NONE ((struct enrolment){.fd = -1})

/* A token in a variable, and one in a file, which is opened now and read later. 0 or -errno. */
void enrolment_of_variable(const char *text, struct enrolment *ret_enrolment);
int enrolment_of_file(const char *path, struct enrolment *ret_enrolment, struct fault *fault);

/*
 * Presents the token. Its CA is checked against it before anything is sent. -TACIT_E_TOKEN and
 * -TACIT_E_TOKEN_* when it will never do; the errors of certificate_get(). Only the latter may be
 * worth another try.
 */
int enrolment_make(struct enrolment *enrolment, int64_t deadline_ms, struct secret **ret_pem,
    struct identity **ret_identity, struct fault *fault);

/* Gives the token up: another process may have presented it. */
void enrolment_give_up(struct enrolment *enrolment, const char *why);

/* Wipes the token. */
void enrolment_free(struct enrolment *enrolment);

#endif

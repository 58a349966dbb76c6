/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_CERTIFICATE_H
#define TACIT_AGENT_CERTIFICATE_H

#include <stdint.h>

#include "tacit/err.h"
#include "tacit/http_client.h"
#include "tacit/identity.h"
#include "tacit/secret.h"

/* What is asked for: a first certificate (with a token), or the next one. */
struct certificate_order {
	const char *path;                        /* of the API; for faults too */
	const struct secret *token;              /* NULL without */
	const char *server;                      /* NULL: what the answer says */
	uint8_t ca_hash[IDENTITY_CA_HASH_BYTES]; /* who must have signed it */
	char client[CLIENT_NAME_MAX_BYTES + 1];  /* whose it must be; "": whoever's */
};

/*
 * Makes a new key, which stays in this process, and has the server certify it. What comes back is
 * checked as an identity out of a file is. The errors of http_client_send() and of the server's
 * answer; -TACIT_E_PROTOCOL for an answer that is no such certificate.
 *
 * Gives the identity, and its text for who wants to hand it on.
 */
int certificate_get(struct http_client *client, const struct certificate_order *order,
    int64_t deadline_ms, struct secret **ret_pem, struct identity **ret_identity,
    struct fault *fault);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_VERDICTS_H
#define TACIT_SERVER_VERDICTS_H

#include <stdbool.h>
#include <stddef.h>

#include "authority.h"

/*
 * Remembers which client certificates were verified against our CA, and who they are. Verifying the
 * chain is more than a third of what a handshake costs, and for the same bytes under the same CA
 * it always ends the same, but for what changes with time: validity and revocation are therefore
 * checked for each connection and each request elsewhere. That the peer holds the key is proven
 * in every handshake, by its signature.
 *
 * A fixed table: a certificate that falls on a taken place takes it over.
 */
struct verdicts;

struct verdicts *verdicts_new(void);
void verdicts_free(struct verdicts *verdicts);

/* Whether this certificate (DER) was accepted before, and its identity. Thread-safe. */
bool verdicts_find(struct verdicts *verdicts, const void *der, size_t len,
    struct certificate_identity *ret_identity);

void verdicts_add(struct verdicts *verdicts, const void *der, size_t len,
    const struct certificate_identity *identity);

#endif

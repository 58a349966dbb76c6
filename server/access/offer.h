/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_OFFER_H
#define TACIT_SERVER_OFFER_H

#include <stddef.h>

#include "clients.h"
#include "keys.h"
#include "secrets.h"
#include "tacit/proto.h"

/* What a client is served now: the secrets that it may read, sorted by name, and their tag. */
struct offer {
	const struct secret_entry **entries; /* owned; what they point to is not */
	size_t count;
	char etag[PROTO_ETAG_MAX_BYTES]; /* another one when, and only when, something is new */
};

/* -TACIT_E_TOO_LARGE for more than BUNDLE_ITEMS_MAX; -ENOMEM. Holds until the next change. */
int offer_make(const struct secrets *secrets, const struct keys *keys, const struct client *client,
    struct offer *ret_offer);

void offer_free(struct offer *offer);
#define cleanup_offer __attribute__((cleanup(offer_free)))

#endif

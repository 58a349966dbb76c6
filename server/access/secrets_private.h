/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SECRETS_PRIVATE_H
#define TACIT_SERVER_SECRETS_PRIVATE_H

#include "secrets.h"

/* What secrets.c (loading, finding, reading) and secrets_change.c share. */
struct secrets {
	struct vault *vault;
	struct secret_entry **entries; /* sorted by name */
	size_t count;
	size_t capacity;
	uint32_t kept; /* versions of each */
};

/* Makes room for one more entry, so that showing a change cannot fail. -ENOMEM. */
int secrets_reserve(struct secrets *secrets);

#endif

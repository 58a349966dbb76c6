/* SPDX-License-Identifier: MIT */
#ifndef TACIT_BUNDLE_H
#define TACIT_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tacit/name.h"
#include "tacit/secret.h"

/*
 * A bundle is everything that one client gets in one answer, all or nothing:
 * {"revision":42,"secrets":[{"name","version","file","env","mode","value"(base64)}]}
 * The server prints it, the agent parses it; the agent's other sources fill the same struct.
 */
struct bundle_item {
	char name[NAME_MAX_BYTES + 1];
	char file[NAME_MAX_BYTES + 1];
	char env[NAME_MAX_BYTES + 6]; /* the variable that holds the path: DB_PASSWORD_FILE */
	uint32_t version;             /* 0 where the source has no versions */
	mode_t mode;                  /* 0400 or 0440 */
	bool rendered;                /* no secret of its own, but a file that holds some */
	struct secret *value;         /* owned */
};

struct bundle {
	uint64_t revision;
	struct bundle_item *items; /* owned, `count` of them */
	size_t count;
};

#define BUNDLE_ITEMS_MAX 4096

/* Adds an item with the defaults for `name`; takes `value` over in any case. 0 or -ENOMEM. */
int bundle_add(struct bundle *bundle, const char *name, struct secret *value);

void bundle_free(struct bundle *bundle);
#define cleanup_bundle __attribute__((cleanup(bundle_free)))

/* The item of that name, or NULL. */
struct bundle_item *bundle_find(const struct bundle *bundle, const char *name);

/* Prints the document into a new secret. 0 or -ENOMEM. */
int bundle_print(const struct bundle *bundle, struct secret **ret_text);

/*
 * Parses a document. Every name, file, variable and mode is checked against its grammar, since
 * they become paths; -TACIT_E_MALFORMED. `ret_bundle` is untouched on failure.
 */
int bundle_parse(const void *bytes, size_t len, struct bundle *ret_bundle);

#endif

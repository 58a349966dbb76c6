/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SECRET_ENTRY_H
#define TACIT_SERVER_SECRET_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tacit/name.h"
#include "tacit/secret.h"

#define SECRET_VERSIONS_MAX 256

/*
 * What a secret is, without its values: an entry, which never changes, and a draft, on which a
 * change is made before an entry of it takes the old one's place. An entry with all that it points
 * to is one block of memory, some 130 bytes for most: there may be a million.
 */
enum version_state {
	VERSION_KEPT,
	VERSION_DESTROYED, /* its data key is gone */
};

struct secret_version {
	uint32_t number; /* 1, 2, ... */
	uint32_t size;   /* bytes of the value */
	int64_t created; /* seconds since the epoch */
	enum version_state state;
};

struct secret_entry {
	const char *name;
	const char *file; /* never NULL: the default is spelled out */
	const char *env;
	const struct secret_version *versions; /* oldest first; the last need not be the current */
	uint32_t versions_count;
	uint32_t current; /* number of the current version */
	mode_t mode;
	uint16_t kept; /* how many versions of it are kept; 0: as many as of others */
	bool deleted;  /* hidden until it is put or rolled back again */
};

void secret_entry_free(struct secret_entry *entry);

/* NULL when there is no such version. */
const struct secret_version *secret_entry_version(
    const struct secret_entry *entry, uint32_t number);

struct secret_draft {
	char name[NAME_MAX_BYTES + 1];
	char file[NAME_MAX_BYTES + 1];
	char env[NAME_MAX_BYTES + 6];
	mode_t mode;
	uint16_t kept;
	bool deleted;
	uint32_t current;
	struct secret_version *versions; /* owned */
	uint32_t versions_count;
	uint32_t versions_room;
};

void secret_draft_free(struct secret_draft *draft);
#define cleanup_draft __attribute__((cleanup(secret_draft_free)))

/* A secret of which there is nothing yet but its name, which is valid. */
void secret_draft_begin(struct secret_draft *draft, const char *name);

/* -ENOMEM. `draft` is all zeros, or was used before. */
int secret_draft_from_entry(struct secret_draft *draft, const struct secret_entry *entry);

/* Appends a version. -ENOMEM. */
int secret_draft_add_version(struct secret_draft *draft, const struct secret_version *version);

/* Forgets the one at `index`; not the last, whose number the next one goes on from. */
void secret_draft_drop_version(struct secret_draft *draft, uint32_t index);

/* What a put or a change of metadata asks for; NULL leaves as it is (or the default). */
struct secret_metadata {
	const char *file;
	const char *env;
	const char *mode;
	const uint16_t *kept; /* 0: as many as of others; SECRET_VERSIONS_MAX at most */
};

/* -TACIT_E_INVALID_NAME, _ENV or _MODE. */
int secret_metadata_check(const struct secret_metadata *metadata);

/* The same errors. A variable of the default form follows the file. */
int secret_draft_set_metadata(struct secret_draft *draft, const struct secret_metadata *metadata);

/*
 * The record of a secret, as it stands sealed in the store. -ENOMEM; -TACIT_E_CORRUPT. How many
 * versions are kept comes last, and only where it was said, as records from before that was
 * possible do without it.
 */
int secret_draft_encode(const struct secret_draft *draft, struct secret **ret_record);
int secret_draft_decode(struct secret_draft *draft, const struct secret *record);

/* Makes the entry. -ENOMEM. */
int secret_draft_finish(const struct secret_draft *draft, struct secret_entry **ret_entry);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_CACHE_H
#define TACIT_AGENT_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "tacit/bundle.h"
#include "tacit/err.h"
#include "tacit/identity.h"
#include "tacit/sealed_bundle.h"

/*
 * The cache: the server's last answer, in a file, for a start while the server is away. It is the
 * one thing of a value that may lie on a disk, and lies there sealed to this identity's key and
 * signed by the server (sealed_bundle.h): who has the file has nothing, and who can write it can
 * put back an older one that is not too old yet, and nothing else.
 *
 * The agent takes every answer by way of the sealed form, so what is in the file has been opened
 * before it is needed.
 */
struct cache {
	const char *path; /* borrowed */
	int64_t max_age_s;
	struct secret *seed; /* owned: of the key that it is sealed to */
	char recipient[SEALED_BUNDLE_HEX_BYTES];
	int64_t taken_s; /* when an answer was taken last, by our clock; 0: not yet */
	int failure;     /* to store, that was told last */
};

#define CACHE_MAX_AGE_MS_DEFAULT (INT64_C(24) * 60 * 60 * 1000)

/* `path` is borrowed; an age of 0 is the default. -ENOMEM. */
int cache_new(const char *path, int64_t max_age_ms, struct cache **ret_cache);
void cache_free(struct cache *cache);

/* From now on it is sealed to a key of this identity, which is to be there at the next start. */
int cache_set_identity(struct cache *cache, const struct identity *identity);

/*
 * Takes an answer of the server that is sealed: opens it, and stores it. That it cannot be stored
 * is told on stderr, once, and is no failure. -TACIT_E_CORRUPT for an answer that is none.
 */
int cache_take(struct cache *cache, const struct identity *identity, const void *bytes, size_t len,
    struct bundle *ret_bundle);

/*
 * Seconds until what is stored should be replaced by a younger answer, though nothing in it may
 * have changed: a quarter of the greatest age. 0: now.
 */
int64_t cache_left_s(const struct cache *cache);

/* One loud line: what is delivered, of when, and what keeps us from the server. */
void cache_tell_used(const struct cache *cache, int64_t issued_s, const struct fault *away);

/* Adds to the fault of a server that is away why the cache did not help. */
void cache_tell_refused(struct fault *away, const struct fault *refused);

/* The server has answered, but not with a sealed bundle: told once. */
void cache_tell_unsealed(struct cache *cache);

/*
 * Loads what was stored. -ENOENT when there is none, else -TACIT_E_CORRUPT with a reason in
 * `fault`; -errno. *ret_issued_s is when the server made it.
 */
int cache_load(const struct cache *cache, const struct identity *identity,
    struct bundle *ret_bundle, int64_t *ret_issued_s, struct fault *fault);

/* For an identity that the server, in `refusal`, does not accept any more; adds that it is gone. */
void cache_remove(const struct cache *cache, struct fault *refusal);

/* The pure half: what a stored answer has to be. */
struct cache_rules {
	const struct identity *identity;
	const uint8_t *seed; /* SEALED_BUNDLE_KEY_BYTES */
};

/*
 * Verifies an answer, all but its age, and opens it. -TACIT_E_CORRUPT, the reason in *ret_why;
 * -ENOMEM.
 */
int cache_open(const struct cache_rules *rules, const void *bytes, size_t len,
    struct bundle *ret_bundle, int64_t *ret_issued_s, const char **ret_why);

/* NULL for an age that will do, else why it will not. */
const char *cache_judge_age(int64_t issued_s, int64_t now_s, int64_t max_age_s);

/* "3 h 12 min", for a person. */
void cache_print_age(int64_t age_s, char ret_text[static 32]);

#endif

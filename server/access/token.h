/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_TOKEN_H
#define TACIT_SERVER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cidr.h"
#include "clients.h"
#include "tacit/join_token.h"
#include "tacit/secret.h"

/*
 * What the server keeps of a join token. The secret itself is shown once, when it is made; here is
 * only its hash, which is enough to know it again: 128 random bits are not guessed.
 */
#define TOKEN_ID_BYTES   13 /* 48 random bits in hex, and a NUL */
#define TOKEN_HASH_BYTES 32
#define TOKEN_RANGES_MAX 16

struct token {
	char id[TOKEN_ID_BYTES]; /* for people and the log; opens nothing */
	uint8_t hash[TOKEN_HASH_BYTES];
	char client[CLIENT_NAME_MAX_BYTES + 1];
	uint64_t
	    generation; /* of the client when it was made: revoking a client revokes its tokens */
	uint32_t uses;  /* how many there were at first */
	uint32_t used;
	int64_t created; /* seconds since the epoch, like all below */
	int64_t expires;
	int64_t last_used;         /* 0: never */
	int64_t certificate_ttl_s; /* of what is issued for it */
	bool revoked;
	struct cidr from[TOKEN_RANGES_MAX]; /* where it may be used; none: anywhere */
	size_t from_count;
};

/* BLAKE2b-256 of the secret. */
void token_hash(const uint8_t secret[static JOIN_TOKEN_SECRET_BYTES],
    uint8_t ret_hash[static TOKEN_HASH_BYTES]);

/*
 * Whether the token is good for `client` (NULL: there is none of that name any more) when it comes
 * from `peer` ("192.0.2.1:4000"; NULL: from anywhere). 0, or the first of
 * -TACIT_E_TOKEN_USED, since that is an alarm whatever else is wrong with it;
 * -TACIT_E_TOKEN_REVOKED, when its client was revoked or deleted since, too;
 * -TACIT_E_TOKEN_EXPIRED; -TACIT_E_TOKEN_SOURCE.
 */
int token_judge(
    const struct token *token, const struct client *client, const char *peer, int64_t now);

/*
 * Whether it is time to forget it: a used-up one after 30 days, in which it raises the alarm when
 * it comes again; any other one a day after it has expired.
 */
bool token_is_stale(const struct token *token, int64_t now);

/* Its record. -ENOMEM; -TACIT_E_CORRUPT. */
int token_encode(const struct token *token, struct secret **ret_record);
int token_decode(const struct secret *record, struct token *ret_token);

#endif

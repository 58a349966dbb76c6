/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_TOKENS_H
#define TACIT_SERVER_TOKENS_H

#include "tacit/err.h"
#include "token.h"
#include "vault.h"

/* All join tokens that are remembered, in memory, each a sealed record of its own in the vault. */
struct tokens;

#define TOKENS_MAX 4096 /* a bound on what a mistake can fill */

int tokens_load(struct vault *vault, struct tokens **ret_tokens, struct fault *fault);
void tokens_free(struct tokens *tokens);

/* In the order of their making. Pointers hold until the next change. */
size_t tokens_count(const struct tokens *tokens);
const struct token *tokens_at(const struct tokens *tokens, size_t index);
const struct token *tokens_find(const struct tokens *tokens, const char *id);
/* The one that has this hash. */
const struct token *tokens_find_hash(
    const struct tokens *tokens, const uint8_t hash[static TOKEN_HASH_BYTES]);

/*
 * A change of one token that is not made yet, so that it can go into one commit with other rows:
 * prepare, vault_commit() with `row`, then tokens_show().
 */
struct token_change {
	struct vault_change row;
	struct secret *record; /* owned */
	struct token token;    /* as it will be */
};

void token_change_free(struct token_change *change);
#define cleanup_token_change __attribute__((cleanup(token_change_free)))

/*
 * A new token with what `wanted` says; its id is made here. Room is made too, so that showing it
 * cannot fail. -TACIT_E_TOO_LARGE beyond TOKENS_MAX, -ENOMEM.
 */
int tokens_prepare_add(
    struct tokens *tokens, const struct token *wanted, struct token_change *ret_change);
/* One use of a token less. */
int tokens_prepare_use(
    struct tokens *tokens, const struct token *token, int64_t now, struct token_change *ret_change);
void tokens_show(struct tokens *tokens, const struct token_change *change);

/* -TACIT_E_NOT_FOUND, and the errors of vault.h. */
int tokens_revoke(struct tokens *tokens, const char *id);

/*
 * Forgets those that are stale, and while there are nearly too many the oldest that are good for
 * nothing any more; some at a time, the rest next time.
 */
int tokens_sweep(struct tokens *tokens, int64_t now);

#endif

/* SPDX-License-Identifier: MIT */
#include "tokens.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MAX 32 /* rows in one commit */

struct tokens {
	struct vault *vault;
	struct token *entries;
	size_t count;
};

static int tokens_reserve(struct tokens *tokens)
{
	struct token *entries =
	    reallocarray(tokens->entries, tokens->count + 1, sizeof(*tokens->entries));

	if (!entries)
		return -ENOMEM;

	tokens->entries = entries;
	return 0;
}

static int token_load(void *context, const struct row_key *key, const struct secret *record)
{
	struct tokens *tokens = context;
	struct row_key expected;
	struct token token;
	int r = token_decode(record, &token);

	if (r == 0 && tokens->count == TOKENS_MAX)
		r = -TACIT_E_CORRUPT;
	if (r < 0)
		return r;
	vault_row_key(tokens->vault, RECORD_TOKEN, token.id, &expected);
	if (expected.len != key->len || memcmp(expected.bytes, key->bytes, key->len) != 0)
		return -TACIT_E_CORRUPT;
	if (tokens_reserve(tokens) < 0)
		return -ENOMEM;

	tokens->entries[tokens->count++] = token;
	return 0;
}

static int token_order(const void *left, const void *right)
{
	const struct token *a = left, *b = right;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;

	return strcmp(a->id, b->id);
}

int tokens_load(struct vault *vault, struct tokens **ret_tokens, struct fault *fault)
{
	struct tokens *tokens = calloc(1, sizeof(*tokens));
	int r;

	if (!tokens)
		return fault_set(fault, -ENOMEM, "join tokens");

	tokens->vault = vault;
	r = vault_each(vault, RECORD_TOKEN, token_load, tokens);
	if (r < 0) {
		tokens_free(tokens);
		return fault_set(fault, r, "record of a join token");
	}

	if (tokens->count > 0)
		qsort(tokens->entries, tokens->count, sizeof(*tokens->entries), token_order);
	*ret_tokens = tokens;
	return 0;
}

void tokens_free(struct tokens *tokens)
{
	if (!tokens)
		return;

	free(tokens->entries);
	free(tokens);
}

size_t tokens_count(const struct tokens *tokens)
{
	return tokens->count;
}

const struct token *tokens_at(const struct tokens *tokens, size_t index)
{
	return &tokens->entries[index];
}

static struct token *entry_find(const struct tokens *tokens, const char *id)
{
	for (size_t i = 0; i < tokens->count; i++)
		if (!strcmp(tokens->entries[i].id, id))
			return &tokens->entries[i];

	return NULL;
}

const struct token *tokens_find(const struct tokens *tokens, const char *id)
{
	return entry_find(tokens, id);
}

const struct token *tokens_find_hash(
    const struct tokens *tokens, const uint8_t hash[static TOKEN_HASH_BYTES])
{
	for (size_t i = 0; i < tokens->count; i++)
		if (sodium_memcmp(tokens->entries[i].hash, hash, TOKEN_HASH_BYTES) == 0)
			return &tokens->entries[i];

	return NULL;
}

void token_change_free(struct token_change *change)
{
	secret_free(change->record);
	*change = (struct token_change){0};
}

static int change_make(
    const struct tokens *tokens, const struct token *token, struct token_change *ret_change)
{
	struct token_change change = {.token = *token};
	int r = token_encode(token, &change.record);

	if (r < 0)
		return r;

	vault_row_key(tokens->vault, RECORD_TOKEN, token->id, &change.row.key);
	change.row.record = change.record;
	*ret_change = change;
	return 0;
}

static void id_make(const struct tokens *tokens, char ret_id[static TOKEN_ID_BYTES])
{
	uint8_t bytes[(TOKEN_ID_BYTES - 1) / 2];

	do {
		randombytes_buf(bytes, sizeof(bytes));
		(void)sodium_bin2hex(ret_id, TOKEN_ID_BYTES, bytes, sizeof(bytes));
	} while (entry_find(tokens, ret_id));
}

int tokens_prepare_add(
    struct tokens *tokens, const struct token *wanted, struct token_change *ret_change)
{
	struct token token = *wanted;

	if (tokens->count >= TOKENS_MAX)
		return -TACIT_E_TOO_LARGE;
	if (tokens_reserve(tokens) < 0)
		return -ENOMEM;

	id_make(tokens, token.id);
	return change_make(tokens, &token, ret_change);
}

int tokens_prepare_use(
    struct tokens *tokens, const struct token *token, int64_t now, struct token_change *ret_change)
{
	struct token used = *token;

	used.used++;
	used.last_used = now;
	return change_make(tokens, &used, ret_change);
}

void tokens_show(struct tokens *tokens, const struct token_change *change)
{
	struct token *entry = entry_find(tokens, change->token.id);

	if (!entry)
		entry = &tokens->entries[tokens->count++];
	*entry = change->token;
}

int tokens_revoke(struct tokens *tokens, const char *id)
{
	const struct token *token = entry_find(tokens, id);
	cleanup_token_change struct token_change change = {0};
	struct token revoked;
	int r;

	if (!token)
		return -TACIT_E_NOT_FOUND;

	revoked = *token;
	revoked.revoked = true;
	r = change_make(tokens, &revoked, &change);
	if (r == 0)
		r = vault_commit(tokens->vault, &change.row, 1);
	if (r == 0)
		tokens_show(tokens, &change);
	return r;
}

/* Good for nothing, whatever became of its client. */
static bool token_is_over(const struct token *token, int64_t now)
{
	return token->revoked || token->used >= token->uses || now >= token->expires;
}

int tokens_sweep(struct tokens *tokens, int64_t now)
{
	bool crowded = tokens->count > TOKENS_MAX - SWEEP_MAX;
	struct vault_change rows[SWEEP_MAX];
	bool goes[TOKENS_MAX] = {false};
	size_t count = 0, kept = 0;
	int r;

	for (size_t i = 0; i < tokens->count && count < SWEEP_MAX; i++) {
		const struct token *token = &tokens->entries[i];

		goes[i] = token_is_stale(token, now) || (crowded && token_is_over(token, now));
		if (!goes[i])
			continue;
		rows[count] = (struct vault_change){0};
		vault_row_key(tokens->vault, RECORD_TOKEN, token->id, &rows[count++].key);
	}
	r = count > 0 ? vault_commit(tokens->vault, rows, count) : 0;
	if (r < 0 || count == 0)
		return r;

	for (size_t i = 0; i < tokens->count; i++)
		if (!goes[i])
			tokens->entries[kept++] = tokens->entries[i];
	tokens->count = kept;
	return 0;
}

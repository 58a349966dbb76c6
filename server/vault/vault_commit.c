/* SPDX-License-Identifier: MIT */
#include "vault_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/codec.h"

static int head_seal(const struct vault *vault, uint64_t revision,
    const struct set_hashes *set_hashes, struct secret **ret_sealed)
{
	cleanup_secret struct secret *head = NULL;
	struct encoder encoder;

	if (secret_new(128, &head) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = head};
	encode_u64(&encoder, revision);
	for (size_t i = 0; i < ROW_SETS; i++)
		encode_bytes(&encoder, set_hashes->of[i], SET_HASH_BYTES);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	return record_seal(vault, &vault->head_key, head, ret_sealed);
}

/* Takes the row as it stands out of the set hash. */
static int set_hash_forget(
    struct vault *vault, const struct row_key *key, uint8_t set_hash[static SET_HASH_BYTES])
{
	cleanup_store_value struct store_value old = {0};
	int r = vault_get_raw(vault, key, &old);

	if (r == -TACIT_E_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;

	set_hash_toggle(vault->keys, set_hash, key->bytes, key->len, old.bytes, old.len);
	return 0;
}

/* A commit in the making: every change sealed, the new set hash, and the head that says so. */
#define CHANGES_MAX 264

struct commit {
	struct store_op ops[CHANGES_MAX + 2];
	struct secret *sealed[CHANGES_MAX];
	struct secret *head;
	struct set_hashes set_hashes;
};

static void commit_free(struct commit *commit)
{
	for (size_t i = 0; i < CHANGES_MAX; i++)
		secret_free(commit->sealed[i]);
	secret_free(commit->head);
}

static int commit_add(
    struct vault *vault, struct commit *commit, size_t index, const struct vault_change *change)
{
	const struct secret *row = change->raw;
	uint8_t *set_hash = commit->set_hashes.of[row_set_of(change->key.bytes, change->key.len)];
	int r = set_hash_forget(vault, &change->key, set_hash);

	if (r == 0 && change->record) {
		r = record_seal(vault, &change->key, change->record, &commit->sealed[index]);
		row = commit->sealed[index];
	}
	if (r < 0)
		return r;

	commit->ops[index + 1] = (struct store_op){
	    .kind = row ? STORE_PUT : STORE_DELETE,
	    .key = change->key.bytes,
	    .key_len = change->key.len,
	    .value = row ? secret_bytes(row) : NULL,
	    .value_len = row ? secret_len(row) : 0,
	};
	if (row)
		set_hash_toggle(vault->keys, set_hash, change->key.bytes, change->key.len,
		    secret_bytes(row), secret_len(row));
	return 0;
}

/* The head goes in only if the one in the store is still ours: nobody else has written. */
static int commit_head(struct vault *vault, struct commit *commit, size_t count)
{
	const struct secret *old = vault->sealed_head;
	int r = head_seal(vault, vault->revision + 1, &commit->set_hashes, &commit->head);

	if (r < 0)
		return r;

	commit->ops[0] = (struct store_op){
	    .kind = STORE_EXPECT,
	    .key = vault->head_key.bytes,
	    .key_len = vault->head_key.len,
	    .value = old ? secret_bytes(old) : NULL,
	    .value_len = old ? secret_len(old) : 0,
	};
	commit->ops[count + 1] = (struct store_op){
	    .kind = STORE_PUT,
	    .key = vault->head_key.bytes,
	    .key_len = vault->head_key.len,
	    .value = secret_bytes(commit->head),
	    .value_len = secret_len(commit->head),
	};
	return 0;
}

static int commit_run(
    struct vault *vault, struct commit *commit, const struct vault_change changes[], size_t count)
{
	int r = 0;

	commit->set_hashes = vault->set_hashes;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = commit_add(vault, commit, i, &changes[i]);
	if (r == 0)
		r = commit_head(vault, commit, count);
	if (r == 0)
		r = store_commit(vault->store, commit->ops, count + 2);
	if (r < 0)
		return r == -TACIT_E_CONFLICT ? -TACIT_E_CORRUPT : r;

	vault->revision++;
	vault->set_hashes = commit->set_hashes;
	memset(vault->seen, 0, sizeof(vault->seen));
	secret_free(vault->sealed_head);
	vault->sealed_head = secret_take(&commit->head);
	return 0;
}

int vault_commit(struct vault *vault, const struct vault_change changes[], size_t count)
{
	struct commit *commit;
	int r;

	if (count > CHANGES_MAX)
		return -E2BIG;
	commit = calloc(1, sizeof(*commit));
	if (!commit)
		return -ENOMEM;

	r = commit_run(vault, commit, changes, count);
	commit_free(commit);
	free(commit);
	return r;
}

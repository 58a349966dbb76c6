/* SPDX-License-Identifier: MIT */
#include "vault_private.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/codec.h"

#define NAME_HASH_BYTES 16

static void row_key_for(
    const struct keys *keys, enum record_kind kind, const char *name, struct row_key *ret_key)
{
	crypto_generichash_state state;
	uint8_t kind_byte = (uint8_t)kind;

	ret_key->bytes[0] = kind_byte;
	(void)crypto_generichash_init(&state, keys->name, ENVELOPE_KEY_BYTES, NAME_HASH_BYTES);
	(void)crypto_generichash_update(&state, &kind_byte, 1);
	(void)crypto_generichash_update(&state, (const uint8_t *)name, strlen(name));
	(void)crypto_generichash_final(&state, ret_key->bytes + 1, NAME_HASH_BYTES);
	ret_key->len = 1 + NAME_HASH_BYTES;
}

void vault_row_key(
    const struct vault *vault, enum record_kind kind, const char *name, struct row_key *ret_key)
{
	row_key_for(vault->keys, kind, name, ret_key);
}

void vault_version_key(
    const struct vault *vault, const char *name, uint32_t version, struct row_key *ret_key)
{
	row_key_for(vault->keys, RECORD_VERSION, name, ret_key);
	for (int shift = 24; shift >= 0; shift -= 8)
		ret_key->bytes[ret_key->len++] = (uint8_t)(version >> shift);
}

/* Which store, which row, and under which of its keys. */
static int record_associate(const struct vault *vault, const struct row_key *key, struct secret *ad)
{
	struct encoder encoder = {.out = ad};

	secret_reset(ad);
	encode_text(&encoder, "tacit/record/1");
	encode_bytes(&encoder, vault->keys->store_id, STORE_ID_BYTES);
	encode_bytes(&encoder, key->bytes, key->len);
	return encode_end(&encoder);
}

/* The keyring is sealed under a key of its own; everything else that is no value, under another. */
static const uint8_t *record_key(const struct vault *vault, const struct row_key *key)
{
	return key->bytes[0] == RECORD_TERM ? vault->keys->wrap : vault->keys->record;
}

static int record_seal(const struct vault *vault, const struct row_key *key,
    const struct secret *record, struct secret **ret_sealed)
{
	cleanup_secret struct secret *ad = NULL;
	cleanup_secret struct secret *sealed = NULL;
	size_t len = secret_len(record) + ENVELOPE_OVERHEAD_BYTES;

	if (secret_new(64, &ad) < 0 || record_associate(vault, key, ad) < 0 ||
	    secret_new(len, &sealed) < 0)
		return -ENOMEM;

	envelope_seal(record_key(vault, key), secret_bytes(ad), secret_len(ad),
	    secret_bytes(record), secret_len(record), secret_space(sealed, len));
	secret_grew(sealed, len);
	*ret_sealed = secret_take(&sealed);
	return 0;
}

int record_open_into(const struct vault *vault, const struct row_key *key, const uint8_t *bytes,
    size_t len, struct secret *ad, struct secret *record)
{
	if (record_associate(vault, key, ad) < 0)
		return -ENOMEM;

	return envelope_open_into(
	    record_key(vault, key), secret_bytes(ad), secret_len(ad), bytes, len, record);
}

static int record_open(const struct vault *vault, const struct row_key *key, const uint8_t *bytes,
    size_t len, struct secret **ret_record)
{
	cleanup_secret struct secret *ad = NULL;
	cleanup_secret struct secret *record = NULL;
	int r = secret_new(64, &ad);

	if (r == 0)
		r = secret_new(len, &record);
	if (r == 0)
		r = record_open_into(vault, key, bytes, len, ad, record);
	if (r < 0)
		return r;

	*ret_record = secret_take(&record);
	return 0;
}

enum row_set_kind row_set_of(const uint8_t *key, size_t key_len)
{
	return key_len > 0 && key[0] == RECORD_VERSION ? ROW_SET_VERSIONS : ROW_SET_INDEX;
}

void set_hash_toggle(const struct keys *keys, uint8_t set_hash[static SET_HASH_BYTES],
    const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
	crypto_generichash_state state;
	uint8_t hash[SET_HASH_BYTES];
	uint8_t lengths[2] = {(uint8_t)key_len, 0};
	uint64_t len = value_len;

	(void)crypto_generichash_init(&state, keys->set, ENVELOPE_KEY_BYTES, SET_HASH_BYTES);
	(void)crypto_generichash_update(&state, lengths, sizeof(lengths));
	(void)crypto_generichash_update(&state, (const uint8_t *)&len, sizeof(len));
	(void)crypto_generichash_update(&state, key, key_len);
	(void)crypto_generichash_update(
	    &state, value, value_len < ROW_COMMITMENT_BYTES ? value_len : ROW_COMMITMENT_BYTES);
	(void)crypto_generichash_final(&state, hash, sizeof(hash));
	for (size_t i = 0; i < SET_HASH_BYTES; i++)
		set_hash[i] ^= hash[i];
}

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

static int head_parse(struct vault *vault, const struct secret *head)
{
	struct decoder decoder = {.at = secret_bytes(head), .left = secret_len(head)};
	uint64_t revision = decode_u64(&decoder);

	for (size_t i = 0; i < ROW_SETS; i++) {
		size_t len;
		const uint8_t *set_hash = decode_bytes(&decoder, &len);

		if (!set_hash || len != SET_HASH_BYTES)
			return -TACIT_E_CORRUPT;
		memcpy(vault->set_hashes.of[i], set_hash, SET_HASH_BYTES);
	}
	if (decode_end(&decoder) < 0)
		return -TACIT_E_CORRUPT;

	vault->revision = revision;
	return 0;
}

static int head_load(struct vault *vault)
{
	cleanup_store_value struct store_value value = {0};
	cleanup_secret struct secret *head = NULL;
	int r = store_get(vault->store, vault->head_key.bytes, vault->head_key.len, &value);

	if (r == -TACIT_E_NOT_FOUND)
		return -TACIT_E_CORRUPT;
	if (r == 0)
		r = record_open(vault, &vault->head_key, value.bytes, value.len, &head);
	if (r == 0)
		r = head_parse(vault, head);
	if (r == 0)
		r = secret_new_from(value.bytes, value.len, &vault->sealed_head);

	return r;
}

static int vault_new(struct store *store, struct keys *keys, struct vault **ret_vault)
{
	struct vault *vault = calloc(1, sizeof(*vault));

	if (!vault) {
		store_close(store);
		keys_free(keys);
		return -ENOMEM;
	}

	vault->store = store;
	vault->keys = keys;
	row_key_for(keys, RECORD_HEAD, "head", &vault->head_key);
	*ret_vault = vault;
	return 0;
}

void vault_close(struct vault *vault)
{
	if (!vault)
		return;

	secret_free(vault->sealed_head);
	store_close(vault->store);
	keys_free(vault->keys);
	free(vault);
}

static void term_name(uint32_t term, char ret_name[static 16])
{
	(void)snprintf(ret_name, 16, "%u", term);
}

static void term_row_key(const struct vault *vault, uint32_t term, struct row_key *ret_key)
{
	char name[16];

	term_name(term, name);
	vault_row_key(vault, RECORD_TERM, name, ret_key);
}

static int term_store(
    struct vault *vault, uint32_t term, const uint8_t key[static ENVELOPE_KEY_BYTES])
{
	cleanup_secret struct secret *record = NULL;
	struct vault_change change = {0};
	struct encoder encoder;

	if (secret_new(64, &record) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = record};
	encode_u32(&encoder, term);
	encode_bytes(&encoder, key, ENVELOPE_KEY_BYTES);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	term_row_key(vault, term, &change.key);
	change.record = record;
	return vault_commit(vault, &change, 1);
}

int vault_new_term(struct vault *vault)
{
	cleanup_secret struct secret *key = NULL;
	uint32_t term = vault->keys->term + 1;
	int r = secret_new(ENVELOPE_KEY_BYTES, &key);

	if (r < 0)
		return r;
	if (keys_is_full(vault->keys))
		return -TACIT_E_CONFLICT;

	envelope_new_key(secret_space(key, ENVELOPE_KEY_BYTES));
	secret_grew(key, ENVELOPE_KEY_BYTES);
	r = term_store(vault, term, secret_bytes(key));
	return r < 0 ? r : keys_add_term(vault->keys, term, secret_bytes(key));
}

int vault_drop_term(struct vault *vault, uint32_t term)
{
	struct vault_change change = {0};
	int r;

	term_row_key(vault, term, &change.key);
	r = vault_commit(vault, &change, 1);
	if (r < 0)
		return r;

	keys_remove_term(vault->keys, term);
	vault_scrub(vault);
	return 0;
}

static int term_load(void *context, const struct row_key *key, const struct secret *record)
{
	struct keys *keys = context;
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};
	uint32_t term = decode_u32(&decoder);
	size_t len;
	const uint8_t *bytes = decode_bytes(&decoder, &len);

	(void)key;
	if (decode_end(&decoder) < 0 || len != ENVELOPE_KEY_BYTES)
		return -TACIT_E_CORRUPT;

	return keys_add_term(keys, term, bytes);
}

int vault_create(struct store *store, struct keys *keys, struct vault **ret_vault)
{
	struct vault *vault;
	int r = vault_new(store, keys, &vault);

	if (r < 0)
		return r;

	r = term_store(vault, keys->term, keys_term(keys, keys->term));
	if (r < 0) {
		vault_close(vault);
		return r;
	}

	*ret_vault = vault;
	return 0;
}

static int terms_load(struct vault *vault)
{
	int r = vault_each(vault, RECORD_TERM, term_load, vault->keys);

	return r == 0 && vault->keys->term == 0 ? -TACIT_E_CORRUPT : r;
}

int vault_open(
    struct store *store, struct keys *keys, struct vault **ret_vault, struct fault *fault)
{
	struct vault *vault;
	int r = vault_new(store, keys, &vault);

	if (r < 0)
		return fault_set(fault, r, "store");

	r = head_load(vault);
	if (r < 0)
		(void)fault_set(fault, r, "head record of the store");
	if (r == 0) {
		r = terms_load(vault);
		if (r < 0)
			(void)fault_set(fault, r, "keyring of the store");
	}
	if (r < 0) {
		vault_close(vault);
		return r;
	}

	*ret_vault = vault;
	return 0;
}

const struct keys *vault_keys(const struct vault *vault)
{
	return vault->keys;
}

uint64_t vault_revision(const struct vault *vault)
{
	return vault->revision;
}

int vault_get_raw(struct vault *vault, const struct row_key *key, struct store_value *ret_value)
{
	return store_get(vault->store, key->bytes, key->len, ret_value);
}

int vault_get(struct vault *vault, const struct row_key *key, struct secret **ret_record)
{
	cleanup_store_value struct store_value value = {0};
	int r = vault_get_raw(vault, key, &value);

	if (r < 0)
		return r;

	return record_open(vault, key, value.bytes, value.len, ret_record);
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

int vault_lazy_begin(struct vault *vault)
{
	return store_lazy_begin(vault->store);
}

void vault_set_lazy(struct vault *vault, bool lazy)
{
	store_set_lazy(vault->store, lazy);
}

int vault_sync(struct vault *vault)
{
	return store_sync(vault->store);
}

void vault_scrub(struct vault *vault)
{
	store_scrub(vault->store);
}

int vault_reclaim(struct vault *vault)
{
	return store_reclaim(vault->store);
}

int vault_check_store(struct vault *vault, struct fault *fault)
{
	return store_check(vault->store, fault);
}

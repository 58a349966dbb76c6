/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	char context[9];
	size_t offset;
} derived_keys[] = {
    {"tacitrec", offsetof(struct keys, record)},
    {"tacitnam", offsetof(struct keys, name)},
    {"tacitset", offsetof(struct keys, set)},
    {"tacitaud", offsetof(struct keys, audit)},
    {"tacitetg", offsetof(struct keys, etag)},
    {"tacitbak", offsetof(struct keys, backup)},
    {"tacitwrp", offsetof(struct keys, wrap)},
};

static void keys_derive(struct keys *keys)
{
	for (size_t i = 0; i < sizeof(derived_keys) / sizeof(derived_keys[0]); i++)
		envelope_derive(keys->root, derived_keys[i].context, 1,
		    (uint8_t *)keys + derived_keys[i].offset);
}

static int keys_new(struct keys **ret_keys)
{
	/* sodium_init is idempotent, and sodium_malloc needs it. */
	struct keys *keys = sodium_init() < 0 ? NULL : sodium_malloc(sizeof(*keys));

	if (!keys)
		return -ENOMEM;

	sodium_memzero(keys, sizeof(*keys));
	*ret_keys = keys;
	return 0;
}

void keys_free(struct keys *keys)
{
	sodium_free(keys);
}

static void keys_cleanup(struct keys **keys)
{
	keys_free(*keys);
}
#define cleanup_keys __attribute__((cleanup(keys_cleanup)))

static struct keys *keys_take(struct keys **keys)
{
	struct keys *taken = *keys;

	*keys = NULL;
	return taken;
}

static struct keyring_term *term_find(struct keys *keys, uint32_t number)
{
	for (size_t i = 0; i < TERMS_MAX; i++)
		if (keys->terms[i].number == number)
			return &keys->terms[i];

	return NULL;
}

const uint8_t *keys_term(const struct keys *keys, uint32_t number)
{
	for (size_t i = 0; number > 0 && i < TERMS_MAX; i++)
		if (keys->terms[i].number == number)
			return keys->terms[i].key;

	return NULL;
}

int keys_add_term(struct keys *keys, uint32_t number, const uint8_t key[static ENVELOPE_KEY_BYTES])
{
	struct keyring_term *free_place = term_find(keys, 0);

	if (number == 0 || keys_term(keys, number) || !free_place)
		return -TACIT_E_CORRUPT;

	free_place->number = number;
	memcpy(free_place->key, key, ENVELOPE_KEY_BYTES);
	if (number > keys->term)
		keys->term = number;
	return 0;
}

void keys_remove_term(struct keys *keys, uint32_t number)
{
	struct keyring_term *term = number > 0 ? term_find(keys, number) : NULL;

	if (!term)
		return;

	sodium_memzero(term, sizeof(*term));
	keys->term = 0;
	for (size_t i = 0; i < TERMS_MAX; i++)
		if (keys->terms[i].number > keys->term)
			keys->term = keys->terms[i].number;
}

uint32_t keys_old_term(const struct keys *keys)
{
	for (size_t i = 0; i < TERMS_MAX; i++)
		if (keys->terms[i].number > 0 && keys->terms[i].number != keys->term)
			return keys->terms[i].number;

	return 0;
}

bool keys_is_full(const struct keys *keys)
{
	for (size_t i = 0; i < TERMS_MAX; i++)
		if (keys->terms[i].number == 0)
			return false;

	return true;
}

static void wipe_key(uint8_t (*key)[ENVELOPE_KEY_BYTES])
{
	sodium_memzero(*key, sizeof(*key));
}
#define cleanup_key __attribute__((cleanup(wipe_key)))

static void keys_randomize(struct keys *keys)
{
	cleanup_key uint8_t term[ENVELOPE_KEY_BYTES];

	envelope_new_key(keys->root);
	keys_derive(keys);
	envelope_new_key(term);
	(void)keys_add_term(keys, 1, term);
}

/* Seals the root key anew: under what the seal says of the master key, and under no other. */
static int root_wrap(const struct keys *keys, const struct secret *material, struct seal *seal)
{
	cleanup_key uint8_t master[ENVELOPE_KEY_BYTES] = {0};
	int r;

	seal_refresh(seal);
	memcpy(seal->store_id, keys->store_id, STORE_ID_BYTES);
	r = master_derive(seal, material, master);
	return r < 0 ? r : seal_close_root(seal, master, keys->root);
}

int keys_create(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault)
{
	cleanup_keys struct keys *keys = NULL;
	cleanup_secret struct secret *material = NULL;
	struct seal seal = {0};
	int r = keys_new(&keys);

	if (r < 0)
		return fault_set(fault, r, "keys");
	r = master_make(dirfd, source, &seal, &material, fault);
	if (r < 0)
		return r;

	randombytes_buf(keys->store_id, STORE_ID_BYTES);
	keys_randomize(keys);
	r = root_wrap(keys, material, &seal);
	if (r == 0)
		r = seal_create(dirfd, &seal);
	if (r < 0)
		return fault_set(fault, r, SEAL_FILE);

	*ret_keys = keys_take(&keys);
	return 0;
}

int keys_unseal(const struct seal *seal, const struct secret *material, struct keys **ret_keys)
{
	cleanup_key uint8_t master[ENVELOPE_KEY_BYTES] = {0};
	cleanup_secret struct secret *root = NULL;
	cleanup_keys struct keys *keys = NULL;
	int r = keys_new(&keys);

	if (r == 0)
		r = master_derive(seal, material, master);
	if (r == 0)
		r = seal_open_root(seal, master, &root);
	if (r < 0)
		return r;

	memcpy(keys->store_id, seal->store_id, STORE_ID_BYTES);
	memcpy(keys->root, secret_bytes(root), ENVELOPE_KEY_BYTES);
	keys_derive(keys);
	*ret_keys = keys_take(&keys);
	return 0;
}

static int keys_open_once(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault)
{
	cleanup_secret struct secret *material = NULL;
	struct seal seal;
	int r = seal_read(dirfd, &seal, fault);

	if (r == 0)
		r = master_find(dirfd, source, &seal, &material, fault);
	if (r < 0)
		return r;

	r = keys_unseal(&seal, material, ret_keys);
	if (r == -TACIT_E_WRONG_KEY && master_is_credential(source))
		return fault_set_why(fault, r,
		    "the credential tacit-master-key does not open this store", SEAL_FILE);

	return r < 0 ? fault_set(fault, r, SEAL_FILE) : 0;
}

/* Whether the seal opens with the key that a rekey has left, or is just about to move. */
static int keys_open_next(int dirfd, struct keys **ret_keys)
{
	cleanup_secret struct secret *material = NULL;
	struct seal seal;
	int r = seal_read(dirfd, &seal, NULL);

	if (r == 0)
		r = master_read_file(dirfd, MASTER_KEY_NEXT_FILE, &material, NULL);

	return r < 0 ? r : keys_unseal(&seal, material, ret_keys);
}

static bool key_is_in_dir(int dirfd, const struct key_source *source)
{
	struct seal seal;

	return seal_read(dirfd, &seal, NULL) == 0 && master_is_in_dir(source, &seal);
}

/*
 * Beside a server that rekeys, the seal and DIR/master.key are read one after the other, with its
 * two renames before, between or behind: then the key is found under its other name, or the second
 * time.
 */
int keys_open(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault)
{
	int r = keys_open_once(dirfd, source, ret_keys, fault);

	if (r == 0 || !key_is_in_dir(dirfd, source))
		return r;
	if (keys_open_next(dirfd, ret_keys) == 0)
		return 0;

	return keys_open_once(dirfd, source, ret_keys, fault);
}

static int seal_put_new(int dirfd, const struct keys *keys, const struct new_master *master,
    const struct secret *material, struct fault *fault)
{
	struct seal seal = {.by_passphrase = master->by_passphrase};
	const char *key_file = master->material ? master->key_file : MASTER_KEY_FILE;
	int r;

	(void)snprintf(seal.key_file, sizeof(seal.key_file), "%s", key_file ? key_file : "");
	r = root_wrap(keys, material, &seal);
	if (r == 0)
		r = seal_replace(dirfd, &seal);

	return r < 0 ? fault_set(fault, r, SEAL_FILE) : 0;
}

int keys_check_new(int dirfd, const struct new_master *master, struct fault *fault)
{
	cleanup_keys struct keys *keys = NULL;
	struct seal old;
	int r = seal_read(dirfd, &old, fault);

	if (r < 0 || !master->material || master->by_passphrase != old.by_passphrase ||
	    keys_unseal(&old, master->material, &keys) < 0)
		return r;

	return fault_set_why(
	    fault, -TACIT_E_CONFLICT, "it is the one in use already", "new master key");
}

static bool is_in_dir(const struct seal *seal)
{
	return !seal->by_passphrase && !strcmp(seal->key_file, MASTER_KEY_FILE);
}

int keys_rekey(
    int dirfd, const struct keys *keys, const struct new_master *master, struct fault *fault)
{
	cleanup_secret struct secret *made = NULL;
	struct seal old;
	int r = seal_read(dirfd, &old, fault);

	if (r == 0 && !master->material)
		r = master_make_file(dirfd, MASTER_KEY_NEXT_FILE, &made, fault);
	if (r == 0)
		r = seal_put_new(dirfd, keys, master, made ? made : master->material, fault);
	if (r < 0) {
		if (made)
			(void)unlinkat(dirfd, MASTER_KEY_NEXT_FILE, 0);
		return r;
	}

	/* With an older copy of the seal the old key would still open the root key. */
	if (master->material && is_in_dir(&old))
		(void)unlinkat(dirfd, MASTER_KEY_FILE, 0);
	return keys_settle(dirfd, fault);
}

/* Temporary files of fd.h that a crash has left: one of them may hold a key. */
static void sweep(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, ".tacit-", 7))
			(void)unlinkat(dirfd, entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
}

static int next_settle(int dirfd, bool in_dir)
{
	struct keys *keys = NULL;
	int r;

	if (faccessat(dirfd, MASTER_KEY_NEXT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;

	r = in_dir ? keys_open_next(dirfd, &keys) : -TACIT_E_WRONG_KEY;
	keys_free(keys);
	if (r == 0)
		r = renameat(dirfd, MASTER_KEY_NEXT_FILE, dirfd, MASTER_KEY_FILE);
	else if (r == -TACIT_E_WRONG_KEY)
		r = unlinkat(dirfd, MASTER_KEY_NEXT_FILE, 0);
	else
		return r;

	return r < 0 || fsync(dirfd) < 0 ? -errno : 0;
}

int keys_settle(int dirfd, struct fault *fault)
{
	struct seal seal;
	int r = seal_read(dirfd, &seal, fault);

	if (r < 0)
		return r;

	r = next_settle(dirfd, is_in_dir(&seal));
	if (r < 0)
		return fault_set(fault, r, MASTER_KEY_NEXT_FILE);

	sweep(dirfd);
	return 0;
}

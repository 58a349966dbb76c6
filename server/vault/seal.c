/* SPDX-License-Identifier: MIT */
#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>

#include "tacit/codec.h"
#include "tacit/fd.h"
#include "tacit/json.h"

static const char by_file[] = "file", by_passphrase[] = "passphrase";

static const char *master_word(const struct seal *seal)
{
	return seal->by_passphrase ? by_passphrase : by_file;
}

void seal_refresh(struct seal *seal)
{
	randombytes_buf(seal->salt, SALT_BYTES);
	/* 64 MiB, so that a server in a small container can still open its store. */
	seal->argon2_passes = 4;
	seal->argon2_bytes = crypto_pwhash_MEMLIMIT_INTERACTIVE;
}

static int seal_associate(const struct seal *seal, struct secret **ret_ad)
{
	cleanup_secret struct secret *ad = NULL;
	struct encoder encoder;

	if (secret_new(128, &ad) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = ad};
	encode_text(&encoder, "tacit/root/1");
	encode_bytes(&encoder, seal->store_id, STORE_ID_BYTES);
	encode_text(&encoder, master_word(seal));
	encode_bytes(&encoder, seal->salt, SALT_BYTES);
	encode_u64(&encoder, (uint64_t)seal->argon2_passes);
	encode_u64(&encoder, (uint64_t)seal->argon2_bytes);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_ad = secret_take(&ad);
	return 0;
}

int seal_close_root(struct seal *seal, const uint8_t master[static ENVELOPE_KEY_BYTES],
    const uint8_t root[static ENVELOPE_KEY_BYTES])
{
	cleanup_secret struct secret *ad = NULL;
	int r = seal_associate(seal, &ad);

	if (r < 0)
		return r;

	envelope_seal(
	    master, secret_bytes(ad), secret_len(ad), root, ENVELOPE_KEY_BYTES, seal->sealed_root);
	return 0;
}

int seal_open_root(const struct seal *seal, const uint8_t master[static ENVELOPE_KEY_BYTES],
    struct secret **ret_root)
{
	cleanup_secret struct secret *ad = NULL;
	int r = seal_associate(seal, &ad);

	if (r == 0)
		r = envelope_open(master, secret_bytes(ad), secret_len(ad), seal->sealed_root,
		    sizeof(seal->sealed_root), ret_root);

	return r == -TACIT_E_CORRUPT ? -TACIT_E_WRONG_KEY : r;
}

static void hex_text(const uint8_t *bytes, size_t len, char *ret_text)
{
	(void)sodium_bin2hex(ret_text, 2 * len + 1, bytes, len);
}

int seal_print(const struct seal *seal, struct secret **ret_text)
{
	cleanup_json struct json *json = json_new_object();
	cleanup_secret struct secret *text = NULL;
	char store_id[2 * STORE_ID_BYTES + 1], salt[2 * SALT_BYTES + 1];
	char root[2 * sizeof(seal->sealed_root) + 1];

	hex_text(seal->store_id, STORE_ID_BYTES, store_id);
	hex_text(seal->salt, SALT_BYTES, salt);
	hex_text(seal->sealed_root, sizeof(seal->sealed_root), root);
	if (!json || json_set_int(json, "format", 1) < 0 ||
	    json_set_text(json, "store_id", store_id) < 0 ||
	    json_set_text(json, "master", master_word(seal)) < 0 ||
	    json_set_text(json, "key_file", seal->key_file) < 0 ||
	    json_set_text(json, "argon2_salt", salt) < 0 ||
	    json_set_int(json, "argon2_passes", seal->argon2_passes) < 0 ||
	    json_set_int(json, "argon2_bytes", seal->argon2_bytes) < 0 ||
	    json_set_text(json, "root", root) < 0 || json_print(json, &text) < 0 ||
	    secret_append_text(text, "\n") < 0)
		return -ENOMEM;

	*ret_text = secret_take(&text);
	return 0;
}

int seal_create(int dirfd, const struct seal *seal)
{
	cleanup_secret struct secret *text = NULL;
	int r = seal_print(seal, &text);

	return r < 0 ? r
	             : fd_create_file(dirfd, SEAL_FILE, 0600, secret_bytes(text), secret_len(text));
}

int seal_replace(int dirfd, const struct seal *seal)
{
	cleanup_secret struct secret *text = NULL;
	int r = seal_print(seal, &text);

	return r < 0
	           ? r
	           : fd_replace_file(dirfd, SEAL_FILE, 0600, secret_bytes(text), secret_len(text));
}

static int hex_at(const struct json *json, const char *key, uint8_t *ret_bytes, size_t len)
{
	const char *text = json_text_at(json, key);
	size_t got;

	if (!text || strlen(text) != 2 * len ||
	    sodium_hex2bin(ret_bytes, len, text, strlen(text), NULL, &got, NULL) != 0 || got != len)
		return -TACIT_E_NOT_A_STORE;

	return 0;
}

static int text_copy_at(const struct json *json, const char *key, char *ret_text, size_t size)
{
	const char *text = json_text_at(json, key);

	if (!text || strlen(text) >= size)
		return -TACIT_E_NOT_A_STORE;

	memcpy(ret_text, text, strlen(text) + 1);
	return 0;
}

static int master_at(const struct json *json, bool *ret_by_passphrase)
{
	const char *word = json_text_at(json, "master");

	if (!word || (strcmp(word, by_file) != 0 && strcmp(word, by_passphrase) != 0))
		return -TACIT_E_NOT_A_STORE;

	*ret_by_passphrase = !strcmp(word, by_passphrase);
	return 0;
}

/* Argon2id may not be talked into taking all memory by somebody who can write the file. */
static bool seal_is_sane(const struct seal *seal)
{
	return seal->argon2_passes >= 1 && seal->argon2_passes <= 64 &&
	       seal->argon2_bytes >= 8192 && seal->argon2_bytes <= 4LL * 1024 * 1024 * 1024;
}

int seal_parse(const void *text, size_t len, struct seal *ret_seal)
{
	cleanup_json struct json *json = NULL;
	struct seal seal = {0};
	int64_t format;

	if (json_parse(text, len, &json, NULL) < 0 || json_int_at(json, "format", &format) < 0 ||
	    format != 1 || hex_at(json, "store_id", seal.store_id, STORE_ID_BYTES) < 0 ||
	    master_at(json, &seal.by_passphrase) < 0 ||
	    text_copy_at(json, "key_file", seal.key_file, sizeof(seal.key_file)) < 0 ||
	    hex_at(json, "argon2_salt", seal.salt, SALT_BYTES) < 0 ||
	    json_int_at(json, "argon2_passes", &seal.argon2_passes) < 0 ||
	    json_int_at(json, "argon2_bytes", &seal.argon2_bytes) < 0 ||
	    hex_at(json, "root", seal.sealed_root, sizeof(seal.sealed_root)) < 0 ||
	    !seal_is_sane(&seal))
		return -TACIT_E_NOT_A_STORE;

	*ret_seal = seal;
	return 0;
}

int seal_read(int dirfd, struct seal *ret_seal, struct fault *fault)
{
	cleanup_fd int fd = openat(dirfd, SEAL_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_secret struct secret *text = NULL;
	int r = fd < 0 ? -errno : secret_read(fd, SEAL_MAX_BYTES, &text);

	if (r == 0)
		r = seal_parse(secret_bytes(text), secret_len(text), ret_seal);
	if (r == -ENOENT || r == -TACIT_E_TOO_LARGE)
		r = -TACIT_E_NOT_A_STORE;

	return r < 0 ? fault_set(fault, r, SEAL_FILE) : 0;
}

/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tacit/codec.h"
#include "tacit/fd.h"
#include "tacit/json.h"

/* What DIR/seal.json holds. Nothing of it is secret but `sealed_root`, which is sealed. */
struct seal {
	uint8_t store_id[STORE_ID_BYTES];
	char master[16];         /* "file" or "passphrase" */
	char key_file[PATH_MAX]; /* where init found or made it; relative to DIR without a `/` */
	uint8_t salt[SALT_BYTES];
	int64_t argon2_passes;
	int64_t argon2_bytes;
	uint8_t sealed_root[ENVELOPE_KEY_BYTES + ENVELOPE_OVERHEAD_BYTES];
};

#define PASSPHRASE_MAX_BYTES 4096

static int open_master_file(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

static int master_read_file(
    int dirfd, const char *path, uint8_t ret_master[static ENVELOPE_KEY_BYTES], struct fault *fault)
{
	cleanup_fd int fd = open_master_file(dirfd, path);
	cleanup_secret struct secret *content = NULL;
	int r = fd < 0 ? fd : secret_read(fd, ENVELOPE_KEY_BYTES, &content);

	if (r == -TACIT_E_TOO_LARGE || (r == 0 && secret_len(content) != ENVELOPE_KEY_BYTES))
		return fault_set_why(
		    fault, -TACIT_E_WRONG_KEY, "a master key is exactly 32 bytes", "%s", path);
	if (r < 0)
		return fault_set(fault, r, "master key %s", path);

	memcpy(ret_master, secret_bytes(content), ENVELOPE_KEY_BYTES);
	return 0;
}

/* fd_create_file() wants the very directory that the file is to lie in. */
static int open_parent(int dirfd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd;

	if (!parent)
		return -ENOMEM;

	*ret_name = slash ? slash + 1 : path;
	fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int master_make_file(
    int dirfd, const char *path, uint8_t ret_master[static ENVELOPE_KEY_BYTES], struct fault *fault)
{
	const char *name;
	cleanup_fd int parent = open_parent(dirfd, path, &name);
	int r = parent < 0 ? parent : 0;

	envelope_new_key(ret_master);
	if (r == 0)
		r = fd_create_file(parent, name, 0400, ret_master, ENVELOPE_KEY_BYTES);
	return r < 0 ? fault_set(fault, r, "master key %s", path) : 0;
}

static int master_derive(const struct secret *passphrase, const struct seal *seal,
    uint8_t ret_master[static ENVELOPE_KEY_BYTES])
{
	int r =
	    crypto_pwhash(ret_master, ENVELOPE_KEY_BYTES, (const char *)secret_bytes(passphrase),
	        secret_len(passphrase), seal->salt, (unsigned long long)seal->argon2_passes,
	        (size_t)seal->argon2_bytes, crypto_pwhash_ALG_ARGON2ID13);

	return r < 0 ? -ENOMEM : 0;
}

/* Editors and `echo` end a file with a newline, which nobody means as part of the passphrase. */
static int passphrase_trim(const struct secret *content, struct secret **ret_passphrase)
{
	size_t len = secret_len(content);

	while (len > 0 && strchr("\r\n", secret_bytes(content)[len - 1]))
		len--;
	if (len == 0)
		return -TACIT_E_WRONG_KEY;

	return secret_new_from(secret_bytes(content), len, ret_passphrase);
}

static int passphrase_read_file(
    const char *path, struct secret **ret_passphrase, struct fault *fault)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	cleanup_secret struct secret *content = NULL;
	int r = fd < 0 ? -errno : secret_read(fd, PASSPHRASE_MAX_BYTES, &content);

	if (r == 0)
		r = passphrase_trim(content, ret_passphrase);
	if (r == -TACIT_E_WRONG_KEY)
		return fault_set_why(fault, r, "empty", "passphrase file %s", path);

	return r < 0 ? fault_set(fault, r, "passphrase file %s", path) : 0;
}

static int terminal_read_line(int fd, struct secret **ret_line)
{
	cleanup_secret struct secret *line = NULL;
	uint8_t *space;
	ssize_t got;

	if (secret_new(PASSPHRASE_MAX_BYTES, &line) < 0)
		return -ENOMEM;

	space = secret_space(line, PASSPHRASE_MAX_BYTES);
	got = read(fd, space, PASSPHRASE_MAX_BYTES); /* canonical mode: one line */
	if (got < 0)
		return -errno;

	secret_grew(line, (size_t)got);
	return passphrase_trim(line, ret_line);
}

static int passphrase_ask(struct secret **ret_passphrase, struct fault *fault)
{
	static const char prompt[] = "Passphrase of the store: ";
	cleanup_fd int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios saved, silent;
	int r;

	if (fd < 0 || tcgetattr(fd, &saved) < 0)
		return fault_set_why(fault, -TACIT_E_WRONG_KEY,
		    "no terminal to ask on; use --passphrase-file", "passphrase");

	silent = saved;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	(void)fd_write_all(fd, prompt, strlen(prompt));
	(void)tcsetattr(fd, TCSAFLUSH, &silent);
	r = terminal_read_line(fd, ret_passphrase);
	(void)tcsetattr(fd, TCSAFLUSH, &saved);
	(void)fd_write_all(fd, "\n", 1);
	return r < 0 ? fault_set(fault, r, "passphrase") : 0;
}

static int master_from_passphrase(const char *path, const struct seal *seal,
    uint8_t ret_master[static ENVELOPE_KEY_BYTES], struct fault *fault)
{
	cleanup_secret struct secret *passphrase = NULL;
	int r = path ? passphrase_read_file(path, &passphrase, fault)
	             : passphrase_ask(&passphrase, fault);

	if (r < 0)
		return r;

	r = master_derive(passphrase, seal, ret_master);
	return r < 0 ? fault_set(fault, r, "Argon2id") : 0;
}

/* Everything in the seal that decides how the root key opens is bound to it. */
static int seal_associate(const struct seal *seal, struct secret **ret_ad)
{
	cleanup_secret struct secret *ad = NULL;
	struct encoder encoder;

	if (secret_new(128, &ad) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = ad};
	encode_text(&encoder, "tacit/root/1");
	encode_bytes(&encoder, seal->store_id, STORE_ID_BYTES);
	encode_text(&encoder, seal->master);
	encode_bytes(&encoder, seal->salt, SALT_BYTES);
	encode_u64(&encoder, (uint64_t)seal->argon2_passes);
	encode_u64(&encoder, (uint64_t)seal->argon2_bytes);
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_ad = secret_take(&ad);
	return 0;
}

static void hex_text(const uint8_t *bytes, size_t len, char *ret_text)
{
	(void)sodium_bin2hex(ret_text, 2 * len + 1, bytes, len);
}

static int seal_write(int dirfd, const struct seal *seal)
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
	    json_set_text(json, "master", seal->master) < 0 ||
	    json_set_text(json, "key_file", seal->key_file) < 0 ||
	    json_set_text(json, "argon2_salt", salt) < 0 ||
	    json_set_int(json, "argon2_passes", seal->argon2_passes) < 0 ||
	    json_set_int(json, "argon2_bytes", seal->argon2_bytes) < 0 ||
	    json_set_text(json, "root", root) < 0 || json_print(json, &text) < 0 ||
	    secret_append_text(text, "\n") < 0)
		return -ENOMEM;

	return fd_create_file(dirfd, SEAL_FILE, 0600, secret_bytes(text), secret_len(text));
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

/* Argon2id may not be talked into taking all memory by somebody who can write the file. */
static bool seal_is_sane(const struct seal *seal)
{
	return seal->argon2_passes >= 1 && seal->argon2_passes <= 64 &&
	       seal->argon2_bytes >= 8192 && seal->argon2_bytes <= 4LL * 1024 * 1024 * 1024;
}

static int seal_parse(const struct secret *text, struct seal *ret_seal)
{
	cleanup_json struct json *json = NULL;
	struct seal seal = {0};
	int64_t format;

	if (json_parse(secret_bytes(text), secret_len(text), &json, NULL) < 0 ||
	    json_int_at(json, "format", &format) < 0 || format != 1 ||
	    hex_at(json, "store_id", seal.store_id, STORE_ID_BYTES) < 0 ||
	    text_copy_at(json, "master", seal.master, sizeof(seal.master)) < 0 ||
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

static int seal_read(int dirfd, struct seal *ret_seal, struct fault *fault)
{
	cleanup_fd int fd = openat(dirfd, SEAL_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_secret struct secret *text = NULL;
	int r = fd < 0 ? -errno : secret_read(fd, 16384, &text);

	if (r == 0)
		r = seal_parse(text, ret_seal);
	if (r == -ENOENT || r == -TACIT_E_TOO_LARGE)
		r = -TACIT_E_NOT_A_STORE;

	return r < 0 ? fault_set(fault, r, SEAL_FILE) : 0;
}

static const struct {
	char context[9];
	size_t offset;
} derived_keys[] = {
    {"tacitrec", offsetof(struct keys, record)},
    {"tacitnam", offsetof(struct keys, name)},
    {"tacitset", offsetof(struct keys, set)},
    {"tacitaud", offsetof(struct keys, audit)},
    {"tacitetg", offsetof(struct keys, etag)},
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

static int seal_root(
    const uint8_t master[static ENVELOPE_KEY_BYTES], const struct keys *keys, struct seal *seal)
{
	cleanup_secret struct secret *ad = NULL;
	int r = seal_associate(seal, &ad);

	if (r < 0)
		return r;

	envelope_seal(master, secret_bytes(ad), secret_len(ad), keys->root, ENVELOPE_KEY_BYTES,
	    seal->sealed_root);
	return 0;
}

static int unseal_root(
    const uint8_t master[static ENVELOPE_KEY_BYTES], const struct seal *seal, struct keys *keys)
{
	cleanup_secret struct secret *ad = NULL;
	cleanup_secret struct secret *root = NULL;
	int r = seal_associate(seal, &ad);

	if (r < 0)
		return r;
	r = envelope_open(master, secret_bytes(ad), secret_len(ad), seal->sealed_root,
	    sizeof(seal->sealed_root), &root);
	if (r < 0)
		return r == -TACIT_E_CORRUPT ? -TACIT_E_WRONG_KEY : r;

	memcpy(keys->store_id, seal->store_id, STORE_ID_BYTES);
	memcpy(keys->root, secret_bytes(root), ENVELOPE_KEY_BYTES);
	keys_derive(keys);
	return 0;
}

static void wipe_key(uint8_t (*key)[ENVELOPE_KEY_BYTES])
{
	sodium_memzero(*key, sizeof(*key));
}
#define cleanup_key __attribute__((cleanup(wipe_key)))

/* Later commands run in other directories: the path is kept absolute. */
static int seal_keep_path(struct seal *seal, const char *path, struct fault *fault)
{
	cleanup_free char *absolute = NULL;

	if (!strcmp(path, MASTER_KEY_FILE)) {
		(void)snprintf(seal->key_file, sizeof(seal->key_file), "%s", path);
		return 0;
	}

	absolute = realpath(path, NULL);
	if (!absolute)
		return fault_set(fault, -errno, "%s", path);
	(void)snprintf(seal->key_file, sizeof(seal->key_file), "%s", absolute);
	return 0;
}

static int master_for_new_store(int dirfd, const struct key_source *source, struct seal *seal,
    uint8_t ret_master[static ENVELOPE_KEY_BYTES], struct fault *fault)
{
	const char *path = source->key_file ? source->key_file : MASTER_KEY_FILE;
	int at = source->key_file ? AT_FDCWD : dirfd;
	int r;

	randombytes_buf(seal->salt, SALT_BYTES);
	/* 64 MiB, so that a server in a small container can still open its store. */
	seal->argon2_passes = 4;
	seal->argon2_bytes = crypto_pwhash_MEMLIMIT_INTERACTIVE;
	if (source->passphrase_file) {
		(void)snprintf(seal->master, sizeof(seal->master), "passphrase");
		return master_from_passphrase(source->passphrase_file, seal, ret_master, fault);
	}

	(void)snprintf(seal->master, sizeof(seal->master), "file");
	if (faccessat(at, path, F_OK, 0) == 0)
		r = master_read_file(at, path, ret_master, fault);
	else
		r = master_make_file(at, path, ret_master, fault);

	return r < 0 ? r : seal_keep_path(seal, path, fault);
}

int keys_create(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault)
{
	cleanup_key uint8_t master[ENVELOPE_KEY_BYTES] = {0};
	struct seal seal = {0};
	struct keys *keys;
	int r = keys_new(&keys);

	if (r < 0)
		return fault_set(fault, r, "keys");

	randombytes_buf(seal.store_id, STORE_ID_BYTES);
	r = master_for_new_store(dirfd, source, &seal, master, fault);
	if (r == 0) {
		memcpy(keys->store_id, seal.store_id, STORE_ID_BYTES);
		envelope_new_key(keys->root);
		keys_derive(keys);
		keys->term = 1;
		envelope_new_key(keys->terms[1]);
		r = seal_root(master, keys, &seal);
		if (r == 0)
			r = seal_write(dirfd, &seal);
		if (r < 0)
			(void)fault_set(fault, r, SEAL_FILE);
	}
	if (r < 0) {
		keys_free(keys);
		return r;
	}

	*ret_keys = keys;
	return 0;
}

/* systemd's way of handing a key over: systemd.exec(5), CREDENTIALS. */
static int credential_path(char *ret_path, size_t size)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (!dir || (size_t)snprintf(ret_path, size, "%s/tacit-master-key", dir) >= size)
		return -ENOENT;

	return access(ret_path, R_OK) < 0 ? -errno : 0;
}

static int master_for_store(int dirfd, const struct key_source *source, const struct seal *seal,
    uint8_t ret_master[static ENVELOPE_KEY_BYTES], struct fault *fault)
{
	bool by_passphrase = !strcmp(seal->master, "passphrase");
	char credential[PATH_MAX];
	bool has_credential = credential_path(credential, sizeof(credential)) == 0;

	if (by_passphrase) {
		const char *path = source->passphrase_file;

		return master_from_passphrase(
		    path || !has_credential ? path : credential, seal, ret_master, fault);
	}
	if (source->key_file)
		return master_read_file(AT_FDCWD, source->key_file, ret_master, fault);
	if (has_credential)
		return master_read_file(AT_FDCWD, credential, ret_master, fault);

	return master_read_file(dirfd, seal->key_file, ret_master, fault);
}

int keys_open(
    int dirfd, const struct key_source *source, struct keys **ret_keys, struct fault *fault)
{
	cleanup_key uint8_t master[ENVELOPE_KEY_BYTES] = {0};
	struct seal seal = {0};
	struct keys *keys;
	int r = seal_read(dirfd, &seal, fault);

	if (r < 0)
		return r;
	r = keys_new(&keys);
	if (r < 0)
		return fault_set(fault, r, "keys");

	r = master_for_store(dirfd, source, &seal, master, fault);
	if (r == 0) {
		r = unseal_root(master, &seal, keys);
		if (r < 0)
			(void)fault_set(fault, r, SEAL_FILE);
	}
	if (r < 0) {
		keys_free(keys);
		return r;
	}

	*ret_keys = keys;
	return 0;
}

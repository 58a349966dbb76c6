/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "brief.h"
#include "fixture.h"
#include "keys.h"
#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fixture fixture;
static const struct key_source plain;

static int setup(void **state)
{
	(void)state;
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	fixture_make_dir(&fixture);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

static struct keys *created(const struct key_source *source)
{
	struct keys *keys = NULL;
	struct fault fault = {0};

	if (keys_create(fixture.dirfd, source, &keys, &fault) < 0)
		fail_msg("%s: %s", fault.what, err_text(fault.err));
	return keys;
}

static int reopen(const struct key_source *source, struct keys **ret_keys, struct fault *fault)
{
	return keys_open(fixture.dirfd, source, ret_keys, fault);
}

static void assert_same_keys(const struct keys *left, const struct keys *right)
{
	/* All but the terms, which live in the store. */
	assert_memory_equal(left, right, offsetof(struct keys, term));
}

/* keys_open fails so, names `what`, and leaves its result alone. */
static void assert_refused(const struct key_source *source, int expected, const char *what)
{
	struct keys *keys = NULL;
	struct fault fault = {0};
	int r = reopen(source, &keys, &fault);

	assert_int_equal(r, expected);
	assert_int_equal(fault.err, expected);
	assert_non_null(strstr(fault.what, what));
	assert_null(keys);
}

static void open_gives_the_same_keys_again(void **state)
{
	struct keys *keys = created(&plain), *again = NULL;
	struct stat status;

	(void)state;
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	assert_same_keys(keys, again);
	assert_int_equal(stat(fixture_path(&fixture, MASTER_KEY_FILE), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0400);
	assert_int_equal(status.st_size, 32);
	assert_int_equal(stat(fixture_path(&fixture, SEAL_FILE), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	keys_free(keys);
	keys_free(again);
}

static void every_key_is_another(void **state)
{
	struct keys *keys = created(&plain);
	const uint8_t *const all[] = {
	    keys->root, keys->record, keys->name, keys->set, keys->audit, keys->etag, keys->wrap};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++)
		for (size_t j = i + 1; j < COUNT(all); j++)
			assert_memory_not_equal(all[i], all[j], ENVELOPE_KEY_BYTES);
	keys_free(keys);
}

static void the_seal_holds_no_key(void **state)
{
	struct keys *keys = created(&plain);
	size_t len, master_len;
	cleanup_free uint8_t *seal = file_read(fixture_path(&fixture, SEAL_FILE), &len);
	cleanup_free uint8_t *master =
	    file_read(fixture_path(&fixture, MASTER_KEY_FILE), &master_len);
	char hex[2 * ENVELOPE_KEY_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < ENVELOPE_KEY_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", keys->root[i]);
	assert_null(memmem(seal, len, hex, 16));
	for (size_t i = 0; i < ENVELOPE_KEY_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", master[i]);
	assert_null(memmem(seal, len, hex, 16));
	keys_free(keys);
}

static void another_key_does_not_open(void **state)
{
	static const uint8_t zeros[ENVELOPE_KEY_BYTES];
	char path[128];
	const struct key_source other = {.key_file = path};

	(void)state;
	keys_free(created(&plain));
	(void)snprintf(path, sizeof(path), "%s/other", fixture.dir);
	file_write(path, zeros, sizeof(zeros));
	assert_refused(&other, -TACIT_E_WRONG_KEY, SEAL_FILE);
}

static void a_key_file_has_exactly_32_bytes(void **state)
{
	static const uint8_t bytes[65];
	static const size_t lengths[] = {0, 1, 31, 33, 64, 65};
	char path[128];
	const struct key_source source = {.key_file = path};

	(void)state;
	keys_free(created(&plain));
	(void)snprintf(path, sizeof(path), "%s/other", fixture.dir);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		file_write(path, bytes, lengths[i]);
		assert_refused(&source, -TACIT_E_WRONG_KEY, path);
	}
	(void)unlink(path);
	assert_refused(&source, -ENOENT, path);
	(void)unlink(fixture_path(&fixture, MASTER_KEY_FILE));
	assert_refused(&plain, -ENOENT, MASTER_KEY_FILE);
}

static void a_key_file_elsewhere_is_made_and_found_again(void **state)
{
	char path[128];
	const struct key_source source = {.key_file = path};
	struct keys *keys, *again = NULL;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/elsewhere.key", fixture.dir);
	keys = created(&source);
	assert_int_equal(access(path, R_OK), 0);
	assert_true(access(fixture_path(&fixture, MASTER_KEY_FILE), F_OK) < 0);
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	assert_same_keys(keys, again);
	keys_free(keys);
	keys_free(again);
}

static void a_systemd_credential_goes_before_the_key_file(void **state)
{
	struct keys *keys = created(&plain), *again = NULL;
	size_t len;
	cleanup_free uint8_t *master = file_read(fixture_path(&fixture, MASTER_KEY_FILE), &len);

	(void)state;
	(void)unlink(fixture_path(&fixture, MASTER_KEY_FILE));
	file_write(fixture_path(&fixture, "tacit-master-key"), master, len);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", fixture.dir, 1), 0);
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	assert_same_keys(keys, again);
	keys_free(keys);
	keys_free(again);
	file_write(fixture_path(&fixture, "tacit-master-key"), master, len - 1);
	assert_refused(&plain, -TACIT_E_WRONG_KEY, "tacit-master-key");
}

/* The bytes of seal.json that decide something may not be changed to any other. */
static void an_altered_seal_does_not_open(void **state)
{
	size_t len;
	cleanup_free uint8_t *seal = NULL;
	const char *text;
	size_t root;

	(void)state;
	keys_free(created(&plain));
	seal = file_read(fixture_path(&fixture, SEAL_FILE), &len);
	seal[len] = '\0';
	text = (const char *)seal;
	root = (size_t)(strstr(text, "\"root\"") - text);
	for (size_t i = 0; i + 1 < len; i++) {
		struct keys *keys = NULL;
		uint8_t saved = seal[i];
		int r;

		/* Where the key file is is no secret and no promise; what counts is its key. */
		if (i > (size_t)(strstr(text, "\"key_file\"") - text) &&
		    i < (size_t)(strstr(text, "\"argon2_salt\"") - text))
			continue;
		seal[i] = saved == '0' ? '1' : '0';
		file_write(fixture_path(&fixture, SEAL_FILE), seal, len);
		r = reopen(&plain, &keys, NULL);
		if (r != -TACIT_E_WRONG_KEY && r != -TACIT_E_NOT_A_STORE)
			fail_msg("byte %zu of %zu (root at %zu): %d", i, len, root, r);
		assert_null(keys);
		seal[i] = saved;
	}
}

/* What goes unused with a key file is bound all the same. */
static void other_argon2_parameters_do_not_open(void **state)
{
	static const char *const rows[][2] = {
	    {"\"argon2_passes\":4", "\"argon2_passes\":5"},
	    {"\"argon2_bytes\":67108864", "\"argon2_bytes\":67108865"},
	};
	size_t len;
	cleanup_free uint8_t *seal = NULL;

	(void)state;
	keys_free(created(&plain));
	seal = file_read(fixture_path(&fixture, SEAL_FILE), &len);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t *at = memmem(seal, len, rows[i][0], strlen(rows[i][0]));

		assert_non_null(at);
		memcpy(at, rows[i][1], strlen(rows[i][1]));
		file_write(fixture_path(&fixture, SEAL_FILE), seal, len);
		assert_refused(&plain, -TACIT_E_WRONG_KEY, SEAL_FILE);
		memcpy(at, rows[i][0], strlen(rows[i][0]));
	}
}

static void a_truncated_seal_does_not_open(void **state)
{
	size_t len;
	cleanup_free uint8_t *seal = NULL;

	(void)state;
	keys_free(created(&plain));
	seal = file_read(fixture_path(&fixture, SEAL_FILE), &len);
	/* The newline behind the document is the only byte that may be missing. */
	for (size_t keep = 0; keep + 1 < len; keep++) {
		file_write(fixture_path(&fixture, SEAL_FILE), seal, keep);
		assert_refused(&plain, -TACIT_E_NOT_A_STORE, SEAL_FILE);
	}
	(void)unlink(fixture_path(&fixture, SEAL_FILE));
	assert_refused(&plain, -TACIT_E_NOT_A_STORE, SEAL_FILE);
}

static void a_seal_may_not_ask_for_all_memory(void **state)
{
	static const char *const texts[] = {
	    "\"argon2_bytes\":99999999999999",
	    "\"argon2_bytes\":1",
	    "\"argon2_bytes\":-1",
	    "\"argon2_passes\":1000000",
	    "\"argon2_passes\":0",
	};
	size_t len;
	cleanup_free uint8_t *seal = NULL;

	(void)state;
	keys_free(created(&plain));
	seal = file_read(fixture_path(&fixture, SEAL_FILE), &len);
	seal[len] = '\0';
	for (size_t i = 0; i < COUNT(texts); i++) {
		char changed[2048];
		size_t key_len = strcspn(texts[i], ":");
		const char *at = memmem(seal, len, texts[i], key_len);
		size_t before = (size_t)(at - (const char *)seal);

		assert_non_null(at);
		(void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)before, seal, texts[i],
		    at + strcspn(at, ",}"));
		file_write(fixture_path(&fixture, SEAL_FILE), changed, strlen(changed));
		assert_refused(&plain, -TACIT_E_NOT_A_STORE, SEAL_FILE);
	}
}

static void a_passphrase_opens_and_another_does_not(void **state)
{
	char path[128];
	const struct key_source source = {.passphrase_file = path};
	struct keys *keys, *again = NULL;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/passphrase", fixture.dir);
	file_write(path, "correct horse\n", 14);
	keys = created(&source);
	assert_true(access(fixture_path(&fixture, MASTER_KEY_FILE), F_OK) < 0);

	/* Without the newline too, since not every editor writes one. */
	file_write(path, "correct horse", 13);
	assert_int_equal(reopen(&source, &again, NULL), 0);
	assert_same_keys(keys, again);
	keys_free(keys);
	keys_free(again);

	file_write(path, "correct hors", 12);
	assert_refused(&source, -TACIT_E_WRONG_KEY, SEAL_FILE);
}

/* In `mode`, through `source`: whether it opens, and if not, that the mode is why. */
static bool opens_with_mode(const char *path, mode_t mode, const struct key_source *source)
{
	struct keys *keys = NULL;
	struct fault fault = {0};
	int r;

	assert_int_equal(chmod(path, mode), 0);
	r = reopen(source, &keys, &fault);
	assert_true(r == 0 || r == -TACIT_E_KEY_MODE);
	assert_true(r == 0 || strstr(fault.what, path));
	keys_free(keys);
	return r == 0;
}

static void a_key_that_others_can_read_is_refused(void **state)
{
	static const mode_t bad[] = {0440, 0404, 0444, 0640, 0644, 0420, 0402, 0410, 0401, 0777};
	static const mode_t good[] = {0400, 0600, 0700};
	char key_path[128], passphrase_path[128];
	const struct key_source key = {.key_file = key_path};
	const struct key_source passphrase = {.passphrase_file = passphrase_path};

	(void)state;
	(void)snprintf(key_path, sizeof(key_path), "%s/key", fixture.dir);
	(void)snprintf(passphrase_path, sizeof(passphrase_path), "%s/passphrase", fixture.dir);
	keys_free(created(&key));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(opens_with_mode(key_path, bad[i], &key));
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(opens_with_mode(key_path, good[i], &key));

	(void)unlink(fixture_path(&fixture, SEAL_FILE));
	file_write(passphrase_path, "correct horse", 13);
	keys_free(created(&passphrase));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(opens_with_mode(passphrase_path, bad[i], &passphrase));
	assert_true(opens_with_mode(passphrase_path, 0400, &passphrase));
}

static void systemd_credentials_may_show_a_groups_bits(void **state)
{
	char path[128], outside[128];
	const struct key_source named = {.key_file = path}, other = {.key_file = outside};
	size_t len;
	cleanup_free uint8_t *master = NULL;

	(void)state;
	keys_free(created(&plain));
	master = file_read(fixture_path(&fixture, MASTER_KEY_FILE), &len);
	assert_int_equal(mkdirat(fixture.dirfd, "credentials", 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/credentials/tacit-master-key", fixture.dir);
	(void)snprintf(outside, sizeof(outside), "%s/credentials/../" MASTER_KEY_FILE, fixture.dir);
	file_write(path, master, len);
	assert_false(opens_with_mode(path, 0440, &named));
	(void)snprintf(path, sizeof(path), "%s/credentials", fixture.dir);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", path, 1), 0);
	(void)snprintf(path, sizeof(path), "%s/credentials/tacit-master-key", fixture.dir);
	assert_true(opens_with_mode(path, 0440, &named));
	assert_true(opens_with_mode(path, 0440, &plain));
	assert_false(opens_with_mode(outside, 0440, &other));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlinkat(fixture.dirfd, "credentials", AT_REMOVEDIR), 0);
}

/* A pipe that holds `len` bytes and ends; its number as text. */
static int pipe_with(const void *bytes, size_t len, char ret_number[static 12])
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_write_all(ends[1], bytes, len), 0);
	assert_int_equal(close(ends[1]), 0);
	(void)snprintf(ret_number, 12, "%d", ends[0]);
	return ends[0];
}

static void a_key_comes_by_descriptor(void **state)
{
	static const uint8_t key[ENVELOPE_KEY_BYTES] = "exactly thirty-two bytes of a k";
	char number[12];
	const struct key_source source = {.key_fd = number};
	struct keys *keys, *again = NULL;
	int fd = pipe_with(key, sizeof(key), number);

	(void)state;
	keys = created(&source);
	assert_int_equal(close(fd), 0);
	fd = pipe_with(key, sizeof(key), number);
	assert_int_equal(reopen(&source, &again, NULL), 0);
	assert_int_equal(close(fd), 0);
	assert_same_keys(keys, again);
	keys_free(keys);
	keys_free(again);

	assert_refused(&plain, -TACIT_E_WRONG_KEY, "master key");
	fd = pipe_with(key, sizeof(key) - 1, number);
	assert_refused(&source, -TACIT_E_WRONG_KEY, "descriptor");
	assert_int_equal(close(fd), 0);
	assert_refused(&source, -EBADF, "descriptor");
	for (size_t i = 0; i < 3; i++) {
		static const char *const texts[] = {"", "3x", "-1"};

		(void)snprintf(number, sizeof(number), "%s", texts[i]);
		assert_refused(&source, -EBADF, "descriptor");
	}
}

static void a_passphrase_comes_by_descriptor(void **state)
{
	char number[12];
	const struct key_source source = {.passphrase_fd = number};
	struct keys *keys, *again = NULL;
	int fd = pipe_with("correct horse\n", 14, number);

	(void)state;
	keys = created(&source);
	assert_int_equal(close(fd), 0);
	fd = pipe_with("correct horse", 13, number);
	assert_int_equal(reopen(&source, &again, NULL), 0);
	assert_int_equal(close(fd), 0);
	assert_same_keys(keys, again);
	keys_free(keys);
	keys_free(again);
}

static void the_keyring_holds_terms_by_number(void **state)
{
	static const uint8_t bytes[ENVELOPE_KEY_BYTES] = {7};
	struct keys *keys = created(&plain);

	(void)state;
	assert_int_equal(keys->term, 1);
	assert_int_equal(keys_old_term(keys), 0);
	assert_null(keys_term(keys, 0));
	assert_null(keys_term(keys, 2));
	assert_int_equal(keys_add_term(keys, 0, bytes), -TACIT_E_CORRUPT);
	assert_int_equal(keys_add_term(keys, 1, bytes), -TACIT_E_CORRUPT);
	assert_int_equal(keys_add_term(keys, 300, bytes), 0);
	assert_int_equal(keys->term, 300);
	assert_int_equal(keys_old_term(keys), 1);
	assert_int_equal(keys_add_term(keys, 2, bytes), 0);
	assert_int_equal(keys->term, 300);
	assert_int_equal(keys_add_term(keys, 3, bytes), 0);
	assert_int_equal(keys_add_term(keys, 4, bytes), -TACIT_E_CORRUPT); /* the ring is full */
	keys_remove_term(keys, 1);
	assert_null(keys_term(keys, 1));
	keys_remove_term(keys, 300);
	assert_int_equal(keys->term, 3);
	assert_memory_equal(keys_term(keys, 3), bytes, sizeof(bytes));
	keys_free(keys);
}

static void rekeyed(const struct keys *keys, const struct new_master *master)
{
	struct fault fault = {0};

	if (keys_rekey(fixture.dirfd, keys, master, &fault) < 0)
		fail_msg("%s: %s", fault.what, err_text(fault.err));
}

static void a_new_master_key_opens_and_the_old_one_does_not(void **state)
{
	struct keys *keys = created(&plain), *again = NULL;
	char old_path[128];
	const struct key_source old = {.key_file = old_path};
	size_t len;
	cleanup_free uint8_t *master = file_read(fixture_path(&fixture, MASTER_KEY_FILE), &len);

	(void)state;
	(void)snprintf(old_path, sizeof(old_path), "%s/old", fixture.dir);
	file_write(old_path, master, len);
	rekeyed(keys, &(struct new_master){0});
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	assert_same_keys(keys, again);
	keys_free(again);
	keys_free(keys);
	assert_refused(&old, -TACIT_E_WRONG_KEY, SEAL_FILE);
	assert_true(access(fixture_path(&fixture, MASTER_KEY_NEXT_FILE), F_OK) < 0);
}

static void the_kind_of_the_master_key_can_change(void **state)
{
	static const uint8_t key[ENVELOPE_KEY_BYTES] = {9, 8, 7};
	struct keys *keys = created(&plain), *again = NULL;
	cleanup_secret struct secret *phrase = text_secret("correct horse");
	cleanup_secret struct secret *material = NULL;
	char path[128];
	const struct key_source by_phrase = {.passphrase_file = path};
	const struct new_master to_phrase = {.by_passphrase = true, .material = phrase};

	(void)state;
	rekeyed(keys, &to_phrase);
	/* The old key would open the root key with an older copy of the seal. */
	assert_true(access(fixture_path(&fixture, MASTER_KEY_FILE), F_OK) < 0);
	(void)snprintf(path, sizeof(path), "%s/phrase", fixture.dir);
	file_write(path, "correct horse\n", 14);
	assert_int_equal(reopen(&by_phrase, &again, NULL), 0);
	assert_same_keys(keys, again);
	keys_free(again);

	assert_int_equal(secret_new_from(key, sizeof(key), &material), 0);
	file_write(path, key, sizeof(key));
	rekeyed(keys, &(struct new_master){.key_file = path, .material = material});
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	assert_same_keys(keys, again);
	keys_free(again);
	keys_free(keys);
}

static void the_key_in_use_is_no_new_one(void **state)
{
	size_t len;
	cleanup_free uint8_t *master = NULL;
	cleanup_secret struct secret *material = NULL;
	struct new_master same = {0};

	(void)state;
	keys_free(created(&plain));
	master = file_read(fixture_path(&fixture, MASTER_KEY_FILE), &len);
	assert_int_equal(secret_new_from(master, len, &material), 0);
	assert_int_equal(keys_check_new(fixture.dirfd, &same, NULL), 0);
	same.material = material;
	assert_int_equal(keys_check_new(fixture.dirfd, &same, NULL), -TACIT_E_CONFLICT);
	same.by_passphrase = true;
	assert_int_equal(keys_check_new(fixture.dirfd, &same, NULL), 0);
}

/* What lies in the directory after a crash behind each of the steps of a rekey. */
static void a_rekey_that_a_crash_cut_short_is_mended(void **state)
{
	struct keys *keys = created(&plain), *again = NULL;
	char key_path[128], next_path[128], seal_path[128];
	size_t len, seal_len, new_len;
	cleanup_free uint8_t *old = NULL;
	cleanup_free uint8_t *seal = NULL;
	cleanup_free uint8_t *new_key = NULL;

	(void)state;
	(void)snprintf(key_path, sizeof(key_path), "%s/" MASTER_KEY_FILE, fixture.dir);
	(void)snprintf(next_path, sizeof(next_path), "%s/" MASTER_KEY_NEXT_FILE, fixture.dir);
	(void)snprintf(seal_path, sizeof(seal_path), "%s/" SEAL_FILE, fixture.dir);
	old = file_read(key_path, &len);
	seal = file_read(seal_path, &seal_len);
	rekeyed(keys, &(struct new_master){0});
	new_key = file_read(key_path, &new_len);

	/* The seal is new, and its key has not been moved yet. */
	assert_int_equal(unlink(key_path), 0);
	file_write(key_path, old, len);
	file_write(next_path, new_key, new_len);
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	assert_same_keys(keys, again);
	keys_free(again);
	assert_int_equal(keys_settle(fixture.dirfd, NULL), 0);
	assert_true(access(next_path, F_OK) < 0);
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	keys_free(again);

	/* The new key is there, and the seal is still the old one. */
	file_write(key_path, old, len);
	file_write(next_path, new_key, new_len);
	file_write(seal_path, seal, seal_len);
	file_write(fixture_path(&fixture, ".tacit-0123456789abcdef"), new_key, new_len);
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	assert_same_keys(keys, again);
	keys_free(again);
	assert_int_equal(keys_settle(fixture.dirfd, NULL), 0);
	assert_true(access(next_path, F_OK) < 0);
	assert_true(access(fixture_path(&fixture, ".tacit-0123456789abcdef"), F_OK) < 0);
	assert_int_equal(reopen(&plain, &again, NULL), 0);
	keys_free(again);
	keys_free(keys);
}

static void an_empty_or_missing_passphrase_is_refused(void **state)
{
	char path[128];
	const struct key_source source = {.passphrase_file = path};
	struct keys *keys = NULL;
	struct fault fault = {0};

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/passphrase", fixture.dir);
	assert_int_equal(keys_create(fixture.dirfd, &source, &keys, &fault), -ENOENT);
	file_write(path, "\r\n\n", 3);
	assert_int_equal(keys_create(fixture.dirfd, &source, &keys, &fault), -TACIT_E_WRONG_KEY);
	assert_null(keys);
	assert_true(access(fixture_path(&fixture, SEAL_FILE), F_OK) < 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(open_gives_the_same_keys_again),
	    TEST(every_key_is_another),
	    TEST(the_seal_holds_no_key),
	    TEST(another_key_does_not_open),
	    TEST(a_key_file_has_exactly_32_bytes),
	    TEST(a_key_file_elsewhere_is_made_and_found_again),
	    TEST(a_systemd_credential_goes_before_the_key_file),
	    TEST(an_altered_seal_does_not_open),
	    TEST(other_argon2_parameters_do_not_open),
	    TEST(a_truncated_seal_does_not_open),
	    TEST(a_seal_may_not_ask_for_all_memory),
	    TEST(systemd_credentials_may_show_a_groups_bits),
	    TEST(a_key_comes_by_descriptor),
	    TEST(the_keyring_holds_terms_by_number),
	    TEST(a_new_master_key_opens_and_the_old_one_does_not),
	    TEST(the_key_in_use_is_no_new_one),
	    TEST(a_rekey_that_a_crash_cut_short_is_mended),
	    /* Slow. Argon2id, with 64 MiB each time. */
	    TEST(a_passphrase_opens_and_another_does_not),
	    TEST(an_empty_or_missing_passphrase_is_refused),
	    TEST(a_key_that_others_can_read_is_refused),
	    TEST(a_passphrase_comes_by_descriptor),
	    TEST(the_kind_of_the_master_key_can_change),
	};

	return run_group(tests, 5, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "tacit/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tacit/err.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* draft-irtf-cfrg-xchacha-03, appendix A.3.1. */
static const char vector_plain[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";
static const char vector_ad_hex[] = "50515253c0c1c2c3c4c5c6c7";
static const char vector_key_hex[] =
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
static const char vector_nonce_hex[] = "404142434445464748494a4b4c4d4e4f5051525354555657";
static const char vector_ciphertext_hex[] =
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
    "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
    "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
    "21f9664c97637da9768812f615c68b13b52e";
static const char vector_tag_hex[] = "c0875924c1c7987947deafd8780acf49";

#define VECTOR_LEN (sizeof(vector_plain) - 1)

static size_t from_hex(const char *hex, uint8_t *ret_bytes, size_t size)
{
	size_t len = 0;

	assert_int_equal(sodium_hex2bin(ret_bytes, size, hex, strlen(hex), NULL, &len, NULL), 0);
	return len;
}

/* The sealed form put together by hand, as the header describes it: nonce | tag | ciphertext. */
struct vector {
	uint8_t key[ENVELOPE_KEY_BYTES];
	uint8_t ad[12];
	uint8_t sealed[ENVELOPE_OVERHEAD_BYTES + VECTOR_LEN];
};

static void vector_make(struct vector *ret_vector)
{
	uint8_t *sealed = ret_vector->sealed;

	assert_int_equal(from_hex(vector_key_hex, ret_vector->key, ENVELOPE_KEY_BYTES), 32);
	assert_int_equal(from_hex(vector_ad_hex, ret_vector->ad, 12), 12);
	assert_int_equal(from_hex(vector_nonce_hex, sealed, 24), 24);
	assert_int_equal(from_hex(vector_tag_hex, sealed + 24, 16), 16);
	assert_int_equal(from_hex(vector_ciphertext_hex, sealed + 40, VECTOR_LEN), VECTOR_LEN);
}

static int vector_open(const struct vector *vector, struct secret **ret_plain)
{
	return envelope_open(vector->key, vector->ad, sizeof(vector->ad), vector->sealed,
	    sizeof(vector->sealed), ret_plain);
}

static void assert_does_not_open(const struct vector *vector, const char *what, size_t bit)
{
	struct secret *plain = NULL;

	if (vector_open(vector, &plain) != -TACIT_E_CORRUPT)
		fail_msg("bit %zu of %s does not matter", bit, what);
	assert_null(plain);
}

static void open_takes_the_vector_of_the_draft(void **state)
{
	cleanup_secret struct secret *plain = NULL;
	struct vector vector;

	(void)state;
	vector_make(&vector);
	assert_int_equal(vector_open(&vector, &plain), 0);
	assert_true(secret_equals(plain, vector_plain, VECTOR_LEN));
}

static void open_rejects_any_flipped_bit_of_the_sealed_form(void **state)
{
	struct vector vector;

	(void)state;
	vector_make(&vector);
	for (size_t bit = 0; bit < 8 * sizeof(vector.sealed); bit++) {
		vector.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_does_not_open(&vector, "the sealed form", bit);
		vector.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void open_rejects_any_flipped_bit_of_the_associated_data(void **state)
{
	struct vector vector;

	(void)state;
	vector_make(&vector);
	for (size_t bit = 0; bit < 8 * sizeof(vector.ad); bit++) {
		vector.ad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_does_not_open(&vector, "the associated data", bit);
		vector.ad[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void open_rejects_any_flipped_bit_of_the_key(void **state)
{
	struct vector vector;

	(void)state;
	vector_make(&vector);
	for (size_t bit = 0; bit < 8 * sizeof(vector.key); bit++) {
		vector.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_does_not_open(&vector, "the key", bit);
		vector.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* In memory of exactly that size, for the sanitizer to watch. */
static void open_rejects_any_shorter_form(void **state)
{
	struct vector vector;

	(void)state;
	vector_make(&vector);
	for (size_t len = 0; len < sizeof(vector.sealed); len++) {
		uint8_t *sealed = malloc(len + (len == 0));
		struct secret *plain = NULL;

		assert_non_null(sealed);
		memcpy(sealed, vector.sealed, len);
		assert_int_equal(
		    envelope_open(vector.key, vector.ad, sizeof(vector.ad), sealed, len, &plain),
		    -TACIT_E_CORRUPT);
		assert_null(plain);
		free(sealed);
	}
}

static void open_rejects_a_byte_behind(void **state)
{
	uint8_t sealed[sizeof(((struct vector *)NULL)->sealed) + 1] = {0};
	struct secret *plain = NULL;
	struct vector vector;

	(void)state;
	vector_make(&vector);
	memcpy(sealed, vector.sealed, sizeof(vector.sealed));
	assert_int_equal(
	    envelope_open(vector.key, vector.ad, sizeof(vector.ad), sealed, sizeof(sealed), &plain),
	    -TACIT_E_CORRUPT);
	assert_null(plain);
}

static void open_rejects_shorter_and_longer_associated_data(void **state)
{
	uint8_t ad[13] = {0};
	struct vector vector;

	(void)state;
	vector_make(&vector);
	memcpy(ad, vector.ad, sizeof(vector.ad));
	for (size_t len = 0; len <= sizeof(ad); len++) {
		struct secret *plain = NULL;

		if (len == sizeof(vector.ad))
			continue;
		assert_int_equal(envelope_open(vector.key, ad, len, vector.sealed,
		                     sizeof(vector.sealed), &plain),
		    -TACIT_E_CORRUPT);
		assert_null(plain);
	}
}

static void open_rejects_nothing_at_all(void **state)
{
	const uint8_t key[ENVELOPE_KEY_BYTES] = {0};
	struct secret *plain = NULL;

	(void)state;
	assert_int_equal(envelope_open(key, NULL, 0, NULL, 0, &plain), -TACIT_E_CORRUPT);
	assert_null(plain);
}

static const size_t lens[] = {0, 1, 15, 16, 17, 63, 64, 65, 4096, 8193, 512000};

static void what_was_sealed_opens_at_any_length(void **state)
{
	uint8_t key[ENVELOPE_KEY_BYTES];

	(void)state;
	envelope_new_key(key);
	for (size_t i = 0; i < COUNT(lens); i++) {
		cleanup_secret struct secret *back = NULL;
		uint8_t *plain = malloc(lens[i] + 1);
		uint8_t *sealed = malloc(lens[i] + ENVELOPE_OVERHEAD_BYTES);

		assert_non_null(plain);
		assert_non_null(sealed);
		randombytes_buf(plain, lens[i]);
		envelope_seal(key, "ad", 2, plain, lens[i], sealed);
		assert_int_equal(
		    envelope_open(key, "ad", 2, sealed, lens[i] + ENVELOPE_OVERHEAD_BYTES, &back),
		    0);
		assert_true(secret_equals(back, plain, lens[i]));
		free(plain);
		free(sealed);
	}
}

/* Sealing agrees with libsodium called directly, so both directions stand on the draft. */
static void seal_is_that_of_the_draft(void **state)
{
	uint8_t sealed[ENVELOPE_OVERHEAD_BYTES + VECTOR_LEN];
	uint8_t combined[VECTOR_LEN + 16];
	struct vector vector;

	(void)state;
	vector_make(&vector);
	envelope_seal(vector.key, vector.ad, sizeof(vector.ad), vector_plain, VECTOR_LEN, sealed);
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_encrypt(combined, NULL,
	                     (const uint8_t *)vector_plain, VECTOR_LEN, vector.ad,
	                     sizeof(vector.ad), NULL, sealed, vector.key),
	    0);
	assert_memory_equal(sealed + 40, combined, VECTOR_LEN);
	assert_memory_equal(sealed + 24, combined + VECTOR_LEN, 16);
}

static void no_two_seals_are_alike(void **state)
{
	static uint8_t sealed[1000][ENVELOPE_OVERHEAD_BYTES + 1];
	const uint8_t key[ENVELOPE_KEY_BYTES] = {1};

	(void)state;
	for (size_t i = 0; i < COUNT(sealed); i++) {
		envelope_seal(key, NULL, 0, "x", 1, sealed[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(sealed[i], sealed[j], 24);
	}
}

static void no_two_keys_are_alike(void **state)
{
	static uint8_t keys[1000][ENVELOPE_KEY_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		envelope_new_key(keys[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(keys[i], keys[j], ENVELOPE_KEY_BYTES);
	}
}

struct derive_row {
	const char *context;
	uint64_t id;
	const char *key_hex;
};

/*
 * Made with another implementation of BLAKE2b: no input, 32 bytes out, the key 00..1f, the id as
 * salt (little-endian, 16 bytes) and the context as personalisation (16 bytes).
 */
static const struct derive_row derive_rows[] = {
    {"tacittst", 0, "31f8aa198adde004489fbaa93dd0dff0a1615fd10c3a5bdcdee6032f707b29a4"},
    {"tacittst", 1, "78ee8e0babd3dd94b2f68b88195201457d1f992ea7e145fa45ad1e0a2f8fab45"},
    {"tacittsx", 1, "0da84b5b89b1e8ab77cb779926a38e7d842f297f3e724c7aba009c86a4c41f5a"},
    {"tacittst", 0x0102030405060708,
        "59f7adf5e7cb532b88f9688822359e96d7a711bb7e38843ac680da6779188385"},
    {"tacittst", UINT64_MAX, "477d1407fc9f0d0c14ef036de46a8c4d85be5492236f1b7db83a82956998779e"},
};

static void derived_keys_are_those_of_blake2b(void **state)
{
	uint8_t key[ENVELOPE_KEY_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < COUNT(derive_rows); i++) {
		uint8_t derived[ENVELOPE_KEY_BYTES], expected[ENVELOPE_KEY_BYTES];

		envelope_derive(key, derive_rows[i].context, derive_rows[i].id, derived);
		assert_int_equal(from_hex(derive_rows[i].key_hex, expected, sizeof(expected)), 32);
		assert_memory_equal(derived, expected, sizeof(expected));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(open_takes_the_vector_of_the_draft),
	    cmocka_unit_test(open_rejects_any_flipped_bit_of_the_sealed_form),
	    cmocka_unit_test(open_rejects_any_flipped_bit_of_the_associated_data),
	    cmocka_unit_test(open_rejects_any_flipped_bit_of_the_key),
	    cmocka_unit_test(open_rejects_any_shorter_form),
	    cmocka_unit_test(open_rejects_a_byte_behind),
	    cmocka_unit_test(open_rejects_shorter_and_longer_associated_data),
	    cmocka_unit_test(open_rejects_nothing_at_all),
	    cmocka_unit_test(what_was_sealed_opens_at_any_length),
	    cmocka_unit_test(seal_is_that_of_the_draft),
	    cmocka_unit_test(no_two_seals_are_alike),
	    cmocka_unit_test(no_two_keys_are_alike),
	    cmocka_unit_test(derived_keys_are_those_of_blake2b),
	};

	return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}

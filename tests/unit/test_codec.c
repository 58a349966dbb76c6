/* SPDX-License-Identifier: MIT */
#include "tacit/codec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tacit/err.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct secret *new_secret(void)
{
	struct secret *secret = NULL;

	assert_int_equal(secret_new(0, &secret), 0);
	return secret;
}

static void numbers_are_big_endian(void **state)
{
	static const uint8_t expected[] = {
	    0xfe, 0x01, 0x02, 0x03, 0x04, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88};
	cleanup_secret struct secret *out = new_secret();
	struct encoder encoder = {.out = out};

	(void)state;
	encode_u8(&encoder, 0xfe);
	encode_u32(&encoder, 0x01020304);
	encode_u64(&encoder, 0x8182838485868788);
	assert_int_equal(encode_end(&encoder), 0);
	assert_true(secret_equals(out, expected, sizeof(expected)));
}

static void byte_strings_stand_behind_their_length(void **state)
{
	static const uint8_t expected[] = {
	    0, 0, 0, 3, 'a', 0, 'b', 0, 0, 0, 0, 0, 0, 0, 2, 'h', 'i'};
	cleanup_secret struct secret *out = new_secret();
	struct encoder encoder = {.out = out};

	(void)state;
	encode_bytes(&encoder, "a\0b", 3);
	encode_bytes(&encoder, NULL, 0);
	encode_text(&encoder, "hi");
	assert_int_equal(encode_end(&encoder), 0);
	assert_true(secret_equals(out, expected, sizeof(expected)));
}

static void numbers_come_back(void **state)
{
	static const uint64_t numbers[] = {0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fffffff, 0x80000000,
	    UINT32_MAX, 1ULL << 32, INT64_MAX, 1ULL << 63, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		cleanup_secret struct secret *out = new_secret();
		struct encoder encoder = {.out = out};
		struct decoder decoder;

		encode_u64(&encoder, numbers[i]);
		encode_u32(&encoder, (uint32_t)numbers[i]);
		encode_u8(&encoder, (uint8_t)numbers[i]);
		assert_int_equal(encode_end(&encoder), 0);
		decoder = (struct decoder){.at = secret_bytes(out), .left = secret_len(out)};
		assert_true(decode_u64(&decoder) == numbers[i]);
		assert_true(decode_u32(&decoder) == (uint32_t)numbers[i]);
		assert_int_equal(decode_u8(&decoder), (uint8_t)numbers[i]);
		assert_int_equal(decode_end(&decoder), 0);
	}
}

/* What the associated data rests on: moving a border between two fields changes the bytes. */
static void two_sequences_never_give_the_same_bytes(void **state)
{
	static const char *const pairs[][2] = {
	    {"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"", ""}, {"\x01", ""}};
	struct secret *out[COUNT(pairs)];

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct encoder encoder = {.out = new_secret()};

		out[i] = encoder.out;
		encode_text(&encoder, pairs[i][0]);
		encode_text(&encoder, pairs[i][1]);
		for (size_t j = 0; j < i; j++)
			assert_false(
			    secret_equals(out[j], secret_bytes(out[i]), secret_len(out[i])));
	}
	for (size_t i = 0; i < COUNT(pairs); i++)
		secret_free(out[i]);
}

/* A record as the server's are: made once, cut and bent in the tests below. */
static struct secret *record(void)
{
	struct secret *out = new_secret();
	struct encoder encoder = {.out = out};

	encode_u8(&encoder, 7);
	encode_text(&encoder, "web/db_password");
	encode_u32(&encoder, 4);
	encode_bytes(&encoder, "a\0b", 3);
	encode_u64(&encoder, 1);
	assert_int_equal(encode_end(&encoder), 0);
	return out;
}

struct fields {
	uint8_t kind;
	char name[16];
	uint32_t version;
	const uint8_t *bytes;
	size_t len;
	uint64_t number;
};

static int record_decode(const uint8_t *bytes, size_t len, struct fields *ret_fields)
{
	struct decoder decoder = {.at = bytes, .left = len};

	ret_fields->kind = decode_u8(&decoder);
	decode_text(&decoder, ret_fields->name, sizeof(ret_fields->name));
	ret_fields->version = decode_u32(&decoder);
	ret_fields->bytes = decode_bytes(&decoder, &ret_fields->len);
	ret_fields->number = decode_u64(&decoder);
	return decode_end(&decoder);
}

static void a_record_comes_back(void **state)
{
	cleanup_secret struct secret *out = record();
	struct fields fields;

	(void)state;
	assert_int_equal(record_decode(secret_bytes(out), secret_len(out), &fields), 0);
	assert_int_equal(fields.kind, 7);
	assert_string_equal(fields.name, "web/db_password");
	assert_int_equal(fields.version, 4);
	assert_int_equal(fields.len, 3);
	assert_memory_equal(fields.bytes, "a\0b", 3);
	assert_ptr_equal(fields.bytes, secret_bytes(out) + 1 + 4 + 15 + 4 + 4); /* a view */
	assert_int_equal(fields.number, 1);
}

/* In memory of exactly that size, for the sanitizer to watch. */
static int record_decode_copy(const uint8_t *bytes, size_t len, struct fields *ret_fields)
{
	uint8_t *copy = malloc(len + (len == 0));
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	r = record_decode(copy, len, ret_fields);
	free(copy);
	return r;
}

static void a_record_cut_anywhere_is_corrupt(void **state)
{
	cleanup_secret struct secret *out = record();
	struct fields fields;

	(void)state;
	for (size_t len = 0; len < secret_len(out); len++)
		assert_int_equal(
		    record_decode_copy(secret_bytes(out), len, &fields), -TACIT_E_CORRUPT);
}

static void a_record_with_a_byte_behind_is_corrupt(void **state)
{
	cleanup_secret struct secret *out = record();
	struct fields fields;

	(void)state;
	assert_int_equal(secret_append(out, "", 1), 0);
	assert_int_equal(
	    record_decode_copy(secret_bytes(out), secret_len(out), &fields), -TACIT_E_CORRUPT);
}

static void a_length_beyond_the_end_is_corrupt(void **state)
{
	static const uint8_t lens[][4] = {{0, 0, 0, 5}, {0, 0, 1, 0}, {0x7f, 0xff, 0xff, 0xff},
	    {0x80, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}};

	(void)state;
	for (size_t i = 0; i < COUNT(lens); i++) {
		uint8_t bytes[8] = {0};
		struct decoder decoder = {.at = bytes, .left = sizeof(bytes)};
		size_t len = 77;

		memcpy(bytes, lens[i], 4);
		assert_null(decode_bytes(&decoder, &len));
		assert_int_equal(len, 0);
		assert_int_equal(decode_end(&decoder), -TACIT_E_CORRUPT);
	}
}

static void after_an_error_everything_is_nothing(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1};
	struct decoder decoder = {.at = bytes, .left = sizeof(bytes)};
	char text[8] = "before";
	size_t len = 77;

	(void)state;
	assert_null(decode_bytes(&decoder, &len)); /* nine bytes, of which eight are there */
	assert_int_equal(decode_u8(&decoder), 0);
	assert_int_equal(decode_u32(&decoder), 0);
	assert_true(decode_u64(&decoder) == 0);
	len = 77;
	assert_null(decode_bytes(&decoder, &len));
	assert_int_equal(len, 0);
	decode_text(&decoder, text, sizeof(text));
	assert_string_equal(text, "");
	assert_int_equal(decode_end(&decoder), -TACIT_E_CORRUPT);
}

static void nothing_at_all_is_a_whole_record_of_no_fields(void **state)
{
	struct decoder decoder = {0};

	(void)state;
	assert_int_equal(decode_end(&decoder), 0);
	assert_int_equal(decode_u8(&decoder), 0);
	assert_int_equal(decode_end(&decoder), -TACIT_E_CORRUPT);
}

struct text_row {
	const char *bytes;
	size_t len;
	size_t size; /* of the buffer */
	bool fits;
};

static const struct text_row text_rows[] = {
    {"", 0, 1, true},
    {"a", 1, 1, false},
    {"a", 1, 2, true},
    {"1234567", 7, 8, true},
    {"12345678", 8, 8, false},
    {"123456789", 9, 8, false},
    {"a\0b", 3, 8, false},
    {"\0", 1, 8, false},
    {"ab\0", 3, 8, false},
};

static void a_text_fits_its_buffer_and_has_no_nul(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(text_rows); i++) {
		const struct text_row *row = &text_rows[i];
		cleanup_secret struct secret *out = new_secret();
		struct encoder encoder = {.out = out};
		char text[16] = "AAAAAAAAAAAAAAA";
		struct decoder decoder;

		encode_bytes(&encoder, row->bytes, row->len);
		decoder = (struct decoder){.at = secret_bytes(out), .left = secret_len(out)};
		decode_text(&decoder, text, row->size);
		assert_int_equal(decode_end(&decoder), row->fits ? 0 : -TACIT_E_CORRUPT);
		assert_string_equal(text, row->fits ? row->bytes : "");
		for (size_t b = row->size; b < sizeof(text) - 1; b++)
			assert_int_equal(text[b], 'A');
	}
}

static void an_encoder_remembers_its_first_error(void **state)
{
	cleanup_secret struct secret *out = new_secret();
	struct encoder encoder = {.out = out};

	(void)state;
	encode_u8(&encoder, 1);
	encode_bytes(&encoder, "x", (size_t)UINT32_MAX + 1); /* its length has 33 bits */
	encode_u8(&encoder, 2);
	encode_text(&encoder, "text");
	assert_int_equal(encode_end(&encoder), -ENOMEM);
	assert_int_equal(secret_len(out), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_big_endian),
	    cmocka_unit_test(byte_strings_stand_behind_their_length),
	    cmocka_unit_test(numbers_come_back),
	    cmocka_unit_test(two_sequences_never_give_the_same_bytes),
	    cmocka_unit_test(a_record_comes_back),
	    cmocka_unit_test(a_record_cut_anywhere_is_corrupt),
	    cmocka_unit_test(a_record_with_a_byte_behind_is_corrupt),
	    cmocka_unit_test(a_length_beyond_the_end_is_corrupt),
	    cmocka_unit_test(after_an_error_everything_is_nothing),
	    cmocka_unit_test(nothing_at_all_is_a_whole_record_of_no_fields),
	    cmocka_unit_test(a_text_fits_its_buffer_and_has_no_nul),
	    cmocka_unit_test(an_encoder_remembers_its_first_error),
	};

	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}

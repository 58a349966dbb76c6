/* SPDX-License-Identifier: MIT */
#include "query.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tacit/err.h"
#include "tacit/fd.h"

static void generate_gives_unpadded_base64url(void **state)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	static const struct {
		uint32_t bytes;
		size_t len;
	} rows[] = {
	    {8, 11},
	    {15, 20},
	    {16, 22},
	    {32, 43},
	    {VALUE_GENERATE_MAX_BYTES, PROTO_VALUE_MAX_BYTES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_secret struct secret *value = NULL;

		assert_int_equal(value_generate(rows[i].bytes, &value), 0);
		assert_int_equal(secret_len(value), rows[i].len);
		for (size_t j = 0; j < secret_len(value); j++)
			assert_non_null(memchr(alphabet, secret_bytes(value)[j], 64));
	}
}

static void generate_never_repeats_itself(void **state)
{
	cleanup_secret struct secret *first = NULL;
	cleanup_secret struct secret *second = NULL;

	(void)state;
	assert_int_equal(value_generate(16, &first), 0);
	assert_int_equal(value_generate(16, &second), 0);
	assert_false(secret_equals(first, secret_bytes(second), secret_len(second)));
}

/* Writes `len` bytes, every value of a byte in turn, to a file and reads it as a value. */
static int read_file_of(size_t len, struct secret **ret_value, struct fault *fault)
{
	char path[] = "/tmp/tacit-value-XXXXXX";
	cleanup_fd int fd = mkstemp(path);
	uint8_t *bytes = malloc(len + 1);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(fd_write_all(fd, bytes, len), 0);

	int err = value_from_file(path, ret_value, fault);

	if (err == 0)
		assert_true(secret_equals(*ret_value, bytes, len));
	free(bytes);
	assert_int_equal(unlink(path), 0);

	return err;
}

static void a_file_is_taken_byte_for_byte(void **state)
{
	static const size_t lens[] = {0, 1, 256, 4095, 4096, 4097, PROTO_VALUE_MAX_BYTES};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		cleanup_secret struct secret *value = NULL;

		assert_int_equal(read_file_of(lens[i], &value, NULL), 0);
	}
}

static void a_file_over_the_limit_is_refused(void **state)
{
	cleanup_secret struct secret *value = NULL;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(
	    read_file_of(PROTO_VALUE_MAX_BYTES + 1, &value, &fault), -TACIT_E_TOO_LARGE);
	assert_null(value);
	assert_non_null(strstr(fault.why, "512,000"));
}

static void queries_are_joined_and_escaped(void **state)
{
	char path[PROTO_PATH_MAX_BYTES] = "/v1/secrets";

	(void)state;
	assert_int_equal(query_add(path, "prefix", "a/b&c=d?e%f g"), 0);
	assert_int_equal(query_add_number(path, "version", 4294967295U), 0);
	assert_string_equal(
	    path, "/v1/secrets?prefix=a%2Fb%26c%3Dd%3Fe%25f%20g&version=4294967295");
}

static void a_query_that_does_not_fit_changes_nothing(void **state)
{
	char path[PROTO_PATH_MAX_BYTES] = "/v1/secrets";
	char value[PROTO_PATH_MAX_BYTES];

	(void)state;
	for (size_t len = 1; len < sizeof(value); len++) {
		char grown[PROTO_PATH_MAX_BYTES];

		memset(value, 'x', len);
		value[len] = '\0';
		memcpy(grown, path, sizeof(path));

		int err = query_add(grown, "k", value);

		if (err == 0) {
			assert_string_equal(grown + strlen(path) + strlen("?k="), value);
		} else {
			assert_int_equal(err, -TACIT_E_TOO_LARGE);
			assert_string_equal(grown, path);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(generate_gives_unpadded_base64url),
	    cmocka_unit_test(generate_never_repeats_itself),
	    cmocka_unit_test(a_file_is_taken_byte_for_byte),
	    cmocka_unit_test(a_file_over_the_limit_is_refused),
	    cmocka_unit_test(queries_are_joined_and_escaped),
	    cmocka_unit_test(a_query_that_does_not_fit_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "tacit/join_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tacit/err.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The hash 00 01 .. 1f, the secret f0 f1 .. ff and https://tacit.internal:8444. */
#define HEAD  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh_w8fLz9PX29_j5-vv8_f7_"
#define URL   "aHR0cHM6Ly90YWNpdC5pbnRlcm5hbDo4NDQ0"
#define TOKEN "tacit1." HEAD URL

static void fill(struct join_token *token, const char *url)
{
	uint8_t bytes[JOIN_TOKEN_SECRET_BYTES];

	*token = (struct join_token){0};
	for (size_t i = 0; i < sizeof(token->ca_hash); i++)
		token->ca_hash[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0xf0 + i);
	assert_int_equal(secret_new_from(bytes, sizeof(bytes), &token->secret), 0);
	(void)snprintf(token->url, sizeof(token->url), "%s", url);
}

static void a_token_has_the_text_of_the_contract(void **state)
{
	cleanup_join_token struct join_token token = {0};
	cleanup_secret struct secret *text = NULL;

	(void)state;
	fill(&token, "https://tacit.internal:8444");
	assert_int_equal(join_token_format(&token, &text), 0);
	assert_true(secret_equals(text, TOKEN, strlen(TOKEN)));
}

static void what_was_written_is_read_back(void **state)
{
	static const char *const urls[] = {
	    "https://h:1", "https://[::1]:65535", "https://127.0.0.1:8444", "https://a.b.c:443"};

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		cleanup_join_token struct join_token token = {0}, back = {0};
		cleanup_secret struct secret *text = NULL;

		fill(&token, urls[i]);
		assert_int_equal(join_token_format(&token, &text), 0);
		assert_int_equal(join_token_parse(secret_bytes(text), secret_len(text), &back), 0);
		assert_string_equal(back.url, urls[i]);
		assert_memory_equal(back.ca_hash, token.ca_hash, sizeof(token.ca_hash));
		assert_true(secret_equals(
		    back.secret, secret_bytes(token.secret), JOIN_TOKEN_SECRET_BYTES));
	}
}

static void only_one_url_in_one_spelling_is_written(void **state)
{
	static const char *const urls[] = {"", "https://h", "https://h:1/", "HTTPS://h:1",
	    "http://h:1", "https://h:1,https://i:1", "https://u@h:1", "https://h:1/v1"};

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		cleanup_join_token struct join_token token = {0};
		cleanup_secret struct secret *text = NULL;

		fill(&token, urls[i]);
		assert_int_equal(join_token_format(&token, &text), -TACIT_E_INVALID_URL);
		assert_null(text);
	}
}

/* https://, labels of 63 bytes and a port: `len` bytes in all. */
static void long_url(size_t len, char ret_url[static JOIN_TOKEN_URL_MAX_BYTES + 1])
{
	static const char scheme[] = "https://", port[] = ":8444";
	size_t host_end = len - (sizeof(port) - 1);

	memset(ret_url, 'a', host_end);
	memcpy(ret_url, scheme, sizeof(scheme) - 1);
	for (size_t i = 8 + 63; i < host_end; i += 64)
		ret_url[i] = '.';
	memcpy(ret_url + host_end, port, sizeof(port));
}

static void the_longest_url_makes_the_longest_text(void **state)
{
	cleanup_join_token struct join_token token = {0}, back = {0};
	cleanup_secret struct secret *text = NULL;
	char url[JOIN_TOKEN_URL_MAX_BYTES + 1];

	(void)state;
	long_url(JOIN_TOKEN_URL_MAX_BYTES, url);
	fill(&token, url);
	assert_int_equal(join_token_format(&token, &text), 0);
	assert_int_equal(secret_len(text), JOIN_TOKEN_TEXT_MAX_BYTES);
	assert_int_equal(join_token_parse(secret_bytes(text), secret_len(text), &back), 0);
	assert_string_equal(back.url, url);
}

static void a_secret_of_another_length_is_none(void **state)
{
	cleanup_join_token struct join_token token = {0};
	cleanup_secret struct secret *text = NULL;

	(void)state;
	fill(&token, "https://h:1");
	assert_int_equal(secret_append_text(token.secret, "x"), 0);
	assert_int_equal(join_token_format(&token, &text), -TACIT_E_TOKEN);
	assert_null(text);
}

struct bad_row {
	const char *what;
	const char *text;
	size_t len; /* 0: strlen */
};

static const struct bad_row bad_rows[] = {
    {"nothing", "", 0},
    {"the prefix alone", "tacit1.", 0},
    {"no URL", "tacit1." HEAD, 0},
    {"less than a head", "tacit1.AAEC", 0},
    {"another version", "tacit2." HEAD URL, 0},
    {"a prefix in capitals", "TACIT1." HEAD URL, 0},
    {"white space behind", TOKEN "\n", 0},
    {"white space in front", " " TOKEN, 0},
    {"white space inside", "tacit1." HEAD "\n" URL, 0},
    {"padding", "tacit1." HEAD "aHR0cHM6Ly9oOjE=", 0},
    {"digits of the other base64",
        "tacit1."
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh/w8fLz9PX29/j5+vv8/f7/" URL,
        0},
    {"a lone digit", TOKEN "A", 0},
    {"stray bits", "tacit1." HEAD "aHR0cHM6Ly9oOjF", 0},
    {"a byte above ASCII", "tacit1.\xc1" HEAD URL, 0},
    {"a NUL behind", TOKEN, sizeof(TOKEN)},
    {"a NUL inside the URL", "tacit1." HEAD "aHR0cHM6Ly9oOjEA", 0},
    {"an http URL", "tacit1." HEAD "aHR0cDovL2g6MQ", 0},
    {"a URL without a port", "tacit1." HEAD "aHR0cHM6Ly9o", 0},
    {"a URL in capitals", "tacit1." HEAD "SFRUUFM6Ly9oOjE", 0},
};

static void anything_else_is_refused_and_nothing_given(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_rows); i++) {
		struct join_token token = {.url = "kept"};
		size_t len = bad_rows[i].len ? bad_rows[i].len : strlen(bad_rows[i].text);

		if (join_token_parse(bad_rows[i].text, len, &token) != -TACIT_E_TOKEN)
			fail_msg("accepted: %s", bad_rows[i].what);
		assert_string_equal(token.url, "kept");
		assert_null(token.secret);
	}
}

/* libsodium 1.0.18 takes some of them for digits. */
static void no_byte_above_ascii_is_a_digit(void **state)
{
	char text[] = TOKEN;

	(void)state;
	for (size_t at = strlen(JOIN_TOKEN_PREFIX); at < strlen(text); at++) {
		char digit = text[at];

		for (int byte = 0x80; byte <= 0xff; byte++) {
			cleanup_join_token struct join_token token = {0};

			text[at] = (char)(unsigned char)byte;
			if (join_token_parse(text, strlen(text), &token) != -TACIT_E_TOKEN)
				fail_msg("0x%02x at %zu", (unsigned)byte, at);
		}
		text[at] = digit;
	}
}

static void every_cut_is_refused(void **state)
{
	(void)state;
	/* From where the URL is a whole one on, `https://tacit.internal:8`, a cut is a token too.
	 */
	for (size_t len = 0; len < strlen("tacit1." HEAD) + 31; len++) {
		cleanup_join_token struct join_token token = {0};

		assert_int_equal(join_token_parse(TOKEN, len, &token), -TACIT_E_TOKEN);
	}
}

static void one_byte_too_many_is_refused(void **state)
{
	char text[JOIN_TOKEN_TEXT_MAX_BYTES + 1] = JOIN_TOKEN_PREFIX;
	struct join_token token = {0};

	(void)state;
	memset(text + strlen(JOIN_TOKEN_PREFIX), 'A', sizeof(text) - strlen(JOIN_TOKEN_PREFIX));
	assert_int_equal(join_token_parse(text, sizeof(text), &token), -TACIT_E_TOKEN);
	assert_null(token.secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_token_has_the_text_of_the_contract),
	    cmocka_unit_test(what_was_written_is_read_back),
	    cmocka_unit_test(only_one_url_in_one_spelling_is_written),
	    cmocka_unit_test(the_longest_url_makes_the_longest_text),
	    cmocka_unit_test(a_secret_of_another_length_is_none),
	    cmocka_unit_test(anything_else_is_refused_and_nothing_given),
	    cmocka_unit_test(no_byte_above_ascii_is_a_digit),
	    cmocka_unit_test(every_cut_is_refused),
	    cmocka_unit_test(one_byte_too_many_is_refused),
	};

	return cmocka_run_group_tests_name("join_token", tests, NULL, NULL);
}

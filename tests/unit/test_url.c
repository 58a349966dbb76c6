/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tacit/err.h"
#include "tacit/url.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LABEL_63     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void parse_accepts_host_and_port(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} rows[] = {
	    {"https://tacit.internal", "tacit.internal", "8443"},
	    {"https://tacit.internal/", "tacit.internal", "8443"},
	    {"https://tacit.internal:443", "tacit.internal", "443"},
	    {"https://tacit.internal:65535/", "tacit.internal", "65535"},
	    {"https://h:1", "h", "1"},
	    {"HTTPS://Host:8443", "Host", "8443"},
	    {"https://127.0.0.1:8443", "127.0.0.1", "8443"},
	    {"https://[::1]:8443", "::1", "8443"},
	    {"https://[fe80::1]", "fe80::1", "8443"},
	    {"https://[::1]/", "::1", "8443"},
	    {"https://my_service-1:9000", "my_service-1", "9000"},
	    {"https://3com.example", "3com.example", "8443"},
	    {"https://0x7f.example", "0x7f.example", "8443"},
	    {"https://" LABEL_63, LABEL_63, "8443"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct url url;

		assert_int_equal(url_parse(rows[i].text, &url), 0);
		assert_string_equal(url.host, rows[i].host);
		assert_string_equal(url.port, rows[i].port);
	}
}

static const char *const no_urls[] = {
    "",
    "https://",
    "https:///",
    "http://host",
    "host:8443",
    "//host",
    "https:/host",
    " https://host",
    "https://host ",
    "https://user@host",
    "https://user:pass@host",
    "https://host/path",
    "https://host//",
    "https://host?x",
    "https://host#x",
    "https://host:8443/v1",
    "https://host:8443?x",
    "https://host:",
    "https://host:/",
    "https://host:0",
    "https://host:0443",
    "https://host:65536",
    "https://host:100000",
    "https://host:-1",
    "https://host:+1",
    "https://host:84x",
    "https://host:8443:1",
    "https://::1",
    "https://[::1",
    "https://[::1]x",
    "https://[]",
    "https://[127.0.0.1]",
    "https://[fe80::1%25eth0]",
    "https://[host]",
    "https://a..b",
    "https://.a",
    "https://a.",
    "https://-a",
    "https://a-.b",
    "https://ho st",
    "https://ho\tst",
    "https://host\r\nX: y",
    "https://h\xc3\xb6st",
    "https://%68ost",
    "https://127.1",
    "https://2130706433",
    "https://0x7f000001",
    "https://0177.0.0.1",
    "https://256.0.0.1",
    "https://1.2.3.4.5",
    "https://127.0.0.1.",
    "https://a" LABEL_63,
};

static void parse_refuses_everything_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(no_urls); i++) {
		struct url url = {.host = "kept"};

		if (url_parse(no_urls[i], &url) != -TACIT_E_INVALID_URL)
			fail_msg("accepted %s", no_urls[i]);
		assert_string_equal(url.host, "kept");
	}
}

static void parse_bounds_the_length_of_a_host(void **state)
{
	char text[600] = "https://";
	struct url url;

	(void)state;
	for (size_t i = 8; i < 8 + 255; i += 2)
		memcpy(text + i, "a.", 3);
	text[8 + 255] = '\0'; /* 128 labels, 255 bytes */
	assert_int_equal(url_parse(text, &url), 0);
	assert_int_equal(strlen(url.host), 255);

	memcpy(text + 8 + 255, "aa", 3);
	assert_int_equal(url_parse(text, &url), -TACIT_E_INVALID_URL);
}

static void list_takes_one_to_eight(void **state)
{
	static const struct {
		const char *text;
		size_t count;
	} rows[] = {
	    {"https://a", 1},
	    {"https://a,https://b:1", 2},
	    {" https://a ,\thttps://b ", 2},
	    {"https://a,https://a,https://a,https://a,https://a,https://a,https://a,https://h", 8},
	};
	struct url urls[URL_LIST_MAX];
	size_t count;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(url_parse_list(rows[i].text, urls, &count), 0);
		assert_int_equal(count, rows[i].count);
		assert_string_equal(urls[0].host, "a");
	}
	assert_string_equal(urls[7].host, "h");
}

static void list_refuses_gaps_and_too_many(void **state)
{
	static const char *const texts[] = {
	    "",
	    ",",
	    "https://a,",
	    ",https://a",
	    "https://a,,https://b",
	    "https://a https://b",
	    "https://a;https://b",
	    "https://a,https://a,https://a,https://a,https://a,https://a,https://a,https://a,"
	    "https://a",
	};
	struct url urls[URL_LIST_MAX];
	size_t count = 99;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(url_parse_list(texts[i], urls, &count), -TACIT_E_INVALID_URL);
	assert_int_equal(count, 99);
}

static void print_is_the_inverse_of_parse(void **state)
{
	static const char *const texts[] = {
	    "https://tacit.internal:8443", "https://[::1]:443", "https://127.0.0.1:1"};
	char text[280];
	struct url url;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(url_parse(texts[i], &url), 0);
		url_print(&url, text);
		assert_string_equal(text, texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_accepts_host_and_port),
	    cmocka_unit_test(parse_refuses_everything_else),
	    cmocka_unit_test(parse_bounds_the_length_of_a_host),
	    cmocka_unit_test(list_takes_one_to_eight),
	    cmocka_unit_test(list_refuses_gaps_and_too_many),
	    cmocka_unit_test(print_is_the_inverse_of_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

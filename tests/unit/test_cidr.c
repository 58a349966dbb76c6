/* SPDX-License-Identifier: MIT */
#include "cidr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tacit/err.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void parse_takes_addresses_and_ranges(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
	    {"192.0.2.0/24", "192.0.2.0/24"},
	    {"192.0.2.1", "192.0.2.1/32"},
	    {"192.0.2.1/32", "192.0.2.1/32"},
	    {"0.0.0.0/0", "0.0.0.0/0"},
	    {"128.0.0.0/1", "128.0.0.0/1"},
	    {"10.128.0.0/9", "10.128.0.0/9"},
	    {"2001:db8::/32", "2001:db8::/32"},
	    {"2001:DB8:0:0::/32", "2001:db8::/32"},
	    {"::/0", "::/0"},
	    {"::1", "::1/128"},
	    {"fe80::/10", "fe80::/10"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[CIDR_TEXT_BYTES];
		struct cidr range;

		assert_int_equal(cidr_parse(rows[i].text, &range), 0);
		cidr_print(&range, text);
		assert_string_equal(text, rows[i].printed);
	}
}

static void parse_refuses_everything_else(void **state)
{
	static const char *const texts[] = {"", "/", "/8", "10", "10.0.0.0/", "10.0.0.0/33",
	    "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ", " 10.0.0.0/8",
	    "10.0.0.0/8/8", "10.0.0.0/0008", "10.0.0.0/8x", "10.0.0/8", "10.0.0.256", "host",
	    "10.0.0.1/8", "10.128.0.0/8", "192.0.2.1/0", "2001:db8::/129", "2001:db8::1/32",
	    "[::1]", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "fe80::1%eth0", "0x7f.1",
	    "10.0.0.0/255.0.0.0",
	    "1111:2222:3333:4444:5555:6666:7777:8888:1111:2222:3333:4444:5555:6666:7777/8"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct cidr range = {.len = 9};

		if (cidr_parse(texts[i], &range) != -TACIT_E_INVALID_RANGE)
			fail_msg("accepted %s", texts[i]);
		assert_int_equal(range.len, 9);
	}
}

static void a_peer_is_in_the_range_or_not(void **state)
{
	static const struct {
		const char *range, *peer;
		bool contained;
	} rows[] = {
	    {"192.0.2.0/24", "192.0.2.0:1", true},
	    {"192.0.2.0/24", "192.0.2.255:65535", true},
	    {"192.0.2.0/24", "192.0.3.0:1", false},
	    {"192.0.2.0/24", "192.0.1.255:1", false},
	    {"192.0.2.1", "192.0.2.1:1", true},
	    {"192.0.2.1", "192.0.2.0:1", false},
	    {"10.128.0.0/9", "10.127.255.255:1", false},
	    {"10.128.0.0/9", "10.128.0.0:1", true},
	    {"0.0.0.0/0", "203.0.113.9:1", true},
	    {"0.0.0.0/0", "[2001:db8::1]:1", false},
	    {"::/0", "203.0.113.9:1", false},
	    {"::/0", "[2001:db8::1]:1", true},
	    {"2001:db8::/33", "[2001:db8:7fff::1]:1", true},
	    {"2001:db8::/33", "[2001:db8:8000::1]:1", false},
	    {"fe80::/10", "[fe80::1%eth0]:1", true},

	    /* nothing that is no address is anywhere */
	    {"0.0.0.0/0", "", false},
	    {"0.0.0.0/0", "?:?", false},
	    {"0.0.0.0/0", "host:1", false},
	    {"::/0", "[", false},
	    {"::/0", "[::ffff:192.0.2.1]:1", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cidr range;

		assert_int_equal(cidr_parse(rows[i].range, &range), 0);
		if (cidr_contains(&range, rows[i].peer) != rows[i].contained)
			fail_msg("%s in %s", rows[i].peer, rows[i].range);
	}
}

static void a_peer_has_a_range_of_its_family(void **state)
{
	static const struct {
		const char *peer, *range;
	} rows[] = {
	    {"192.0.2.77:4000", "192.0.2.77/32"},
	    {"[2001:db8:1:2:3:4:5:6]:4000", "2001:db8:1:2::/64"},
	};
	struct cidr range;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[CIDR_TEXT_BYTES];

		assert_int_equal(cidr_of_peer(rows[i].peer, 32, 64, &range), 0);
		cidr_print(&range, text);
		assert_string_equal(text, rows[i].range);
	}
	assert_int_equal(cidr_of_peer("?:?", 32, 64, &range), -TACIT_E_INVALID_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_takes_addresses_and_ranges),
	    cmocka_unit_test(parse_refuses_everything_else),
	    cmocka_unit_test(a_peer_is_in_the_range_or_not),
	    cmocka_unit_test(a_peer_has_a_range_of_its_family),
	};

	return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}

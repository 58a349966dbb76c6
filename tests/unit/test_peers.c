/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "peers.h"

static const struct sockaddr *address_of(const char *text)
{
	static struct sockaddr_in6 six;
	static struct sockaddr_in four;

	six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(1)};
	four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(2)};
	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return (const struct sockaddr *)&four;

	assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
	return (const struct sockaddr *)&six;
}

static void an_address_is_full_at_its_limit(void **state)
{
	struct peers *peers = peers_new(2);
	struct peer *first, *second;

	(void)state;
	assert_false(peers_full(peers, address_of("192.0.2.1")));
	first = peers_enter(peers, address_of("192.0.2.1"));
	assert_false(peers_full(peers, address_of("192.0.2.1")));
	second = peers_enter(peers, address_of("192.0.2.1"));
	assert_true(peers_full(peers, address_of("192.0.2.1")));
	assert_false(peers_full(peers, address_of("192.0.2.2")));
	peers_leave(peers, first);
	assert_false(peers_full(peers, address_of("192.0.2.1")));
	peers_leave(peers, second);
	peers_leave(peers, NULL);
	peers_free(peers);
}

static void addresses_that_are_one_peer_are_counted_as_one(void **state)
{
	const struct {
		const char *one, *other;
		bool same;
	} rows[] = {
	    {"192.0.2.1", "::ffff:192.0.2.1", true},
	    {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
	    {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
	    {"2001:db8::1", "2001:db8:0:1::1", false},
	    {"192.0.2.1", "2001:db8::1", false},
	    {"0.0.0.0", "::", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peers *peers = peers_new(1);
		struct peer *peer = peers_enter(peers, address_of(rows[i].one));

		assert_int_equal(peers_full(peers, address_of(rows[i].other)), rows[i].same);
		peers_leave(peers, peer);
		peers_free(peers);
	}
}

static void what_is_no_address_is_not_counted(void **state)
{
	const struct sockaddr_un path = {.sun_family = AF_UNIX};
	struct peers *peers = peers_new(1);

	(void)state;
	assert_null(peers_enter(peers, (const struct sockaddr *)&path));
	assert_false(peers_full(peers, (const struct sockaddr *)&path));
	peers_free(peers);
}

/* Many more than there are buckets, coming and going; freeing with some still there. */
static void many_come_and_go(void **state)
{
	enum { MANY = 5000 };
	static struct peer *entered[MANY];
	struct peers *peers = peers_new(1);
	struct sockaddr_in address = {.sin_family = AF_INET};

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		address.sin_addr.s_addr = htonl(0x0a000000 + i);
		entered[i] = peers_enter(peers, (struct sockaddr *)&address);
		assert_true(peers_full(peers, (struct sockaddr *)&address));
	}
	for (uint32_t i = 0; i < MANY; i += 2)
		peers_leave(peers, entered[i]);
	for (uint32_t i = 0; i < MANY; i++) {
		address.sin_addr.s_addr = htonl(0x0a000000 + i);
		assert_int_equal(peers_full(peers, (struct sockaddr *)&address), i % 2);
	}
	peers_free(peers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_is_full_at_its_limit),
	    cmocka_unit_test(addresses_that_are_one_peer_are_counted_as_one),
	    cmocka_unit_test(what_is_no_address_is_not_counted),
	    cmocka_unit_test(many_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

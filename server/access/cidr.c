/* SPDX-License-Identifier: MIT */
#include "cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/err.h"

#define IPV4_BYTES 4
#define IPV6_BYTES 16

static bool is_mapped(const uint8_t bytes[static IPV6_BYTES])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(bytes, prefix, sizeof(prefix)) == 0;
}

/* An address with a prefix as long as itself. */
static int address_parse(const char *text, struct cidr *ret_address)
{
	struct cidr address = {0};

	if (inet_pton(AF_INET, text, address.bytes) == 1)
		address.len = IPV4_BYTES;
	else if (inet_pton(AF_INET6, text, address.bytes) == 1 && !is_mapped(address.bytes))
		address.len = IPV6_BYTES;
	else
		return -TACIT_E_INVALID_RANGE;

	address.prefix_bits = (uint8_t)(8 * address.len);
	*ret_address = address;
	return 0;
}

/* Clears what stands behind the first `bits` bits. */
static void address_mask(struct cidr *address, unsigned bits)
{
	for (unsigned i = 0; i < address->len; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

		if (kept < 8)
			address->bytes[i] &= (uint8_t)(0xff00U >> kept);
	}
	address->prefix_bits = (uint8_t)bits;
}

static int prefix_parse(const char *text, unsigned max_bits, unsigned *ret_bits)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 3 || text[len] || (text[0] == '0' && len > 1) ||
	    strtoul(text, NULL, 10) > max_bits)
		return -TACIT_E_INVALID_RANGE;

	*ret_bits = (unsigned)strtoul(text, NULL, 10);
	return 0;
}

int cidr_parse(const char *text, struct cidr *ret_range)
{
	char host[CIDR_TEXT_BYTES];
	size_t host_len = strcspn(text, "/");
	struct cidr address, masked;
	unsigned bits;

	if (host_len >= sizeof(host))
		return -TACIT_E_INVALID_RANGE;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	if (address_parse(host, &address) < 0)
		return -TACIT_E_INVALID_RANGE;

	bits = address.prefix_bits;
	if (text[host_len] == '/' && prefix_parse(text + host_len + 1, bits, &bits) < 0)
		return -TACIT_E_INVALID_RANGE;
	masked = address;
	address_mask(&masked, bits);
	if (memcmp(masked.bytes, address.bytes, sizeof(masked.bytes)) != 0)
		return -TACIT_E_INVALID_RANGE;

	*ret_range = masked;
	return 0;
}

void cidr_print(const struct cidr *range, char ret_text[static CIDR_TEXT_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(
	    range->len == IPV4_BYTES ? AF_INET : AF_INET6, range->bytes, host, sizeof(host));
	(void)snprintf(ret_text, CIDR_TEXT_BYTES, "%s/%u", host, range->prefix_bits);
}

int cidr_of_peer(
    const char *peer, unsigned prefix4_bits, unsigned prefix6_bits, struct cidr *ret_range)
{
	const char *host = peer[0] == '[' ? peer + 1 : peer;
	/* A link-local address has its interface behind a `%`. */
	size_t len = peer[0] == '[' ? strcspn(host, "]%") : strcspn(host, ":");
	char text[CIDR_TEXT_BYTES];
	struct cidr address;

	if (len >= sizeof(text))
		return -TACIT_E_INVALID_RANGE;
	memcpy(text, host, len);
	text[len] = '\0';
	if (address_parse(text, &address) < 0)
		return -TACIT_E_INVALID_RANGE;

	address_mask(&address, address.len == IPV4_BYTES ? prefix4_bits : prefix6_bits);
	*ret_range = address;
	return 0;
}

bool cidr_contains(const struct cidr *range, const char *peer)
{
	struct cidr address;

	return cidr_of_peer(peer, range->len == IPV4_BYTES ? range->prefix_bits : 32,
	           range->len == IPV6_BYTES ? range->prefix_bits : 128, &address) == 0 &&
	       address.len == range->len &&
	       memcmp(address.bytes, range->bytes, sizeof(address.bytes)) == 0;
}

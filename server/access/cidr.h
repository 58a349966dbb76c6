/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_CIDR_H
#define TACIT_SERVER_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Ranges of addresses, `192.0.2.0/24` or `2001:db8::/32` (RFC 4632); a lone address is a range of
 * one. Pure: bytes in, verdict out.
 */
struct cidr {
	uint8_t len; /* 4 or 16 */
	uint8_t prefix_bits;
	uint8_t bytes[16]; /* zero behind the prefix */
};

#define CIDR_TEXT_BYTES 64

/*
 * -TACIT_E_INVALID_RANGE for anything else, for bits behind the prefix too: whoever writes
 * 10.1.2.3/8 may mean one address or sixteen million. IPv4 addresses that are written as IPv6 ones
 * are refused, since peers are never shown so.
 */
int cidr_parse(const char *text, struct cidr *ret_range);

/* Always with its prefix: "192.0.2.1/32". */
void cidr_print(const struct cidr *range, char ret_text[static CIDR_TEXT_BYTES]);

/*
 * The range that a peer's address lies in, with the prefix of its family. `peer` is as
 * socket_address_text() writes it: "192.0.2.1:4000", "[2001:db8::1]:4000".
 * -TACIT_E_INVALID_RANGE when it is none.
 */
int cidr_of_peer(
    const char *peer, unsigned prefix4_bits, unsigned prefix6_bits, struct cidr *ret_range);

/* Whether a peer's address lies in the range; false for what is no address. */
bool cidr_contains(const struct cidr *range, const char *peer);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_URL_H
#define TACIT_URL_H

#include <stddef.h>

/* `https://HOST[:PORT]`, the only form that Tacit knows (RFC 3986; port 8443 by default). */
struct url {
	char host[256]; /* without brackets: "127.0.0.1", "::1", "tacit.internal" */
	char port[6];   /* "8443" */
};

#define URL_DEFAULT_PORT "8443"
#define URL_LIST_MAX     8

/* -TACIT_E_INVALID_URL for anything else: another scheme, user info, a path but `/`, a query. */
int url_parse(const char *text, struct url *ret_url);

/* Comma-separated URLs. -TACIT_E_INVALID_URL when one is wrong, or with none or too many. */
int url_parse_list(const char *text, struct url ret_urls[static URL_LIST_MAX], size_t *ret_count);

/* Prints `https://HOST:PORT`, IPv6 addresses in brackets. */
void url_print(const struct url *url, char ret_text[static 280]);

#endif

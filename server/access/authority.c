/* SPDX-License-Identifier: MIT */
#include "authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "authority_private.h"
#include "tacit/url.h"

#define SERVER_LIFETIME_S (365 * 86400LL)

/* Letters, digits, `-`, `.` and, for IPv6, `:`: what may stand in a URL and a certificate. */
static bool is_host(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < 254 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.:_") ==
	           len;
}

static int authority_set_names(struct authority *authority, const char *url,
    const char *const names[], size_t names_count, struct fault *fault)
{
	struct url parsed;
	int r = url_parse(url, &parsed);

	if (r < 0)
		return fault_set(fault, r, "%s", url);
	if (names_count >= SERVER_NAMES_MAX)
		return fault_set_why(fault, -TACIT_E_TOO_LARGE, "too many names", "--san");

	url_print(&parsed, authority->url);
	(void)snprintf(authority->trust_domain, sizeof(authority->trust_domain), "%s", parsed.host);
	(void)snprintf(authority->names[0], sizeof(authority->names[0]), "%s", parsed.host);
	authority->names_count = 1;
	for (size_t i = 0; i < names_count; i++) {
		if (!is_host(names[i]))
			return fault_set_why(fault, -TACIT_E_INVALID_NAME,
			    "neither a host name nor an address", "--san %s", names[i]);
		(void)snprintf(authority->names[authority->names_count++],
		    sizeof(authority->names[0]), "%s", names[i]);
	}

	return 0;
}

int authority_create(struct vault *vault, const char *url, const char *const names[],
    size_t names_count, struct authority **ret_authority, struct fault *fault)
{
	struct authority *authority = calloc(1, sizeof(*authority));
	int r;

	if (!authority)
		return fault_set(fault, -ENOMEM, "certificate authority");

	authority->vault = vault;
	authority->server_lifetime_s = SERVER_LIFETIME_S;
	r = authority_set_names(authority, url, names, names_count, fault);
	if (r == 0) {
		r = authority_make_ca(authority);
		if (r == 0)
			r = authority_make_server(authority);
		if (r == 0)
			r = authority_store(authority);
		if (r < 0)
			(void)fault_set(fault, r, "certificate authority");
	}
	if (r < 0) {
		authority_free(authority);
		return r;
	}

	*ret_authority = authority;
	return 0;
}

int authority_load(struct vault *vault, struct authority **ret_authority, struct fault *fault)
{
	struct authority *authority = calloc(1, sizeof(*authority));
	int r;

	if (!authority)
		return fault_set(fault, -ENOMEM, "certificate authority");

	authority->vault = vault;
	authority->server_lifetime_s = SERVER_LIFETIME_S;
	r = authority_fill(authority);
	if (r < 0) {
		authority_free(authority);
		return fault_set(fault, r, "certificate authority");
	}

	*ret_authority = authority;
	return 0;
}

void authority_free(struct authority *authority)
{
	if (!authority)
		return;

	secret_free(authority->ca_key);
	secret_free(authority->server_key);
	free(authority);
}

void authority_set_lifetime(struct authority *authority, int64_t lifetime_s)
{
	authority->server_lifetime_s = lifetime_s;
}

int authority_reissue(struct authority *authority, struct fault *fault)
{
	int r = authority_make_server(authority);

	if (r == 0)
		r = authority_store(authority);

	return r < 0 ? fault_set(fault, r, "certificate of the server") : 0;
}

int authority_renew(struct authority *authority, struct fault *fault)
{
	return time(NULL) < authority_renewal_time(authority) ? 0
	                                                      : authority_reissue(authority, fault);
}

const char *authority_ca_pem(const struct authority *authority)
{
	return authority->ca_pem;
}

const char *authority_server_pem(const struct authority *authority)
{
	return authority->server_pem;
}

const struct secret *authority_server_key(const struct authority *authority)
{
	return authority->server_key;
}

const char *authority_url(const struct authority *authority)
{
	return authority->url;
}

bool authority_has_name(const struct authority *authority, const char *host)
{
	for (size_t i = 0; i < authority->names_count; i++)
		if (!strcasecmp(authority->names[i], host))
			return true;

	return false;
}

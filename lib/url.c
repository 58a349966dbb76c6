/* SPDX-License-Identifier: MIT */
#include "tacit/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tacit/err.h"

#define URL_SCHEME      "https://"
#define URL_LABEL_BYTES 63

/* Where the host ends and what follows it, all inside the URL's text. */
struct url_parts {
	const char *host;
	size_t host_len;
	bool bracketed;
	const char *rest; /* ":PORT", "/" or "" */
};

static bool is_ipv6(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, host, &address) == 1;
}

static bool is_ipv4(const char *host)
{
	struct in_addr address;

	return inet_pton(AF_INET, host, &address) == 1;
}

/* `_` is no host name by RFC 952, but Compose makes such service names. */
static bool is_label(const char *label, size_t len)
{
	if (len == 0 || len > URL_LABEL_BYTES || label[0] == '-' || label[len - 1] == '-')
		return false;

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_')
			return false;

	return true;
}

/* A last label like that makes resolvers read the whole as an address: `127.1`, `0x7f000001`. */
static bool is_numeric_label(const char *label)
{
	if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return label[2 + strspn(label + 2, "0123456789abcdefABCDEF")] == '\0';

	return label[strspn(label, "0123456789")] == '\0';
}

static bool is_host_name(const char *host)
{
	const char *label = host;

	for (;;) {
		size_t len = strcspn(label, ".");

		if (!is_label(label, len))
			return false;
		if (label[len] == '\0')
			return !is_numeric_label(label);
		label += len + 1;
	}
}

static int url_split(const char *text, struct url_parts *ret_parts)
{
	const char *host, *end;

	if (strncasecmp(text, URL_SCHEME, strlen(URL_SCHEME)) != 0)
		return -TACIT_E_INVALID_URL;

	host = text + strlen(URL_SCHEME);
	if (*host == '[') {
		end = strchr(host, ']');
		if (!end)
			return -TACIT_E_INVALID_URL;
		*ret_parts = (struct url_parts){host + 1, (size_t)(end - host - 1), true, end + 1};
		return 0;
	}

	end = host + strcspn(host, ":/");
	*ret_parts = (struct url_parts){host, (size_t)(end - host), false, end};
	return 0;
}

static int url_parse_host(const struct url_parts *parts, struct url *ret_url)
{
	char *host = ret_url->host;

	if (parts->host_len == 0 || parts->host_len >= sizeof(ret_url->host))
		return -TACIT_E_INVALID_URL;

	memcpy(host, parts->host, parts->host_len);
	host[parts->host_len] = '\0';
	if (parts->bracketed)
		return is_ipv6(host) ? 0 : -TACIT_E_INVALID_URL;

	return is_ipv4(host) || is_host_name(host) ? 0 : -TACIT_E_INVALID_URL;
}

/* `text` is what stands behind the host: nothing, `/`, `:PORT` or `:PORT/`. */
static int url_parse_port(const char *text, struct url *ret_url)
{
	const char *port = text + 1;
	size_t len;

	if (*text != ':') {
		(void)snprintf(ret_url->port, sizeof(ret_url->port), "%s", URL_DEFAULT_PORT);
		return *text == '\0' || !strcmp(text, "/") ? 0 : -TACIT_E_INVALID_URL;
	}

	len = strspn(port, "0123456789");
	if (len == 0 || len >= sizeof(ret_url->port) || *port == '0' ||
	    strtoul(port, NULL, 10) > 65535)
		return -TACIT_E_INVALID_URL;
	if (port[len] != '\0' && strcmp(port + len, "/") != 0)
		return -TACIT_E_INVALID_URL;

	memcpy(ret_url->port, port, len);
	ret_url->port[len] = '\0';
	return 0;
}

int url_parse(const char *text, struct url *ret_url)
{
	struct url_parts parts;
	struct url url;
	int r;

	r = url_split(text, &parts);
	if (r < 0)
		return r;
	r = url_parse_host(&parts, &url);
	if (r < 0)
		return r;
	r = url_parse_port(parts.rest, &url);
	if (r < 0)
		return r;

	*ret_url = url;
	return 0;
}

/* Parses the first `len` bytes of `text`, less the blanks around them. */
static int url_parse_item(const char *text, size_t len, struct url *ret_url)
{
	char item[512] = "";

	while (len > 0 && isblank((unsigned char)*text)) {
		text++;
		len--;
	}
	while (len > 0 && isblank((unsigned char)text[len - 1]))
		len--;
	if (len >= sizeof(item))
		return -TACIT_E_INVALID_URL;

	memcpy(item, text, len);
	item[len] = '\0';
	return url_parse(item, ret_url);
}

int url_parse_list(const char *text, struct url ret_urls[static URL_LIST_MAX], size_t *ret_count)
{
	struct url urls[URL_LIST_MAX];
	size_t count = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		int r;

		if (count == URL_LIST_MAX)
			return -TACIT_E_INVALID_URL;
		r = url_parse_item(text, len, &urls[count++]);
		if (r < 0)
			return r;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}

	memcpy(ret_urls, urls, count * sizeof(urls[0]));
	*ret_count = count;
	return 0;
}

void url_print(const struct url *url, char ret_text[static 280])
{
	bool bracketed = strchr(url->host, ':') != NULL;

	(void)snprintf(
	    ret_text, 280, bracketed ? "https://[%s]:%s" : "https://%s:%s", url->host, url->port);
}

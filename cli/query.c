/* SPDX-License-Identifier: MIT */
#include "query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int query_add(char path[static PROTO_PATH_MAX_BYTES], const char *key, const char *value)
{
	char escaped[PROTO_PATH_MAX_BYTES];
	size_t len = strlen(path);
	char separator = strchr(path, '?') ? '&' : '?';
	int err = proto_path(escaped, "%s", value);

	if (err < 0)
		return err;
	if (len + strlen(key) + strlen(escaped) + sizeof("?=") > PROTO_PATH_MAX_BYTES)
		return -TACIT_E_TOO_LARGE;

	(void)snprintf(path + len, PROTO_PATH_MAX_BYTES - len, "%c%s=%s", separator, key, escaped);

	return 0;
}

int query_add_number(char path[static PROTO_PATH_MAX_BYTES], const char *key, uint32_t value)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%" PRIu32, value);

	return query_add(path, key, text);
}

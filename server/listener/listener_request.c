/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "listener_http.h"
#include "listener_tls.h"

/*
 * What libmicrohttpd lets through but a front end might read differently, which is how requests
 * are smuggled: refused.
 */
struct header_census {
	unsigned content_lengths, hosts, transfer_encodings, no_names;
};

/* `Content-Length : 3` is a name with a blank to libmicrohttpd, and a length to others. */
static bool is_header_name(const char *key)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "abcdefghijklmnopqrstuvwxyz"; /* RFC 9110, 5.6.2 */

	return key[0] && !key[strspn(key, allowed)];
}

static enum MHD_Result count_header(
    void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct header_census *census = context;

	(void)kind;
	(void)value;
	census->no_names += !is_header_name(key);
	census->content_lengths += !strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH);
	census->hosts += !strcasecmp(key, MHD_HTTP_HEADER_HOST);
	census->transfer_encodings += !strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING);
	return MHD_YES;
}

static int content_length(struct MHD_Connection *mhd_connection, size_t *ret_len)
{
	const char *text = MHD_lookup_connection_value(
	    mhd_connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	char *end;

	*ret_len = 0;
	if (!text)
		return 0;
	if (strlen(text) > 18 || strspn(text, "0123456789") != strlen(text) || !text[0])
		return -TACIT_E_MALFORMED;

	*ret_len = strtoull(text, &end, 10);
	return 0;
}

int request_judge(struct MHD_Connection *mhd_connection, enum door door, const char *method,
    const char *path, const char *version)
{
	struct header_census census = {0};
	size_t len;

	(void)MHD_get_connection_values(mhd_connection, MHD_HEADER_KIND, count_header, &census);
	if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0 || census.transfer_encodings > 0 ||
	    census.no_names > 0 || census.content_lengths > 1 || census.hosts != 1 ||
	    strlen(path) >= PROTO_PATH_MAX_BYTES || content_length(mhd_connection, &len) < 0)
		return -TACIT_E_MALFORMED;
	if (len > 0 && len > route_body_max(door, method, path))
		return -TACIT_E_TOO_LARGE;

	return 0;
}

/* Which header or query parameter fills which member of the request. */
static const struct {
	enum MHD_ValueKind kind;
	const char *name;
	size_t offset;
} request_members[] = {
    {MHD_HEADER_KIND, "Accept", offsetof(struct request, accept)},
    {MHD_HEADER_KIND, "If-Match", offsetof(struct request, if_match)},
    {MHD_HEADER_KIND, "If-None-Match", offsetof(struct request, if_none_match)},
    {MHD_HEADER_KIND, "Prefer", offsetof(struct request, prefer)},
    {MHD_HEADER_KIND, "Tacit-Instance", offsetof(struct request, instance)},
    {MHD_HEADER_KIND, "Tacit-Instance-Id", offsetof(struct request, instance_id)},
    {MHD_GET_ARGUMENT_KIND, "prefix", offsetof(struct request, prefix)},
    {MHD_GET_ARGUMENT_KIND, "after", offsetof(struct request, after)},
    {MHD_GET_ARGUMENT_KIND, "limit", offsetof(struct request, limit)},
    {MHD_GET_ARGUMENT_KIND, "version", offsetof(struct request, version)},
    {MHD_GET_ARGUMENT_KIND, "file", offsetof(struct request, file)},
    {MHD_GET_ARGUMENT_KIND, "env", offsetof(struct request, env)},
    {MHD_GET_ARGUMENT_KIND, "mode", offsetof(struct request, mode)},
    {MHD_GET_ARGUMENT_KIND, "keep_versions", offsetof(struct request, keep_versions)},
    {MHD_GET_ARGUMENT_KIND, "pattern", offsetof(struct request, pattern)},
    {MHD_GET_ARGUMENT_KIND, "deleted", offsetof(struct request, deleted)},
    {MHD_GET_ARGUMENT_KIND, "id", offsetof(struct request, token_id)},
    {MHD_GET_ARGUMENT_KIND, "seal_to", offsetof(struct request, seal_to)},
    {MHD_GET_ARGUMENT_KIND, "since", offsetof(struct request, since)},
    {MHD_GET_ARGUMENT_KIND, "client", offsetof(struct request, by_client)},
    {MHD_GET_ARGUMENT_KIND, "secret", offsetof(struct request, of_secret)},
    {MHD_GET_ARGUMENT_KIND, "cursor", offsetof(struct request, cursor)},
};

struct member_fill {
	struct request *request;
	int err;
};

/*
 * Query parameters are decoded here, in libmicrohttpd's own buffer. What comes twice is refused,
 * since somebody in between may have judged the other one; only Accept is a list.
 */
static int member_set(
    const char **member, enum MHD_ValueKind kind, const char *name, const char *value)
{
	if (*member && strcmp(name, "Accept") != 0)
		return -TACIT_E_MALFORMED;

	*member = value ? value : "";
	if (kind != MHD_GET_ARGUMENT_KIND || !value)
		return 0;

	return proto_unescape((char *)(uintptr_t)value);
}

static enum MHD_Result fill_member(
    void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct member_fill *fill = context;

	for (size_t i = 0; i < sizeof(request_members) / sizeof(request_members[0]); i++) {
		void *member = (char *)fill->request + request_members[i].offset;

		if (request_members[i].kind == kind && !strcasecmp(request_members[i].name, key) &&
		    fill->err == 0)
			fill->err = member_set(member, kind, request_members[i].name, value);
	}

	return MHD_YES;
}

int request_fill(
    struct request *request, struct MHD_Connection *mhd_connection, struct connection *connection)
{
	struct member_fill fill = {.request = request};
	struct listener *listener = connection->listener;

	(void)MHD_get_connection_values(mhd_connection, MHD_HEADER_KIND, fill_member, &fill);
	(void)MHD_get_connection_values(mhd_connection, MHD_GET_ARGUMENT_KIND, fill_member, &fill);
	request->door = listener->door;
	memcpy(request->peer, connection->peer, sizeof(request->peer));
	(void)snprintf(request->id, sizeof(request->id), "%016llx",
	    (unsigned long long)atomic_fetch_add(&listener->next_request, 1));
	request->identity = connection_identity(connection);
	return fill.err;
}

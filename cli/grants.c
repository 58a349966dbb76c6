/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "query.h"
#include "session.h"
#include "tacit/name.h"

/* ---- grant and ungrant ---- */

const struct option_row grant_options[] = {
    {"write", NULL, "let it write too"},
    COMMON_OPTIONS,
};

const struct option_row ungrant_options[] = {COMMON_OPTIONS};

struct grant {
	const char *client;
	const char *pattern;
};

static int read_grant(struct session *session, struct grant *ret_grant)
{
	const char *pattern = arguments_item(&session->arguments, 1);
	int err = session_client_name(session, 0, &ret_grant->client);

	if (err < 0)
		return err;
	if (!name_is_pattern(pattern))
		return session_refuse(session, -TACIT_E_INVALID_PATTERN, pattern);

	ret_grant->pattern = pattern;

	return 0;
}

static int grant(struct session *session)
{
	bool write = arguments_option(&session->arguments, "write") != NULL;
	cleanup_json struct json *body = json_new_object();
	struct grant grant;
	int err = body ? read_grant(session, &grant) : -ENOMEM;

	if (err == 0)
		err = json_set_text(body, "pattern", grant.pattern);
	if (err == 0)
		err = json_set_bool(body, "write", write);

	return err < 0 ? err
	               : session_act(session, "PUT", "/v1/clients/%s/grants", grant.client, body);
}

int grant_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, grant);
}

static int ungrant(struct session *session)
{
	char path[PROTO_PATH_MAX_BYTES];
	char what[CLIENT_NAME_MAX_BYTES + NAME_MAX_BYTES + 8]; /* the client may be there */
	const struct http_request request = {.method = "DELETE", .path = path};
	struct grant grant;
	int err = read_grant(session, &grant);

	if (err < 0)
		return err;

	err = proto_path(path, "/v1/clients/%s/grants", grant.client);
	if (err == 0)
		err = query_add(path, "pattern", grant.pattern);
	if (err == 0)
		err = session_connect(session);
	(void)snprintf(what, sizeof(what), "%s: %s", grant.client, grant.pattern);

	return err < 0 ? err
	               : connection_exchange(
	                     &session->connection, &request, NULL, what, NULL, &session->fault);
}

int ungrant_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, ungrant);
}

/* ---- grants ---- */

const struct option_row grants_options[] = {JSON_OPTION, COMMON_OPTIONS};

static void grants_add_row(struct table *table, const struct json *item)
{
	bool write = false;

	(void)json_bool_at(item, "write", &write);
	table_add_text(table, item, "client");
	table_add_text(table, item, "pattern");
	table_add(table, "%s", write ? "read, write" : "read");
}

static const struct table_column grants_columns[] = {
    {"CLIENT", false},
    {"PATTERN", false},
    {"MAY", false},
    {NULL, false},
};

static const struct listing_shape grants_shape = {"grants", grants_columns, grants_add_row, NULL};

/* The server's grants of one client do not repeat its name in each; the list of all needs it. */
static int add_grant(struct listing *listing, const char *client, const struct json *grant)
{
	cleanup_json struct json *item = json_new_object();
	const char *pattern = json_text_at(grant, "pattern");
	bool write = false;

	if (!pattern || json_bool_at(grant, "write", &write) < 0)
		return -TACIT_E_PROTOCOL;
	if (!item || json_set_text(item, "client", client) < 0 ||
	    json_set_text(item, "pattern", pattern) < 0 || json_set_bool(item, "write", write) < 0)
		return -ENOMEM;

	return listing_add(listing, item);
}

static int add_grants(struct listing *listing, const char *client, const struct json *answer)
{
	const struct json *items = json_array_at(answer, "grants");
	int err = items ? 0 : -TACIT_E_PROTOCOL;

	for (size_t i = 0; err == 0 && i < json_count(items); i++)
		err = add_grant(listing, client, json_item(items, i));

	return err;
}

static int grants_of(struct session *session, const char *client, struct listing *listing)
{
	cleanup_json struct json *answer = NULL;
	char path[PROTO_PATH_MAX_BYTES];
	int err = proto_path(path, "/v1/clients/%s/grants", client);

	if (err == 0)
		err = connection_get(&session->connection, path, client, &answer, &session->fault);
	if (err < 0)
		return err;

	err = add_grants(listing, client, answer);

	return err == -TACIT_E_PROTOCOL ? connection_bad_answer(client, &session->fault) : err;
}

static int grants_of_all(struct session *session, struct listing *listing)
{
	cleanup_json struct json *answer = NULL;
	int err =
	    connection_get(&session->connection, "/v1/clients", "grants", &answer, &session->fault);
	const struct json *clients = err < 0 ? NULL : json_array_at(answer, "clients");

	if (err < 0)
		return err;
	if (!clients)
		return connection_bad_answer("grants", &session->fault);

	for (size_t i = 0; err == 0 && i < json_count(clients); i++) {
		const char *name = json_text_at(json_item(clients, i), "name");

		err = name ? grants_of(session, name, listing)
		           : connection_bad_answer("grants", &session->fault);
	}

	return err;
}

static int grants(struct session *session)
{
	cleanup_listing struct listing listing = {0};
	const char *client = NULL;
	int err = listing_new(&grants_shape, session_wants_json(session), &listing);

	if (err == 0 && session->arguments.count > 0)
		err = session_client_name(session, 0, &client);
	if (err == 0)
		err = session_connect(session);
	if (err < 0)
		return err;

	err = client ? grants_of(session, client, &listing) : grants_of_all(session, &listing);

	return err < 0 ? err : session_show(session, &listing);
}

int grants_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, grants);
}

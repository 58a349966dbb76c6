/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "query.h"
#include "session.h"
#include "tacit/env_file.h"
#include "tacit/name.h"
#include "tacit/progress.h"
#include "value.h"

#define IMPORT_MAX_BYTES ((size_t)16 * 1024 * 1024)

const struct option_row import_options[] = {
    {"prefix", "P", "store NAME as P/NAME"},
    JSON_OPTION,
    COMMON_OPTIONS,
};

static void import_add_row(struct table *table, const struct json *secret)
{
	table_add_text(table, secret, "name");
	table_add_int(table, secret, "version");
}

static const struct table_column import_columns[] = {
    {"NAME", false},
    {"VERSION", true},
    {NULL, false},
};

static const struct listing_shape import_shape = {"imported", import_columns, import_add_row, NULL};

/* The fault names the file and the line, and of what stands there nothing. */
static int parse_fault(struct session *session, int err, const char *path, unsigned line)
{
	const char *why = err == -TACIT_E_MALFORMED ? "not a line of a .env file"
	                  : err == -TACIT_E_TOO_LARGE
	                      ? "a value over 512,000 bytes, or over 4,096 variables"
	                      : err_text(err);

	return fault_set_why(&session->fault, err, why, "%s, line %u", path, line);
}

static int import_read(struct session *session, struct bundle *ret_bundle)
{
	const char *path = arguments_item(&session->arguments, 0);
	cleanup_secret struct secret *text = NULL;
	unsigned line = 0;
	int err = value_read_file(path, IMPORT_MAX_BYTES, &text, &session->fault);

	if (err < 0)
		return err;

	err = env_file_parse(text, ret_bundle, &line);

	return err < 0 ? parse_fault(session, err, path, line) : 0;
}

/* `web` and `web/` are the same prefix. */
static int full_name(
    struct session *session, const char *variable, char ret_name[static NAME_MAX_BYTES + 1])
{
	const char *prefix = arguments_option(&session->arguments, "prefix");
	size_t len = prefix ? strlen(prefix) : 0;
	const char *slash = len > 0 && prefix[len - 1] != '/' ? "/" : "";
	int printed =
	    snprintf(ret_name, NAME_MAX_BYTES + 1, "%s%s%s", prefix ? prefix : "", slash, variable);

	if (printed > NAME_MAX_BYTES || !name_is_secret(ret_name))
		return fault_set(&session->fault, -TACIT_E_INVALID_NAME, "%s%s%s",
		    prefix ? prefix : "", slash, variable);

	return 0;
}

/* All names before the first request: a bad prefix must not leave half an import behind. */
static int check_names(struct session *session, const struct bundle *bundle)
{
	char name[NAME_MAX_BYTES + 1];
	int err = 0;

	for (size_t i = 0; err == 0 && i < bundle->count; i++)
		err = full_name(session, bundle->items[i].name, name);

	return err;
}

/*
 * The default variable is in capitals. Where the file's is not, the agent must still know which
 * one it replaces, so that is said.
 */
static int import_path(
    const char *name, const struct bundle_item *item, char ret_path[static PROTO_PATH_MAX_BYTES])
{
	char env[NAME_MAX_BYTES + 6];
	int err = proto_path(ret_path, "/v1/secrets/%s", name);

	(void)snprintf(env, sizeof(env), "%s_FILE", item->name);
	if (err == 0 && strcmp(env, item->env) != 0)
		err = query_add(ret_path, "env", env);

	return err;
}

static int import_item(
    struct session *session, const struct bundle_item *item, struct listing *listing)
{
	cleanup_json struct json *answer = NULL;
	char name[NAME_MAX_BYTES + 1];
	char path[PROTO_PATH_MAX_BYTES];
	const struct http_request request = {.method = "PUT",
	    .path = path,
	    .content_type = PROTO_TYPE_BYTES,
	    .body = secret_bytes(item->value),
	    .body_len = secret_len(item->value)};
	int err = full_name(session, item->name, name);

	if (err == 0)
		err = import_path(name, item, path);
	if (err == 0)
		err = connection_exchange(
		    &session->connection, &request, NULL, name, &answer, &session->fault);

	return err < 0 ? err : listing_add(listing, answer);
}

static int import_all(struct session *session, const struct bundle *bundle, struct listing *listing)
{
	struct progress progress = {.program = "tacit", .what = "secrets"};
	int err = 0;

	for (size_t i = 0; err == 0 && i < bundle->count; i++) {
		progress_show(&progress, i, bundle->count);
		err = import_item(session, &bundle->items[i], listing);
	}
	progress_end(&progress);

	return err;
}

static int import(struct session *session)
{
	cleanup_bundle struct bundle bundle = {0};
	cleanup_listing struct listing listing = {0};
	int err = import_read(session, &bundle);

	if (err == 0)
		err = check_names(session, &bundle);
	if (err == 0)
		err = listing_new(&import_shape, session_wants_json(session), &listing);
	if (err == 0)
		err = session_connect(session);
	if (err < 0)
		return err;

	err = import_all(session, &bundle, &listing);

	/* Shown after a failure too: what was stored before it is stored. */
	if (err < 0 && listing.count == 0)
		return err;

	int show_err = session_show(session, &listing);

	return err < 0 ? err : show_err;
}

int import_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, import);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "query.h"
#include "session.h"
#include "tacit/fd.h"
#include "tacit/name.h"

static int read_version(
    struct session *session, const char *text, const char *what, uint32_t *ret_version)
{
	return number_read(text, what, 1, UINT32_MAX, ret_version, &session->fault);
}

#define WHAT_MAX_BYTES (NAME_MAX_BYTES + 32)

/* What a message is about: the name may well be there when the version is not. 0 is none. */
static void name_version(char ret_what[static WHAT_MAX_BYTES], const char *name, uint32_t version)
{
	if (version > 0)
		(void)snprintf(ret_what, WHAT_MAX_BYTES, "%s version %" PRIu32, name, version);
	else
		(void)snprintf(ret_what, WHAT_MAX_BYTES, "%s", name);
}

/* ---- get ---- */

const struct option_row get_options[] = {
    {"version", "N", "this version and not the current one"},
    {"raw", NULL, "no newline behind the value on a terminal either"},
    {"json", NULL, "print JSON, with the value in base64"},
    COMMON_OPTIONS,
};

/* Straight to write(2): no copy of the value stays behind in a buffer of stdio. */
static int get_print(struct session *session, const struct secret *value)
{
	bool raw = arguments_option(&session->arguments, "raw") != NULL;
	int err = fd_write_all(STDOUT_FILENO, secret_bytes(value), secret_len(value));

	if (err == 0 && !raw && isatty(STDOUT_FILENO))
		err = fd_write_all(STDOUT_FILENO, "\n", 1);

	return err < 0 ? fault_set(&session->fault, err, "stdout") : 0;
}

static int get_value(struct session *session, const char *what, const char *path)
{
	const struct http_request request = {
	    .method = "GET", .path = path, .accept = PROTO_TYPE_BYTES};
	cleanup_response struct http_response response = {0};
	int err = connection_send(&session->connection, &request, what, &response, &session->fault);

	return err < 0 ? err : get_print(session, response.body);
}

static int get_json(struct session *session, const char *what, const char *path)
{
	cleanup_json struct json *answer = NULL;
	int err = connection_get(&session->connection, path, what, &answer, &session->fault);

	return err < 0 ? err : session_print_json(session, answer);
}

static int get_path(struct session *session, const char *name,
    char ret_path[static PROTO_PATH_MAX_BYTES], char ret_what[static WHAT_MAX_BYTES])
{
	const char *text = arguments_option(&session->arguments, "version");
	uint32_t version = 0;
	int err = proto_path(ret_path, "/v1/secrets/%s", name);

	if (err < 0)
		return fault_set(&session->fault, err, "%s", name);
	if (text)
		err = read_version(session, text, "--version", &version);
	if (err < 0)
		return err;

	name_version(ret_what, name, version);
	return text ? query_add_number(ret_path, "version", version) : 0;
}

static int get(struct session *session)
{
	char path[PROTO_PATH_MAX_BYTES];
	char what[WHAT_MAX_BYTES];
	const char *name;
	int err = session_secret_name(session, 0, &name);

	if (err == 0)
		err = get_path(session, name, path, what);
	if (err == 0)
		err = session_connect(session);
	if (err < 0)
		return err;

	return session_wants_json(session) ? get_json(session, what, path)
	                                   : get_value(session, what, path);
}

int get_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, get);
}

/* ---- ls ---- */

const struct option_row ls_options[] = {
    {"deleted", NULL, "those that were removed, and that rollback brings back"}, JSON_OPTION,
    COMMON_OPTIONS};

static void ls_add_row(struct table *table, const struct json *secret)
{
	table_add_text(table, secret, "name");
	table_add_int(table, secret, "version");
	table_add_text(table, secret, "created");
	table_add_int(table, secret, "size");
	table_add_text(table, secret, "file");
	table_add_text(table, secret, "env");
	table_add_text(table, secret, "mode");
}

static const struct table_column ls_columns[] = {
    {"NAME", false},
    {"VERSION", true},
    {"CREATED", false},
    {"SIZE", true},
    {"FILE", false},
    {"VARIABLE", false},
    {"MODE", false},
    {NULL, false},
};

static const struct listing_shape ls_shape = {"secrets", ls_columns, ls_add_row, NULL};

static int ls_path(
    const char *prefix, const char *after, bool deleted, char ret_path[static PROTO_PATH_MAX_BYTES])
{
	int err = proto_path(ret_path, "/v1/secrets");

	if (err == 0 && prefix && *prefix)
		err = query_add(ret_path, "prefix", prefix);
	if (err == 0 && *after)
		err = query_add(ret_path, "after", after);
	if (err == 0 && deleted)
		err = query_add(ret_path, "deleted", "true");

	return err;
}

/*
 * Where the next page starts, "" behind the last one. A server that does not get ahead would keep
 * us for ever.
 */
static int ls_next(const struct json *page, char after[static NAME_MAX_BYTES + 1])
{
	const char *next = json_text_at(page, "next");

	if (!json_has(page, "next")) {
		*after = '\0';

		return 0;
	}
	if (!next || !name_is_secret(next) || strcmp(next, after) <= 0)
		return -TACIT_E_PROTOCOL;

	(void)snprintf(after, NAME_MAX_BYTES + 1, "%s", next);

	return 0;
}

static int ls_page(
    struct session *session, struct listing *listing, char after[static NAME_MAX_BYTES + 1])
{
	const char *prefix = arguments_item(&session->arguments, 0);
	cleanup_json struct json *page = NULL;
	char path[PROTO_PATH_MAX_BYTES];
	bool deleted = arguments_option(&session->arguments, "deleted") != NULL;
	int err = ls_path(prefix, after, deleted, path);

	if (err < 0)
		return fault_set(&session->fault, err, "ls");

	err = connection_get(&session->connection, path, "ls", &page, &session->fault);
	if (err < 0)
		return err;

	err = listing_add_all(listing, page);
	if (err == 0)
		err = ls_next(page, after);

	return err == -TACIT_E_PROTOCOL ? connection_bad_answer("ls", &session->fault) : err;
}

static int ls(struct session *session)
{
	cleanup_listing struct listing listing = {0};
	char after[NAME_MAX_BYTES + 1] = "";
	int err = listing_new(&ls_shape, session_wants_json(session), &listing);

	if (err == 0)
		err = session_connect(session);

	do {
		if (err == 0)
			err = ls_page(session, &listing, after);
	} while (err == 0 && *after);

	return err < 0 ? err : session_show(session, &listing);
}

int ls_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, ls);
}

/* ---- rm ---- */

const struct option_row rm_options[] = {COMMON_OPTIONS};

static int rm(struct session *session)
{
	const char *name;
	int err = session_secret_name(session, 0, &name);

	return err < 0 ? err : session_act(session, "DELETE", "/v1/secrets/%s", name, NULL);
}

int rm_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, rm);
}

/* ---- versions ---- */

const struct option_row versions_options[] = {JSON_OPTION, COMMON_OPTIONS};

static void versions_add_row(struct table *table, const struct json *version)
{
	table_add_int(table, version, "version");
	table_add_text(table, version, "created");
	table_add_int(table, version, "size");
	table_add_text(table, version, "state");
}

static const struct table_column versions_columns[] = {
    {"VERSION", true},
    {"CREATED", false},
    {"SIZE", true},
    {"STATE", false},
    {NULL, false},
};

static const struct listing_shape versions_shape = {
    "versions", versions_columns, versions_add_row, NULL};

static int versions(struct session *session)
{
	const char *name;
	int err = session_secret_name(session, 0, &name);

	return err < 0 ? err
	               : session_list(session, "/v1/secrets/%s/versions", name, &versions_shape);
}

int versions_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, versions);
}

/* ---- rollback and destroy ---- */

const struct option_row rollback_options[] = {JSON_OPTION, COMMON_OPTIONS};

const struct option_row destroy_options[] = {
    {"version", "N", "only this version and not all of them"},
    COMMON_OPTIONS,
};

/* `version` 0 stands for all. */
static int post_version(struct session *session, const char *format, const char *name,
    uint32_t version, struct json **ret_answer)
{
	cleanup_json struct json *body = json_new_object();
	char path[PROTO_PATH_MAX_BYTES];
	char what[WHAT_MAX_BYTES];
	const struct http_request request = {.method = "POST", .path = path};
	int err = body ? proto_path(path, format, name) : -ENOMEM;

	if (err == 0 && version > 0)
		err = json_set_int(body, "version", version);
	if (err == 0)
		err = session_connect(session);
	name_version(what, name, version);

	return err < 0 ? err
	               : connection_exchange(&session->connection, &request, body, what, ret_answer,
	                     &session->fault);
}

static int rollback(struct session *session)
{
	cleanup_json struct json *answer = NULL;
	const char *name;
	uint32_t version;
	int err = session_secret_name(session, 0, &name);

	if (err == 0)
		err = read_version(
		    session, arguments_item(&session->arguments, 1), "VERSION", &version);
	if (err == 0)
		err = post_version(session, "/v1/secrets/%s/rollback", name, version, &answer);

	return err < 0 ? err : session_print_version(session, name, answer);
}

int rollback_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, rollback);
}

static int destroy(struct session *session)
{
	const char *text = arguments_option(&session->arguments, "version");
	const char *name;
	uint32_t version = 0;
	int err = session_secret_name(session, 0, &name);

	if (err == 0 && text)
		err = read_version(session, text, "--version", &version);

	return err < 0 ? err : post_version(session, "/v1/secrets/%s/destroy", name, version, NULL);
}

int destroy_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, destroy);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "query.h"
#include "session.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"

#define USES_MAX 1000000

/* ---- token create ---- */

const struct option_row token_create_options[] = {
    {"uses", "N", "how many machines may use it (default: 1)"},
    {"ttl", "D", "how long it is good, as 30s, 10m or 2h (default: 10m)"},
    {"from", "CIDR", "only from these addresses, as 10.0.0.0/8; may be repeated"},
    {"certificate-ttl", "D", "how long each certificate is valid (default: 24h)"},
    JSON_OPTION,
    COMMON_OPTIONS,
};

static int add_uses(struct session *session, struct json *body)
{
	const char *text = arguments_option(&session->arguments, "uses");
	uint32_t uses;

	if (!text)
		return 0;

	int err = number_read(text, "--uses", 1, USES_MAX, &uses, &session->fault);

	return err < 0 ? err : json_set_int(body, "uses", uses);
}

static int add_time(struct session *session, const char *option, const char *key, struct json *body)
{
	const char *text = arguments_option(&session->arguments, option);
	int64_t ms;

	if (!text)
		return 0;
	if (duration_parse(text, &ms) < 0 || ms < 1000)
		return fault_set_why(&session->fault, -TACIT_E_USAGE,
		    "not a time of a second or more, such as 10m or 24h", "--%s", option);

	return json_set_int(body, key, ms / 1000);
}

/* The server knows what a range is, and says so. */
static int add_ranges(struct session *session, struct json *body)
{
	struct json *list;
	const char *text = arguments_nth(&session->arguments, "from", 0);
	int err;

	if (!text)
		return 0;

	list = json_new_array();
	err = json_set(body, "from", list);
	for (int i = 1; err == 0 && text; i++) {
		err = json_append_text(list, text);
		text = arguments_nth(&session->arguments, "from", i);
	}

	return err;
}

static int make_order(struct session *session, const char *client, struct json **ret_body)
{
	cleanup_json struct json *body = json_new_object();
	int err = body ? json_set_text(body, "client", client) : -ENOMEM;

	if (err == 0)
		err = add_uses(session, body);
	if (err == 0)
		err = add_time(session, "ttl", "ttl_s", body);
	if (err == 0)
		err = add_time(session, "certificate-ttl", "certificate_ttl_s", body);
	if (err == 0)
		err = add_ranges(session, body);
	if (err < 0)
		return err;

	*ret_body = body;
	body = NULL;

	return 0;
}

/* The token, and nothing else, so that `$(tacit token create web)` is one. Past stdio's buffers. */
static int print_token(struct session *session, const char *token)
{
	cleanup_secret struct secret *line = NULL;
	int err = secret_new_from(token, strlen(token), &line);

	if (err == 0)
		err = secret_append(line, "\n", 1);
	if (err == 0)
		err = fd_write_all(STDOUT_FILENO, secret_bytes(line), secret_len(line));

	return err < 0 ? fault_set(&session->fault, err, "stdout") : 0;
}

/* A text from the server: nothing in it is to steer the terminal. */
static void say(const char *before, const char *text)
{
	(void)fputs(before, stderr);
	for (; text && *text; text++)
		(void)fputc(*text >= ' ' && *text <= '~' ? *text : '?', stderr);
}

static void say_ranges(const struct json *answer)
{
	const struct json *ranges = json_array_at(answer, "from");

	for (size_t i = 0; ranges && i < json_count(ranges); i++)
		say(i == 0 ? " from " : ", ", json_text(json_item(ranges, i)));
}

static void explain(const char *client, const struct json *answer)
{
	int64_t uses = 0;
	bool is_new = false;

	(void)json_int_at(answer, "uses", &uses);
	(void)json_bool_at(answer, "new_client", &is_new);
	say("token ", json_text_at(answer, "id"));
	if (uses == 1)
		say(": good once", "");
	else
		(void)fprintf(stderr, ": good %" PRId64 " times", uses);
	say(" until ", json_text_at(answer, "expires"));
	say(" at ", json_text_at(answer, "url"));
	say_ranges(answer);
	say("; shown only now\n", "");
	if (is_new)
		(void)fprintf(stderr,
		    "client %s: new, and may read nothing yet; next: tacit grant %s PATTERN\n",
		    client, client);
}

static int create(struct session *session, const char *client, const struct json *body)
{
	const struct http_request request = {.method = "POST", .path = "/v1/tokens"};
	cleanup_json struct json *answer = NULL;
	const char *token;
	int err = connection_exchange(
	    &session->connection, &request, body, client, &answer, &session->fault);

	if (err < 0)
		return err;
	token = json_text_at(answer, "token");
	if (!token)
		return connection_bad_answer(client, &session->fault);
	if (session_wants_json(session))
		return session_print_json(session, answer);

	err = print_token(session, token);
	if (err == 0)
		explain(client, answer);

	return err;
}

static int token_create(struct session *session)
{
	cleanup_json struct json *body = NULL;
	const char *client;
	int err = session_client_name(session, 0, &client);

	if (err == 0)
		err = make_order(session, client, &body);
	if (err == 0)
		err = session_connect(session);

	return err < 0 ? err : create(session, client, body);
}

int token_create_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, token_create);
}

/* ---- token ls ---- */

const struct option_row token_ls_options[] = {JSON_OPTION, COMMON_OPTIONS};

static void add_from(struct table *table, const struct json *token)
{
	const struct json *ranges = json_array_at(token, "from");
	size_t count = ranges ? json_count(ranges) : 0;
	const char *first = count > 0 ? json_text(json_item(ranges, 0)) : "anywhere";

	table_add(table, count > 1 ? "%s, ..." : "%s", first ? first : "-");
}

static void token_add_row(struct table *table, const struct json *token)
{
	int64_t used = 0, uses = 0;

	(void)json_int_at(token, "used", &used);
	(void)json_int_at(token, "uses", &uses);
	table_add_text(table, token, "id");
	table_add_text(table, token, "client");
	table_add_text(table, token, "state");
	table_add(table, "%" PRId64 "/%" PRId64, used, uses);
	table_add_text(table, token, "created");
	table_add_text(table, token, "expires");
	add_from(table, token);
}

static const struct table_column token_columns[] = {
    {"ID", false},
    {"CLIENT", false},
    {"STATE", false},
    {"USED", true},
    {"CREATED", false},
    {"EXPIRES", false},
    {"FROM", false},
    {NULL, false},
};

static const struct listing_shape token_shape = {"tokens", token_columns, token_add_row, NULL};

static int token_ls(struct session *session)
{
	return session_list(session, "/v1/tokens", "token ls", &token_shape);
}

int token_ls_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, token_ls);
}

/* ---- token revoke ---- */

const struct option_row token_revoke_options[] = {COMMON_OPTIONS};

/* Somebody may have pasted the token itself here, and it would stand in the server's address. */
static bool is_id(const char *text)
{
	return strlen(text) == 12 && strspn(text, "0123456789abcdef") == 12;
}

static int token_revoke(struct session *session)
{
	const char *id = arguments_item(&session->arguments, 0);
	char path[PROTO_PATH_MAX_BYTES] = "/v1/tokens";
	const struct http_request request = {.method = "DELETE", .path = path};
	int err;

	if (!is_id(id))
		return fault_set_why(&session->fault, -TACIT_E_USAGE,
		    "wants the id of a token, 12 digits as in `tacit token ls`", "token revoke");

	err = query_add(path, "id", id);
	if (err == 0)
		err = session_connect(session);

	return err < 0 ? err
	               : connection_exchange(
	                     &session->connection, &request, NULL, id, NULL, &session->fault);
}

int token_revoke_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, token_revoke);
}

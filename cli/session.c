/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "tacit/name.h"

#define TIMEOUT_DEFAULT_MS 30000

static int finish(struct session *session, int err)
{
	connection_close(&session->connection);
	if (err == 0)
		return 0;
	if (session->fault.err == 0)
		(void)fault_set(&session->fault, err, "%s", session->arguments.command->name);

	fault_report("tacit", &session->fault);

	return err_exit_code(session->fault.err);
}

int session_run(
    const struct command *command, int argc, char *argv[], int (*action)(struct session *session))
{
	struct session session = {.arguments.command = command};
	int err = arguments_read(command, argc, argv, &session.arguments, &session.fault);

	if (err == 0)
		err = arguments_check(&session.arguments, &session.fault);
	if (err == 0)
		err = action(&session);

	return finish(&session, err);
}

int session_run_unchecked(
    const struct command *command, int argc, char *argv[], int (*action)(struct session *session))
{
	struct session session = {.arguments.command = command};
	int err = arguments_read(command, argc, argv, &session.arguments, &session.fault);

	if (err == 0)
		err = action(&session);

	return finish(&session, err);
}

static int read_timeout(struct session *session, int64_t *ret_ms)
{
	const char *text = arguments_option(&session->arguments, "timeout");
	int64_t timeout_ms = TIMEOUT_DEFAULT_MS;

	if (text && (duration_parse(text, &timeout_ms) < 0 || timeout_ms == 0))
		return fault_set_why(&session->fault, -TACIT_E_USAGE,
		    "not a time, such as 30s, 500ms or 2m", "--timeout");

	*ret_ms = timeout_ms;

	return 0;
}

int session_connect(struct session *session)
{
	const struct arguments *arguments = &session->arguments;
	int64_t timeout_ms = 0;
	int err = read_timeout(session, &timeout_ms);

	if (err < 0)
		return err;

	return connection_open(&session->connection, arguments_option(arguments, "identity"),
	    arguments_option(arguments, "server"), timeout_ms, &session->fault);
}

int session_refuse(struct session *session, int err, const char *text)
{
	return fault_set(&session->fault, err, "%s", *text ? text : "''");
}

int session_secret_name(struct session *session, int index, const char **ret_name)
{
	const char *name = arguments_item(&session->arguments, index);

	if (!name_is_secret(name))
		return session_refuse(session, -TACIT_E_INVALID_NAME, name);

	*ret_name = name;

	return 0;
}

int session_client_name(struct session *session, int index, const char **ret_name)
{
	const char *name = arguments_item(&session->arguments, index);

	if (!name_is_client(name))
		return session_refuse(session, -TACIT_E_INVALID_NAME, name);

	*ret_name = name;

	return 0;
}

bool session_wants_json(const struct session *session)
{
	return arguments_option(&session->arguments, "json") != NULL;
}

/* Past stdio, whose buffers nobody wipes: the document may carry a value. */
int session_print_json(struct session *session, const struct json *json)
{
	cleanup_secret struct secret *text = NULL;
	int err = json_print(json, &text);

	if (err == 0)
		err = secret_append(text, "\n", 1);
	if (err == 0)
		err = fd_write_all(STDOUT_FILENO, secret_bytes(text), secret_len(text));

	return err < 0 ? fault_set(&session->fault, err, "stdout") : 0;
}

int session_print_version(struct session *session, const char *name, const struct json *answer)
{
	int64_t version;

	if (json_int_at(answer, "version", &version) < 0)
		return connection_bad_answer(name, &session->fault);
	if (session_wants_json(session))
		return session_print_json(session, answer);

	(void)printf("%s: version %" PRId64 "\n", name, version);

	return session_flush(session);
}

int session_flush(struct session *session)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;

	return fault_set(&session->fault, errno ? -errno : -EIO, "stdout");
}

int session_act(struct session *session, const char *method, const char *format, const char *name,
    const struct json *body)
{
	char path[PROTO_PATH_MAX_BYTES];
	const struct http_request request = {.method = method, .path = path};
	int err = proto_path(path, format, name);

	if (err < 0)
		return fault_set(&session->fault, err, "%s", name);

	err = session_connect(session);
	if (err < 0)
		return err;

	return connection_exchange(
	    &session->connection, &request, body, name, NULL, &session->fault);
}

int session_list(struct session *session, const char *format, const char *name,
    const struct listing_shape *shape)
{
	cleanup_listing struct listing listing = {0};
	cleanup_json struct json *answer = NULL;
	char path[PROTO_PATH_MAX_BYTES];
	int err = proto_path(path, format, name);

	if (err == 0)
		err = listing_new(shape, session_wants_json(session), &listing);
	if (err == 0)
		err = session_connect(session);
	if (err == 0)
		err = connection_get(&session->connection, path, name, &answer, &session->fault);
	if (err < 0)
		return err;

	err = listing_add_all(&listing, answer);
	if (err == -TACIT_E_PROTOCOL)
		return connection_bad_answer(name, &session->fault);

	return err < 0 ? err : session_show(session, &listing);
}

int session_show(struct session *session, struct listing *listing)
{
	int err = listing_show(listing);

	return err < 0 ? fault_set(&session->fault, err, "stdout") : 0;
}

/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "query.h"
#include "session.h"
#include "tacit/name.h"
#include "value.h"

#define VERSIONS_MAX 256

const struct option_row put_options[] = {
    {"from-file", "FILE", "take the value from a file, byte for byte"},
    {"generate", "BYTES", "make one from that many random bytes, as base64url text"},
    {"file", "NAME", "deliver it as this file (default: the last segment of NAME)"},
    {"env", "VAR", "put the file's path into this variable (default: FILE in capitals, _FILE)"},
    {"mode", "MODE", "mode of the file, 0400 (default) or 0440"},
    {"keep", "N", "how many versions of it the server keeps, 1 to 256; 0: as many as of others"},
    {"if-version", "N", "only if N is the current version; 0: only if there is none"},
    JSON_OPTION,
    COMMON_OPTIONS,
};

static int refuse_value_argument(struct session *session)
{
	return fault_set_why(&session->fault, -TACIT_E_USAGE,
	    "no value is taken from the command line, since every process can read it there and "
	    "the shell keeps it; pipe it in, type it when asked, or use --from-file",
	    "put");
}

/* `tacit put NAME=VALUE` is a slip that must not bring the value into a message either. */
static int put_name(struct session *session, const char **ret_name)
{
	const struct arguments *arguments = &session->arguments;

	if (arguments->count > 1)
		return refuse_value_argument(session);

	int err = arguments_check(arguments, &session->fault);

	if (err < 0)
		return err;
	if (strchr(arguments_item(arguments, 0), '='))
		return refuse_value_argument(session);

	return session_secret_name(session, 0, ret_name);
}

static bool is_mode(const char *text)
{
	mode_t mode;

	return name_parse_mode(text, &mode) == 0;
}

/* The options that go along as metadata, each checked before anything is sent. */
static const struct metadata_option {
	const char *name;
	bool (*is_valid)(const char *text);
	int err;
} metadata_options[] = {
    {"file", name_is_file, -TACIT_E_INVALID_NAME},
    {"env", name_is_env, -TACIT_E_INVALID_ENV},
    {"mode", is_mode, -TACIT_E_INVALID_MODE},
};

static int put_path(
    struct session *session, const char *name, char ret_path[static PROTO_PATH_MAX_BYTES])
{
	int err = proto_path(ret_path, "/v1/secrets/%s", name);

	for (size_t i = 0; i < sizeof(metadata_options) / sizeof(metadata_options[0]); i++) {
		const struct metadata_option *option = &metadata_options[i];
		const char *value = arguments_option(&session->arguments, option->name);

		if (!value || err < 0)
			continue;
		if (!option->is_valid(value))
			return fault_set(
			    &session->fault, option->err, "--%s %s", option->name, value);

		err = query_add(ret_path, option->name, value);
	}

	return err < 0 ? fault_set(&session->fault, err, "%s", name) : 0;
}

static int put_kept(struct session *session, char path[static PROTO_PATH_MAX_BYTES])
{
	const char *text = arguments_option(&session->arguments, "keep");
	uint32_t kept;
	int err = text ? number_read(text, "--keep", 0, VERSIONS_MAX, &kept, &session->fault) : 0;

	if (err < 0 || !text)
		return err;

	err = query_add_number(path, "keep_versions", kept);
	return err < 0 ? fault_set(&session->fault, err, "--keep") : 0;
}

static int put_condition(struct session *session, struct http_request *request,
    char ret_etag[static PROTO_ETAG_MAX_BYTES])
{
	const char *text = arguments_option(&session->arguments, "if-version");
	uint32_t version;

	if (!text)
		return 0;

	int err = number_read(text, "--if-version", 0, UINT32_MAX, &version, &session->fault);

	if (err < 0)
		return err;

	if (version == 0) {
		request->if_none_match = "*";
	} else {
		(void)snprintf(ret_etag, PROTO_ETAG_MAX_BYTES, "\"v%" PRIu32 "\"", version);
		request->if_match = ret_etag;
	}

	return 0;
}

struct value_source {
	const char *file;        /* or NULL */
	uint32_t generate_bytes; /* or 0 */
};

static int put_source(struct session *session, struct value_source *ret_source)
{
	const char *generate = arguments_option(&session->arguments, "generate");

	ret_source->file = arguments_option(&session->arguments, "from-file");
	if (!generate)
		return 0;
	if (ret_source->file)
		return fault_set_why(&session->fault, -TACIT_E_USAGE,
		    "--from-file and --generate exclude each other", "put");

	return number_read(generate, "--generate", VALUE_GENERATE_MIN_BYTES,
	    VALUE_GENERATE_MAX_BYTES, &ret_source->generate_bytes, &session->fault);
}

static int put_value(struct session *session, const struct value_source *source, const char *name,
    struct secret **ret_value)
{
	if (source->file)
		return value_from_file(source->file, ret_value, &session->fault);
	if (source->generate_bytes > 0)
		return value_generate(source->generate_bytes, ret_value);

	return value_from_stdin(name, ret_value, &session->fault);
}

static int put_send(struct session *session, const char *name, struct http_request *request,
    const struct value_source *source)
{
	cleanup_secret struct secret *value = NULL;
	cleanup_json struct json *answer = NULL;
	int err = put_value(session, source, name, &value);

	if (err < 0)
		return err;

	request->content_type = PROTO_TYPE_BYTES;
	request->body = secret_bytes(value);
	request->body_len = secret_len(value);
	err = connection_exchange(
	    &session->connection, request, NULL, name, &answer, &session->fault);

	return err < 0 ? err : session_print_version(session, name, answer);
}

static int put(struct session *session)
{
	char path[PROTO_PATH_MAX_BYTES];
	char etag[PROTO_ETAG_MAX_BYTES];
	struct http_request request = {.method = "PUT", .path = path};
	struct value_source source = {0};
	const char *name = NULL;
	int err = put_name(session, &name);

	if (err == 0)
		err = put_path(session, name, path);
	if (err == 0)
		err = put_kept(session, path);
	if (err == 0)
		err = put_condition(session, &request, etag);
	if (err == 0)
		err = put_source(session, &source);
	if (err == 0)
		err = session_connect(session);

	return err < 0 ? err : put_send(session, name, &request, &source);
}

int put_run(const struct command *command, int argc, char *argv[])
{
	return session_run_unchecked(command, argc, argv, put);
}

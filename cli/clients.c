/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "session.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "tacit/identity.h"
#include "tacit/name.h"

/* ---- client add ---- */

const struct option_row client_add_options[] = {
    {"role", "ROLE", "client (default), operator, auditor or admin"},
    {"ttl", "D", "how long the certificate is valid, as 12h or 90d"},
    {"out", "FILE", "where the identity goes (default: stdout; on a terminal NAME.pem)"},
    {"no-identity", NULL, "only add it: it will enrol with a join token"},
    COMMON_OPTIONS,
};

/* Where the identity goes: a name inside a directory that is held open, or stdout. */
struct destination {
	char default_path[CLIENT_NAME_MAX_BYTES + sizeof(".pem")];
	const char *path;
	const char *name; /* inside `path` */
	int dirfd;        /* -1 for stdout */
};

static int open_parent(const char *path, const char *name)
{
	/* "a/b" lies in "a/", "/b" in "/", "b" in "." */
	cleanup_free char *parent =
	    name == path ? strdup(".") : strndup(path, (size_t)(name - path));

	if (!parent)
		return -ENOMEM;

	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Asked before anything is sent, so that no client is made whose identity cannot be kept. What
 * counts in the end is the answer of fd_create_file().
 */
static int check_vacant(const struct destination *destination)
{
	struct stat unused;

	if (*destination->name == '\0')
		return -EISDIR;
	if (fstatat(destination->dirfd, destination->name, &unused, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	if (faccessat(destination->dirfd, ".", W_OK, AT_EACCESS) < 0)
		return -errno;

	return 0;
}

static int destination_open(struct destination *destination, const char *path, struct fault *fault)
{
	const char *slash = strrchr(path, '/');

	destination->path = path;
	destination->name = slash ? slash + 1 : path;
	destination->dirfd = open_parent(path, destination->name);
	if (destination->dirfd < 0)
		return fault_set(fault, destination->dirfd, "%s", path);

	int err = check_vacant(destination);

	return err < 0 ? fault_set(fault, err, "%s", path) : 0;
}

static int destination_choose(
    struct session *session, const char *client, struct destination *destination)
{
	const char *out = arguments_option(&session->arguments, "out");

	if (!out && !isatty(STDOUT_FILENO))
		return 0;

	(void)snprintf(
	    destination->default_path, sizeof(destination->default_path), "%s.pem", client);

	return destination_open(
	    destination, out ? out : destination->default_path, &session->fault);
}

static int destination_write(
    const struct destination *destination, const struct secret *pem, struct fault *fault)
{
	if (destination->dirfd < 0) {
		int err = fd_write_all(STDOUT_FILENO, secret_bytes(pem), secret_len(pem));

		return err < 0 ? fault_set(fault, err, "stdout") : 0;
	}

	int err = fd_create_file(
	    destination->dirfd, destination->name, 0400, secret_bytes(pem), secret_len(pem));

	return err < 0 ? fault_set(fault, err, "%s", destination->path) : 0;
}

static bool is_role(const char *text)
{
	static const char *const roles[] = {"client", "operator", "auditor", "admin"};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(text, roles[i]) == 0)
			return true;
	}

	return false;
}

static int add_role(struct session *session, struct json *body)
{
	const char *role = arguments_option(&session->arguments, "role");

	if (!role)
		return 0;
	if (!is_role(role))
		return fault_set(&session->fault, -TACIT_E_INVALID_ROLE, "%s", role);

	return json_set_text(body, "role", role);
}

static int add_ttl(struct session *session, struct json *body)
{
	const char *text = arguments_option(&session->arguments, "ttl");
	int64_t ttl_ms;

	if (!text)
		return 0;
	if (duration_parse(text, &ttl_ms) < 0 || ttl_ms < 1000)
		return fault_set_why(&session->fault, -TACIT_E_USAGE,
		    "not a time of a second or more, such as 12h or 90d", "--ttl");

	return json_set_int(body, "ttl_s", ttl_ms / 1000);
}

/* A new key, which never leaves this process but in the identity, and a request to sign it. */
static int add_request(
    struct session *session, const char *client, struct json *body, struct secret **ret_key)
{
	cleanup_secret struct secret *key = NULL;
	cleanup_secret struct secret *csr = NULL;
	int err = identity_new_request(client, &key, &csr);

	if (err == 0)
		err = secret_append(csr, "", 1);
	if (err == 0)
		err = json_set_text(body, "csr", (const char *)secret_bytes(csr));
	if (err < 0)
		return fault_set(&session->fault, err, "%s", client);

	*ret_key = secret_take(&key);

	return 0;
}

static int send_client(
    struct session *session, const char *client, const struct json *body, struct json **ret_answer)
{
	char path[PROTO_PATH_MAX_BYTES];
	const struct http_request request = {
	    .method = "PUT", .path = path, .if_none_match = "*", .accept = PROTO_TYPE_JSON};
	int err = proto_path(path, "/v1/clients/%s", client);

	if (err < 0)
		return err;

	return connection_exchange(
	    &session->connection, &request, body, client, ret_answer, &session->fault);
}

/* Puts the identity together and reads it as the client will: it must work there, as that one. */
static int compose(struct session *session, const char *client, const struct secret *key,
    const struct json *answer, struct secret **ret_pem)
{
	const char *certificate = json_text_at(answer, "certificate");
	const char *ca = json_text_at(answer, "ca");
	const char *server = json_text_at(answer, "server");
	cleanup_secret struct secret *pem = NULL;
	cleanup_identity struct identity *identity = NULL;

	if (!certificate || !ca || !server)
		return connection_bad_answer(client, &session->fault);

	int err = identity_compose(server, key, certificate, ca, &pem);

	if (err < 0)
		return fault_set(&session->fault, err, "%s", client);
	if (identity_parse(pem, client, &identity, NULL) < 0 ||
	    strcmp(identity_client(identity), client) != 0)
		return connection_bad_answer(client, &session->fault);

	*ret_pem = secret_take(&pem);

	return 0;
}

/* A client whose identity nobody has would only be in the way of the next try. */
static void take_back(struct session *session, const char *client)
{
	char path[PROTO_PATH_MAX_BYTES];
	const struct http_request request = {.method = "DELETE", .path = path};

	if (proto_path(path, "/v1/clients/%s", client) == 0)
		(void)connection_exchange(&session->connection, &request, NULL, client, NULL, NULL);
}

static int add_client(struct session *session, const char *client,
    const struct destination *destination, const struct json *body, const struct secret *key)
{
	cleanup_json struct json *answer = NULL;
	cleanup_secret struct secret *pem = NULL;
	int err = send_client(session, client, body, &answer);

	if (err < 0)
		return err;

	err = compose(session, client, key, answer, &pem);
	if (err == 0)
		err = destination_write(destination, pem, &session->fault);
	if (err < 0) {
		take_back(session, client);

		return err;
	}
	if (destination->dirfd < 0)
		return 0;

	(void)printf("%s: identity in %s, valid until %s\n", client, destination->path,
	    json_text_at(answer, "not_after") ? json_text_at(answer, "not_after") : "?");

	return session_flush(session);
}

static int client_add_to(
    struct session *session, const char *client, const struct destination *destination)
{
	cleanup_json struct json *body = json_new_object();
	cleanup_secret struct secret *key = NULL;
	int err = body ? add_role(session, body) : -ENOMEM;

	if (err == 0)
		err = add_ttl(session, body);
	if (err == 0)
		err = session_connect(session);
	if (err == 0)
		err = add_request(session, client, body, &key);

	return err < 0 ? err : add_client(session, client, destination, body, key);
}

static int client_add_bare(struct session *session, const char *client)
{
	const struct arguments *arguments = &session->arguments;
	cleanup_json struct json *body = json_new_object();
	int err = body ? add_role(session, body) : -ENOMEM;

	if (arguments_option(arguments, "out") || arguments_option(arguments, "ttl"))
		return fault_set_why(&session->fault, -TACIT_E_USAGE,
		    "not with --out or --ttl, which are about one", "--no-identity");
	if (err == 0)
		err = session_connect(session);
	if (err == 0)
		err = send_client(session, client, body, NULL);
	if (err < 0)
		return err;

	(void)printf(
	    "%s: added, without an identity; next: tacit token create %s\n", client, client);

	return session_flush(session);
}

static int client_add(struct session *session)
{
	struct destination destination = {.dirfd = -1};
	const char *client;
	int err = session_client_name(session, 0, &client);

	if (err == 0 && arguments_option(&session->arguments, "no-identity"))
		return client_add_bare(session, client);
	if (err == 0)
		err = destination_choose(session, client, &destination);
	if (err == 0)
		err = client_add_to(session, client, &destination);

	fd_cleanup(&destination.dirfd);

	return err;
}

int client_add_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, client_add);
}

/* ---- client ls ---- */

const struct option_row client_ls_options[] = {JSON_OPTION, COMMON_OPTIONS};

static void client_add_row(struct table *table, const struct json *client)
{
	bool revoked = false;

	(void)json_bool_at(client, "revoked", &revoked);
	table_add_text(table, client, "name");
	table_add_text(table, client, "role");
	table_add(table, "%s", revoked ? "revoked" : "active");
	table_add_text(table, client, "created");
	table_add_text(table, client, "not_after");
	table_add_int(table, client, "grants");
}

static const struct table_column client_columns[] = {
    {"NAME", false},
    {"ROLE", false},
    {"STATE", false},
    {"CREATED", false},
    {"VALID UNTIL", false},
    {"GRANTS", true},
    {NULL, false},
};

static const struct listing_shape client_shape = {"clients", client_columns, client_add_row, NULL};

static int client_ls(struct session *session)
{
	return session_list(session, "/v1/clients", "client ls", &client_shape);
}

int client_ls_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, client_ls);
}

/* ---- client revoke ---- */

const struct option_row client_revoke_options[] = {COMMON_OPTIONS};

static int client_revoke(struct session *session)
{
	const char *client;
	int err = session_client_name(session, 0, &client);

	return err < 0 ? err : session_act(session, "POST", "/v1/clients/%s/revoke", client, NULL);
}

int client_revoke_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, client_revoke);
}

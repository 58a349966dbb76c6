/* SPDX-License-Identifier: MIT */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "arguments.h"
#include "connection.h"
#include "listing.h"

/* One run of one command. */
struct session {
	struct arguments arguments;
	struct connection connection; /* after session_connect() */
	struct fault fault;
};

/*
 * Reads the command line, acts, reports what went wrong as one line on stderr, and returns the
 * exit code. `action` returns 0 or an error with session->fault set.
 */
int session_run(
    const struct command *command, int argc, char *argv[], int (*action)(struct session *session));

/* The same for an action that checks the number of its arguments itself. */
int session_run_unchecked(
    const struct command *command, int argc, char *argv[], int (*action)(struct session *session));

/*
 * Loads the identity. It is a step of its own so that an action can check its arguments first,
 * and ask for a value only after this went well.
 */
int session_connect(struct session *session);

/* Sets the fault for an argument that is not what it should be; an empty one shows as `''`. */
int session_refuse(struct session *session, int err, const char *text);

/* An argument as a secret's name or a client's; -TACIT_E_INVALID_NAME. */
int session_secret_name(struct session *session, int index, const char **ret_name);
int session_client_name(struct session *session, int index, const char **ret_name);

/* Whether `--json` was given. */
bool session_wants_json(const struct session *session);

/* Prints a document and a newline to stdout. */
int session_print_json(struct session *session, const struct json *json);

/*
 * The whole of a simple command: connects, sends one request about `name`, whose path `format`
 * makes of it, and wants nothing but success. `body` may be NULL.
 */
int session_act(struct session *session, const char *method, const char *format, const char *name,
    const struct json *body);

/* The same for a command that shows a list. */
int session_list(struct session *session, const char *format, const char *name,
    const struct listing_shape *shape);

/* Prints a listing to stdout. */
int session_show(struct session *session, struct listing *listing);

/* Prints what a write answered, `{"name","version"}`: as a line, or as it is with --json. */
int session_print_version(struct session *session, const char *name, const struct json *answer);

/* Flushes stdout: a full disk or a reader that went away is a failure. */
int session_flush(struct session *session);

#endif

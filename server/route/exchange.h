/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_EXCHANGE_H
#define TACIT_SERVER_EXCHANGE_H

#include "route.h"
#include "tacit/json.h"

/* One request on its way to its answer, and what handlers do with it. */
struct exchange;

/* 0, or the error that is answered. */
typedef int exchange_handler(struct exchange *exchange);

struct exchange {
	struct server *server;
	struct request *request;
	struct response *response;
	const struct client *client; /* the caller; NULL on open routes */
	const char *name;            /* of the path; NULL where the route has none */
	const char *event;           /* what the audit log calls this */
	exchange_handler *finish;    /* what is left to do without the routes' lock; NULL */
	const char *detail;          /* handlers may say more than the error's text; NULL */
	char subject[160];           /* of the audit line about a failure; "": the name */
};

/* Whether the caller may do this to `name`. */
bool exchange_allows(const struct exchange *exchange, enum action action, const char *name);

/*
 * Writes the audit line of this exchange; -TACIT_E_AUDIT_UNAVAILABLE, and then nothing may be
 * answered but that. Called before a change is made.
 */
int exchange_audit(struct exchange *exchange, int status, const char *subject,
    const struct audit_secret *secrets, size_t count);

/*
 * The same for values that are about to be opened, once in an exchange and where nothing else is to
 * come of it but the answer: that waits for the line, and not we (see `ticket` in struct request).
 */
int exchange_audit_values(
    struct exchange *exchange, int status, const struct audit_secret *secrets, size_t count);

/* For the many that concern one secret, or none. */
int exchange_audit_name(struct exchange *exchange, int status, const char *name, uint32_t version);
int exchange_audit_subject(struct exchange *exchange, int status, const char *subject);

/*
 * The same for who looks at the audit log or the status: once in AUDIT_READING_MS for each caller
 * and each question, which `subject` is ("" for none). More would be lines that tell of reading
 * lines, and somebody who follows the log would never get to its end.
 */
int exchange_audit_reading(struct exchange *exchange, const char *subject);

/*
 * Lets the request wait: until a change that concerns `client`, or, for one of these, which are no
 * names, until there are new lines in the audit log or something in the status has changed. Whoever
 * calls must have looked under the routes' lock, so that no news can slip in between the look and
 * the wait.
 */
#define WAITER_AUDIT  "?audit"
#define WAITER_STATUS "?status"
void exchange_wait(struct exchange *exchange, const char *client);

/* A decimal number without sign. -TACIT_E_MALFORMED. */
int number_parse(const char *text, uint64_t max, uint64_t *ret_number);

/* Parses the body as a JSON object with no other keys than these. -TACIT_E_MALFORMED. */
int exchange_parse_body(
    struct exchange *exchange, const char *const keys[], struct json **ret_json);

/* A member that is a text, or absent (NULL). -TACIT_E_MALFORMED when it is of another type. */
int exchange_member_text(
    struct exchange *exchange, const struct json *json, const char *key, const char **ret_text);

/* Answers with a document, or with nothing (204). */
int exchange_answer_json(struct exchange *exchange, int status, const struct json *json);
int exchange_answer_empty(struct exchange *exchange);

/* Adds a time as RFC 3339 text in UTC, "2026-11-24T06:10:08Z". */
int json_set_time(struct json *json, const char *key, int64_t seconds);

#endif

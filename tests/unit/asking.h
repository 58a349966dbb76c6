/* SPDX-License-Identifier: MIT */
#ifndef TACIT_TEST_ASKING_H
#define TACIT_TEST_ASKING_H

#include "fixture.h"
#include "route.h"
#include "tacit/json.h"

/*
 * Questions to the routes of a real store, without a socket: a test says who asks what, and the
 * answer is kept until the next question.
 */
extern struct fixture fixture;
extern struct server *server; /* of the fixture, once it is open */
extern struct response answer;
extern struct waiter waiter;
extern int woken; /* how often the waiter was */

/* What became of the ticket of the last question. */
extern struct ticket_state {
	int deferred, released; /* how often */
	int err;
} ticket_state;

#define REQUEST_ID "0123456789abcdef"
#define PEER       "192.0.2.1:4000"
#define VALUE      "the-value-of-a-secret"

/* One question. What is left out is not sent; the method is GET. */
struct ask {
	const char *as; /* NULL or "": nobody */
	const char *method;
	const char *path;
	const char *body;
	const char *accept, *if_match, *if_none_match, *prefer, *seal_to, *instance, *instance_id;
	const char *prefix, *after, *since, *limit, *version, *file, *env, *mode, *pattern;
	const char *deleted, *token_id, *client, *secret, *cursor;
	const struct certificate_identity *identity; /* instead of `as` */
	enum door door;
	const char *peer;          /* NULL: PEER */
	bool may_wait, has_waited; /* by `waiter`, for 50 seconds */
	bool may_defer;            /* the wait for its audit line */
};

/* ask(ASK("reader", "GET", "/v1/bundle", .if_none_match = etag)) */
#define ASK_ROW(...)                                       \
	{                                                  \
		ASK_MEMBERS(__VA_ARGS__, .identity = NULL) \
	}
#define ASK_MEMBERS(caller, verb, where, ...) \
	.as = (caller), .method = (verb), .path = (where), __VA_ARGS__
#define ASK(...) ((struct ask)ASK_ROW(__VA_ARGS__))

/* Opens a new store to ask, and removes it. */
void asking_begin(void);
void asking_end(void);

/*
 * The same with secrets in it, web/a (two versions), web/b and other, and a client for each role
 * and for each thing that a client may do: operator, auditor, reader, writer, nobody.
 */
int people_setup(void **state);
int people_teardown(void **state);

/* Asks, keeps the answer, and returns its status. */
int ask(struct ask question);

/* What the certificate of a client says, which is good from a minute ago for another minute. */
struct certificate_identity identity_of(const char *name);

bool answer_holds(const char *text);
struct json *answer_json(void);
int64_t answer_number(const char *key);
/* The number of members of a list. */
size_t answer_count(const char *key);

/* The answer is a problem document with this code, and holds no value. */
void assert_problem(const char *code);

/* As the admin. */
void put(const char *path, const char *value);
/* With a grant of `pattern`, unless that is NULL. */
void add_client(const char *name, enum role role, const char *pattern, bool write);

/* The last `count` lines of the log; valid until the next call. */
char *log_tail(size_t count);

#endif

/* SPDX-License-Identifier: MIT */
#include "asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tacit/deadline.h"
#include "tacit/fd.h"

struct fixture fixture;
struct server *server;
struct response answer;
struct waiter waiter;
int woken;
struct ticket_state ticket_state;

static void answer_forget(void)
{
	secret_free(answer.body);
	answer = (struct response){0};
}

static void wake(struct waiter *of)
{
	(void)of;
	woken++;
}

static void ticket_defer(struct audit_ticket *of)
{
	(void)of;
	ticket_state.deferred++;
}

static void ticket_release(struct audit_ticket *of, int err)
{
	(void)of;
	ticket_state.released++;
	ticket_state.err = err;
}

static struct audit_ticket ticket = {.release = ticket_release};

static void suspend(struct waiter *of)
{
	(void)of;
}

void asking_begin(void)
{
	fixture_make(&fixture);
	fixture_open(&fixture);
	server = &fixture.home.server;
	waiter = (struct waiter){.wake = wake};
	woken = 0;
}

void asking_end(void)
{
	if (fixture.open)
		watch_remove(&server->watch, &waiter);
	answer_forget();
	fixture_remove(&fixture);
}

int people_setup(void **state)
{
	(void)state;
	asking_begin();
	(void)snprintf(server->enroll_url, sizeof(server->enroll_url), "https://127.0.0.1:8444");
	put("/v1/secrets/web%2Fa", VALUE);
	put("/v1/secrets/web%2Fa", VALUE " 2");
	put("/v1/secrets/web%2Fb", VALUE);
	put("/v1/secrets/other", VALUE);
	add_client("operator", ROLE_OPERATOR, NULL, false);
	add_client("auditor", ROLE_AUDITOR, NULL, false);
	add_client("reader", ROLE_CLIENT, "web/**", false);
	add_client("writer", ROLE_CLIENT, "web/**", true);
	add_client("nobody", ROLE_CLIENT, NULL, false);
	return 0;
}

int people_teardown(void **state)
{
	(void)state;
	asking_end();
	return 0;
}

struct certificate_identity identity_of(const char *name)
{
	const struct client *client = clients_find(server->clients, name);
	struct certificate_identity identity = {
	    .generation = client ? client->generation : 0,
	    .not_before = time(NULL) - 60,
	    .not_after = time(NULL) + 60,
	};

	(void)snprintf(identity.client, sizeof(identity.client), "%s", name);
	return identity;
}

/* What is not in here is lent for as long as the question lasts: path, body and identity. */
static struct request request_of(const struct ask *question)
{
	struct request request = {
	    .door = question->door,
	    .method = question->method ? question->method : "GET",
	    .id = REQUEST_ID,
	    .accept = question->accept,
	    .if_match = question->if_match,
	    .if_none_match = question->if_none_match,
	    .prefer = question->prefer,
	    .seal_to = question->seal_to,
	    .instance = question->instance,
	    .instance_id = question->instance_id,
	    .prefix = question->prefix,
	    .after = question->after,
	    .since = question->since,
	    .limit = question->limit,
	    .version = question->version,
	    .file = question->file,
	    .env = question->env,
	    .mode = question->mode,
	    .pattern = question->pattern,
	    .deleted = question->deleted,
	    .token_id = question->token_id,
	    .by_client = question->client,
	    .of_secret = question->secret,
	    .cursor = question->cursor,
	    .waiter = question->may_wait ? &waiter : NULL,
	    .suspend = suspend,
	    .has_waited = question->has_waited,
	    .ticket = question->may_defer ? &ticket : NULL,
	    .defer = ticket_defer,
	};

	ticket_state = (struct ticket_state){0};
	(void)snprintf(
	    request.peer, sizeof(request.peer), "%s", question->peer ? question->peer : PEER);
	return request;
}

int ask(struct ask question)
{
	char path[PROTO_PATH_MAX_BYTES];
	bool is_somebody = question.as && question.as[0];
	struct certificate_identity identity = identity_of(is_somebody ? question.as : "");
	cleanup_secret struct secret *body = text_secret(question.body ? question.body : "");
	struct request request = request_of(&question);

	answer_forget();
	waiter.until_ms = deadline_in_ms(50000);
	(void)snprintf(path, sizeof(path), "%s", question.path);
	request.path = path;
	request.body = body;
	request.identity = question.identity ? question.identity : is_somebody ? &identity : NULL;
	assert_int_equal(route_handle(server, &request, &answer), 0);
	assert_non_null(answer.body);
	return answer.status;
}

bool answer_holds(const char *text)
{
	return memmem(secret_bytes(answer.body), secret_len(answer.body), text, strlen(text));
}

struct json *answer_json(void)
{
	struct json *json = NULL;

	assert_int_equal(
	    json_parse(secret_bytes(answer.body), secret_len(answer.body), &json, NULL), 0);
	return json;
}

int64_t answer_number(const char *key)
{
	cleanup_json struct json *json = answer_json();
	int64_t number = -1;

	assert_int_equal(json_int_at(json, key, &number), 0);
	return number;
}

size_t answer_count(const char *key)
{
	cleanup_json struct json *json = answer_json();

	return json_count(json_array_at(json, key));
}

void assert_problem(const char *code)
{
	cleanup_json struct json *json = answer_json();
	int64_t status;

	assert_string_equal(answer.content_type, PROTO_TYPE_PROBLEM);
	assert_string_equal(json_text_at(json, "code"), code);
	assert_int_equal(json_int_at(json, "status", &status), 0);
	assert_int_equal(status, answer.status);
	assert_string_equal(json_text_at(json, "request_id"), REQUEST_ID);
	assert_false(answer_holds(VALUE));
}

void put(const char *path, const char *value)
{
	int status = ask(ASK("admin", "PUT", path, .body = value));

	assert_true(status == 200 || status == 201);
}

void add_client(const char *name, enum role role, const char *pattern, bool write)
{
	assert_int_equal(clients_put(server->clients, name, role, 0), 0);
	if (pattern)
		assert_int_equal(clients_grant(server->clients, name, pattern, write), 0);
}

char *log_tail(size_t count)
{
	static char tail[65536];
	size_t len;
	cleanup_free char *text = (char *)file_read(fixture_path(&fixture, AUDIT_FILE), &len);
	char *at = text + len - 1;

	text[len] = '\0';
	while (count > 0 && at > text)
		if (*--at == '\n')
			count--;
	(void)snprintf(tail, sizeof(tail), "%s", at + (*at == '\n'));
	return tail;
}

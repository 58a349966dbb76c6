/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "route.h"
#include "tacit/bundle.h"
#include "tacit/fd.h"
#include "tacit/identity.h"
#include "tacit/json.h"
#include "test_pki.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VALUE        "the-value-of-a-secret"

static struct fixture fixture;
static struct server *server;

/* One question, and who asks it: "" for nobody. */
struct ask {
	const char *as;
	const char *method;
	const char *path;
	const char *body;
	const char *accept, *if_match, *if_none_match;
	const char *prefix, *after, *limit, *version, *file, *env, *mode, *pattern;
	const char *deleted;
	const struct certificate_identity *identity; /* instead of `as` */
};

/* ASK("reader", "GET", "/v1/bundle", .if_none_match = etag) */
#define ASK_ROW(...)                                       \
	{                                                  \
		ASK_MEMBERS(__VA_ARGS__, .identity = NULL) \
	}
#define ASK_MEMBERS(caller, verb, where, ...) \
	.as = (caller), .method = (verb), .path = (where), __VA_ARGS__
#define ASK(...) ((struct ask)ASK_ROW(__VA_ARGS__))

static struct response answer;

static void answer_forget(void)
{
	secret_free(answer.body);
	answer = (struct response){0};
}

static struct certificate_identity identity_of(const char *name)
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

/* Asks, keeps the answer, and returns its status. */
static int ask(struct ask question)
{
	char path[PROTO_PATH_MAX_BYTES];
	struct certificate_identity identity = identity_of(question.as ? question.as : "");
	cleanup_secret struct secret *body = text_secret(question.body ? question.body : "");
	struct request request = {
	    .method = question.method,
	    .path = path,
	    .identity = question.identity               ? question.identity
	                : question.as && question.as[0] ? &identity
	                                                : NULL,
	    .peer = "192.0.2.1:4000",
	    .id = "0123456789abcdef",
	    .accept = question.accept,
	    .if_match = question.if_match,
	    .if_none_match = question.if_none_match,
	    .prefix = question.prefix,
	    .after = question.after,
	    .limit = question.limit,
	    .version = question.version,
	    .file = question.file,
	    .env = question.env,
	    .mode = question.mode,
	    .pattern = question.pattern,
	    .deleted = question.deleted,
	    .body = body,
	};

	answer_forget();
	(void)snprintf(path, sizeof(path), "%s", question.path);
	assert_int_equal(route_handle(server, &request, &answer), 0);
	assert_non_null(answer.body);
	return answer.status;
}

static bool answer_holds(const char *text)
{
	return memmem(secret_bytes(answer.body), secret_len(answer.body), text, strlen(text));
}

static struct json *answer_json(void)
{
	struct json *json = NULL;

	assert_int_equal(
	    json_parse(secret_bytes(answer.body), secret_len(answer.body), &json, NULL), 0);
	return json;
}

/* An answer that is a problem document with this code. */
static void assert_problem(const char *code)
{
	cleanup_json struct json *json = answer_json();
	int64_t status;

	assert_string_equal(answer.content_type, PROTO_TYPE_PROBLEM);
	assert_string_equal(json_text_at(json, "code"), code);
	assert_int_equal(json_int_at(json, "status", &status), 0);
	assert_int_equal(status, answer.status);
	assert_string_equal(json_text_at(json, "request_id"), "0123456789abcdef");
	assert_false(answer_holds(VALUE));
}

static void put(const char *path, const char *value)
{
	int status = ask(ASK("admin", "PUT", path, .body = value));

	assert_true(status == 200 || status == 201);
}

static void add_client(const char *name, enum role role, const char *pattern, bool write)
{
	assert_int_equal(clients_put(server->clients, name, role, 0), 0);
	if (pattern)
		assert_int_equal(clients_grant(server->clients, name, pattern, write), 0);
}

static int setup(void **state)
{
	(void)state;
	fixture_make(&fixture);
	fixture_open(&fixture);
	server = &fixture.home.server;
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

static int teardown(void **state)
{
	(void)state;
	answer_forget();
	fixture_remove(&fixture);
	return 0;
}

/*
 * The whole API as a caller sees it, with a good request for each row, and what each role gets.
 * A row changes something if `writes`. %s is the name in the path.
 */
struct row {
	const char *method, *path, *body, *pattern;
	bool writes;
	int admin, operator, auditor, writer, reader, nobody;
};

#define SECRET "/v1/secrets/%s"
#define CLIENT "/v1/clients/%s"

static const struct row secret_rows[] = {
    {"GET", SECRET, NULL, NULL, false, 200, 403, 403, 200, 200, 403},
    {"GET", SECRET "/versions", NULL, NULL, false, 200, 200, 403, 200, 200, 403},
    {"GET", SECRET "/metadata", NULL, NULL, false, 200, 200, 403, 200, 200, 403},
    {"PUT", SECRET, "new", NULL, true, 200, 200, 403, 200, 403, 403},
    {"PUT", SECRET "/metadata", "{\"mode\":\"0440\"}", NULL, true, 200, 200, 403, 200, 403, 403},
    {"POST", SECRET "/rollback", "{\"version\":1}", NULL, true, 200, 200, 403, 200, 403, 403},
    {"POST", SECRET "/destroy", "", NULL, true, 204, 204, 403, 204, 403, 403},
    {"DELETE", SECRET, NULL, NULL, true, 204, 204, 403, 204, 403, 403},
};

static const struct row other_rows[] = {
    {"GET", "/v1/secrets", NULL, NULL, false, 200, 200, 200, 200, 200, 200},
    {"GET", "/v1/bundle", NULL, NULL, false, 200, 200, 200, 200, 200, 200},
    {"POST", "/v1/renew", "{}", NULL, false, 400, 400, 400, 400, 400, 400},
    {"GET", "/v1/tokens", NULL, NULL, false, 200, 200, 403, 403, 403, 403},
    {"POST", "/v1/tokens", "{\"client\":\"victim\"}", NULL, true, 201, 201, 403, 403, 403, 403},
    {"DELETE", "/v1/tokens", NULL, NULL, true, 400, 400, 403, 403, 403, 403},
    {"GET", "/v1/status", NULL, NULL, false, 200, 200, 200, 403, 403, 403},
    {"GET", "/v1/audit", NULL, NULL, false, 200, 200, 200, 403, 403, 403},
    {"GET", "/v1/audit/verify", NULL, NULL, false, 200, 200, 200, 403, 403, 403},
    {"GET", "/v1/clients", NULL, NULL, false, 200, 200, 403, 403, 403, 403},
    {"GET", CLIENT, NULL, NULL, false, 200, 200, 403, 403, 403, 403},
    {"PUT", CLIENT, "{}", NULL, true, 200, 200, 403, 403, 403, 403},
    {"DELETE", CLIENT, NULL, NULL, true, 204, 204, 403, 403, 403, 403},
    {"POST", CLIENT "/revoke", NULL, NULL, true, 204, 204, 403, 403, 403, 403},
    {"GET", CLIENT "/grants", NULL, NULL, false, 200, 200, 403, 403, 403, 403},
    {"PUT", CLIENT "/grants", "{\"pattern\":\"x\"}", NULL, true, 200, 200, 403, 403, 403, 403},
    {"DELETE", CLIENT "/grants", NULL, "web/**", true, 204, 204, 403, 403, 403, 403},
};

static const struct row *row_at(size_t index)
{
	if (index < COUNT(secret_rows))
		return &secret_rows[index];

	return index - COUNT(secret_rows) < COUNT(other_rows)
	           ? &other_rows[index - COUNT(secret_rows)]
	           : NULL;
}

static bool row_is_on_secret(const struct row *row)
{
	return row >= secret_rows && row < secret_rows + COUNT(secret_rows);
}

static int ask_row(const struct row *row, const char *as, const char *name)
{
	char path[256];
	const char *at = strstr(row->path, "%s");

	(void)snprintf(path, sizeof(path), "%.*s%s%s", (int)(at ? at - row->path : 255), row->path,
	    at ? name : "", at ? at + 2 : "");
	return ask(ASK(as, row->method, path, .body = row->body, .pattern = row->pattern));
}

/* A name that is there; the victim of rows about clients has a grant and no other use. */
static const char *row_name(const struct row *row)
{
	return row_is_on_secret(row) ? "web%2Fa" : "victim";
}

static void start_anew(void)
{
	void *state = NULL;

	(void)teardown(&state);
	(void)setup(&state);
	add_client("victim", ROLE_CLIENT, "web/**", false);
}

static void every_role_gets_what_it_may_on_every_row(void **state)
{
	(void)state;
	for (size_t i = 0; row_at(i); i++) {
		const struct row *row = row_at(i);
		const struct {
			const char *as;
			int status;
		} callers[] = {{"nobody", row->nobody}, {"reader", row->reader},
		    {"auditor", row->auditor}, {"writer", row->writer},
		    {
		        "operator",
		        row->operator},
		        {"admin", row->admin},
		};

		for (size_t j = 0; j < COUNT(callers); j++) {
			uint64_t revision;
			int status;

			start_anew();
			revision = vault_revision(server->vault);
			status = ask_row(row, callers[j].as, row_name(row));
			if (status != callers[j].status)
				fail_msg("%s %s as %s: %d", row->method, row->path, callers[j].as,
				    status);
			assert_int_equal(
			    vault_revision(server->vault) != revision, row->writes && status < 300);
			if (status == 403)
				assert_problem("denied");
		}
	}
}

static void nobody_gets_past_the_door_without_a_good_certificate(void **state)
{
	struct certificate_identity identities[5];

	(void)state;
	start_anew();
	add_client("gone", ROLE_ADMIN, "**", true);
	identities[0] = identity_of("gone");
	assert_int_equal(clients_revoke(server->clients, "gone"), 0);
	identities[1] = identity_of("stranger");
	identities[2] = identity_of("admin");
	identities[2].generation--;
	identities[3] = identity_of("admin");
	identities[3].not_after = time(NULL) - 1;
	identities[4] = identity_of("admin");
	identities[4].not_before = time(NULL) + 100;

	for (size_t i = 0; row_at(i); i++) {
		const struct row *row = row_at(i);
		uint64_t revision = vault_revision(server->vault);

		for (size_t j = 0; j <= COUNT(identities); j++) {
			char path[256];
			const char *at = strstr(row->path, "%s");

			(void)snprintf(path, sizeof(path), "%.*s%s%s",
			    (int)(at ? at - row->path : 255), row->path, at ? row_name(row) : "",
			    at ? at + 2 : "");
			assert_int_equal(
			    ask((struct ask){.method = row->method,
			        .path = path,
			        .body = row->body,
			        .pattern = row->pattern,
			        .identity = j < COUNT(identities) ? &identities[j] : NULL}),
			    401);
			assert_problem("unauthenticated");
		}
		assert_int_equal(vault_revision(server->vault), revision);
	}
}

/* Not even when the very same client comes back under its name. */
static void an_old_certificate_stays_out_when_its_client_comes_back(void **state)
{
	struct certificate_identity old;

	(void)state;
	old = identity_of("reader");
	assert_int_equal(
	    ask((struct ask){.method = "GET", .path = "/v1/bundle", .identity = &old}), 200);
	assert_int_equal(ask(ASK("admin", "POST", "/v1/clients/reader/revoke")), 204);
	assert_int_equal(
	    ask((struct ask){.method = "GET", .path = "/v1/bundle", .identity = &old}), 401);
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/clients/reader", .body = "{}")), 200);
	assert_int_equal(
	    ask((struct ask){.method = "GET", .path = "/v1/bundle", .identity = &old}), 401);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle")), 200);

	old = identity_of("reader");
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/clients/reader")), 204);
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/clients/reader", .body = "{}")), 201);
	assert_int_equal(
	    ask((struct ask){.method = "GET", .path = "/v1/bundle", .identity = &old}), 401);
}

static void health_and_ca_are_open_to_all(void **state)
{
	(void)state;
	assert_int_equal(ask(ASK("", "GET", "/v1/health")), 200);
	assert_true(answer_holds("\"status\":\"ok\""));
	assert_int_equal(ask(ASK("", "GET", "/v1/ca")), 200);
	assert_true(answer_holds("-----BEGIN CERTIFICATE-----"));
	assert_false(answer_holds("PRIVATE"));
}

/* To the byte, so that nobody can find out names by asking. */
static void a_denial_is_the_same_whether_or_not_the_name_exists(void **state)
{
	static const char *const callers[] = {"nobody", "reader", "auditor", "operator"};

	(void)state;
	for (size_t i = 0; i < COUNT(secret_rows); i++) {
		for (size_t j = 0; j < COUNT(callers); j++) {
			cleanup_secret struct secret *there = NULL;

			/* `other` is outside of the reader's grant, and so is `none`. */
			if (ask_row(&secret_rows[i], callers[j], "other") != 403)
				continue;
			there = answer.body;
			answer.body = NULL;
			assert_string_equal(answer.etag, "");
			assert_int_equal(ask_row(&secret_rows[i], callers[j], "none"), 403);
			assert_string_equal(answer.etag, "");
			assert_true(secret_equals(
			    there, secret_bytes(answer.body), secret_len(answer.body)));
			assert_false(answer_holds("none"));
		}
	}
}

static void not_found_is_only_for_those_who_may_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(secret_rows); i++) {
		const struct row *row = &secret_rows[i];
		bool makes = !strcmp(row->method, "PUT") && !strstr(row->path, "metadata");

		assert_int_equal(ask_row(row, "nobody", "web%2Fnone"), 403);
		assert_int_equal(ask_row(row, "reader", "web%2Fnone"), row->writes ? 403 : 404);
		if (makes)
			continue;
		assert_int_equal(ask_row(row, "writer", "web%2Fnone"), 404);
		assert_problem("not_found");
		assert_int_equal(ask_row(row, "admin", "web%2Fnone"), 404);
	}
	assert_int_equal(ask(ASK("operator", "GET", "/v1/secrets/none")), 403);
	assert_int_equal(ask(ASK("operator", "GET", "/v1/secrets/none/versions")), 404);
}

static void another_method_is_refused_with_those_that_there_are(void **state)
{
	static const struct {
		const char *method, *path, *allow;
	} rows[] = {
	    {"POST", "/v1/health", "GET"},
	    {"PUT", "/v1/bundle", "GET"},
	    {"DELETE", "/v1/secrets", "GET"},
	    {"POST", "/v1/secrets/web", "GET, PUT, DELETE"},
	    {"HEAD", "/v1/secrets/web", "GET, PUT, DELETE"},
	    {"get", "/v1/secrets/web", "GET, PUT, DELETE"},
	    {"PUT", "/v1/secrets/web/versions", "GET"},
	    {"DELETE", "/v1/secrets/web/versions", "GET"},
	    {"DELETE", "/v1/secrets/web/metadata", "GET, PUT"},
	    {"GET", "/v1/secrets/web/rollback", "POST"},
	    {"GET", "/v1/secrets/web/destroy", "POST"},
	    {"PUT", "/v1/clients", "GET"},
	    {"POST", "/v1/clients/web", "GET, PUT, DELETE"},
	    {"POST", "/v1/clients/web/grants", "GET, PUT, DELETE"},
	    {"GET", "/v1/clients/web/revoke", "POST"},
	    {"PUT", "/v1/tokens", "GET, POST, DELETE"},
	    {"GET", "/v1/renew", "POST"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(ask(ASK("admin", rows[i].method, rows[i].path)), 405);
		assert_problem("method_not_allowed");
		assert_string_equal(answer.allow, rows[i].allow);
		/* It is told so whatever it sends along. */
		assert_true(route_body_max(DOOR_MAIN, rows[i].method, rows[i].path) > 0);
	}
	assert_int_equal(ask(ASK("admin", "GET", "/v1/bundle")), 200);
	assert_null(answer.allow);
}

static void unknown_paths_are_not_found(void **state)
{
	static const char *const paths[] = {"", "/", "/v1", "/v1/", "/v2/bundle", "/v1/bundle/",
	    "/v1/Bundle", "/v1/secrets/", "/v1/clients/", "v1/bundle", "//v1/bundle", "/v1/health?",
	    "/v1/%62undle", "/metrics/", "/v1/enroll"};

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		assert_int_equal(ask(ASK("admin", "GET", paths[i])), 404);
		assert_problem("not_found");
	}
}

static void bodies_have_a_limit_for_each_route(void **state)
{
	static const struct {
		const char *method, *path;
		size_t max;
	} rows[] = {
	    {"PUT", "/v1/secrets/a", 512000},
	    {"PUT", "/v1/secrets/a%2Fmetadata", 512000},
	    {"PUT", "/v1/secrets/a/metadata", 65536},
	    {"POST", "/v1/secrets/a/destroy", 65536},
	    {"PUT", "/v1/clients/a", 65536},
	    {"GET", "/v1/secrets/a", 0},
	    {"GET", "/v1/bundle", 0},
	    {"DELETE", "/v1/secrets/a", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    route_body_max(DOOR_MAIN, rows[i].method, rows[i].path), rows[i].max);
}

/* The suffixes are words of the API only where they are not percent-encoded into the name. */
static void names_keep_their_slashes_and_reserved_words(void **state)
{
	static const char *const names[] = {"versions", "a%2Fversions", "metadata", "a%2Fmetadata",
	    "rollback", "destroy", "a%2Frollback", "a%2Fb%2Fc", "a%2Fdestroy", "%61%2f%62"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		char path[64], value[64];

		(void)snprintf(path, sizeof(path), "/v1/secrets/%s", names[i]);
		(void)snprintf(value, sizeof(value), "value of %s", names[i]);
		put(path, value);
	}
	for (size_t i = 0; i < COUNT(names); i++) {
		char path[64], value[64];

		(void)snprintf(path, sizeof(path), "/v1/secrets/%s", names[i]);
		(void)snprintf(value, sizeof(value), "value of %s", names[i]);
		assert_int_equal(ask(ASK("admin", "GET", path)), 200);
		assert_true(secret_equals(answer.body, value, strlen(value)));
		(void)snprintf(path, sizeof(path), "/v1/secrets/%s/versions", names[i]);
		assert_int_equal(ask(ASK("admin", "GET", path)), 200);
		assert_true(answer_holds("\"version\":1"));
	}
	/* Unescaped slashes are the same name. */
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/a/b/c")), 200);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/a/b")), 200);
	assert_true(answer_holds("%61%2f%62"));
}

static void bad_names_are_told_apart_from_missing_ones(void **state)
{
	static const struct {
		const char *path, *code;
	} rows[] = {
	    {"/v1/secrets/a%2F%2Fb", "invalid_name"},
	    {"/v1/secrets/..%2Fa", "invalid_name"},
	    {"/v1/secrets/%2Fa", "invalid_name"},
	    {"/v1/secrets/a%2F", "invalid_name"},
	    {"/v1/secrets/a%20b", "invalid_name"},
	    {"/v1/secrets/a+b", "invalid_name"},
	    {"/v1/secrets/%C3%A4", "invalid_name"},
	    {"/v1/secrets/a%0Ab", "invalid_name"},
	    {"/v1/secrets/a%00b", "malformed"},
	    {"/v1/secrets/a%2", "malformed"},
	    {"/v1/secrets/a%zz", "malformed"},
	    {"/v1/secrets/%", "malformed"},
	    {"/v1/secrets//versions", "invalid_name"},
	    {"/v1/clients/a%2Fb", "invalid_name"},
	    {"/v1/clients/..", "invalid_name"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int status = ask(ASK("admin", "GET", rows[i].path));

		if (status != 400)
			fail_msg("%s: %d", rows[i].path, status);
		assert_problem(rows[i].code);
	}
}

static void bad_requests_change_nothing(void **state)
{
	static const struct {
		struct ask ask;
		int status;
		const char *code;
	} rows[] = {
	    {ASK_ROW("admin", "PUT", SECRET, .body = "x", .mode = "0600"), 400, "invalid_mode"},
	    {ASK_ROW("admin", "PUT", SECRET, .body = "x", .file = "a/b"), 400, "invalid_name"},
	    {ASK_ROW("admin", "PUT", SECRET, .body = "x", .env = "a-b"), 400, "invalid_env"},
	    {ASK_ROW("admin", "PUT", SECRET, .body = "x", .if_none_match = "\"v2\""), 400,
	        "malformed"},
	    {ASK_ROW("admin", "GET", SECRET, .version = "x"), 400, "malformed"},
	    {ASK_ROW("admin", "GET", SECRET, .version = ""), 400, "malformed"},
	    {ASK_ROW("admin", "GET", SECRET, .version = "-1"), 400, "malformed"},
	    {ASK_ROW("admin", "GET", SECRET, .version = "1 "), 400, "malformed"},
	    {ASK_ROW("admin", "GET", SECRET, .version = "4294967296"), 400, "malformed"},
	    {ASK_ROW("admin", "GET", SECRET, .version = "99999999999999999999999"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "GET", SECRET, .version = "7"), 404, "not_found"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "0"), 400, "malformed"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "1001"), 400, "malformed"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "ten"), 400, "malformed"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .deleted = "false"), 400, "malformed"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .deleted = ""), 400, "malformed"},
	    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = ""), 400, "malformed"},
	    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "[]"), 400, "malformed"},
	    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{"), 400, "malformed"},
	    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"mode\":256}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"file\":null}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"owner\":\"x\"}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"file\":\"a\",\"file\":\"b\"}"),
	        400, "malformed"},
	    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"mode\":\"0777\"}"), 400,
	        "invalid_mode"},
	    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = ""), 400, "malformed"},
	    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{}"), 400, "malformed"},
	    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{\"version\":0}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{\"version\":\"1\"}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{\"version\":4294967297}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{\"version\":9}"), 404,
	        "not_found"},
	    {ASK_ROW("admin", "POST", SECRET "/destroy", .body = "{\"version\":2}"), 409,
	        "conflict"},
	    {ASK_ROW("admin", "POST", SECRET "/destroy", .body = "{\"version\":9}"), 404,
	        "not_found"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"role\":\"root\"}"), 400,
	        "invalid_role"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"role\":1}"), 400, "malformed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"csr\":1}"), 400, "malformed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"csr\":\"x\"}"), 400,
	        "invalid_csr"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"ttl_s\":0}"), 400, "malformed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"ttl_s\":-5}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"ttl_s\":\"1\"}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"ttl_s\":999999999999}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"name\":\"x\"}"), 400,
	        "malformed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/reader", .body = "{}", .if_none_match = "*"), 412,
	        "precondition_failed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{}"), 400,
	        "invalid_pattern"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"a//b\"}"),
	        400, "invalid_pattern"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":1}"), 400,
	        "invalid_pattern"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants",
	         .body = "{\"pattern\":\"a\",\"write\":1}"),
	        400, "malformed"},
	    {ASK_ROW("admin", "PUT", "/v1/clients/none/grants", .body = "{\"pattern\":\"a\"}"), 404,
	        "not_found"},
	    {ASK_ROW("admin", "DELETE", "/v1/clients/reader/grants"), 400, "invalid_pattern"},
	    {ASK_ROW("admin", "DELETE", "/v1/clients/reader/grants", .pattern = "none"), 404,
	        "not_found"},
	    {ASK_ROW("admin", "DELETE", "/v1/clients/none"), 404, "not_found"},
	    {ASK_ROW("admin", "GET", "/v1/clients/none"), 404, "not_found"},
	    {ASK_ROW("admin", "POST", "/v1/clients/none/revoke"), 404, "not_found"},
	};
	uint64_t revision = vault_revision(server->vault);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ask question = rows[i].ask;
		char path[128];
		const char *at = strstr(question.path, "%s");
		int status;

		(void)snprintf(path, sizeof(path), "%.*s%s%s", (int)(at ? at - question.path : 127),
		    question.path, at ? "web%2Fa" : "", at ? at + 2 : "");
		question.path = path;
		status = ask(question);
		if (status != rows[i].status)
			fail_msg("row %zu, %s %s: %d", i, question.method, path, status);
		assert_problem(rows[i].code);
	}
	assert_int_equal(vault_revision(server->vault), revision);
}

static void a_value_over_the_limit_is_refused(void **state)
{
	cleanup_free char *large = malloc(512002);

	(void)state;
	memset(large, 'x', 512001);
	large[512001] = '\0';
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/secrets/large", .body = large)), 413);
	assert_problem("too_large");
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/large")), 404);
	large[512000] = '\0';
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/secrets/large", .body = large)), 201);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/large")), 200);
	assert_int_equal(secret_len(answer.body), 512000);
}

static void values_come_back_raw_or_as_json(void **state)
{
	cleanup_json struct json *json = NULL;
	cleanup_secret struct secret *value = NULL;
	const char *text;
	int64_t version;

	(void)state;
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa")), 200);
	assert_true(secret_equals(answer.body, VALUE " 2", strlen(VALUE) + 2));
	assert_string_equal(answer.content_type, PROTO_TYPE_BYTES);
	assert_string_equal(answer.etag, "\"v2\"");
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa", .version = "1")), 200);
	assert_true(secret_equals(answer.body, VALUE, strlen(VALUE)));
	assert_string_equal(answer.etag, "\"v1\"");

	assert_int_equal(
	    ask(ASK("reader", "GET", "/v1/secrets/web%2Fa", .accept = "application/json")), 200);
	json = answer_json();
	text = json_text_at(json, "value");
	assert_int_equal(secret_from_base64(text, strlen(text), &value), 0);
	assert_true(secret_equals(value, VALUE " 2", strlen(VALUE) + 2));
	assert_string_equal(json_text_at(json, "name"), "web/a");
	assert_string_equal(json_text_at(json, "env"), "A_FILE");
	assert_string_equal(json_text_at(json, "mode"), "0400");
	assert_int_equal(json_int_at(json, "version", &version), 0);
	assert_int_equal(version, 2);
}

static void conditions_of_a_put_are_kept(void **state)
{
	static const struct {
		const char *path, *if_match, *if_none_match;
		int status;
	} rows[] = {
	    {"/v1/secrets/web%2Fa", "\"v1\"", NULL, 412},
	    {"/v1/secrets/web%2Fa", "\"v3\"", NULL, 412},
	    {"/v1/secrets/web%2Fa", "v2", NULL, 412},
	    {"/v1/secrets/web%2Fa", "\"v2\"", "*", 412},
	    {"/v1/secrets/web%2Fa", NULL, "*", 412},
	    {"/v1/secrets/web%2Fa", "\"v2\"", NULL, 200},
	    {"/v1/secrets/web%2Fa", "\"v2\"", NULL, 412},
	    {"/v1/secrets/web%2Fa", "*", NULL, 200},
	    {"/v1/secrets/new", "*", NULL, 412},
	    {"/v1/secrets/new", "\"v1\"", NULL, 412},
	    {"/v1/secrets/new", "\"v1\"", "*", 412},
	    {"/v1/secrets/new", NULL, "*", 201},
	    {"/v1/secrets/new", NULL, "*", 412},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int status = ask(ASK("admin", "PUT", rows[i].path, .body = "x",
		    .if_match = rows[i].if_match, .if_none_match = rows[i].if_none_match));

		if (status != rows[i].status)
			fail_msg("row %zu: %d", i, status);
		if (status == 412)
			assert_problem("precondition_failed");
	}
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/new", .if_match = "\"v7\"")), 412);
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/new", .if_match = "\"v1\"")), 204);
}

static void versions_and_metadata_tell_what_there_is(void **state)
{
	(void)state;
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/secrets/web%2Fa", .body = "3", .file = "f",
	                     .env = "F", .mode = "0440")),
	    200);
	assert_true(answer_holds("\"version\":3"));
	assert_string_equal(answer.etag, "\"v3\"");
	assert_int_equal(
	    ask(ASK("admin", "POST", "/v1/secrets/web%2Fa/destroy", .body = "{\"version\":1}")),
	    204);
	assert_int_equal(secret_len(answer.body), 0);
	assert_int_equal(
	    ask(ASK("admin", "POST", "/v1/secrets/web%2Fa/rollback", .body = "{\"version\":2}")),
	    200);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa/versions")), 200);
	assert_true(answer_holds("\"state\":\"destroyed\""));
	assert_true(answer_holds("\"state\":\"current\""));
	assert_true(answer_holds("\"state\":\"kept\""));
	assert_false(answer_holds(VALUE));
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/web%2Fa", .version = "1")), 404);

	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa/metadata")), 200);
	assert_true(answer_holds("\"file\":\"f\""));
	assert_true(answer_holds("\"env\":\"F\""));
	assert_true(answer_holds("\"mode\":\"0440\""));
	assert_true(answer_holds("\"deleted\":false"));
	assert_true(answer_holds("\"version\":2"));

	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/web%2Fa")), 204);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa")), 404);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa/metadata")), 200);
	assert_true(answer_holds("\"deleted\":true"));
	assert_int_equal(
	    ask(ASK("admin", "POST", "/v1/secrets/web%2Fa/rollback", .body = "{\"version\":3}")),
	    200);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets/web%2Fa")), 200);
	assert_true(secret_equals(answer.body, "3", 1));
}

/* The names of a list, joined. */
static void list_names(char ret_names[static 256], char ret_next[static 256])
{
	cleanup_json struct json *json = answer_json();
	const struct json *list = json_array_at(json, "secrets");
	const char *next = json_text_at(json, "next");

	ret_names[0] = '\0';
	for (size_t i = 0; i < json_count(list); i++)
		(void)snprintf(ret_names + strlen(ret_names), 256 - strlen(ret_names), "%s ",
		    json_text_at(json_item(list, i), "name"));
	(void)snprintf(ret_next, 256, "%s", next ? next : "");
}

static void lists_show_only_what_the_caller_may_see(void **state)
{
	static const struct {
		struct ask ask;
		const char *names, *next;
	} rows[] = {
	    {ASK_ROW("admin", "GET", "/v1/secrets"), "other web/a web/b ", ""},
	    {ASK_ROW("operator", "GET", "/v1/secrets"), "other web/a web/b ", ""},
	    {ASK_ROW("reader", "GET", "/v1/secrets"), "web/a web/b ", ""},
	    {ASK_ROW("nobody", "GET", "/v1/secrets"), "", ""},
	    {ASK_ROW("auditor", "GET", "/v1/secrets"), "", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .prefix = "web/"), "web/a web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .prefix = "we"), "web/a web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .prefix = "web/b"), "web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .prefix = "x"), "", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "1"), "other ", "other"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "2"), "other web/a ", "web/a"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "3"), "other web/a web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .after = "other", .limit = "1"), "web/a ",
	        "web/a"},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .after = "web/a"), "web/b ", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .after = "zzz"), "", ""},
	    {ASK_ROW("admin", "GET", "/v1/secrets", .after = "a", .prefix = "web/"), "web/a web/b ",
	        ""},
	    {ASK_ROW("reader", "GET", "/v1/secrets", .limit = "2"), "web/a web/b ", ""},
	};
	char names[256], next[256], long_prefix[300];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(ask(rows[i].ask), 200);
		list_names(names, next);
		assert_string_equal(names, rows[i].names);
		assert_string_equal(next, rows[i].next);
		assert_false(answer_holds(VALUE));
	}
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/web%2Fa")), 204);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets")), 200);
	list_names(names, next);
	assert_string_equal(names, "other web/b ");

	memset(long_prefix, 'x', sizeof(long_prefix) - 1);
	long_prefix[sizeof(long_prefix) - 1] = '\0';
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets", .prefix = long_prefix)), 400);
}

static void lists_of_what_was_deleted_show_what_can_come_back(void **state)
{
	char names[256], next[256];

	(void)state;
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets", .deleted = "true")), 200);
	list_names(names, next);
	assert_string_equal(names, "");
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/web%2Fa")), 204);
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/secrets/other")), 204);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets", .deleted = "true")), 200);
	list_names(names, next);
	assert_string_equal(names, "other web/a ");
	assert_int_equal(
	    ask(ASK("admin", "GET", "/v1/secrets", .deleted = "true", .limit = "1")), 200);
	list_names(names, next);
	assert_string_equal(names, "other ");
	assert_string_equal(next, "other");
	/* Only what the caller may see, as ever. */
	assert_int_equal(ask(ASK("reader", "GET", "/v1/secrets", .deleted = "true")), 200);
	list_names(names, next);
	assert_string_equal(names, "web/a ");
	/* Nothing brings back what is destroyed. */
	assert_int_equal(
	    ask(ASK("admin", "POST", "/v1/secrets/web%2Fa/destroy", .body = "{}")), 204);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets", .deleted = "true")), 200);
	list_names(names, next);
	assert_string_equal(names, "other ");
}

static void a_bundle_holds_what_the_grants_say(void **state)
{
	cleanup_bundle struct bundle bundle = {0};
	const struct bundle_item *item;

	(void)state;
	/* Grants that overlap do not double anything. */
	assert_int_equal(clients_grant(server->clients, "reader", "web/a", false), 0);
	assert_int_equal(clients_grant(server->clients, "reader", "*/b", false), 0);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle")), 200);
	assert_int_equal(
	    bundle_parse(secret_bytes(answer.body), secret_len(answer.body), &bundle), 0);
	assert_int_equal(bundle.count, 2);
	assert_int_equal(bundle.revision, vault_revision(server->vault));
	item = bundle_find(&bundle, "web/a");
	assert_non_null(item);
	assert_int_equal(item->version, 2);
	assert_string_equal(item->file, "a");
	assert_string_equal(item->env, "A_FILE");
	assert_int_equal(item->mode, 0400);
	assert_true(secret_equals(item->value, VALUE " 2", strlen(VALUE) + 2));
	assert_null(bundle_find(&bundle, "other"));

	assert_int_equal(ask(ASK("nobody", "GET", "/v1/bundle")), 200);
	assert_true(answer_holds("\"secrets\":[]"));
	assert_int_equal(ask(ASK("operator", "GET", "/v1/bundle")), 200);
	assert_true(answer_holds("\"secrets\":[]"));
}

static void bundle_etag(char ret_etag[static PROTO_ETAG_MAX_BYTES])
{
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle")), 200);
	memcpy(ret_etag, answer.etag, PROTO_ETAG_MAX_BYTES);
}

static void the_bundles_tag_changes_just_when_the_caller_is_concerned(void **state)
{
	static const struct {
		struct ask ask;
		bool concerns;
	} rows[] = {
	    {ASK_ROW("admin", "PUT", "/v1/secrets/other", .body = "x"), false},
	    {ASK_ROW("admin", "PUT", "/v1/secrets/webb", .body = "x"), false},
	    {ASK_ROW("admin", "DELETE", "/v1/secrets/other"), false},
	    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{}"), false},
	    {ASK_ROW("admin", "PUT", "/v1/clients/reader", .body = "{}"), false},
	    {ASK_ROW("admin", "PUT", "/v1/clients/writer/grants", .body = "{\"pattern\":\"**\"}"),
	        false},
	    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"none\"}"),
	        false},
	    {ASK_ROW(
	         "admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"web/a\"}"),
	        false},
	    {ASK_ROW("admin", "GET", "/v1/bundle"), false},
	    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa", .body = "x"), true},
	    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa", .body = "x"), true},
	    {ASK_ROW("admin", "POST", "/v1/secrets/web%2Fa/destroy", .body = "{\"version\":1}"),
	        false},
	    {ASK_ROW("admin", "POST", "/v1/secrets/web%2Fa/rollback", .body = "{\"version\":2}"),
	        true},
	    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa/metadata", .body = "{\"mode\":\"0440\"}"),
	        true},
	    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa/metadata", .body = "{\"env\":\"X\"}"),
	        true},
	    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa/metadata", .body = "{\"file\":\"x\"}"),
	        true},
	    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fa/metadata", .body = "{\"file\":\"x\"}"),
	        false},
	    {ASK_ROW("admin", "PUT", "/v1/secrets/web%2Fnew", .body = "x"), true},
	    {ASK_ROW("admin", "DELETE", "/v1/secrets/web%2Fnew"), true},
	    {ASK_ROW("admin", "POST", "/v1/secrets/web%2Fnew/rollback", .body = "{\"version\":1}"),
	        true},
	    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"webb\"}"),
	        true},
	    {ASK_ROW("admin", "DELETE", "/v1/clients/reader/grants", .pattern = "webb"), true},
	    {ASK_ROW("admin", "DELETE", "/v1/clients/reader/grants", .pattern = "web/**"), true},
	};
	char before[PROTO_ETAG_MAX_BYTES], after[PROTO_ETAG_MAX_BYTES];

	(void)state;
	bundle_etag(before);
	for (size_t i = 0; i < COUNT(rows); i++) {
		int status = ask(rows[i].ask);

		assert_true(status < 300);
		bundle_etag(after);
		if ((strcmp(before, after) != 0) != rows[i].concerns)
			fail_msg("row %zu, %s %s: %s after %s", i, rows[i].ask.method,
			    rows[i].ask.path, after, before);
		memcpy(before, after, sizeof(before));
	}
	/* It outlives the server. */
	fixture_close(&fixture);
	fixture_open(&fixture);
	bundle_etag(after);
	assert_string_equal(before, after);
}

static void an_unchanged_bundle_is_not_sent_again(void **state)
{
	char etag[PROTO_ETAG_MAX_BYTES];

	(void)state;
	bundle_etag(etag);
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle", .if_none_match = etag)), 304);
	assert_int_equal(secret_len(answer.body), 0);
	assert_string_equal(answer.etag, etag);
	assert_int_equal(ask(ASK("writer", "GET", "/v1/bundle", .if_none_match = "\"b00\"")), 200);
	put("/v1/secrets/web%2Fa", "x");
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle", .if_none_match = etag)), 200);
}

/* --- clients --------------------------------------------------------------------------------- */

static void a_client_gets_a_certificate_for_its_request(void **state)
{
	cleanup_secret struct secret *key = NULL, *csr = NULL, *pem = NULL, *body = NULL;
	cleanup_json struct json *request = json_new_object();
	cleanup_json struct json *json = NULL;
	cleanup_identity struct identity *identity = NULL;
	cleanup_free char *csr_text = NULL, *body_text = NULL;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(identity_new_request(NULL, &key, &csr), 0);
	csr_text = strndup((const char *)secret_bytes(csr), secret_len(csr));
	assert_int_equal(json_set_text(request, "csr", csr_text), 0);
	assert_int_equal(json_set_int(request, "ttl_s", 3600), 0);
	assert_int_equal(json_print(request, &body), 0);
	body_text = strndup((const char *)secret_bytes(body), secret_len(body));
	assert_int_equal(ask(ASK("operator", "PUT", "/v1/clients/fresh", .body = body_text,
	                     .if_none_match = "*")),
	    201);
	json = answer_json();
	assert_string_equal(json_text_at(json, "role"), "client");
	assert_string_equal(json_text_at(json, "server"), FIXTURE_URL);
	assert_int_equal(identity_compose(json_text_at(json, "server"), key,
	                     json_text_at(json, "certificate"), json_text_at(json, "ca"), &pem),
	    0);
	assert_int_equal(identity_parse(pem, "fresh", &identity, &fault), 0);
	assert_string_equal(identity_client(identity), "fresh");
	assert_in_range(identity_not_after(identity), time(NULL) + 3500, time(NULL) + 3601);
}

static void a_bad_request_for_a_certificate_leaves_no_client(void **state)
{
	(void)state;
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/clients/fresh",
	                     .body = "{\"csr\":\"-----BEGIN CERTIFICATE REQUEST-----\"}")),
	    400);
	assert_problem("invalid_csr");
	assert_int_equal(ask(ASK("admin", "GET", "/v1/clients/fresh")), 404);
}

/* Managing must not be a way to reading everything. */
static void an_operator_makes_and_touches_no_operators_or_admins(void **state)
{
	static const struct {
		const char *method, *path, *body;
	} rows[] = {
	    {"PUT", "/v1/clients/new", "{\"role\":\"admin\"}"},
	    {"PUT", "/v1/clients/new", "{\"role\":\"operator\"}"},
	    {"PUT", "/v1/clients/reader", "{\"role\":\"operator\"}"},
	    {"PUT", "/v1/clients/admin", "{}"},
	    {"PUT", "/v1/clients/admin", "{\"role\":\"client\"}"},
	    {"PUT", "/v1/clients/operator", "{\"role\":\"admin\"}"},
	    {"PUT", "/v1/clients/operator/grants", "{\"pattern\":\"**\"}"},
	    {"PUT", "/v1/clients/admin/grants", "{\"pattern\":\"**\"}"},
	    {"DELETE", "/v1/clients/admin", NULL},
	    {"POST", "/v1/clients/admin/revoke", NULL},
	};
	uint64_t revision = vault_revision(server->vault);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    ask(ASK("operator", rows[i].method, rows[i].path, .body = rows[i].body)), 403);
		assert_problem("denied");
	}
	assert_int_equal(vault_revision(server->vault), revision);
	assert_int_equal(ask(ASK("operator", "PUT", "/v1/clients/new", .body = "{}")), 201);
}

static void a_client_keeps_its_role_unless_told_otherwise(void **state)
{
	static const struct {
		const char *body, *role;
	} rows[] = {
	    {"{\"role\":\"auditor\"}", "\"role\":\"auditor\""},
	    {"{}", "\"role\":\"auditor\""},
	    {"{\"ttl_s\":60}", "\"role\":\"auditor\""},
	    {"{\"role\":\"client\"}", "\"role\":\"client\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(ask(ASK("admin", "PUT", "/v1/clients/x", .body = rows[i].body)) < 300);
		assert_true(answer_holds(rows[i].role));
	}
	/* Whoever was thrown out does not come back with more than he is given. */
	assert_int_equal(
	    ask(ASK("admin", "PUT", "/v1/clients/x", .body = "{\"role\":\"operator\"}")), 200);
	assert_int_equal(ask(ASK("admin", "POST", "/v1/clients/x/revoke")), 204);
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/clients/x", .body = "{}")), 200);
	assert_true(answer_holds("\"role\":\"client\""));
}

static void the_last_admin_stays(void **state)
{
	(void)state;
	assert_int_equal(ask(ASK("admin", "DELETE", "/v1/clients/admin")), 409);
	assert_problem("conflict");
	assert_int_equal(ask(ASK("admin", "POST", "/v1/clients/admin/revoke")), 409);
	assert_int_equal(
	    ask(ASK("admin", "PUT", "/v1/clients/admin", .body = "{\"role\":\"client\"}")), 409);
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/clients/admin", .body = "{}")), 200);

	assert_int_equal(
	    ask(ASK("admin", "PUT", "/v1/clients/second", .body = "{\"role\":\"admin\"}")), 201);
	assert_int_equal(ask(ASK("admin", "POST", "/v1/clients/admin/revoke")), 204);
	assert_int_equal(ask(ASK("admin", "GET", "/v1/clients")), 401);
	assert_int_equal(ask(ASK("second", "DELETE", "/v1/clients/second")), 409);
	assert_int_equal(ask(ASK("second", "DELETE", "/v1/clients/admin")), 204);
}

static void revoking_counts_at_the_next_request(void **state)
{
	struct certificate_identity identity = identity_of("reader");
	const struct ask question = {.method = "GET", .path = "/v1/bundle", .identity = &identity};

	(void)state;
	assert_int_equal(ask(question), 200);
	assert_int_equal(ask(ASK("operator", "POST", "/v1/clients/reader/revoke")), 204);
	assert_int_equal(ask(question), 401);
}

/* --- the audit log --------------------------------------------------------------------------- */

/* The last `count` lines of the log. */
static char *log_tail(size_t count)
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

static void assert_logged(const char *text)
{
	const char *line = log_tail(1);

	if (!strstr(line, text))
		fail_msg("not %s: %s", text, line);
	assert_null(strstr(line, VALUE));
}

static void each_answer_has_its_line(void **state)
{
	(void)state;
	(void)ask(ASK("reader", "GET", "/v1/secrets/web%2Fa"));
	assert_logged("\"event\":\"secret.read\",\"client\":\"reader\",\"peer\":\"192.0.2.1:4000\","
	              "\"request\":\"0123456789abcdef\",\"status\":200,"
	              "\"secrets\":[{\"name\":\"web/a\",\"version\":2}]");
	(void)ask(ASK("nobody", "GET", "/v1/secrets/none"));
	assert_logged("\"event\":\"secret.read\",\"client\":\"nobody\"");
	assert_logged("\"status\":403,\"secrets\":[{\"name\":\"none\"}]");
	(void)ask(ASK("reader", "GET", "/v1/secrets/web%2Fnone"));
	assert_logged("\"status\":404");
	(void)ask(ASK("", "GET", "/v1/secrets/web%2Fa"));
	assert_logged("\"event\":\"secret.read\",\"peer\":\"192.0.2.1:4000\"");
	assert_logged("\"status\":401");
	(void)ask(ASK("writer", "PUT", "/v1/secrets/web%2Fa", .body = VALUE));
	assert_logged("\"event\":\"secret.put\",\"client\":\"writer\"");
	(void)ask(ASK("admin", "PUT", "/v1/clients/reader/grants",
	    .body = "{\"pattern\":\"app/**\",\"write\":true}"));
	assert_logged("\"event\":\"grant.add\"");
	assert_logged("\"subject\":\"reader: app/** (write)\"");
	(void)ask(ASK("admin", "POST", "/v1/clients/reader/revoke"));
	assert_logged("\"event\":\"client.revoke\"");
	assert_logged("\"subject\":\"reader\",\"status\":204");
	(void)ask(ASK("reader", "GET", "/v1/secrets"));
	assert_logged("\"status\":401");
}

static void a_large_bundle_names_every_secret_in_the_log(void **state)
{
	const char *tail;
	char path[64], name[64];

	(void)state;
	for (int i = 0; i < 40; i++) {
		(void)snprintf(path, sizeof(path), "/v1/secrets/web%%2Fs%02d", i);
		put(path, "x");
	}
	assert_int_equal(ask(ASK("reader", "GET", "/v1/bundle")), 200);
	tail = log_tail(3);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "{\"name\":\"web/s%02d\",\"version\":1}", i);
		assert_non_null(strstr(tail, name));
	}
}

static void size_limit(rlim_t bytes)
{
	const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Scraped every few seconds, so only a refusal has a line in the log. */
static void metrics_are_for_those_who_may_audit(void **state)
{
	(void)state;
	start_anew();
	assert_int_equal(ask(ASK("admin", "GET", "/metrics")), 200);
	assert_true(answer_holds("tacit_secrets "));
	assert_false(answer_holds("web"));
	assert_int_equal(ask(ASK("operator", "GET", "/metrics")), 200);
	assert_int_equal(ask(ASK("auditor", "GET", "/metrics")), 200);
	assert_int_equal(ask(ASK("reader", "GET", "/metrics")), 403);
	assert_non_null(strstr(log_tail(1), "\"event\":\"metrics.read\""));
	assert_int_equal(ask(ASK("", "GET", "/metrics")), 401);
}

/* The server reads in one transaction until its next commit, so each change comes behind one. */
static void mark_flip(struct raw_row *row)
{
	put("/v1/secrets/web%2Fa", "x");
	row->value[row->value_len - 1] ^= 1;
	raw_row_put(fixture_path(&fixture, STORE_FILE), row);
}

static void health_tells_a_broken_store(void **state)
{
	struct raw_rows rows;
	struct raw_row *mark;

	(void)state;
	start_anew();
	raw_rows_read(fixture_path(&fixture, STORE_FILE), &rows);
	mark = raw_rows_find(&rows, RECORD_AUDIT_MARK);
	assert_int_equal(ask(ASK("", "GET", "/v1/health")), 200);
	assert_true(answer_holds("{\"status\":\"ok\""));
	mark_flip(mark);
	assert_int_equal(ask(ASK("", "GET", "/v1/health")), 503);
	assert_true(answer_holds("{\"status\":\"store_broken\""));
	mark_flip(mark);
	assert_int_equal(ask(ASK("", "GET", "/v1/health")), 200);
	raw_rows_free(&rows);
}

/* No value leaves and nothing is written unless its line is in the log. */
static void without_the_audit_log_nothing_is_answered(void **state)
{
	uint64_t revision;

	(void)state;
	start_anew();
	revision = vault_revision(server->vault);
	(void)unlink(fixture_path(&fixture, AUDIT_FILE));
	for (size_t i = 0; row_at(i); i++) {
		const struct row *row = row_at(i);

		if (!strcmp(row->path, "/v1/audit/verify"))
			continue; /* shows no line, and is needed just now */
		assert_int_equal(ask_row(row, "admin", row_name(row)), 503);
		assert_problem("audit_unavailable");
		assert_true(answer.retry_after_s > 0);
		assert_int_equal(ask_row(row, "nobody", row_name(row)), 503);
		assert_problem("audit_unavailable");
		assert_int_equal(ask_row(row, "", row_name(row)), 503);
	}
	assert_int_equal(vault_revision(server->vault), revision);
	/* What needs no line goes on, and those who ask how it is are told. */
	assert_int_equal(ask(ASK("admin", "GET", "/v1/audit/verify")), 200);
	assert_true(answer_holds("\"whole\":false"));
	assert_int_equal(ask(ASK("", "GET", "/v1/health")), 503);
	assert_true(answer_holds("{\"status\":\"audit_unavailable\""));
	assert_true(answer.retry_after_s > 0);
	assert_int_equal(ask(ASK("", "GET", "/v1/ca")), 200);
}

/* The log is padded until it is the largest file, so that a limit on size meets it alone. */
static void a_full_disk_under_the_log_is_got_over(void **state)
{
	const struct ask read_a = ASK("reader", "GET", "/v1/secrets/web%2Fa");
	uint64_t revision;
	size_t len = 0;
	int statuses[3];

	(void)state;
	for (int i = 0; i < 3000 && len < 600000; i++) {
		(void)ask(read_a);
		if (i % 100 == 0)
			free(file_read(fixture_path(&fixture, AUDIT_FILE), &len));
	}
	free(file_read(fixture_path(&fixture, AUDIT_FILE), &len));
	revision = vault_revision(server->vault);
	size_limit(len + 40);
	statuses[0] = ask(read_a);
	assert_false(answer_holds(VALUE));
	statuses[1] = ask(ASK("admin", "PUT", "/v1/secrets/web%2Fa", .body = "x"));
	statuses[2] = ask(ASK("reader", "GET", "/v1/bundle"));
	assert_false(answer_holds(VALUE));
	size_limit(RLIM_INFINITY);
	for (size_t i = 0; i < COUNT(statuses); i++)
		assert_int_equal(statuses[i], 503);
	assert_int_equal(vault_revision(server->vault), revision);

	assert_int_equal(ask(read_a), 200);
	assert_true(answer_holds(VALUE " 2"));
	fixture_close(&fixture);
	assert_int_equal(fixture_check(&fixture, NULL), 0);
}

/* And the other way round: the log has room, the store has not. */
static void a_full_disk_under_the_store_is_got_over(void **state)
{
	const struct ask read_a = ASK("reader", "GET", "/v1/secrets/web%2Fa");
	cleanup_free char *large = malloc(400001);
	size_t len;
	int status;

	(void)state;
	memset(large, 'x', 400000);
	large[400000] = '\0';
	fixture_close(&fixture); /* empties the log of the database */
	fixture_open(&fixture);
	free(file_read(fixture_path(&fixture, STORE_FILE), &len));
	size_limit(len + 65536);
	status = ask(ASK("admin", "PUT", "/v1/secrets/web%2Fa", .body = large));
	size_limit(RLIM_INFINITY);
	assert_int_equal(status, 503);
	assert_true(answer_holds("store_full") || answer_holds("store_unavailable"));
	assert_int_equal(ask(read_a), 200);
	assert_true(answer_holds(VALUE " 2"));
	assert_int_equal(ask(ASK("admin", "PUT", "/v1/secrets/web%2Fa", .body = large)), 200);
	assert_string_equal(answer.etag, "\"v3\"");
	fixture_close(&fixture);
	assert_int_equal(fixture_check(&fixture, NULL), 0);
}

/* A value that was tampered with is not answered, and the next one is. */
static void an_altered_value_is_an_error_and_not_an_answer(void **state)
{
	struct raw_rows rows;

	(void)state;
	raw_rows_read(fixture_path(&fixture, STORE_FILE), &rows);
	for (size_t i = 0; i < rows.count; i++) {
		if (rows.items[i].key[0] != RECORD_VERSION)
			continue;
		rows.items[i].value[rows.items[i].value_len - 1] ^= 1;
		fixture_close(&fixture);
		raw_row_put(fixture_path(&fixture, STORE_FILE), &rows.items[i]);
		fixture_open(&fixture);
	}
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/web%2Fa")), 500);
	assert_problem("corrupt");
	assert_int_equal(ask(ASK("admin", "GET", "/v1/bundle")), 500);
	assert_problem("corrupt");
	put("/v1/secrets/web%2Fa", "good");
	assert_int_equal(ask(ASK("admin", "GET", "/v1/secrets/web%2Fa")), 200);
	raw_rows_free(&rows);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_role_gets_what_it_may_on_every_row),
	    TEST(nobody_gets_past_the_door_without_a_good_certificate),
	    TEST(an_old_certificate_stays_out_when_its_client_comes_back),
	    TEST(health_and_ca_are_open_to_all),
	    TEST(a_denial_is_the_same_whether_or_not_the_name_exists),
	    TEST(not_found_is_only_for_those_who_may_read),
	    TEST(another_method_is_refused_with_those_that_there_are),
	    TEST(unknown_paths_are_not_found),
	    TEST(bodies_have_a_limit_for_each_route),
	    TEST(names_keep_their_slashes_and_reserved_words),
	    TEST(bad_names_are_told_apart_from_missing_ones),
	    TEST(bad_requests_change_nothing),
	    TEST(a_value_over_the_limit_is_refused),
	    TEST(values_come_back_raw_or_as_json),
	    TEST(conditions_of_a_put_are_kept),
	    TEST(versions_and_metadata_tell_what_there_is),
	    TEST(lists_show_only_what_the_caller_may_see),
	    TEST(lists_of_what_was_deleted_show_what_can_come_back),
	    TEST(a_bundle_holds_what_the_grants_say),
	    TEST(the_bundles_tag_changes_just_when_the_caller_is_concerned),
	    TEST(an_unchanged_bundle_is_not_sent_again),
	    TEST(a_client_gets_a_certificate_for_its_request),
	    TEST(a_bad_request_for_a_certificate_leaves_no_client),
	    TEST(an_operator_makes_and_touches_no_operators_or_admins),
	    TEST(a_client_keeps_its_role_unless_told_otherwise),
	    TEST(the_last_admin_stays),
	    TEST(revoking_counts_at_the_next_request),
	    TEST(each_answer_has_its_line),
	    TEST(a_large_bundle_names_every_secret_in_the_log),
	    TEST(metrics_are_for_those_who_may_audit),
	    TEST(health_tells_a_broken_store),
	    TEST(without_the_audit_log_nothing_is_answered),
	    TEST(a_full_disk_under_the_log_is_got_over),
	    TEST(a_full_disk_under_the_store_is_got_over),
	    TEST(an_altered_value_is_an_error_and_not_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "asking.h"
#include "brief.h"
#include "tacit/fd.h"

/* The way to a handler: who gets where, by which path and method, and with what. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

	(void)people_teardown(&state);
	(void)people_setup(&state);
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

static const struct {
	struct ask ask;
	int status;
	const char *code;
} bad_requests[] = {
    {ASK_ROW("admin", "PUT", SECRET, .body = "x", .mode = "0600"), 400, "invalid_mode"},
    {ASK_ROW("admin", "PUT", SECRET, .body = "x", .file = "a/b"), 400, "invalid_name"},
    {ASK_ROW("admin", "PUT", SECRET, .body = "x", .env = "a-b"), 400, "invalid_env"},
    {ASK_ROW("admin", "PUT", SECRET, .body = "x", .if_none_match = "\"v2\""), 400, "malformed"},
    {ASK_ROW("admin", "GET", SECRET, .version = "x"), 400, "malformed"},
    {ASK_ROW("admin", "GET", SECRET, .version = ""), 400, "malformed"},
    {ASK_ROW("admin", "GET", SECRET, .version = "-1"), 400, "malformed"},
    {ASK_ROW("admin", "GET", SECRET, .version = "1 "), 400, "malformed"},
    {ASK_ROW("admin", "GET", SECRET, .version = "4294967296"), 400, "malformed"},
    {ASK_ROW("admin", "GET", SECRET, .version = "99999999999999999999999"), 400, "malformed"},
    {ASK_ROW("admin", "GET", SECRET, .version = "7"), 404, "not_found"},
    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "0"), 400, "malformed"},
    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "1001"), 400, "malformed"},
    {ASK_ROW("admin", "GET", "/v1/secrets", .limit = "ten"), 400, "malformed"},
    {ASK_ROW("admin", "GET", "/v1/secrets", .deleted = "false"), 400, "malformed"},
    {ASK_ROW("admin", "GET", "/v1/secrets", .deleted = ""), 400, "malformed"},
    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = ""), 400, "malformed"},
    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "[]"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"mode\":256}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"file\":null}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"owner\":\"x\"}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"file\":\"a\",\"file\":\"b\"}"), 400,
        "malformed"},
    {ASK_ROW("admin", "PUT", SECRET "/metadata", .body = "{\"mode\":\"0777\"}"), 400,
        "invalid_mode"},
    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = ""), 400, "malformed"},
    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{}"), 400, "malformed"},
    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{\"version\":0}"), 400, "malformed"},
    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{\"version\":\"1\"}"), 400, "malformed"},
    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{\"version\":4294967297}"), 400,
        "malformed"},
    {ASK_ROW("admin", "POST", SECRET "/rollback", .body = "{\"version\":9}"), 404, "not_found"},
    {ASK_ROW("admin", "POST", SECRET "/destroy", .body = "{\"version\":2}"), 409, "conflict"},
    {ASK_ROW("admin", "POST", SECRET "/destroy", .body = "{\"version\":9}"), 404, "not_found"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"role\":\"root\"}"), 400,
        "invalid_role"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"role\":1}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"csr\":1}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"csr\":\"x\"}"), 400, "invalid_csr"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"ttl_s\":0}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"ttl_s\":-5}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"ttl_s\":\"1\"}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"ttl_s\":999999999999}"), 400,
        "malformed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/new", .body = "{\"name\":\"x\"}"), 400, "malformed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/reader", .body = "{}", .if_none_match = "*"), 412,
        "precondition_failed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{}"), 400, "invalid_pattern"},
    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"a//b\"}"), 400,
        "invalid_pattern"},
    {ASK_ROW("admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":1}"), 400,
        "invalid_pattern"},
    {ASK_ROW(
         "admin", "PUT", "/v1/clients/reader/grants", .body = "{\"pattern\":\"a\",\"write\":1}"),
        400, "malformed"},
    {ASK_ROW("admin", "PUT", "/v1/clients/none/grants", .body = "{\"pattern\":\"a\"}"), 404,
        "not_found"},
    {ASK_ROW("admin", "DELETE", "/v1/clients/reader/grants"), 400, "invalid_pattern"},
    {ASK_ROW("admin", "DELETE", "/v1/clients/reader/grants", .pattern = "none"), 404, "not_found"},
    {ASK_ROW("admin", "DELETE", "/v1/clients/none"), 404, "not_found"},
    {ASK_ROW("admin", "GET", "/v1/clients/none"), 404, "not_found"},
    {ASK_ROW("admin", "POST", "/v1/clients/none/revoke"), 404, "not_found"},
};

static void bad_requests_change_nothing(void **state)
{
	uint64_t revision = vault_revision(server->vault);

	(void)state;
	for (size_t i = 0; i < COUNT(bad_requests); i++) {
		struct ask question = bad_requests[i].ask;
		char path[128];
		const char *at = strstr(question.path, "%s");
		int status;

		(void)snprintf(path, sizeof(path), "%.*s%s%s", (int)(at ? at - question.path : 127),
		    question.path, at ? "web%2Fa" : "", at ? at + 2 : "");
		question.path = path;
		status = ask(question);
		if (status != bad_requests[i].status)
			fail_msg("row %zu, %s %s: %d", i, question.method, path, status);
		assert_problem(bad_requests[i].code);
	}
	assert_int_equal(vault_revision(server->vault), revision);
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, people_setup, people_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	    TEST(without_the_audit_log_nothing_is_answered),
	    /* Slow. A new store for each row and role. */
	    TEST(every_role_gets_what_it_may_on_every_row),
	};

	return run_group(tests, 1, NULL, NULL);
}

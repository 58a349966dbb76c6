/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "asking.h"
#include "tacit/fd.h"
#include "tacit/identity.h"
#include "test_pki.h"

/* Clients by way of their routes: certificates, roles, the last admin. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

#define TEST(function) cmocka_unit_test_setup_teardown(function, people_setup, people_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_client_gets_a_certificate_for_its_request),
	    TEST(a_bad_request_for_a_certificate_leaves_no_client),
	    TEST(an_operator_makes_and_touches_no_operators_or_admins),
	    TEST(a_client_keeps_its_role_unless_told_otherwise),
	    TEST(the_last_admin_stays),
	    TEST(revoking_counts_at_the_next_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENROLL_URL   "https://127.0.0.1:8444"
#define HOUR         3600
#define DAY          86400

static struct secret *key, *csr; /* of a machine that wants to join; PEM, with a NUL */

/* A certificate as the authority makes them, for an hour: a renewed one lasts as long. */
static struct certificate_identity hour_of(const char *name)
{
	struct certificate_identity identity = identity_of(name);

	identity.not_before = time(NULL) - AUTHORITY_TOLERANCE_S;
	identity.not_after = time(NULL) + HOUR;
	return identity;
}

/* On the main listener, as that client. */
static int ask_as(const char *as, const char *method, const char *path, const char *body)
{
	struct certificate_identity identity = hour_of(as);

	return ask(
	    (struct ask){.method = method, .path = path, .body = body, .identity = &identity});
}

static int ask_revoke(const char *as, const char *id)
{
	return ask(ASK(as, "DELETE", "/v1/tokens", .token_id = id));
}

static int enroll_body(const char *peer, const char *body)
{
	return ask((struct ask){.door = DOOR_ENROLMENT,
	    .method = "POST",
	    .path = "/v1/enroll",
	    .peer = peer,
	    .body = body});
}

static void print_order(const char *token, const char *request, struct secret **ret_text)
{
	cleanup_json struct json *json = json_new_object();

	if (token)
		assert_int_equal(json_set_text(json, "token", token), 0);
	assert_int_equal(json_set_text(json, "csr", request), 0);
	assert_int_equal(json_print(json, ret_text), 0);
	assert_int_equal(secret_append(*ret_text, "", 1), 0);
}

static int enroll_from(const char *peer, const char *token, const char *request)
{
	cleanup_secret struct secret *text = NULL;

	print_order(token, request, &text);
	return enroll_body(peer, (const char *)secret_bytes(text));
}

static int enroll(const char *token)
{
	return enroll_from("192.0.2.1:4000", token, (const char *)secret_bytes(csr));
}

static int renew(const char *as)
{
	cleanup_secret struct secret *text = NULL;

	print_order(NULL, (const char *)secret_bytes(csr), &text);
	return ask_as(as, "POST", "/v1/renew", (const char *)secret_bytes(text));
}

/* A token as the API gives it, and its id. */
struct made {
	char text[JOIN_TOKEN_TEXT_MAX_BYTES + 1];
	char id[TOKEN_ID_BYTES];
};

static void make(const char *order, struct made *ret_made)
{
	cleanup_json struct json *json = NULL;

	assert_int_equal(ask_as("admin", "POST", "/v1/tokens", order), 201);
	json = answer_json();
	(void)snprintf(ret_made->text, sizeof(ret_made->text), "%s", json_text_at(json, "token"));
	(void)snprintf(ret_made->id, sizeof(ret_made->id), "%s", json_text_at(json, "id"));
}

/* As if that many seconds had gone by for the token. */
static void age(const char *id, int64_t seconds)
{
	struct token *token = (struct token *)(uintptr_t)tokens_find(server->tokens, id);

	token->created -= seconds;
	token->expires -= seconds;
	token->last_used -= token->last_used ? seconds : 0;
}

static size_t log_count(const char *text)
{
	size_t len, count = 0;
	cleanup_free uint8_t *log = file_read(fixture_path(&fixture, AUDIT_FILE), &len);

	for (const uint8_t *at = log;
	     (at = memmem(at, len - (size_t)(at - log), text, strlen(text))); at++)
		count++;
	return count;
}

static void enrolment_begin(void)
{
	(void)snprintf(server->enroll_url, sizeof(server->enroll_url), "%s", ENROLL_URL);
}

static int setup(void **state)
{
	(void)state;
	asking_begin();
	enrolment_begin();
	assert_int_equal(clients_put(server->clients, "operator", ROLE_OPERATOR, 0), 0);
	assert_int_equal(clients_put(server->clients, "auditor", ROLE_AUDITOR, 0), 0);
	assert_int_equal(clients_put(server->clients, "web", ROLE_CLIENT, 0), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	asking_end();
	return 0;
}

static void a_token_becomes_a_certificate(void **state)
{
	cleanup_json struct json *json = NULL;
	cleanup_secret struct secret *pem = NULL, *bare_key = NULL;
	cleanup_identity struct identity *identity = NULL;
	int64_t now = time(NULL);
	struct made made;

	(void)state;
	make("{\"client\":\"web\"}", &made);
	assert_int_equal(enroll(made.text), 201);
	json = answer_json();
	assert_string_equal(json_text_at(json, "client"), "web");
	assert_string_equal(json_text_at(json, "server"), FIXTURE_URL);
	assert_int_equal(secret_new_from(secret_bytes(key), secret_len(key), &bare_key), 0);
	assert_int_equal(identity_compose(json_text_at(json, "server"), bare_key,
	                     json_text_at(json, "certificate"), json_text_at(json, "ca"), &pem),
	    0);
	assert_int_equal(identity_parse(pem, "identity", &identity, NULL), 0);
	assert_string_equal(identity_client(identity), "web");

	/* A day, unless told otherwise, and `client ls` knows. */
	assert_in_range(identity_not_after(identity), now + DAY - 5, now + DAY + 5);
	assert_int_equal(
	    clients_find(server->clients, "web")->not_after, identity_not_after(identity));
	assert_int_equal(atomic_load(&server->counters.enrolled), 1);
	assert_int_equal(log_count("\"event\":\"client.enroll\""), 1);
}

static void a_use_is_spent_once_and_the_next_one_is_an_alarm(void **state)
{
	struct made made;

	(void)state;
	make("{\"client\":\"web\"}", &made);
	assert_int_equal(enroll(made.text), 201);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(enroll(made.text), 403);
		assert_problem("token_used");
		assert_int_equal(atomic_load(&server->counters.tokens_reused), i);
		assert_int_equal(log_count("\"event\":\"token.reused\""), i);
	}
	/* The line says whose. */
	assert_int_equal(log_count(made.id), 4);

	/* A restart forgets nothing, and neither does the token's own end. */
	fixture_close(&fixture);
	fixture_open(&fixture);
	enrolment_begin();
	age(made.id, HOUR);
	assert_int_equal(enroll(made.text), 403);
	assert_problem("token_used");
}

static void a_token_has_as_many_uses_as_was_said(void **state)
{
	struct made made;

	(void)state;
	make("{\"client\":\"web\",\"uses\":3}", &made);
	for (int i = 0; i < 3; i++)
		assert_int_equal(enroll(made.text), 201);
	assert_int_equal(enroll(made.text), 403);
	assert_problem("token_used");
}

static void revoke_token(const struct made *made)
{
	assert_int_equal(ask_revoke("admin", made->id), 204);
}

static void revoke_client(const struct made *made)
{
	(void)made;
	assert_int_equal(ask_as("admin", "POST", "/v1/clients/web/revoke", NULL), 204);
}

static void revoke_client_and_add_it_again(const struct made *made)
{
	revoke_client(made);
	assert_int_equal(ask_as("admin", "PUT", "/v1/clients/web", "{}"), 200);
}

static void delete_client(const struct made *made)
{
	(void)made;
	assert_int_equal(ask_as("admin", "DELETE", "/v1/clients/web", NULL), 204);
}

static void delete_client_and_add_it_again(const struct made *made)
{
	delete_client(made);
	assert_int_equal(ask_as("admin", "PUT", "/v1/clients/web", "{}"), 201);
}

static void ten_minutes_pass(const struct made *made)
{
	age(made->id, 600);
}

static void days_pass(const struct made *made)
{
	age(made->id, 3LL * DAY);
}

static const struct {
	void (*happens)(const struct made *made);
	const char *code;
} endings[] = {
    {revoke_token, "token_revoked"},
    {revoke_client, "token_revoked"},
    {revoke_client_and_add_it_again, "token_revoked"},
    {delete_client, "token_revoked"},
    {delete_client_and_add_it_again, "token_revoked"},
    {ten_minutes_pass, "token_expired"},
    {days_pass, "token_unknown"},
};

static void a_token_ends_in_many_ways(void **state)
{
	for (size_t i = 0; i < COUNT(endings); i++) {
		struct made made;

		(void)teardown(state);
		(void)setup(state);
		make("{\"client\":\"web\"}", &made);
		endings[i].happens(&made);
		if (enroll(made.text) != 403)
			fail_msg("%s: status %d", endings[i].code, answer.status);
		assert_problem(endings[i].code);
		assert_false(answer_holds("CERTIFICATE"));
		assert_int_equal(atomic_load(&server->counters.enrolled), 0);
		assert_int_equal(atomic_load(&server->counters.enrol_refused), 1);
		assert_int_equal(log_count("\"status\":403"), 1);
	}
}

/* The same answer for what never was, what is of another CA, and what was altered. */
static void an_unknown_token_is_told_nothing(void **state)
{
	cleanup_join_token struct join_token other = {0};
	cleanup_secret struct secret *text = NULL;
	struct made made;

	(void)state;
	make("{\"client\":\"web\"}", &made);
	assert_int_equal(join_token_parse(made.text, strlen(made.text), &other), 0);
	other.ca_hash[0] ^= 1;
	assert_int_equal(join_token_format(&other, &text), 0);
	assert_int_equal(secret_append(text, "", 1), 0);
	assert_int_equal(enroll((const char *)secret_bytes(text)), 403);
	assert_problem("token_unknown");

	other.ca_hash[0] ^= 1;
	secret_free(text);
	text = NULL;
	secret_reset(other.secret);
	assert_int_equal(secret_append(other.secret, "0123456789abcdef", 16), 0);
	assert_int_equal(join_token_format(&other, &text), 0);
	assert_int_equal(secret_append(text, "", 1), 0);
	assert_int_equal(enroll((const char *)secret_bytes(text)), 403);
	assert_problem("token_unknown");

	assert_int_equal(enroll("tacit1.nonsense"), 400);
	assert_problem("token");
	assert_int_equal(enroll(made.text), 201);
}

static void a_token_may_be_for_some_addresses_only(void **state)
{
	const char *request = (const char *)secret_bytes(csr);
	struct made made;

	(void)state;
	make("{\"client\":\"web\",\"from\":[\"198.51.100.0/24\",\"2001:db8::/32\"],\"uses\":2}",
	    &made);
	assert_int_equal(enroll_from("192.0.2.1:4000", made.text, request), 403);
	assert_problem("token_source");
	assert_int_equal(enroll_from("[2001:db9::1]:4000", made.text, request), 403);
	assert_problem("token_source");
	assert_int_equal(log_count("token_source"), 2);
	assert_int_equal(enroll_from("198.51.100.7:4000", made.text, request), 201);
	assert_int_equal(enroll_from("[2001:db8::1]:4000", made.text, request), 201);
}

static void a_bad_request_spends_no_use(void **state)
{
	static const char *const bodies[] = {
	    "", "[]", "{}", "{\"token\":\"x\"}", "{\"csr\":\"x\"}", "{\"token\":1,\"csr\":2}", "{"};
	const char *good = (const char *)secret_bytes(csr);
	cleanup_free char *altered = strdup(good);
	struct made made;

	(void)state;
	make("{\"client\":\"web\"}", &made);
	for (size_t i = 0; i < COUNT(bodies); i++)
		assert_int_equal(enroll_body("192.0.2.1:4000", bodies[i]), 400);

	/* In the middle of the key or of what is signed: the signature is wrong then. */
	altered[strlen(altered) / 2] = altered[strlen(altered) / 2] == 'A' ? 'B' : 'A';
	assert_int_equal(enroll_from("192.0.2.2:1", made.text, altered), 400);
	assert_problem("invalid_csr");
	assert_int_equal(enroll_from("192.0.2.2:1", made.text, ""), 400);
	assert_problem("invalid_csr");
	assert_int_equal(
	    enroll_from("192.0.2.2:1", made.text, authority_ca_pem(server->authority)), 400);
	assert_problem("invalid_csr");
	assert_int_equal(tokens_find(server->tokens, made.id)->used, 0);
	assert_int_equal(enroll(made.text), 201);
}

/* Whoever asks often is refused sooner, and without a line; a good token passes all the same. */
static void refusals_are_limited_and_good_tokens_are_not(void **state)
{
	int limited = 0, refused = 0;
	struct made made;

	(void)state;
	make("{\"client\":\"web\",\"uses\":2}", &made);
	for (int i = 0; i < 60; i++)
		limited += enroll("tacit1.nonsense") == 429;
	assert_in_range(limited, 20, 40); /* the more time goes by, the fewer */
	while (enroll("tacit1.nonsense") != 429)
		refused++;
	assert_problem("too_many_requests");
	assert_int_equal(answer.retry_after_s, 1);
	assert_int_equal(atomic_load(&server->counters.enrol_limited), limited + 1);
	assert_int_equal(log_count("\"event\":\"client.enroll\""), 60 - limited + refused);

	assert_int_equal(enroll(made.text), 201);
	/* Others are told why, at other addresses; not so at another one of the same network. */
	assert_int_equal(enroll_from("192.0.2.9:4000", "tacit1.nonsense", "x"), 400);
	limited = 0;
	for (int i = 0; i < 60; i++) {
		char peer[64];

		(void)snprintf(peer, sizeof(peer), "[2001:db8::%d]:4000", i);
		limited += enroll_from(peer, "tacit1.nonsense", "x") == 429;
	}
	assert_in_range(limited, 20, 40);
	assert_int_equal(enroll(made.text), 201);
}

struct walk {
	size_t open;
};

/* On the enrolment listener. Nobody has shown a certificate there, but one is worth nothing either.
 */
static void visit_from_outside(void *context, const char *method, const char *path)
{
	static const char *const open[] = {"POST /v1/enroll", "GET /v1/ca", "GET /v1/health"};
	struct walk *walk = context;
	const struct ask question = {
	    .as = "admin", .door = DOOR_ENROLMENT, .method = method, .path = path};
	char line[128];

	(void)snprintf(line, sizeof(line), "%s %s", method, path);
	for (size_t i = 0; i < COUNT(open); i++) {
		if (!strcmp(line, open[i])) {
			walk->open++;
			assert_int_not_equal(ask(question), 404);
			return;
		}
	}
	(void)ask(question);
	if (answer.status != 404)
		fail_msg("%s: %d", line, answer.status);
}

static void the_enrolment_listener_has_three_paths(void **state)
{
	struct walk walk = {0};
	struct made made;

	(void)state;
	route_each(visit_from_outside, &walk);
	assert_int_equal(walk.open, 3);

	/* And the main one takes no tokens. */
	make("{\"client\":\"web\"}", &made);
	assert_int_equal(ask_as("admin", "POST", "/v1/enroll", "{}"), 404);
}

static void only_operators_and_admins_have_to_do_with_tokens(void **state)
{
	static const struct {
		const char *as;
		bool may;
	} rows[] = {{"admin", true}, {"operator", true}, {"auditor", false}, {"web", false}};
	struct made made;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		make("{\"client\":\"web\"}", &made);
		assert_int_equal(
		    ask_as(rows[i].as, "GET", "/v1/tokens", NULL), rows[i].may ? 200 : 403);
		assert_int_equal(ask_as(rows[i].as, "POST", "/v1/tokens", "{\"client\":\"web\"}"),
		    rows[i].may ? 201 : 403);
		assert_int_equal(ask_revoke(rows[i].as, made.id), rows[i].may ? 204 : 403);
		assert_int_equal(ask_revoke(rows[i].as, "000000000000"), rows[i].may ? 404 : 403);
	}
	assert_int_equal(ask_revoke("admin", NULL), 400);
}

/* A token for an admin would make whoever has it an admin. */
static void an_operator_lets_nobody_in_above_the_clients(void **state)
{
	struct made made;

	(void)state;
	assert_int_equal(ask_as("operator", "POST", "/v1/tokens", "{\"client\":\"admin\"}"), 403);
	assert_int_equal(
	    ask_as("operator", "POST", "/v1/tokens", "{\"client\":\"operator\"}"), 403);
	make("{\"client\":\"admin\"}", &made);
	assert_int_equal(ask_revoke("operator", made.id), 403);
	assert_int_equal(enroll(made.text), 201);
	assert_int_equal(clients_find(server->clients, "admin")->role, ROLE_ADMIN);
}

static void a_token_makes_its_client_where_there_is_none(void **state)
{
	const struct client *client;
	struct made made;

	(void)state;
	make("{\"client\":\"fresh\"}", &made);
	assert_true(answer_holds("\"new_client\":true"));
	client = clients_find(server->clients, "fresh");
	assert_non_null(client);
	assert_int_equal(client->role, ROLE_CLIENT);
	assert_int_equal(client->grants_count, 0);
	assert_int_equal(log_count("\"subject\":\"fresh\""), 1);
	assert_int_equal(enroll(made.text), 201);
	make("{\"client\":\"fresh\"}", &made);
	assert_true(answer_holds("\"new_client\":false"));
}

static void a_revoked_client_gets_no_token(void **state)
{
	(void)state;
	revoke_client(NULL);
	assert_int_equal(ask_as("admin", "POST", "/v1/tokens", "{\"client\":\"web\"}"), 409);
	assert_problem("conflict");
	assert_true(clients_find(server->clients, "web")->revoked);
}

static void without_an_enrolment_listener_there_are_no_tokens(void **state)
{
	(void)state;
	server->enroll_url[0] = '\0';
	assert_int_equal(ask_as("admin", "POST", "/v1/tokens", "{\"client\":\"new\"}"), 409);
	assert_problem("no_enrolment");
	assert_null(clients_find(server->clients, "new"));
}

static void bad_orders_make_nothing(void **state)
{
	static const char *const orders[] = {"", "{}", "{\"client\":1}", "{\"client\":\"a/b\"}",
	    "{\"client\":\"x\",\"uses\":0}", "{\"client\":\"x\",\"uses\":-1}",
	    "{\"client\":\"x\",\"uses\":1000001}", "{\"client\":\"x\",\"uses\":\"1\"}",
	    "{\"client\":\"x\",\"ttl_s\":0}", "{\"client\":\"x\",\"ttl_s\":31536001}",
	    "{\"client\":\"x\",\"certificate_ttl_s\":0}", "{\"client\":\"x\",\"from\":\"::/0\"}",
	    "{\"client\":\"x\",\"from\":[1]}", "{\"client\":\"x\",\"from\":[\"10.1.0.0/8\"]}",
	    "{\"client\":\"x\",\"role\":\"admin\"}"};
	uint64_t revision = vault_revision(server->vault);

	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++)
		if (ask_as("admin", "POST", "/v1/tokens", orders[i]) != 400)
			fail_msg("%s: %d", orders[i], answer.status);
	assert_int_equal(vault_revision(server->vault), revision);
	assert_int_equal(tokens_count(server->tokens), 0);
	assert_null(clients_find(server->clients, "x"));
}

static void the_list_tells_everything_but_the_secret(void **state)
{
	static const char order[] = "{\"client\":\"web\",\"uses\":5,\"ttl_s\":60,"
	                            "\"certificate_ttl_s\":3600,\"from\":[\"10.0.0.0/8\"]}";
	struct made made, used, revoked;

	(void)state;
	make(order, &made);
	make("{\"client\":\"web\"}", &used);
	make("{\"client\":\"web\"}", &revoked);
	assert_int_equal(enroll(used.text), 201);
	revoke_token(&revoked);
	assert_int_equal(ask_as("operator", "GET", "/v1/tokens", NULL), 200);
	assert_true(answer_holds(made.id));
	assert_true(answer_holds("\"uses\":5,\"used\":0"));
	assert_true(answer_holds("\"certificate_ttl_s\":3600,\"from\":[\"10.0.0.0/8\"]"));
	assert_true(answer_holds("\"state\":\"active\""));
	assert_true(answer_holds("\"state\":\"used\""));
	assert_true(answer_holds("\"state\":\"revoked\""));
	assert_false(answer_holds("tacit1."));
	assert_false(answer_holds("hash"));
}

/* Neither as it is shown nor as it is meant. */
static void the_secret_stands_nowhere(void **state)
{
	cleanup_join_token struct join_token join = {0};
	struct made made;
	char digits[21]; /* of the secret: bytes 33 to 47 of the payload */

	(void)state;
	make("{\"client\":\"web\"}", &made);
	assert_int_equal(join_token_parse(made.text, strlen(made.text), &join), 0);
	(void)snprintf(digits, sizeof(digits), "%s", made.text + strlen(JOIN_TOKEN_PREFIX) + 44);
	assert_int_equal(enroll(made.text), 201);
	assert_int_equal(enroll(made.text), 403);
	assert_false(files_hold(&fixture, secret_bytes(join.secret), secret_len(join.secret)));
	assert_false(files_hold(&fixture, digits, strlen(digits)));
	assert_int_equal(log_count(JOIN_TOKEN_PREFIX), 0);
	assert_int_equal(log_count(digits), 0);
}

static void a_certificate_is_renewed_for_as_long_again(void **state)
{
	cleanup_json struct json *json = NULL;
	uint64_t generation = clients_find(server->clients, "web")->generation;
	int64_t now = time(NULL);
	const struct client *client;

	(void)state;
	assert_int_equal(renew("web"), 200);
	json = answer_json();
	assert_non_null(json_text_at(json, "certificate"));
	assert_string_equal(json_text_at(json, "ca"), authority_ca_pem(server->authority));
	assert_null(json_text_at(json, "server"));
	client = clients_find(server->clients, "web");
	assert_int_equal(client->generation, generation);
	assert_in_range(client->not_after, now + HOUR - 2, now + HOUR + 2);
	assert_int_equal(log_count("\"event\":\"client.renew\""), 1);
	assert_int_equal(atomic_load(&server->counters.renewed), 1);

	/* Whatever the role, which stays. */
	assert_int_equal(renew("auditor"), 200);
	assert_int_equal(renew("admin"), 200);
	assert_int_equal(clients_find(server->clients, "auditor")->role, ROLE_AUDITOR);
}

static void who_is_out_renews_nothing(void **state)
{
	struct certificate_identity old = identity_of("web");

	(void)state;
	revoke_client(NULL);
	assert_int_equal(ask((struct ask){.method = "POST",
	                     .path = "/v1/renew",
	                     .body = "{\"csr\":\"x\"}",
	                     .identity = &old}),
	    401);
	assert_problem("unauthenticated");
	assert_int_equal(renew("stranger"), 401);
	assert_int_equal(ask_as("admin", "POST", "/v1/renew", "{\"csr\":\"x\"}"), 400);
	assert_problem("invalid_csr");
	assert_int_equal(ask_as("admin", "POST", "/v1/renew", "{}"), 400);
}

static void renewing_in_a_loop_is_slowed_down(void **state)
{
	int limited = 0;

	(void)state;
	/* Five a second are allowed: without a certificate to make, asking is faster than that. */
	for (int i = 0; i < 200; i++)
		limited += ask_as("web", "POST", "/v1/renew", "{}") == 429;
	assert_in_range(limited, 1, 140);
	assert_int_equal(atomic_load(&server->counters.renew_limited), limited);
	while (ask_as("web", "POST", "/v1/renew", "{}") != 429)
		;
	assert_problem("too_many_requests");
	assert_int_equal(answer.retry_after_s, 1);
	assert_int_equal(renew("admin"), 200);
}

static int group_setup(void **state)
{
	(void)state;
	if (identity_new_request("ignored", &key, &csr) < 0)
		return -1;

	return secret_append(csr, "", 1);
}

static int group_teardown(void **state)
{
	(void)state;
	secret_free(key);
	secret_free(csr);
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_token_becomes_a_certificate),
	    TEST(a_use_is_spent_once_and_the_next_one_is_an_alarm),
	    TEST(a_token_has_as_many_uses_as_was_said),
	    TEST(a_token_ends_in_many_ways),
	    TEST(an_unknown_token_is_told_nothing),
	    TEST(a_token_may_be_for_some_addresses_only),
	    TEST(a_bad_request_spends_no_use),
	    TEST(refusals_are_limited_and_good_tokens_are_not),
	    TEST(the_enrolment_listener_has_three_paths),
	    TEST(only_operators_and_admins_have_to_do_with_tokens),
	    TEST(an_operator_lets_nobody_in_above_the_clients),
	    TEST(a_token_makes_its_client_where_there_is_none),
	    TEST(a_revoked_client_gets_no_token),
	    TEST(without_an_enrolment_listener_there_are_no_tokens),
	    TEST(bad_orders_make_nothing),
	    TEST(the_list_tells_everything_but_the_secret),
	    TEST(the_secret_stands_nowhere),
	    TEST(a_certificate_is_renewed_for_as_long_again),
	    TEST(who_is_out_renews_nothing),
	    TEST(renewing_in_a_loop_is_slowed_down),
	};

	return cmocka_run_group_tests_name("enroll", tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "tacit/deadline.h"
#include "tacit/json.h"

/* The status by way of its route: what each instance is found to be. */

static struct fixture fixture;
static struct server *server;
static struct response answer;
static struct waiter waiter;
static int woken;

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

static void suspend(struct waiter *of)
{
	(void)of;
}

struct ask {
	const char *as, *method, *path, *body, *client, *secret, *after, *limit, *etag, *instance,
	    *id;
	bool may_wait, has_waited;
};

static int ask(struct ask question)
{
	char path[64];
	cleanup_secret struct secret *body = text_secret(question.body ? question.body : "");
	const char *as = question.as ? question.as : "admin";
	struct certificate_identity identity = {
	    .generation = clients_find(server->clients, as)->generation,
	    .not_before = time(NULL) - 60,
	    .not_after = time(NULL) + 60};
	struct request request = {.method = question.method ? question.method : "GET",
	    .path = path,
	    .peer = "192.0.2.1:4000",
	    .identity = &identity,
	    .after = question.after,
	    .by_client = question.client,
	    .of_secret = question.secret,
	    .limit = question.limit,
	    .if_none_match = question.etag,
	    .instance = question.instance,
	    .instance_id = question.id,
	    .body = body,
	    .waiter = question.may_wait ? &waiter : NULL,
	    .suspend = suspend,
	    .has_waited = question.has_waited};

	answer_forget();
	waiter.wake = wake;
	waiter.until_ms = deadline_in_ms(50000);
	(void)snprintf(identity.client, sizeof(identity.client), "%s", as);
	(void)snprintf(path, sizeof(path), "%s", question.path ? question.path : "/v1/status");
	assert_int_equal(route_handle(server, &request, &answer), 0);
	return answer.status;
}

#define ASK(...) ask((struct ask){__VA_ARGS__})

static void put(const char *path)
{
	int status = ASK(.method = "PUT", .path = path, .body = "value");

	assert_true(status == 200 || status == 201);
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

static size_t answer_count(void)
{
	cleanup_json struct json *json = answer_json();

	return json_count(json_array_at(json, "instances"));
}

/* An instance as it was seen so long ago, served what its client is offered now. */
static void see(const char *client, const char *name, bool watches, int64_t age_s, bool confirms)
{
	cleanup_offer struct offer offer = {0};
	const struct sighting sighting = {.client = client,
	    .name = name,
	    .id = "",
	    .address = "192.0.2.7",
	    .watches = watches,
	    .now_s = time(NULL) - age_s};
	struct sighting again = sighting;

	assert_int_equal(offer_make(server->secrets, vault_keys(server->vault),
	                     clients_find(server->clients, client), &offer),
	    0);
	instances_see(server->instances, &sighting, &offer, true);
	again.known = offer.etag;
	if (confirms)
		instances_see(server->instances, &again, &offer, false);
}

static void assert_state(const char *name, const char *state)
{
	cleanup_json struct json *json = NULL;
	const struct json *list;

	assert_int_equal(ASK(0), 200);
	json = answer_json();
	list = json_array_at(json, "instances");
	for (size_t i = 0; i < json_count(list); i++) {
		if (strcmp(json_text_at(json_item(list, i), "instance"), name) != 0)
			continue;
		assert_string_equal(json_text_at(json_item(list, i), "state"), state);
		return;
	}
	fail_msg("no instance %s", name);
}

static int setup(void **state)
{
	(void)state;
	fixture_make(&fixture);
	fixture_open(&fixture);
	server = &fixture.home.server;
	put("/v1/secrets/web%2Fa");
	put("/v1/secrets/web%2Fb");
	assert_int_equal(clients_put(server->clients, "web", ROLE_CLIENT, 0), 0);
	assert_int_equal(clients_grant(server->clients, "web", "web/*", false), 0);
	assert_int_equal(clients_put(server->clients, "db", ROLE_CLIENT, 0), 0);
	assert_int_equal(clients_grant(server->clients, "db", "web/b", false), 0);
	woken = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	watch_remove(&server->watch, &waiter);
	answer_forget();
	fixture_remove(&fixture);
	return 0;
}

static void an_instance_is_known_by_what_it_asks_with(void **state)
{
	(void)state;
	assert_int_equal(ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1; watch"), 200);
	assert_int_equal(ASK(.as = "db", .path = "/v1/bundle"), 200);
	assert_int_equal(ASK(0), 200);
	assert_int_equal(answer_count(), 2);
	assert_true(answer_holds("\"client\":\"web\",\"instance\":\"h.1\",\"mode\":\"watch\","
	                         "\"address\":\"192.0.2.1\""));
	assert_true(answer_holds("\"client\":\"db\",\"instance\":\"192.0.2.1\",\"mode\":\"once\""));
	assert_true(answer_holds("{\"name\":\"web/b\",\"served\":1,\"held\":1,\"current\":1}"));
	assert_int_equal(ASK(.as = "web", .path = "/v1/bundle", .instance = "no name"), 400);
	assert_int_equal(
	    ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1", .id = "a b"), 400);
	assert_int_equal(ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1", .id = ""), 400);
}

static void one_name_may_be_that_of_several(void **state)
{
	(void)state;
	assert_int_equal(ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1", .id = "a"), 200);
	assert_int_equal(ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1", .id = "b"), 200);
	put("/v1/secrets/web%2Fa");
	assert_int_equal(ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1", .id = "c"), 200);
	assert_int_equal(ASK(0), 200);
	assert_int_equal(answer_count(), 3);
	assert_true(answer_holds("\"instance\":\"h.1\",\"id\":\"b\",\"mode\":\"once\""));
	assert_state("h.1", "replaced"); /* the first of them: the last one has its place */
}

/* Refused: it was served nothing. */
static void what_was_not_answered_was_not_served(void **state)
{
	(void)state;
	(void)unlink(fixture_path(&fixture, AUDIT_FILE));
	assert_int_equal(ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1"), 503);
	assert_int_equal(instances_changes(server->instances), 0);
}

static void states_are_told_apart(void **state)
{
	(void)state;
	see("web", "confirmed", true, 0, true);
	see("web", "once", false, 5000, false);
	see("web", "late", true, INSTANCE_SILENT_S - 10, false);
	see("web", "gone", true, INSTANCE_SILENT_S + 10, false);
	assert_state("confirmed", "current");
	assert_state("once", "current");
	assert_state("late", "behind"); /* served, but has not said that it has it */
	assert_state("gone", "silent");

	put("/v1/secrets/web%2Fa");
	assert_state("confirmed", "behind");
	assert_state("once", "old");

	assert_int_equal(ASK(.method = "POST", .path = "/v1/clients/web/revoke"), 204);
	assert_state("confirmed", "revoked");
}

static void versions_are_told_for_each_secret(void **state)
{
	(void)state;
	see("web", "x", true, 0, true);
	put("/v1/secrets/web%2Fa");
	put("/v1/secrets/web%2Fnew");
	put("/v1/secrets/web%2F0");
	assert_int_equal(ASK(.method = "DELETE", .path = "/v1/secrets/web%2Fb"), 204);
	assert_int_equal(ASK(0), 200);
	assert_true(answer_holds("\"secrets\":["
	                         "{\"name\":\"web/0\",\"current\":1},"
	                         "{\"name\":\"web/a\",\"served\":1,\"held\":1,\"current\":2},"
	                         "{\"name\":\"web/b\",\"served\":1,\"held\":1},"
	                         "{\"name\":\"web/new\",\"current\":1}]"));
}

static void one_can_ask_for_a_client_or_a_secret(void **state)
{
	(void)state;
	see("web", "x", true, 0, true);
	see("db", "y", true, 0, true);
	assert_int_equal(ASK(.client = "db"), 200);
	assert_int_equal(answer_count(), 1);
	assert_true(answer_holds("\"instance\":\"y\""));
	assert_int_equal(ASK(.secret = "web/a"), 200);
	assert_int_equal(answer_count(), 1);
	assert_true(answer_holds("\"instance\":\"x\""));
	assert_false(answer_holds("web/b"));
	assert_int_equal(ASK(.secret = "web/*"), 200);
	assert_int_equal(answer_count(), 2);
	assert_int_equal(ASK(.client = "../x"), 400);
	assert_int_equal(ASK(.secret = "/"), 400);
	assert_int_equal(ASK(.limit = "0"), 400);
}

static void an_instance_takes_leave_for_itself(void **state)
{
	const struct ask leave = {
	    .as = "web", .method = "DELETE", .path = "/v1/instance", .instance = "h.1", .id = "a"};
	struct ask other = leave;

	(void)state;
	assert_int_equal(
	    ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1; watch", .id = "a"), 200);
	assert_int_equal(
	    ASK(.as = "web", .path = "/v1/bundle", .instance = "h.1; watch", .id = "b"), 200);
	other.as = "db";
	assert_int_equal(ask(other), 204);
	other.as = "admin";
	assert_int_equal(ask(other), 204);
	assert_int_equal(ASK(0), 200);
	assert_int_equal(answer_count(), 2);

	assert_int_equal(ask(leave), 204);
	assert_int_equal(ask(leave), 204);
	assert_int_equal(ASK(0), 200);
	assert_int_equal(answer_count(), 1);
	assert_true(answer_holds("\"id\":\"b\""));
}

static void who_does_not_say_which_takes_no_leave(void **state)
{
	(void)state;
	assert_int_equal(ASK(.as = "web", .path = "/v1/bundle"), 200);
	assert_int_equal(ASK(.as = "web", .method = "DELETE", .path = "/v1/instance"), 400);
	assert_int_equal(
	    ASK(.as = "web", .method = "DELETE", .path = "/v1/instance", .id = "a"), 400);
	assert_int_equal(
	    ASK(.as = "web", .method = "DELETE", .path = "/v1/instance", .instance = "a b"), 400);
	assert_int_equal(ASK(.as = "web", .path = "/v1/instance"), 405);
	assert_int_equal(ASK(0), 200);
	assert_int_equal(answer_count(), 1);
}

/* A connection that has waited may be that of one that is gone. */
static void who_has_left_is_not_seen_by_an_old_request(void **state)
{
	char etag[PROTO_ETAG_MAX_BYTES];
	struct ask bundle = {
	    .as = "web", .path = "/v1/bundle", .instance = "h.1; watch", .id = "a"};

	(void)state;
	assert_int_equal(ask(bundle), 200);
	memcpy(etag, answer.etag, sizeof(etag));
	bundle.etag = etag;
	bundle.may_wait = true;
	(void)ask(bundle);
	assert_true(answer.waits);
	assert_int_equal(ASK(.as = "web", .method = "DELETE", .path = "/v1/instance",
	                     .instance = "h.1", .id = "a"),
	    204);
	bundle.has_waited = true;
	put("/v1/secrets/web%2Fa");
	assert_int_equal(ask(bundle), 200);
	assert_int_equal(ASK(0), 200);
	assert_int_equal(answer_count(), 0);
}

static void pages_lead_to_the_end(void **state)
{
	char after[200] = "";
	size_t total = 0, pages = 0;

	(void)state;
	for (int i = 0; i < 25; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "i%02d", i);
		see(i % 2 ? "web" : "db", name, true, 0, true);
	}
	do {
		cleanup_json struct json *json = NULL;

		assert_int_equal(ASK(.limit = "10", .after = after[0] ? after : NULL), 200);
		json = answer_json();
		total += json_count(json_array_at(json, "instances"));
		(void)snprintf(after, sizeof(after), "%s",
		    json_has(json, "next") ? json_text_at(json, "next") : "");
		pages++;
	} while (after[0]);
	assert_int_equal(total, 25);
	assert_int_equal(pages, 3);
}

/* In the order of bytes web-2/ comes before web/, and web-2 behind web. */
static void pages_end_between_any_two(void **state)
{
	static const char *const names[] = {"x", "x.1", "x-1"};
	char after[200] = "";
	size_t total = 0;

	(void)state;
	assert_int_equal(clients_put(server->clients, "web-2", ROLE_CLIENT, 0), 0);
	for (size_t i = 0; i < 3; i++) {
		see("web", names[i], true, 0, true);
		see("web-2", names[i], true, 0, true);
		assert_int_equal(
		    ASK(.as = "web", .path = "/v1/bundle", .instance = names[i], .id = "a"), 200);
		assert_int_equal(
		    ASK(.as = "web", .path = "/v1/bundle", .instance = names[i], .id = "b"), 200);
	}
	do {
		cleanup_json struct json *json = NULL;

		assert_int_equal(ASK(.limit = "1", .after = after[0] ? after : NULL), 200);
		json = answer_json();
		total += json_count(json_array_at(json, "instances"));
		(void)snprintf(after, sizeof(after), "%s",
		    json_has(json, "next") ? json_text_at(json, "next") : "");
	} while (after[0]);
	assert_int_equal(total, 12);
}

static void a_client_that_was_deleted_has_no_instances(void **state)
{
	(void)state;
	see("web", "x", true, 0, true);
	assert_int_equal(ASK(.method = "DELETE", .path = "/v1/clients/web"), 204);
	assert_int_equal(ASK(0), 200);
	assert_int_equal(answer_count(), 0);
}

/* Until somebody comes, is served, or something is changed that he may be served. */
static void who_knows_the_status_waits_for_another(void **state)
{
	char etag[PROTO_ETAG_MAX_BYTES];

	(void)state;
	assert_int_equal(ASK(0), 200);
	memcpy(etag, answer.etag, sizeof(etag));
	route_tick(server);
	(void)ASK(.etag = etag, .may_wait = true);
	assert_true(answer.waits);
	route_tick(server);
	assert_int_equal(woken, 0);
	see("web", "x", true, 0, true);
	route_tick(server);
	assert_int_equal(woken, 1);

	assert_int_equal(ASK(.etag = etag, .may_wait = true), 200);
	assert_false(answer.waits);
	memcpy(etag, answer.etag, sizeof(etag));
	(void)ASK(.etag = etag, .may_wait = true);
	assert_true(answer.waits);
	answer_forget();
	put("/v1/secrets/web%2Fa");
	assert_int_equal(woken, 2);
	/* When its time is up it is answered, since states change with time. */
	assert_int_equal(ASK(.etag = etag), 200);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_instance_is_known_by_what_it_asks_with),
	    TEST(what_was_not_answered_was_not_served),
	    TEST(states_are_told_apart),
	    TEST(versions_are_told_for_each_secret),
	    TEST(one_can_ask_for_a_client_or_a_secret),
	    TEST(one_name_may_be_that_of_several),
	    TEST(an_instance_takes_leave_for_itself),
	    TEST(who_does_not_say_which_takes_no_leave),
	    TEST(who_has_left_is_not_seen_by_an_old_request),
	    TEST(pages_lead_to_the_end),
	    TEST(pages_end_between_any_two),
	    TEST(a_client_that_was_deleted_has_no_instances),
	    TEST(who_knows_the_status_waits_for_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

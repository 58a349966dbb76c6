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

#include "asking.h"

/* The status by way of its route: what each instance is found to be. */

/* As the admin who asks for the status, unless the question says otherwise. */
static int ask_status(struct ask question)
{
	question.as = question.as ? question.as : "admin";
	question.path = question.path ? question.path : "/v1/status";
	return ask(question);
}

#define ASK_STATUS(...) ask_status((struct ask){__VA_ARGS__})

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

	assert_int_equal(ASK_STATUS(0), 200);
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
	asking_begin();
	put("/v1/secrets/web%2Fa", "value");
	put("/v1/secrets/web%2Fb", "value");
	assert_int_equal(clients_put(server->clients, "web", ROLE_CLIENT, 0), 0);
	assert_int_equal(clients_grant(server->clients, "web", "web/*", false), 0);
	assert_int_equal(clients_put(server->clients, "db", ROLE_CLIENT, 0), 0);
	assert_int_equal(clients_grant(server->clients, "db", "web/b", false), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	asking_end();
	return 0;
}

static void an_instance_is_known_by_what_it_asks_with(void **state)
{
	(void)state;
	assert_int_equal(
	    ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1; watch"), 200);
	assert_int_equal(ASK_STATUS(.as = "db", .path = "/v1/bundle"), 200);
	assert_int_equal(ASK_STATUS(0), 200);
	assert_int_equal(answer_count("instances"), 2);
	assert_true(answer_holds("\"client\":\"web\",\"instance\":\"h.1\",\"mode\":\"watch\","
	                         "\"address\":\"192.0.2.1\""));
	assert_true(answer_holds("\"client\":\"db\",\"instance\":\"192.0.2.1\",\"mode\":\"once\""));
	assert_true(answer_holds("{\"name\":\"web/b\",\"served\":1,\"held\":1,\"current\":1}"));
	assert_int_equal(ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "no name"), 400);
	assert_int_equal(
	    ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1", .instance_id = "a b"),
	    400);
	assert_int_equal(
	    ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1", .instance_id = ""),
	    400);
}

static void one_name_may_be_that_of_several(void **state)
{
	(void)state;
	assert_int_equal(
	    ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1", .instance_id = "a"),
	    200);
	assert_int_equal(
	    ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1", .instance_id = "b"),
	    200);
	put("/v1/secrets/web%2Fa", "value");
	assert_int_equal(
	    ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1", .instance_id = "c"),
	    200);
	assert_int_equal(ASK_STATUS(0), 200);
	assert_int_equal(answer_count("instances"), 3);
	assert_true(answer_holds("\"instance\":\"h.1\",\"id\":\"b\",\"mode\":\"once\""));
	assert_state("h.1", "replaced"); /* the first of them: the last one has its place */
}

/* Refused: it was served nothing. */
static void what_was_not_answered_was_not_served(void **state)
{
	(void)state;
	(void)unlink(fixture_path(&fixture, AUDIT_FILE));
	assert_int_equal(ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1"), 503);
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

	put("/v1/secrets/web%2Fa", "value");
	assert_state("confirmed", "behind");
	assert_state("once", "old");

	assert_int_equal(ASK_STATUS(.method = "POST", .path = "/v1/clients/web/revoke"), 204);
	assert_state("confirmed", "revoked");
}

static void versions_are_told_for_each_secret(void **state)
{
	(void)state;
	see("web", "x", true, 0, true);
	put("/v1/secrets/web%2Fa", "value");
	put("/v1/secrets/web%2Fnew", "value");
	put("/v1/secrets/web%2F0", "value");
	assert_int_equal(ASK_STATUS(.method = "DELETE", .path = "/v1/secrets/web%2Fb"), 204);
	assert_int_equal(ASK_STATUS(0), 200);
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
	assert_int_equal(ASK_STATUS(.client = "db"), 200);
	assert_int_equal(answer_count("instances"), 1);
	assert_true(answer_holds("\"instance\":\"y\""));
	assert_int_equal(ASK_STATUS(.secret = "web/a"), 200);
	assert_int_equal(answer_count("instances"), 1);
	assert_true(answer_holds("\"instance\":\"x\""));
	assert_false(answer_holds("web/b"));
	assert_int_equal(ASK_STATUS(.secret = "web/*"), 200);
	assert_int_equal(answer_count("instances"), 2);
	assert_int_equal(ASK_STATUS(.client = "../x"), 400);
	assert_int_equal(ASK_STATUS(.secret = "/"), 400);
	assert_int_equal(ASK_STATUS(.limit = "0"), 400);
}

static void an_instance_takes_leave_for_itself(void **state)
{
	const struct ask leave = {.as = "web",
	    .method = "DELETE",
	    .path = "/v1/instance",
	    .instance = "h.1",
	    .instance_id = "a"};
	struct ask other = leave;

	(void)state;
	assert_int_equal(ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1; watch",
	                     .instance_id = "a"),
	    200);
	assert_int_equal(ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = "h.1; watch",
	                     .instance_id = "b"),
	    200);
	other.as = "db";
	assert_int_equal(ask(other), 204);
	other.as = "admin";
	assert_int_equal(ask(other), 204);
	assert_int_equal(ASK_STATUS(0), 200);
	assert_int_equal(answer_count("instances"), 2);

	assert_int_equal(ask(leave), 204);
	assert_int_equal(ask(leave), 204);
	assert_int_equal(ASK_STATUS(0), 200);
	assert_int_equal(answer_count("instances"), 1);
	assert_true(answer_holds("\"id\":\"b\""));
}

static void who_does_not_say_which_takes_no_leave(void **state)
{
	(void)state;
	assert_int_equal(ASK_STATUS(.as = "web", .path = "/v1/bundle"), 200);
	assert_int_equal(ASK_STATUS(.as = "web", .method = "DELETE", .path = "/v1/instance"), 400);
	assert_int_equal(
	    ASK_STATUS(.as = "web", .method = "DELETE", .path = "/v1/instance", .instance_id = "a"),
	    400);
	assert_int_equal(
	    ASK_STATUS(.as = "web", .method = "DELETE", .path = "/v1/instance", .instance = "a b"),
	    400);
	assert_int_equal(ASK_STATUS(.as = "web", .path = "/v1/instance"), 405);
	assert_int_equal(ASK_STATUS(0), 200);
	assert_int_equal(answer_count("instances"), 1);
}

/* A connection that has waited may be that of one that is gone. */
static void who_has_left_is_not_seen_by_an_old_request(void **state)
{
	char etag[PROTO_ETAG_MAX_BYTES];
	struct ask bundle = {
	    .as = "web", .path = "/v1/bundle", .instance = "h.1; watch", .instance_id = "a"};

	(void)state;
	assert_int_equal(ask(bundle), 200);
	memcpy(etag, answer.etag, sizeof(etag));
	bundle.if_none_match = etag;
	bundle.may_wait = true;
	(void)ask(bundle);
	assert_true(answer.waits);
	assert_int_equal(ASK_STATUS(.as = "web", .method = "DELETE", .path = "/v1/instance",
	                     .instance = "h.1", .instance_id = "a"),
	    204);
	bundle.has_waited = true;
	put("/v1/secrets/web%2Fa", "value");
	assert_int_equal(ask(bundle), 200);
	assert_int_equal(ASK_STATUS(0), 200);
	assert_int_equal(answer_count("instances"), 0);
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

		assert_int_equal(ASK_STATUS(.limit = "10", .after = after[0] ? after : NULL), 200);
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
		assert_int_equal(ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = names[i],
		                     .instance_id = "a"),
		    200);
		assert_int_equal(ASK_STATUS(.as = "web", .path = "/v1/bundle", .instance = names[i],
		                     .instance_id = "b"),
		    200);
	}
	do {
		cleanup_json struct json *json = NULL;

		assert_int_equal(ASK_STATUS(.limit = "1", .after = after[0] ? after : NULL), 200);
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
	assert_int_equal(ASK_STATUS(.method = "DELETE", .path = "/v1/clients/web"), 204);
	assert_int_equal(ASK_STATUS(0), 200);
	assert_int_equal(answer_count("instances"), 0);
}

/* Until somebody comes, is served, or something is changed that he may be served. */
static void who_knows_the_status_waits_for_another(void **state)
{
	char etag[PROTO_ETAG_MAX_BYTES];

	(void)state;
	assert_int_equal(ASK_STATUS(0), 200);
	memcpy(etag, answer.etag, sizeof(etag));
	route_tick(server);
	(void)ASK_STATUS(.if_none_match = etag, .may_wait = true);
	assert_true(answer.waits);
	route_tick(server);
	assert_int_equal(woken, 0);
	see("web", "x", true, 0, true);
	route_tick(server);
	assert_int_equal(woken, 1);

	assert_int_equal(ASK_STATUS(.if_none_match = etag, .may_wait = true), 200);
	assert_false(answer.waits);
	memcpy(etag, answer.etag, sizeof(etag));
	(void)ASK_STATUS(.if_none_match = etag, .may_wait = true);
	assert_true(answer.waits);
	put("/v1/secrets/web%2Fa", "value");
	assert_int_equal(woken, 2);
	/* When its time is up it is answered, since states change with time. */
	assert_int_equal(ASK_STATUS(.if_none_match = etag), 200);
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

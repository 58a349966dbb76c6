/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "instances.h"
#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct instances *instances;
static int64_t now_s;
static bool has_waited;

/* What a client is offered at some version: a, and then b too. */
static const struct secret_entry a1 = {.name = "a", .current = 1};
static const struct secret_entry a2 = {.name = "a", .current = 2};
static const struct secret_entry b7 = {.name = "b", .current = 7};
static const struct secret_entry *only_a1[] = {&a1}, *only_a2[] = {&a2}, *both[] = {&a2, &b7};
static struct offer first = {.entries = only_a1, .count = 1, .etag = "\"1\""};
static struct offer second = {.entries = only_a2, .count = 1, .etag = "\"2\""};
static struct offer third = {.entries = both, .count = 2, .etag = "\"3\""};

static int setup(void **state)
{
	(void)state;
	now_s = 1000;
	has_waited = false;
	instances = instances_new(now_s);
	assert_non_null(instances);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	instances_free(instances);
	return 0;
}

/* As an instance that is called NAME or NAME#ID. */
static void see_at(const char *address, const char *client, const char *name, bool watches,
    const char *known, const struct offer *offer, bool is_served)
{
	char text[100], *id = text;

	(void)snprintf(text, sizeof(text), "%s", name);
	const struct sighting sighting = {.client = client,
	    .name = strsep(&id, "#"),
	    .id = id ? id : "",
	    .address = address,
	    .watches = watches,
	    .now_s = now_s,
	    .known = known,
	    .has_waited = has_waited};

	instances_see(instances, &sighting, offer, is_served);
}

static void see(const char *client, const char *name, bool watches, const char *known,
    const struct offer *offer, bool is_served)
{
	see_at("192.0.2.1", client, name, watches, known, offer, is_served);
}

static size_t count(void)
{
	const struct instance **list;
	size_t found;

	assert_int_equal(instances_list(instances, now_s, &list, &found), 0);
	free(list);
	return found;
}

static bool is_called(const struct instance *instance, const char *name)
{
	char text[100];

	(void)snprintf(
	    text, sizeof(text), "%s%s%s", instance->name, instance->id[0] ? "#" : "", instance->id);
	return !strcmp(text, name);
}

static const struct instance *find(const char *client, const char *name)
{
	cleanup_free const struct instance **list = NULL;
	size_t found;

	assert_int_equal(instances_list(instances, now_s, &list, &found), 0);
	for (size_t i = 0; i < found; i++)
		if (!strcmp(list[i]->client, client) && is_called(list[i], name))
			return list[i];

	return NULL;
}

/* Versions of `a`; 0 for none. */
static void assert_has(const char *name, uint32_t served, uint32_t held)
{
	const struct instance *instance = find("web", name);

	assert_non_null(instance);
	assert_int_equal(snapshot_version(instance->served, "a"), served);
	assert_int_equal(snapshot_version(instance->held, "a"), held);
}

static void who_fetches_once_holds_what_it_was_served(void **state)
{
	(void)state;
	see("web", "x", false, NULL, &first, true);
	assert_has("x", 1, 1);
	see("web", "x", false, NULL, &second, true);
	assert_has("x", 2, 2);
}

static void who_watches_holds_it_when_it_asks_for_another(void **state)
{
	(void)state;
	see("web", "x", true, NULL, &first, true);
	assert_has("x", 1, 0);
	see("web", "x", true, first.etag, &first, false);
	assert_has("x", 1, 1);

	/* A rotation: it is served the new one, and still has the old one until it says so. */
	see("web", "x", true, first.etag, &second, true);
	assert_has("x", 2, 1);
	see("web", "x", true, second.etag, &second, false);
	assert_has("x", 2, 2);
}

/* It could not put the files in place, and asks for all of it once more. */
static void who_asks_anew_still_holds_the_old_one(void **state)
{
	(void)state;
	see("web", "x", true, NULL, &first, true);
	see("web", "x", true, first.etag, &second, true);
	see("web", "x", true, NULL, &second, true);
	assert_has("x", 2, 1);
}

static void after_a_start_a_watcher_shows_what_it_holds(void **state)
{
	(void)state;
	see("web", "x", true, first.etag, &first, false);
	assert_has("x", 0, 1);
}

/* Of a tag from before the start we only know that it is not the one of now. */
static void a_tag_that_nobody_knows_is_nothing_that_is_held(void **state)
{
	(void)state;
	see("web", "x", true, "\"0\"", &first, true);
	assert_has("x", 1, 0);
	see("web", "y", true, first.etag, &second, true); /* known, since x was served it */
	assert_has("y", 2, 1);
}

static void a_tag_of_another_client_is_not_known(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		char client[32];

		(void)snprintf(client, sizeof(client), "c%d", i);
		see(client, "x", false, NULL, &first, true);
	}
	see("web", "x", true, first.etag, &second, true);
	assert_has("x", 2, 0);
}

static void all_that_is_in_a_bundle_is_remembered(void **state)
{
	const struct instance *instance;

	(void)state;
	see("web", "x", false, NULL, &third, true);
	instance = find("web", "x");
	assert_int_equal(instance->held->count, 2);
	assert_int_equal(snapshot_version(instance->held, "b"), 7);
	assert_int_equal(snapshot_version(instance->held, "c"), 0);
	assert_int_equal(snapshot_version(NULL, "a"), 0);
}

static void changes_are_counted_and_repetitions_are_not(void **state)
{
	uint64_t before;

	(void)state;
	see("web", "x", true, NULL, &first, true);
	see("web", "x", true, first.etag, &first, false);
	before = instances_changes(instances);
	for (int i = 0; i < 5; i++)
		see("web", "x", true, first.etag, &first, false);
	assert_int_equal(instances_changes(instances), before);
	see("web", "x", true, first.etag, &second, true);
	assert_true(instances_changes(instances) > before);
}

static void they_are_listed_in_order(void **state)
{
	static const char *const names[][2] = {
	    {"web", "b"}, {"db", "z"}, {"web", "a"}, {"web2", "a"}, {"db", "c"}};
	static const char *const order[] = {"db/c", "db/z", "web/a", "web/b", "web2/a"};
	cleanup_free const struct instance **list = NULL;
	size_t found;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		see(names[i][0], names[i][1], true, NULL, &first, true);
	assert_int_equal(instances_list(instances, now_s, &list, &found), 0);
	assert_int_equal(found, COUNT(order));
	for (size_t i = 0; i < found; i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), "%s/%s", list[i]->client, list[i]->name);
		assert_string_equal(text, order[i]);
	}
}

static void see_numbered(const char *client, int number)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "i%d", number);
	see(client, name, true, NULL, &first, true);
	now_s++;
}

static void a_client_has_so_many_and_pushes_out_its_own(void **state)
{
	(void)state;
	see("db", "x", true, NULL, &first, true);
	for (int i = 0; i < INSTANCES_PER_CLIENT_MAX + 10; i++)
		see_numbered("web", i);
	assert_int_equal(count(), INSTANCES_PER_CLIENT_MAX + 1);
	assert_int_equal(instances_pushed_out(instances), 10);
	assert_null(find("web", "i9"));
	assert_non_null(find("web", "i10"));
	assert_non_null(find("db", "x"));
}

static void all_of_them_are_so_many(void **state)
{
	(void)state;
	for (int i = 0; i < INSTANCES_MAX + 50; i++) {
		char client[32];

		(void)snprintf(client, sizeof(client), "c%d", i / 50);
		see(client, "x", true, NULL, &first, true);
		(void)snprintf(client, sizeof(client), "d%d", i);
		see(client, "x", true, NULL, &first, true);
	}
	assert_int_equal(count(), INSTANCES_MAX);
}

/* Long names in large bundles of many clients: memory stays within its bound. */
static void what_they_hold_is_bounded_too(void **state)
{
	static char names[4000][200];
	static struct secret_entry entries[4000];
	static const struct secret_entry *list[4000];
	struct offer large = {.entries = list, .count = COUNT(list), .etag = "\"large\""};
	size_t bytes = COUNT(list) * (200 + sizeof(struct snapshot_item));

	(void)state;
	for (size_t i = 0; i < COUNT(list); i++) {
		memset(names[i], 'n', sizeof(names[i]) - 1);
		(void)snprintf(names[i], 8, "%07zu", i);
		names[i][7] = 'n';
		entries[i] = (struct secret_entry){.name = names[i], .current = 1};
		list[i] = &entries[i];
	}
	for (int i = 0; i < 200; i++) {
		char client[32];

		(void)snprintf(client, sizeof(client), "c%d", i);
		see(client, "x", false, NULL, &large, true);
		now_s++;
	}
	assert_in_range(count(), 10, INSTANCES_BYTES_MAX / bytes + 1);
	assert_non_null(find("c199", "x"));
	assert_null(find("c0", "x"));
}

static void who_is_not_seen_any_more_is_forgotten(void **state)
{
	(void)state;
	see("web", "watcher", true, NULL, &first, true);
	see("web", "once", false, NULL, &first, true);
	now_s += INSTANCE_FORGET_S;
	assert_int_equal(count(), 2);
	now_s += 1;
	assert_null(find("web", "watcher"));
	assert_non_null(find("web", "once"));
	now_s += INSTANCE_FORGET_ONCE_S;
	assert_int_equal(count(), 0);
}

static void two_of_one_name_are_two_by_their_ids(void **state)
{
	(void)state;
	see("web", "app.1#a", true, NULL, &first, true);
	see("web", "app.1#b", true, NULL, &second, true);
	see("web", "app.1", true, NULL, &second, true);
	see("web", "app.1#b", true, second.etag, &second, false);
	assert_int_equal(count(), 3);
	assert_has("app.1#a", 1, 0);
	assert_has("app.1#b", 2, 2);
	assert_has("app.1", 2, 0);
}

static void who_was_started_anew_replaces_what_it_was(void **state)
{
	(void)state;
	see("web", "app.1#a", false, NULL, &first, true);
	see("web", "app.1#b", false, NULL, &second, true);
	assert_true(find("web", "app.1#a")->is_replaced);
	assert_false(find("web", "app.1#b")->is_replaced);

	/* It is there all the same. */
	see("web", "app.1#a", false, NULL, &second, true);
	assert_false(find("web", "app.1#a")->is_replaced);
	assert_false(find("web", "app.1#b")->is_replaced);
}

static void nobody_replaces_one_that_is_not_like_it(void **state)
{
	(void)state;
	see("web", "app.1#a", false, NULL, &first, true);
	see_at("192.0.2.2", "web", "app.1#b", false, NULL, &first, true);
	see("web", "app.1#c", true, NULL, &first, true);
	see("web", "app.2#d", false, NULL, &first, true);
	see("db", "app.1#e", false, NULL, &first, true);
	assert_false(find("web", "app.1#a")->is_replaced);
}

static void who_is_replaced_is_forgotten_sooner(void **state)
{
	(void)state;
	see("web", "app.1#a", false, NULL, &first, true);
	see("web", "app.1#b", false, NULL, &first, true);
	now_s += INSTANCE_FORGET_S + 1;
	assert_null(find("web", "app.1#a"));
	assert_non_null(find("web", "app.1#b"));
}

/* A job that runs every minute, in a container that is always called the same. */
static void who_is_replaced_pushes_nobody_out(void **state)
{
	(void)state;
	see("web", "lasting", false, NULL, &first, true);
	for (int i = 0; i < INSTANCES_PER_CLIENT_MAX * 2; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "job.1#%d", i);
		see("web", name, false, NULL, &first, true);
		now_s += 10;
	}
	assert_int_equal(instances_pushed_out(instances), 0);
	assert_non_null(find("web", "lasting"));
}

static void who_takes_leave_is_gone_at_once(void **state)
{
	uint64_t before;

	(void)state;
	see("web", "app.1#a", true, NULL, &first, true);
	see("web", "app.1#b", true, NULL, &first, true);
	see("db", "app.1#a", true, NULL, &first, true);
	before = instances_changes(instances);
	instances_leave(instances, "web", "app.1", "a");
	assert_true(instances_changes(instances) > before);
	assert_null(find("web", "app.1#a"));
	assert_non_null(find("web", "app.1#b"));
	assert_non_null(find("db", "app.1#a"));

	before = instances_changes(instances);
	instances_leave(instances, "web", "app.1", "a");
	instances_leave(instances, "web", "app.1", "");
	instances_leave(instances, "nobody", "app.1", "b");
	assert_int_equal(instances_changes(instances), before);
	assert_int_equal(count(), 2);
}

/* Its last request waits on: the connection is found to be gone only when something is sent. */
static void who_has_left_does_not_come_back_by_what_it_asked_before(void **state)
{
	(void)state;
	see("web", "app.1#a", true, NULL, &first, true);
	instances_leave(instances, "web", "app.1", "a");
	has_waited = true;
	see("web", "app.1#a", true, first.etag, &second, true);
	assert_int_equal(count(), 0);

	has_waited = false;
	see("web", "app.1#a", true, first.etag, &second, true);
	has_waited = true;
	see("web", "app.1#a", true, second.etag, &second, false);
	assert_has("app.1#a", 2, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(who_fetches_once_holds_what_it_was_served),
	    TEST(who_watches_holds_it_when_it_asks_for_another),
	    TEST(who_asks_anew_still_holds_the_old_one),
	    TEST(after_a_start_a_watcher_shows_what_it_holds),
	    TEST(a_tag_that_nobody_knows_is_nothing_that_is_held),
	    TEST(a_tag_of_another_client_is_not_known),
	    TEST(all_that_is_in_a_bundle_is_remembered),
	    TEST(changes_are_counted_and_repetitions_are_not),
	    TEST(they_are_listed_in_order),
	    TEST(a_client_has_so_many_and_pushes_out_its_own),
	    TEST(all_of_them_are_so_many),
	    TEST(what_they_hold_is_bounded_too),
	    TEST(who_is_not_seen_any_more_is_forgotten),
	    TEST(two_of_one_name_are_two_by_their_ids),
	    TEST(who_takes_leave_is_gone_at_once),
	    TEST(who_has_left_does_not_come_back_by_what_it_asked_before),
	    TEST(who_was_started_anew_replaces_what_it_was),
	    TEST(nobody_replaces_one_that_is_not_like_it),
	    TEST(who_is_replaced_is_forgotten_sooner),
	    TEST(who_is_replaced_pushes_nobody_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fixture fixture;
static struct clients *clients;

static int setup(void **state)
{
	(void)state;
	fixture_make(&fixture);
	fixture_open(&fixture);
	clients = fixture.home.server.clients;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

static void reopen(void)
{
	fixture_close(&fixture);
	fixture_open(&fixture);
	clients = fixture.home.server.clients;
}

static void add(const char *name)
{
	assert_int_equal(clients_put(clients, name, ROLE_CLIENT, 0), 0);
}

static void init_makes_the_admin(void **state)
{
	const struct client *admin = clients_find(clients, "admin");

	(void)state;
	assert_int_equal(clients_count(clients), 1);
	assert_non_null(admin);
	assert_int_equal(admin->role, ROLE_ADMIN);
	assert_int_equal(admin->grants_count, 0);
	assert_true(admin->not_after > time(NULL));
}

static void what_was_stored_is_loaded_again(void **state)
{
	(void)state;
	assert_int_equal(clients_put(clients, "web", ROLE_AUDITOR, 4102444800), 0);
	assert_int_equal(clients_grant(clients, "web", "app/**", true), 0);
	assert_int_equal(clients_grant(clients, "web", "app/*/x", false), 0);
	add("a");
	add("z");
	for (int i = 0; i < 2; i++) {
		const struct client *web = clients_find(clients, "web");

		assert_int_equal(clients_count(clients), 4);
		assert_int_equal(web->role, ROLE_AUDITOR);
		assert_int_equal(web->not_after, 4102444800);
		assert_false(web->revoked);
		assert_int_equal(web->grants_count, 2);
		assert_string_equal(web->grants[0].pattern, "app/**");
		assert_true(web->grants[0].write);
		assert_string_equal(web->grants[1].pattern, "app/*/x");
		assert_false(web->grants[1].write);
		assert_string_equal(clients_at(clients, 0)->name, "a");
		assert_string_equal(clients_at(clients, 3)->name, "z");
		assert_null(clients_find(clients, "we"));
		assert_null(clients_find(clients, "web2"));
		reopen();
	}
}

/*
 * Whatever happens to a name, a generation that it has left never comes back: that is what keeps
 * an old certificate out.
 */
static void a_generation_never_comes_back(void **state)
{
	uint64_t left[200], random = 7;
	size_t left_count = 0;

	(void)state;
	add("web");
	for (int i = 0; i < 150; i++) {
		const struct client *client = clients_find(clients, "web");
		uint64_t before = client ? client->generation : 0;
		uint64_t what = random_next(&random) % 5;

		if (what == 0 && client) {
			assert_int_equal(clients_revoke(clients, "web"), 0);
			left[left_count++] = before;
		} else if (what == 1 && client) {
			assert_int_equal(clients_delete(clients, "web"), 0);
			left[left_count++] = before;
		} else if (what == 2) {
			add("web");
		} else if (what == 3) {
			reopen();
		} else {
			add("other");
		}
		client = clients_find(clients, "web");
		for (size_t j = 0; client && j < left_count; j++)
			assert_int_not_equal(client->generation, left[j]);
	}
	assert_in_range(left_count, 20, 150);
}

static void putting_again_keeps_the_generation_and_the_grants(void **state)
{
	uint64_t generation;

	(void)state;
	add("web");
	assert_int_equal(clients_grant(clients, "web", "a", false), 0);
	generation = clients_find(clients, "web")->generation;
	add("web");
	assert_int_equal(clients_find(clients, "web")->generation, generation);
	assert_int_equal(clients_find(clients, "web")->grants_count, 1);
}

static void a_revoked_client_comes_back_with_another_generation(void **state)
{
	uint64_t generation;

	(void)state;
	add("web");
	assert_int_equal(clients_grant(clients, "web", "a", false), 0);
	generation = clients_find(clients, "web")->generation;
	assert_int_equal(clients_revoke(clients, "web"), 0);
	reopen();
	assert_true(clients_find(clients, "web")->revoked);
	add("web");
	assert_false(clients_find(clients, "web")->revoked);
	assert_true(clients_find(clients, "web")->generation > generation);
	assert_int_equal(clients_find(clients, "web")->grants_count, 1);
}

static void grants_are_changed_and_removed(void **state)
{
	(void)state;
	add("web");
	assert_int_equal(clients_grant(clients, "web", "a", false), 0);
	assert_int_equal(clients_grant(clients, "web", "b", false), 0);
	assert_int_equal(clients_grant(clients, "web", "a", true), 0);
	assert_int_equal(clients_find(clients, "web")->grants_count, 2);
	assert_true(clients_find(clients, "web")->grants[0].write);
	assert_int_equal(clients_ungrant(clients, "web", "a"), 0);
	assert_int_equal(clients_ungrant(clients, "web", "a"), -TACIT_E_NOT_FOUND);
	reopen();
	assert_int_equal(clients_find(clients, "web")->grants_count, 1);
	assert_string_equal(clients_find(clients, "web")->grants[0].pattern, "b");
}

static void bad_input_changes_nothing(void **state)
{
	uint64_t revision = vault_revision(fixture.home.server.vault);

	(void)state;
	assert_int_equal(clients_put(clients, "a/b", ROLE_CLIENT, 0), -TACIT_E_INVALID_NAME);
	assert_int_equal(clients_put(clients, "", ROLE_CLIENT, 0), -TACIT_E_INVALID_NAME);
	assert_int_equal(clients_put(clients,
	                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	                     ROLE_CLIENT, 0),
	    -TACIT_E_INVALID_NAME);
	assert_int_equal(
	    clients_grant(clients, "admin", "a/../b", false), -TACIT_E_INVALID_PATTERN);
	assert_int_equal(clients_grant(clients, "admin", "", false), -TACIT_E_INVALID_PATTERN);
	assert_int_equal(clients_grant(clients, "nobody", "a", false), -TACIT_E_NOT_FOUND);
	assert_int_equal(clients_ungrant(clients, "nobody", "a"), -TACIT_E_NOT_FOUND);
	assert_int_equal(clients_revoke(clients, "nobody"), -TACIT_E_NOT_FOUND);
	assert_int_equal(clients_delete(clients, "nobody"), -TACIT_E_NOT_FOUND);
	assert_int_equal(vault_revision(fixture.home.server.vault), revision);
	assert_int_equal(clients_count(clients), 1);
}

static void grants_have_a_limit(void **state)
{
	char pattern[32];

	(void)state;
	add("web");
	for (int i = 0; i < GRANTS_MAX; i++) {
		(void)snprintf(pattern, sizeof(pattern), "app/%d", i);
		assert_int_equal(clients_grant(clients, "web", pattern, false), 0);
	}
	assert_int_equal(clients_grant(clients, "web", "one/more", false), -TACIT_E_TOO_LARGE);
	assert_int_equal(clients_grant(clients, "web", "app/7", true), 0);
	reopen();
	assert_int_equal(clients_find(clients, "web")->grants_count, GRANTS_MAX);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(init_makes_the_admin),
	    TEST(what_was_stored_is_loaded_again),
	    TEST(a_generation_never_comes_back),
	    TEST(putting_again_keeps_the_generation_and_the_grants),
	    TEST(a_revoked_client_comes_back_with_another_generation),
	    TEST(grants_are_changed_and_removed),
	    TEST(bad_input_changes_nothing),
	    TEST(grants_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

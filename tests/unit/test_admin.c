/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin.h"
#include "fixture.h"

static struct fixture fixture;
static struct server *server;
static struct admin_identity identity;

static int setup(void **state)
{
	(void)state;
	fixture_make(&fixture);
	fixture_open(&fixture);
	server = &fixture.home.server;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	admin_identity_free(&identity);
	fixture_remove(&fixture);
	return 0;
}

static void issue(bool revoke_old)
{
	struct fault fault = {0};

	admin_identity_free(&identity);
	assert_int_equal(admin_issue(server, revoke_old, &identity, &fault), 0);
	assert_non_null(identity.pem);
}

static const struct client *find(const char *name)
{
	const struct client *client = clients_find(server->clients, name);

	assert_non_null(client);
	return client;
}

static void an_older_one_is_good_as_long_as_it_is_not_revoked(void **state)
{
	uint64_t generation = find("admin")->generation;

	(void)state;
	issue(false);
	assert_string_equal(identity.client, "admin");
	assert_int_equal(find("admin")->generation, generation);
	issue(true);
	assert_true(find("admin")->generation > generation);
	assert_false(find("admin")->revoked);
	assert_int_equal(find("admin")->role, ROLE_ADMIN);
}

static void where_there_is_another_admin_it_is_his(void **state)
{
	(void)state;
	assert_int_equal(clients_put(server->clients, "zoe", ROLE_ADMIN, 0), 0);
	issue(false);
	assert_string_equal(identity.client, "admin");
	assert_int_equal(clients_revoke(server->clients, "admin"), 0);
	issue(false);
	assert_string_equal(identity.client, "zoe");
	assert_true(find("admin")->revoked);
}

static void where_there_is_none_one_is_added(void **state)
{
	uint64_t generation;

	(void)state;
	assert_int_equal(clients_revoke(server->clients, "admin"), 0);
	generation = find("admin")->generation;
	issue(false);
	assert_string_equal(identity.client, "admin");
	assert_false(find("admin")->revoked);
	assert_int_equal(find("admin")->generation, generation); /* that of after the revocation */
}

/* What he has would make him an admin otherwise. */
static void a_namesake_loses_what_he_has(void **state)
{
	uint64_t generation = find("admin")->generation;

	(void)state;
	assert_int_equal(clients_put(server->clients, "admin", ROLE_CLIENT, 0), 0);
	issue(false);
	assert_int_equal(find("admin")->role, ROLE_ADMIN);
	assert_true(find("admin")->generation > generation);
}

static void who_has_another_key_gets_none(void **state)
{
	cleanup_secret struct secret *wrong = text_secret("0123456789abcdef0123456789abcdef");
	const struct admin_request request = {.material = wrong, .revoke_old = true};
	uint64_t generation = find("admin")->generation;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(
	    admin_run(server, fixture.home.dirfd, &request, &identity, &fault), -TACIT_E_WRONG_KEY);
	assert_null(identity.pem);
	assert_int_equal(find("admin")->generation, generation);
}

static void an_identity_goes_over_the_socket_whole(void **state)
{
	cleanup_secret struct secret *bytes = NULL;
	cleanup_admin_identity struct admin_identity again = {0};
	struct encoder encoder;
	struct decoder decoder;

	(void)state;
	issue(false);
	assert_int_equal(secret_new(4096, &bytes), 0);
	encoder = (struct encoder){.out = bytes};
	assert_int_equal(admin_identity_encode(&identity, &encoder), 0);
	decoder = (struct decoder){.at = secret_bytes(bytes), .left = secret_len(bytes)};
	assert_int_equal(admin_identity_decode(&decoder, &again), 0);
	assert_string_equal(again.client, identity.client);
	assert_true(secret_equals(again.pem, secret_bytes(identity.pem), secret_len(identity.pem)));
	for (size_t len = 0; len < secret_len(bytes); len += 101) {
		struct admin_identity none = {0};

		decoder = (struct decoder){.at = secret_bytes(bytes), .left = len};
		assert_int_equal(admin_identity_decode(&decoder, &none), -TACIT_E_CORRUPT);
		assert_null(none.pem);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_older_one_is_good_as_long_as_it_is_not_revoked),
	    TEST(where_there_is_another_admin_it_is_his),
	    TEST(where_there_is_none_one_is_added),
	    TEST(a_namesake_loses_what_he_has),
	    TEST(who_has_another_key_gets_none),
	    TEST(an_identity_goes_over_the_socket_whole),
	};

	return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}

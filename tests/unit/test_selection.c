/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "collision.h"
#include "selection.h"

static void item_add(struct bundle *bundle, const char *name)
{
	struct secret *secret;

	assert_int_equal(secret_new_from(name, strlen(name), &secret), 0);
	assert_int_equal(bundle_add(bundle, name, secret), 0);
}

static void bundle_fill(struct bundle *bundle)
{
	item_add(bundle, "web/db_password");
	item_add(bundle, "api_key");
	item_add(bundle, "tls/cert");
	(void)strcpy(bundle->items[2].env, "SSL_CERT_FILE");
}

/* "file:env:mode:value" of each item, separated by blanks. */
static void assert_bundle(const struct bundle *bundle, const char *expected)
{
	char text[512] = "";

	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_item *item = &bundle->items[i];
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof(text) - len, "%s%s:%s:%o:%.*s", i > 0 ? " " : "",
		    item->file, item->env, item->mode, (int)secret_len(item->value),
		    (const char *)secret_bytes(item->value));
	}
	assert_string_equal(text, expected);
}

static const struct {
	const char *specs;
	const char *result;
} shape_cases[] = {
    {"", "db_password:DB_PASSWORD_FILE:400:web/db_password api_key:API_KEY_FILE:400:api_key "
         "cert:SSL_CERT_FILE:400:tls/cert"},
    {"api_key", "api_key:API_KEY_FILE:400:api_key"},
    {"api_key web/db_password",
        "api_key:API_KEY_FILE:400:api_key db_password:DB_PASSWORD_FILE:400:web/db_password"},
    {" api_key;\n;web/db_password\t",
        "api_key:API_KEY_FILE:400:api_key db_password:DB_PASSWORD_FILE:400:web/db_password"},
    {"web/db_password=pw", "pw:PW_FILE:400:web/db_password"},
    {"web/db_password,file=pw", "pw:PW_FILE:400:web/db_password"},
    {"web/db_password=pw,env=PGPASSFILE", "pw:PGPASSFILE:400:web/db_password"},
    {"api_key,mode=0440", "api_key:API_KEY_FILE:440:api_key"},
    {"tls/cert=server.pem", "server.pem:SSL_CERT_FILE:400:tls/cert"},
    {"api_key,optional", "api_key:API_KEY_FILE:400:api_key"},
    {"absent,optional api_key", "api_key:API_KEY_FILE:400:api_key"},
    {"absent,optional", ""},
};

static void selection_gives_the_chosen_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shape_cases) / sizeof(shape_cases[0]); i++) {
		cleanup_bundle struct bundle bundle = {0};
		struct selection selection = {0};

		print_message("# shape %zu\n", i);
		bundle_fill(&bundle);
		assert_int_equal(selection_add_all(&selection, shape_cases[i].specs, NULL), 0);
		assert_int_equal(selection_apply(&selection, &bundle, NULL), 0);
		assert_bundle(&bundle, shape_cases[i].result);
		selection_free(&selection);
	}
}

static const struct {
	const char *spec;
	int err;
} bad_specs[] = {
    {"", -TACIT_E_INVALID_NAME},
    {"../x", -TACIT_E_INVALID_NAME},
    {"a=", -TACIT_E_INVALID_NAME},
    {"a=b/c", -TACIT_E_INVALID_NAME},
    {"a=.hidden", -TACIT_E_INVALID_NAME},
    {"a,env=", -TACIT_E_INVALID_ENV},
    {"a,env=1X", -TACIT_E_INVALID_ENV},
    {"a,env=TACIT_X", -TACIT_E_INVALID_ENV},
    {"a,mode=0644", -TACIT_E_INVALID_MODE},
    {"a,mode=", -TACIT_E_INVALID_MODE},
    {"a,optionally", -TACIT_E_USAGE},
    {"a,unknown=1", -TACIT_E_USAGE},
    {"a,", -TACIT_E_USAGE},
};

static void add_refuses_what_is_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_specs) / sizeof(bad_specs[0]); i++) {
		struct selection selection = {0};
		struct fault fault = {0};

		print_message("# %s\n", bad_specs[i].spec);
		assert_int_equal(
		    selection_add(&selection, bad_specs[i].spec, &fault), bad_specs[i].err);
		assert_int_equal(selection.count, 0);
		selection_free(&selection);
	}
}

static void add_refuses_the_same_secret_twice(void **state)
{
	struct selection selection = {0};

	(void)state;
	assert_int_equal(selection_add(&selection, "a=b", NULL), 0);
	assert_int_equal(selection_add(&selection, "a=c", NULL), -TACIT_E_USAGE);
	selection_free(&selection);
}

static void apply_names_the_secret_that_is_missing(void **state)
{
	cleanup_bundle struct bundle bundle = {0};
	struct selection selection = {0};
	struct fault fault = {0};

	(void)state;
	bundle_fill(&bundle);
	assert_int_equal(selection_add_all(&selection, "api_key web/absent", NULL), 0);
	assert_int_equal(selection_apply(&selection, &bundle, &fault), -TACIT_E_NOT_FOUND);
	assert_string_equal(fault.what, "web/absent");
	selection_free(&selection);
}

static const struct {
	const char *names[3];
	const char *envs[3]; /* NULL: the default */
	enum env_mode mode;
	const char *what; /* NULL: no collision */
	const char *why;
} collision_cases[] = {
    {.names = {"web/db", "api/key"}},
    {.names = {"web/db", "api/key", "api/db"},
        .what = "api/db and web/db",
        .why = "two secrets have the same file name, db"},
    {.names = {"a/my-key", "b/my.key"},
        .what = "a/my-key and b/my.key",
        .why = "two secrets have the same variable, MY_KEY_FILE"},
    {.names = {"a/my-key", "b/my.key"}, .mode = ENV_NONE},
    {.names = {"a", "b"}, .envs = {"X", "X_FILE"}},
    {.names = {"a", "b"},
        .envs = {"X", "X_FILE"},
        .mode = ENV_VALUE,
        .what = "a and b",
        .why = "two secrets have the same variable, X"},
};

static void collisions_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(collision_cases) / sizeof(collision_cases[0]); i++) {
		cleanup_bundle struct bundle bundle = {0};
		struct fault fault = {0};
		int expected = collision_cases[i].what ? -TACIT_E_FILE_COLLISION : 0;

		for (size_t j = 0; j < 3 && collision_cases[i].names[j]; j++) {
			item_add(&bundle, collision_cases[i].names[j]);
			if (collision_cases[i].envs[j])
				(void)strcpy(bundle.items[j].env, collision_cases[i].envs[j]);
		}
		assert_int_equal(
		    collision_check(&bundle, collision_cases[i].mode, &fault), expected);
		if (!expected)
			continue;
		assert_string_equal(fault.what, collision_cases[i].what);
		assert_string_equal(fault.why, collision_cases[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(selection_gives_the_chosen_shape),
	    cmocka_unit_test(add_refuses_what_is_malformed),
	    cmocka_unit_test(add_refuses_the_same_secret_twice),
	    cmocka_unit_test(apply_names_the_secret_that_is_missing),
	    cmocka_unit_test(collisions_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

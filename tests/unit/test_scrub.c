/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scrub.h"

#define DIR_PATH "/run/secrets"

static void item_add(struct bundle *bundle, const char *name, const char *value)
{
	struct secret *secret;

	assert_int_equal(secret_new_from(value, strlen(value), &secret), 0);
	assert_int_equal(bundle_add(bundle, name, secret), 0);
}

/* The environment as one text, strings separated by `|`, since texts compare readably. */
static void assert_vars(const struct environment *environment, const char *expected)
{
	char text[1024] = "";

	for (size_t i = 0; environment->vars[i]; i++) {
		assert_true(strlen(text) + strlen(environment->vars[i]) + 2 < sizeof(text));
		(void)strcat(strcat(text, i > 0 ? "|" : ""), environment->vars[i]);
	}
	assert_string_equal(text, expected);
}

static void assert_removed(const struct environment *environment, const char *expected)
{
	char *text = environment_removed_text(environment);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

struct scrub_case {
	const char *what;
	const char *inherited[8];
	const char *name, *value; /* of the one secret; NULL: none */
	enum env_mode mode;
	bool pristine;
	const char *keep;
	const char *source;
	const char *home;
	const char *vars;
	const char *removed;
};

static const struct scrub_case scrub_cases[] = {
    {.what = "nothing to do", .inherited = {"A=1", "B="}, .vars = "A=1|B=", .removed = ""},
    {.what = "exports the path",
        .inherited = {"A=1"},
        .name = "web/db-password",
        .value = "s3cret-value",
        .vars = "A=1|DB_PASSWORD_FILE=/run/secrets/db-password",
        .removed = ""},
    {.what = "every TACIT_ goes",
        .inherited = {"TACIT_IDENTITY=x", "TACIT_=y", "TACITX=z"},
        .vars = "TACITX=z",
        .removed = "TACIT_IDENTITY, TACIT_"},
    {.what = "the replaced variable goes, whatever it holds",
        .inherited = {"DB=other", "A=1"},
        .name = "db",
        .value = "s3cret-value",
        .vars = "A=1|DB_FILE=/run/secrets/db",
        .removed = "DB"},
    {.what = "an inherited path gives way in silence",
        .inherited = {"DB_FILE=/old", "A=1"},
        .name = "db",
        .value = "s3cret-value",
        .vars = "A=1|DB_FILE=/run/secrets/db",
        .removed = ""},
    {.what = "a copy inside another value goes",
        .inherited = {"URL=pg://u:s3cret-value@h", "A=1", "RAW=s3cret-value"},
        .name = "db",
        .value = "s3cret-value",
        .vars = "A=1|DB_FILE=/run/secrets/db",
        .removed = "URL, RAW"},
    {.what = "seven bytes are too few to tell, eight are not",
        .inherited = {"A=x1234567x"},
        .name = "db",
        .value = "1234567",
        .vars = "A=x1234567x|DB_FILE=/run/secrets/db",
        .removed = ""},
    {.what = "eight bytes",
        .inherited = {"A=x12345678x"},
        .name = "db",
        .value = "12345678",
        .vars = "DB_FILE=/run/secrets/db",
        .removed = "A"},
    {.what = "a value in a name is no match",
        .inherited = {"DATABASE_URL=x"},
        .name = "db",
        .value = "DATABASE",
        .vars = "DATABASE_URL=x|DB_FILE=/run/secrets/db",
        .removed = ""},
    {.what = "a string without a name is looked through, and never shown",
        .inherited = {"s3cret-value", "oddity"},
        .name = "db",
        .value = "s3cret-value",
        .vars = "oddity|DB_FILE=/run/secrets/db",
        .removed = "(a string without a name)"},
    {.what = "control characters in a name are defused",
        .inherited = {"A\nB=s3cret-value"},
        .name = "db",
        .value = "s3cret-value",
        .vars = "DB_FILE=/run/secrets/db",
        .removed = "A?B"},
    {.what = "the same name twice goes twice",
        .inherited = {"DB=a", "DB=b"},
        .name = "db",
        .value = "s3cret-value",
        .vars = "DB_FILE=/run/secrets/db",
        .removed = "DB, DB"},
    {.what = "an empty secret matches nothing",
        .inherited = {"A=1", "B="},
        .name = "db",
        .value = "",
        .vars = "A=1|B=|DB_FILE=/run/secrets/db",
        .removed = ""},
    {.what = "keep lets a variable through",
        .inherited = {"URL=s3cret-value", "DB=s3cret-value"},
        .name = "db",
        .value = "s3cret-value",
        .keep = "URL",
        .vars = "URL=s3cret-value|DB_FILE=/run/secrets/db",
        .removed = "DB"},
    {.what = "keep does not beat what is exported",
        .inherited = {"DB_FILE=/old"},
        .name = "db",
        .value = "s3cret-value",
        .keep = "DB_FILE",
        .vars = "DB_FILE=/run/secrets/db",
        .removed = ""},
    {.what = "the source goes, even if the secret got another name",
        .inherited = {"PW=abc", "A=1"},
        .name = "db",
        .value = "abc",
        .source = "PW",
        .vars = "A=1|DB_FILE=/run/secrets/db",
        .removed = "PW"},
    {.what = "pristine",
        .inherited = {"PATH=/bin", "HOME=/", "TERM=x", "TZ=UTC", "LANG=C", "A=1", "DB=2"},
        .name = "db",
        .value = "s3cret-value",
        .pristine = true,
        .vars = "PATH=/bin|HOME=/|TERM=x|TZ=UTC|LANG=C|DB_FILE=/run/secrets/db",
        .removed = "DB"},
    {.what = "pristine with keep",
        .inherited = {"A=1", "B=2"},
        .pristine = true,
        .keep = "B",
        .vars = "B=2",
        .removed = ""},
    {.what = "mode value: the value, and no path beside it",
        .inherited = {"DB=old", "DB_FILE=/old", "A=1"},
        .name = "db",
        .value = "s3cret-value",
        .mode = ENV_VALUE,
        .vars = "A=1|DB=s3cret-value",
        .removed = "DB_FILE"},
    {.what = "mode none: neither is set, a path of the user's own stays",
        .inherited = {"DB=old", "DB_FILE=/own", "A=1"},
        .name = "db",
        .value = "s3cret-value",
        .mode = ENV_NONE,
        .vars = "DB_FILE=/own|A=1",
        .removed = "DB"},
    {.what = "a new home",
        .inherited = {"HOME=/root", "A=1"},
        .home = "/home/app",
        .vars = "A=1|HOME=/home/app",
        .removed = ""},
};

static void list_add(struct text_list *list, const char *text)
{
	if (text)
		assert_int_equal(text_list_add(list, text, strlen(text)), 0);
}

static void check_case(const struct scrub_case *row)
{
	cleanup_bundle struct bundle bundle = {0};
	cleanup_text_list struct text_list keep = {0};
	cleanup_text_list struct text_list sources = {0};
	cleanup_environment struct environment environment = {0};
	struct scrub_rules rules = {.bundle = &bundle,
	    .dir = DIR_PATH,
	    .mode = row->mode,
	    .keep = &keep,
	    .sources = &sources,
	    .pristine = row->pristine,
	    .home = row->home};
	char *inherited[9] = {0};

	for (size_t i = 0; i < 8 && row->inherited[i]; i++)
		inherited[i] = (char *)(uintptr_t)row->inherited[i];
	if (row->name)
		item_add(&bundle, row->name, row->value);
	list_add(&keep, row->keep);
	list_add(&sources, row->source);

	print_message("# %s\n", row->what);
	assert_int_equal(scrub_environment(inherited, &rules, &environment, NULL), 0);
	assert_vars(&environment, row->vars);
	assert_removed(&environment, row->removed);
}

static void scrub_gives_the_expected_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scrub_cases) / sizeof(scrub_cases[0]); i++)
		check_case(&scrub_cases[i]);
}

/* What no variable can hold is refused, and named, and its bytes are not in the message. */
static void assert_refused(const void *bytes, size_t len, int expected)
{
	cleanup_bundle struct bundle bundle = {0};
	struct environment environment = {0};
	const struct scrub_rules rules = {.bundle = &bundle, .dir = DIR_PATH, .mode = ENV_VALUE};
	char *inherited[] = {NULL};
	struct fault fault = {0};
	struct secret *value;

	assert_int_equal(secret_new_from(bytes, len, &value), 0);
	assert_int_equal(bundle_add(&bundle, "web/db", value), 0);
	assert_int_equal(scrub_environment(inherited, &rules, &environment, &fault), expected);
	assert_string_equal(fault.what, "web/db");
	assert_null(strstr(fault.why, "abc"));
	assert_null(environment.vars);
}

static void mode_value_refuses_a_nul(void **state)
{
	(void)state;
	assert_refused("abc\0def", 7, -TACIT_E_MALFORMED);
}

static void mode_value_refuses_what_execve_would(void **state)
{
	char *bytes = malloc(ENVIRONMENT_STRING_MAX_BYTES);

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'a', ENVIRONMENT_STRING_MAX_BYTES);
	assert_refused(bytes, ENVIRONMENT_STRING_MAX_BYTES, -E2BIG);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scrub_gives_the_expected_environment),
	    cmocka_unit_test(mode_value_refuses_a_nul),
	    cmocka_unit_test(mode_value_refuses_what_execve_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "credential.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "test_pki.h"

static struct pki_pair ca;
static char directory[] = "/tmp/tacit-test-XXXXXX";
static char path[64];

static int group_setup(void **state)
{
	(void)state;
	ca = pki_ca("CA");
	if (!mkdtemp(directory))
		return -1;

	(void)snprintf(path, sizeof(path), "%s/identity.pem", directory);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	pki_free(&ca);
	(void)unlink(path);
	return rmdir(directory);
}

static int setup(void **state)
{
	(void)state;
	(void)unsetenv("TACIT_IDENTITY");
	(void)setenv("HOME", "/nonexistent", 1);
	return 0;
}

/* Puts the identity of a client that lives from `from_s` to `to_s`, from now, into the file. */
static void write_identity(const char *name, int64_t from_s, int64_t to_s)
{
	char san[64];
	struct pki_spec spec = {.common_name = name, .san = san, .usage = "clientAuth"};
	struct pki_pair client;
	cleanup_secret struct secret *pem = NULL;

	spec.from_s = from_s;
	spec.to_s = to_s;
	(void)snprintf(san, sizeof(san), "URI:tacit://test/client/%s", name);
	client = pki_issue(&ca, &spec);
	pem = pki_identity("https://127.0.0.1:1", &client, &ca);
	pki_free(&client);
	assert_int_equal(
	    fd_replace_file(AT_FDCWD, path, 0400, secret_bytes(pem), secret_len(pem)), 0);
}

static struct credential *open_with(const struct agent_options *options)
{
	struct credential *credential = NULL;
	struct fault fault = {0};

	assert_int_equal(credential_open(options, &credential, &fault), 0);
	return credential;
}

static void it_is_time_when_two_thirds_of_the_life_are_over(void **state)
{
	static const struct {
		int64_t from_s;
		int64_t to_s;
		int64_t left_s;
	} rows[] = {
	    {-3600, 86400, 56400},
	    {-10, 290, 190},
	    {-200, 100, 0},
	    {-199, 101, 1},
	    {-86400, 60, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct agent_options options = {.identity = path};
		struct credential *credential;
		int64_t left_ms;

		write_identity("web", rows[i].from_s, rows[i].to_s);
		credential = open_with(&options);
		left_ms = credential_left_ms(credential);
		/* Certificates count in seconds, and this takes a while. */
		assert_true(left_ms <= (rows[i].left_s + 1) * 1000);
		assert_true(left_ms >= (rows[i].left_s - 3) * 1000);
		credential_free(credential);
	}
}

static void the_file_is_taken_again_when_it_was_issued_later(void **state)
{
	const struct agent_options options = {.identity = path};
	struct credential *credential;

	(void)state;
	write_identity("web", -300, 3600);
	credential = open_with(&options);
	assert_false(credential_reload(credential));
	write_identity("older", -600, 7200);
	assert_false(credential_reload(credential));
	assert_string_equal(identity_client(credential_identity(credential)), "web");
	write_identity("newer", -100, 3600);
	assert_true(credential_reload(credential));
	assert_string_equal(identity_client(credential_identity(credential)), "newer");
	assert_false(credential_reload(credential));
	credential_free(credential);
}

static void a_file_that_is_gone_or_broken_or_expired_changes_nothing(void **state)
{
	const struct agent_options options = {.identity = path};
	struct credential *credential;

	(void)state;
	write_identity("web", -300, 3600);
	credential = open_with(&options);
	assert_int_equal(unlink(path), 0);
	assert_false(credential_reload(credential));
	assert_int_equal(fd_create_file(AT_FDCWD, path, 0400, "hello", 5), 0);
	assert_false(credential_reload(credential));
	write_identity("late", -200, -100);
	assert_false(credential_reload(credential));
	assert_string_equal(identity_client(credential_identity(credential)), "web");
	credential_free(credential);
}

/* A failed renewal leaves what there is, and the next try is a while away. */
static void a_renewal_that_fails_is_due_again_later(void **state)
{
	const struct agent_options options = {.identity = path};
	struct http_client *client = NULL;
	struct credential *credential;
	struct fault fault = {0};

	(void)state;
	write_identity("web", -200, 100);
	credential = open_with(&options);
	assert_int_equal(
	    http_client_new(credential_identity(credential), NULL, &client, &fault), 0);
	assert_int_equal(credential_left_ms(credential), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    credential_renew(credential, client, deadline_in_ms(30000), &fault),
		    -TACIT_E_UNREACHABLE);
		assert_in_range(credential_left_ms(credential), 1, 500);
	}
	assert_string_equal(identity_client(credential_identity(credential)), "web");
	http_client_free(client);
	credential_free(credential);
}

static void a_renewal_takes_what_is_in_the_file_first(void **state)
{
	const struct agent_options options = {.identity = path};
	struct http_client *client = NULL;
	struct credential *credential;
	struct fault fault = {0};

	(void)state;
	write_identity("web", -200, 100);
	credential = open_with(&options);
	assert_int_equal(
	    http_client_new(credential_identity(credential), NULL, &client, &fault), 0);
	write_identity("web", -10, 290);
	assert_int_equal(credential_renew(credential, client, deadline_in_ms(1000), &fault), 0);
	assert_in_range(credential_left_ms(credential), 180000, 191000);
	http_client_free(client);
	credential_free(credential);
}

enum found {
	FOUND_IDENTITY,
	FOUND_TOKEN,
	FOUND_NOTHING,
};

/* What is found with these options, and TACIT_IDENTITY. */
static void who_goes_first(void **state)
{
	static const struct {
		struct agent_options options;
		const char *variable;
		enum found found;
	} rows[] = {
	    {{.identity = path}, NULL, FOUND_IDENTITY},
	    {{.token = "t"}, NULL, FOUND_TOKEN},
	    {{.token = "t"}, path, FOUND_IDENTITY},
	    {{.token = "t"}, "/nonexistent/identity.pem", FOUND_TOKEN},
	    {{.token = "t"}, "", FOUND_TOKEN},
	    {{.token_file = "/dev/null"}, path, FOUND_TOKEN},
	    {{.timeout_ms = 1}, path, FOUND_IDENTITY},
	    {{.timeout_ms = 1}, NULL, FOUND_NOTHING},
	};

	(void)state;
	write_identity("web", -300, 3600);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct credential *credential = NULL;
		struct fault fault = {0};
		int r;

		if (rows[i].variable)
			(void)setenv("TACIT_IDENTITY", rows[i].variable, 1);
		else
			(void)unsetenv("TACIT_IDENTITY");
		r = credential_open(&rows[i].options, &credential, &fault);
		assert_int_equal(r, rows[i].found == FOUND_NOTHING ? -TACIT_E_NO_IDENTITY : 0);
		if (r == 0)
			assert_int_equal(credential_identity(credential) != NULL,
			    rows[i].found == FOUND_IDENTITY);
		credential_free(credential);
	}
}

/* An identity that was meant and does not do is no reason to spend a token. */
static void a_broken_identity_does_not_make_way_for_the_token(void **state)
{
	const struct agent_options options = {.token = "t"};
	struct credential *credential = NULL;
	struct fault fault = {0};

	(void)state;
	(void)unlink(path);
	assert_int_equal(fd_create_file(AT_FDCWD, path, 0400, "hello", 5), 0);
	(void)setenv("TACIT_IDENTITY", path, 1);
	assert_int_equal(credential_open(&options, &credential, &fault), -TACIT_E_IDENTITY);
	assert_string_equal(fault.what, path);
}

static void without_an_identity_it_is_never_time(void **state)
{
	const struct agent_options options = {.token = "not a token"};
	struct credential *credential = open_with(&options);
	struct fault fault = {0};

	(void)state;
	assert_null(credential_identity(credential));
	assert_int_equal(credential_left_ms(credential), INT64_MAX);
	assert_int_equal(
	    credential_ensure(credential, deadline_in_ms(100), &fault), -TACIT_E_TOKEN);
	assert_string_equal(fault.what, "TACIT_TOKEN");
	credential_free(credential);
}

#define FRESH(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FRESH(it_is_time_when_two_thirds_of_the_life_are_over),
	    FRESH(the_file_is_taken_again_when_it_was_issued_later),
	    FRESH(a_file_that_is_gone_or_broken_or_expired_changes_nothing),
	    FRESH(a_renewal_that_fails_is_due_again_later),
	    FRESH(a_renewal_takes_what_is_in_the_file_first),
	    FRESH(who_goes_first),
	    FRESH(a_broken_identity_does_not_make_way_for_the_token),
	    FRESH(without_an_identity_it_is_never_time),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "privilege.h"

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/sh\n"
                                  "short:x:7\n"
                                  "app:x:1001:2002:The App:/home/app:/bin/false\n"
                                  "node:x:1000:1000::/srv/node:/bin/sh\n"
                                  "bad:x:abc:1::/:\n"
                                  "max:x:4294967295:1::/:\n"
                                  "appendix:x:5:5:no home\n"
                                  "last:x:9:10:::/bin/sh";
static const char group_text[] = "root:x:0:\nstaff:x:50:app,node\nbroken:x\n";

static const struct {
	const char *spec;
	int err;
	uid_t uid;
	gid_t gid;
	const char *home;
} cases[] = {
    {"1001", 0, 1001, 2002, "/home/app"},
    {"app", 0, 1001, 2002, "/home/app"},
    {"app:50", 0, 1001, 50, "/home/app"},
    {"app:staff", 0, 1001, 50, "/home/app"},
    {"1001:staff", 0, 1001, 50, "/home/app"},
    {"4242", 0, 4242, 4242, ""},
    {"4242:7", 0, 4242, 7, ""},
    {"0", 0, 0, 0, "/root"},
    {"appendix", 0, 5, 5, ""},
    {"last", 0, 9, 10, ""},
    {"nobody", -TACIT_E_NOT_FOUND, 0, 0, ""},
    {"ap", -TACIT_E_NOT_FOUND, 0, 0, ""},
    {"app:nogroup", -TACIT_E_NOT_FOUND, 0, 0, ""},
    {"", -TACIT_E_MALFORMED, 0, 0, ""},
    {":", -TACIT_E_MALFORMED, 0, 0, ""},
    {":50", -TACIT_E_MALFORMED, 0, 0, ""},
    {"app:", -TACIT_E_MALFORMED, 0, 0, ""},
    {"app:50:1", -TACIT_E_MALFORMED, 0, 0, ""},
    {"10x", -TACIT_E_MALFORMED, 0, 0, ""},
    {"-1", -TACIT_E_NOT_FOUND, 0, 0, ""},
    {"4294967295", -TACIT_E_MALFORMED, 0, 0, ""},
    {"4294967296", -TACIT_E_MALFORMED, 0, 0, ""},
    {"1:4294967295", -TACIT_E_MALFORMED, 0, 0, ""},
    {"99999999999", -TACIT_E_MALFORMED, 0, 0, ""},
    {"short", -TACIT_E_MALFORMED, 0, 0, ""},
    {"bad", -TACIT_E_MALFORMED, 0, 0, ""},
    {"max", -TACIT_E_MALFORMED, 0, 0, ""},
    {"app:broken", -TACIT_E_MALFORMED, 0, 0, ""},
};

static void users_are_parsed_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct user user = {.uid = 77, .gid = 77};
		int r = user_parse(cases[i].spec, passwd_text, group_text, &user);

		print_message("# %s\n", cases[i].spec);
		assert_int_equal(r, cases[i].err);
		assert_int_equal(user.uid, r ? 77 : cases[i].uid);
		assert_int_equal(user.gid, r ? 77 : cases[i].gid);
		assert_string_equal(user.home, cases[i].home);
	}
}

static void numbers_need_no_files(void **state)
{
	struct user user;

	(void)state;
	assert_int_equal(user_parse("1001:1002", "", "", &user), 0);
	assert_int_equal(user.uid, 1001);
	assert_int_equal(user.gid, 1002);
	assert_int_equal(user_parse("app", "", "", &user), -TACIT_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(users_are_parsed_or_refused),
	    cmocka_unit_test(numbers_need_no_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

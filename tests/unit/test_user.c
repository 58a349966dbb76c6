/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "user.h"

static void users_are_found_by_name_and_number(void **state)
{
	const struct {
		const char *text;
		unsigned uid, gid;
	} rows[] = {
	    {"root", 0, 0},
	    {"0", 0, 0},
	    {"root:0", 0, 0},
	    {"12345678", 12345678, 12345678}, /* nobody's: the group is the same number */
	    {"12345678:7", 12345678, 7},
	    {"0:root", 0, 0},
	    {"4294967294:4294967294", 4294967294, 4294967294},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault fault = {0};
		struct user user = {1, 1};

		assert_int_equal(user_lookup(rows[i].text, &user, &fault), 0);
		assert_int_equal(user.uid, rows[i].uid);
		assert_int_equal(user.gid, rows[i].gid);
	}
}

static void what_is_no_user_is_refused(void **state)
{
	static const char *const rows[] = {
	    "",
	    ":0",
	    "root:",
	    "no-such-user-here",
	    "root:no-such-group-here",
	    "4294967295", /* -1, "leave it", to setresuid(2) */
	    "0:4294967295",
	    "-1",
	    "99999999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault fault = {0};
		struct user user = {1, 1};

		assert_int_equal(user_lookup(rows[i], &user, &fault), -TACIT_E_USAGE);
		assert_int_equal(user.uid, 1);
		assert_non_null(strstr(fault.what, "--user"));
	}
}

static void becoming_who_one_is_changes_nothing(void **state)
{
	const struct user self = {getuid(), getgid()};
	struct fault fault = {0};

	(void)state;
	assert_int_equal(user_become(&self, &fault), 0);
	assert_int_equal(getuid(), self.uid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(users_are_found_by_name_and_number),
	    cmocka_unit_test(what_is_no_user_is_refused),
	    cmocka_unit_test(becoming_who_one_is_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "private.h"

static const struct {
	int err;
	struct private_facts facts;
	const char *says;
} why_cases[] = {
    {-ENOSPC, {0}, "raise user.max_user_namespaces"},
    {-ENOSPC, {.seccomp_filters = true}, "raise user.max_user_namespaces"},
    {-EUSERS, {0}, "raise user.max_user_namespaces"},
    {-EINVAL, {0}, "this kernel has no user namespaces"},
    {-ENOSYS, {0}, "this kernel has no user namespaces"},
    {-EPERM, {.clone_is_off = true}, "set kernel.unprivileged_userns_clone=1"},
    {-EACCES, {.apparmor_restricts = true}, "kernel.apparmor_restrict_unprivileged_userns=0"},
    {-EPERM, {.apparmor_restricts = true, .clone_is_off = true}, "unprivileged_userns_clone=1"},
    {-EPERM, {.apparmor_restricts = true, .seccomp_filters = true}, "AppArmor"},
    {-EPERM, {.seccomp_filters = true}, "leave --private out"},
    {-EPERM, {0}, "by a chroot or a policy"},
    {-ENOENT, {.apparmor_restricts = true}, "No such file or directory"},
};

static void each_reason_comes_with_its_remedy(void **state)
{
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(why_cases) / sizeof(why_cases[0]); i++) {
		const char *why = private_why(why_cases[i].err, &why_cases[i].facts);

		print_message("# %s\n", why);
		assert_non_null(strstr(why, why_cases[i].says));
		assert_true(strlen(why) < sizeof(fault.why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_reason_comes_with_its_remedy),
	};

	return cmocka_run_group_tests_name("private", tests, NULL, NULL);
}

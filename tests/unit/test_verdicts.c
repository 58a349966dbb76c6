/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "verdicts.h"

static struct certificate_identity identity_of(const char *client)
{
	struct certificate_identity identity = {.generation = 7, .not_before = 1, .not_after = 2};

	(void)snprintf(identity.client, sizeof(identity.client), "%s", client);
	return identity;
}

static void what_was_not_added_is_not_found(void **state)
{
	struct verdicts *verdicts = verdicts_new();
	struct certificate_identity identity;

	(void)state;
	assert_false(verdicts_find(verdicts, "der", 3, &identity));
	verdicts_free(verdicts);
}

static void an_accepted_certificate_is_found_with_its_identity(void **state)
{
	const struct certificate_identity web = identity_of("web");
	struct verdicts *verdicts = verdicts_new();
	struct certificate_identity identity = {0};

	(void)state;
	verdicts_add(verdicts, "der", 3, &web);
	assert_true(verdicts_find(verdicts, "der", 3, &identity));
	assert_memory_equal(&identity, &web, sizeof(web));
	verdicts_free(verdicts);
}

static void every_byte_of_the_certificate_counts(void **state)
{
	const struct certificate_identity web = identity_of("web");
	struct verdicts *verdicts = verdicts_new();
	struct certificate_identity identity;
	uint8_t der[64] = {0};

	(void)state;
	verdicts_add(verdicts, der, sizeof(der), &web);
	for (size_t i = 0; i < sizeof(der); i++) {
		der[i] ^= 1;
		assert_false(verdicts_find(verdicts, der, sizeof(der), &identity));
		der[i] ^= 1;
	}
	assert_false(verdicts_find(verdicts, der, sizeof(der) - 1, &identity));
	assert_true(verdicts_find(verdicts, der, sizeof(der), &identity));
	verdicts_free(verdicts);
}

/* Far more than there are places: each is found with its own identity or not at all. */
static void a_full_table_forgets_and_never_confuses(void **state)
{
	struct verdicts *verdicts = verdicts_new();
	unsigned found = 0;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		struct certificate_identity identity = identity_of("x");

		identity.generation = i;
		verdicts_add(verdicts, &i, sizeof(i), &identity);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		struct certificate_identity identity;

		if (!verdicts_find(verdicts, &i, sizeof(i), &identity))
			continue;
		assert_int_equal(identity.generation, i);
		found++;
	}
	assert_in_range(found, 500, 1024);
	verdicts_free(verdicts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_not_added_is_not_found),
	    cmocka_unit_test(an_accepted_certificate_is_found_with_its_identity),
	    cmocka_unit_test(every_byte_of_the_certificate_counts),
	    cmocka_unit_test(a_full_table_forgets_and_never_confuses),
	};

	return cmocka_run_group_tests_name("verdicts", tests, NULL, NULL);
}

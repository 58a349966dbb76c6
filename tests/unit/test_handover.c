/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "handover.h"

static int setup(void **state)
{
	struct handover *handover = NULL;
	int r = handover_new(&handover);

	*state = handover;
	return r;
}

static int teardown(void **state)
{
	handover_free(*state);
	return 0;
}

static void leave(struct handover *handover, const char *text)
{
	cleanup_secret struct secret *secret = NULL;

	assert_int_equal(secret_new_from(text, strlen(text), &secret), 0);
	handover_leave(handover, secret);
}

static void assert_left(const struct handover *handover, const char *text)
{
	cleanup_secret struct secret *secret = NULL;

	assert_int_equal(handover_take(handover, &secret), 0);
	assert_true(secret_equals(secret, text, strlen(text)));
}

/* Does something in a process that ends at once, as a watcher may. */
static void in_child(struct handover *handover, void (*act)(struct handover *handover))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		act(handover);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void nothing_is_left_at_first(void **state)
{
	struct secret *secret = NULL;

	assert_int_equal(handover_take(*state, &secret), -ENOENT);
	assert_null(secret);
	assert_false(handover_has_token(*state));
}

static void leave_first(struct handover *handover)
{
	leave(handover, "first identity");
}

static void what_a_child_left_is_there_for_the_parent(void **state)
{
	in_child(*state, leave_first);
	assert_left(*state, "first identity");
	assert_left(*state, "first identity");
}

static void the_newest_counts(void **state)
{
	static const char *const texts[] = {"one", "two, which is longer", "", "four", "five"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		leave(*state, texts[i]);
		assert_left(*state, texts[i]);
	}
}

static void what_was_left_before_is_wiped(void **state)
{
	static const char old[] = "an old private key";

	leave(*state, old);
	leave(*state, "a new private key");
	/* The struct is opaque; its first page is enough, and the new text is on a later one. */
	assert_null(memmem(*state, 4096, old, strlen(old)));
	leave(*state, old);
	assert_left(*state, old);
}

static void what_is_too_long_is_not_left(void **state)
{
	char text[8192];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	leave(*state, "short");
	leave(*state, text);
	assert_left(*state, "short");
}

static void note_token(struct handover *handover)
{
	handover_note_token(handover, true);
}

static void that_a_token_was_presented_is_known_to_all(void **state)
{
	in_child(*state, note_token);
	assert_true(handover_has_token(*state));
	handover_note_token(*state, false);
	assert_false(handover_has_token(*state));
}

static void free_takes_null(void **state)
{
	(void)state;
	handover_free(NULL);
}

#define SHARED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SHARED(nothing_is_left_at_first),
	    SHARED(what_a_child_left_is_there_for_the_parent),
	    SHARED(the_newest_counts),
	    SHARED(what_was_left_before_is_wiped),
	    SHARED(what_is_too_long_is_not_left),
	    SHARED(that_a_token_was_presented_is_known_to_all),
	    cmocka_unit_test(free_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

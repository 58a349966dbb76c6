/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "durability.h"
#include "fixture.h"

/* The disk, in the place of the C library's, for SQLite too. */
static atomic_int syncs, disk_error;
static atomic_bool disk_hangs;

__attribute__((visibility("default"))) int fdatasync(int fd);

int fdatasync(int fd)
{
	(void)fd;
	while (atomic_load(&disk_hangs))
		(void)usleep(1000);
	(void)atomic_fetch_add(&syncs, 1);
	errno = atomic_load(&disk_error);
	return errno ? -1 : 0;
}

/* Somebody whose answer waits. */
struct answer {
	struct held held; /* first, so that what is held is an answer */
	sem_t released;
	int err;
};

static void release(struct held *held, int err)
{
	struct answer *answer = (struct answer *)(void *)held;

	answer->err = err;
	(void)sem_post(&answer->released);
}

static struct fixture fixture;
static struct durability *durability;
static sem_t failures;

static void note_failure(void *context)
{
	(void)sem_post(context);
}

static struct vault *vault(void)
{
	return fixture.home.server.vault;
}

static int setup(void **state)
{
	(void)state;
	syncs = 0;
	disk_error = 0;
	disk_hangs = false;
	(void)sem_init(&failures, 0, 0);
	fixture_make(&fixture);
	fixture_open(&fixture);
	assert_int_equal(durability_start(vault(), note_failure, &failures, &durability), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	disk_hangs = false;
	disk_error = 0;
	durability_stop(durability);
	(void)sem_destroy(&failures);
	fixture_close(&fixture);
	fixture_remove(&fixture);
	return 0;
}

static uint64_t commit(bool lazy)
{
	static const uint8_t bytes[] = "raw";
	struct secret *row = NULL;
	struct vault_change change = {0};

	assert_int_equal(secret_new_from(bytes, sizeof(bytes), &row), 0);
	vault_version_key(vault(), "name", 1, &change.key);
	change.raw = row;
	vault_set_lazy(vault(), lazy);
	assert_int_equal(vault_commit(vault(), &change, 1), 0);
	vault_set_lazy(vault(), false);
	secret_free(row);
	return vault_revision(vault());
}

static void hold(struct answer *answer, uint64_t revision)
{
	*answer = (struct answer){.held = {.revision = revision, .release = release}, .err = 1};
	(void)sem_init(&answer->released, 0, 0);
	durability_hold(durability, &answer->held);
}

static bool is_released(struct answer *answer, int within_ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += within_ms / 1000;
	until.tv_nsec += within_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	return sem_timedwait(&answer->released, &until) == 0;
}

static void commits_wait_for_the_disk_themselves_unless_they_are_lazy(void **state)
{
	int before = syncs;

	(void)state;
	(void)commit(false);
	assert_int_equal(syncs, before + 1);
	(void)commit(true);
	(void)commit(true);
	assert_int_equal(syncs, before + 1);
	(void)commit(false);
	assert_int_equal(syncs, before + 2);
	assert_int_equal(vault_sync(vault()), 0);
	assert_int_equal(syncs, before + 3);
}

static void what_was_there_at_the_start_needs_no_sync(void **state)
{
	(void)state;
	assert_true(durability_reached(durability, vault_revision(vault())));
	assert_false(durability_reached(durability, commit(true)));
	assert_true(durability_reached(NULL, UINT64_MAX));
}

static void an_answer_leaves_when_its_revision_is_on_the_disk(void **state)
{
	struct answer answer;
	uint64_t revision = commit(true);

	(void)state;
	disk_hangs = true;
	hold(&answer, revision);
	assert_false(is_released(&answer, 50));
	assert_false(durability_reached(durability, revision));
	disk_hangs = false;
	assert_true(is_released(&answer, 5000));
	assert_int_equal(answer.err, 0);
	assert_true(durability_reached(durability, revision));
	assert_int_equal(durability_trouble(durability), 0);
}

static void one_sync_is_for_all_who_wait(void **state)
{
	struct answer first, more[5];
	int before;

	(void)state;
	disk_hangs = true;
	hold(&first, commit(true));
	assert_false(is_released(&first, 20)); /* its sync is under way */
	before = syncs;
	for (size_t i = 0; i < 5; i++)
		hold(&more[i], commit(true));
	disk_hangs = false;
	for (size_t i = 0; i < 5; i++)
		assert_true(is_released(&more[i], 5000));
	assert_true(is_released(&first, 5000));
	assert_int_equal(syncs, before + 2);
}

static void a_sync_that_fails_is_the_end_of_all_answers(void **state)
{
	struct answer lost, later;
	uint64_t good = vault_revision(vault());

	(void)state;
	disk_error = EIO;
	hold(&lost, commit(true));
	assert_true(is_released(&lost, 5000));
	assert_int_equal(lost.err, -TACIT_E_STORE_UNAVAILABLE);
	assert_int_equal(sem_trywait(&failures), 0);

	disk_error = 0;
	hold(&later, vault_revision(vault()));
	assert_true(is_released(&later, 0));
	assert_int_equal(later.err, -TACIT_E_STORE_UNAVAILABLE);
	assert_false(durability_reached(durability, good));
	assert_int_equal(durability_trouble(durability), -TACIT_E_STORE_UNAVAILABLE);
	assert_int_equal(sem_trywait(&failures), -1);
}

static void giving_up_releases_who_waits_and_who_comes(void **state)
{
	struct answer syncing, waiting, later;

	(void)state;
	disk_hangs = true;
	hold(&syncing, commit(true));
	assert_false(is_released(&syncing, 20));
	hold(&waiting, commit(true));
	durability_give_up(durability);
	hold(&later, commit(true));
	assert_true(is_released(&syncing, 0));
	assert_true(is_released(&waiting, 0));
	assert_true(is_released(&later, 0));
	assert_int_equal(syncing.err, -TACIT_E_STORE_UNAVAILABLE);
	assert_int_equal(waiting.err, -TACIT_E_STORE_UNAVAILABLE);
	assert_int_equal(later.err, -TACIT_E_STORE_UNAVAILABLE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(commits_wait_for_the_disk_themselves_unless_they_are_lazy),
	    TEST(what_was_there_at_the_start_needs_no_sync),
	    TEST(an_answer_leaves_when_its_revision_is_on_the_disk),
	    TEST(one_sync_is_for_all_who_wait),
	    TEST(a_sync_that_fails_is_the_end_of_all_answers),
	    TEST(giving_up_releases_who_waits_and_who_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

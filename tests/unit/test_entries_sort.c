/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "entries_sort.h"

static uint64_t random_state = 20261124;

/* xorshift64: Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Entries whose names are a prefix and some letters of a small alphabet, so that many are alike. */
struct draw {
	size_t count;
	const char *prefix;
	size_t letters_max;
	unsigned alphabet;
};

struct pile {
	struct secret_entry *entries;
	struct secret_entry **by_us, **by_strcmp;
};

static char *name_draw(const struct draw *draw)
{
	size_t prefix_len = strlen(draw->prefix), letters = random_next() % (draw->letters_max + 1);
	char *name = calloc(1, prefix_len + letters + 1);

	assert_non_null(name);
	memcpy(name, draw->prefix, prefix_len);
	for (size_t i = 0; i < letters; i++)
		name[prefix_len + i] = (char)('a' + random_next() % draw->alphabet);
	return name;
}

static struct pile pile_draw(const struct draw *draw)
{
	struct pile pile = {
	    .entries = calloc(draw->count + 1, sizeof(*pile.entries)),
	    .by_us = calloc(draw->count + 1, sizeof(struct secret_entry *)),
	    .by_strcmp = calloc(draw->count + 1, sizeof(struct secret_entry *)),
	};

	assert_true(pile.entries && pile.by_us && pile.by_strcmp);
	for (size_t i = 0; i < draw->count; i++) {
		pile.entries[i].name = name_draw(draw);
		pile.by_us[i] = &pile.entries[i];
		pile.by_strcmp[i] = &pile.entries[i];
	}
	return pile;
}

static void pile_free(struct pile *pile, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)pile->entries[i].name);
	free(pile->entries);
	free(pile->by_us);
	free(pile->by_strcmp);
}

static int name_order(const void *left, const void *right)
{
	const struct secret_entry *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static void sorts_as_strcmp_does(void **state)
{
	static const struct draw draws[] = {
	    {0, "", 0, 1}, {1, "web/db", 4, 2}, {2, "", 1, 2},
	    {2000, "", 3, 2},                 /* the same names again and again, and empty ones */
	    {2000, "", 40, 2},                /* alike over several words */
	    {2000, "web/application", 20, 1}, /* each the beginning of the next */
	    {5000, "1234567", 9, 26},         /* a prefix that ends just before and at a word */
	    {5000, "12345678", 9, 26}, {100000, "app-", 12, 3}, /* with a second thread */
	    {70000, "all/alike", 0, 1},                         /* which has nothing to do */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(draws) / sizeof(draws[0]); i++) {
		struct pile pile = pile_draw(&draws[i]);

		assert_int_equal(entries_sort(pile.by_us, draws[i].count), 0);
		qsort(pile.by_strcmp, draws[i].count, sizeof(pile.by_strcmp[0]), name_order);
		for (size_t at = 0; at < draws[i].count; at++)
			assert_string_equal(pile.by_us[at]->name, pile.by_strcmp[at]->name);
		pile_free(&pile, draws[i].count);
	}
}

static int address_order(const void *left, const void *right)
{
	const struct secret_entry *const *a = left, *const *b = right;

	return (*a > *b) - (*a < *b);
}

static void loses_and_doubles_nothing(void **state)
{
	static const struct draw draw = {80000, "x/", 4, 4};
	struct pile pile = pile_draw(&draw);

	(void)state;
	assert_int_equal(entries_sort(pile.by_us, draw.count), 0);
	qsort(pile.by_us, draw.count, sizeof(pile.by_us[0]), address_order);
	for (size_t i = 0; i < draw.count; i++)
		assert_ptr_equal(pile.by_us[i], &pile.entries[i]);
	pile_free(&pile, draw.count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sorts_as_strcmp_does),
	    cmocka_unit_test(loses_and_doubles_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

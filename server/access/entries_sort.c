/* SPDX-License-Identifier: MIT */
#include "entries_sort.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES    8
#define TWO_HANDS_MIN 65536 /* below it a thread costs more than it saves */
#define SAMPLES       255

struct row {
	uint64_t word; /* eight bytes of the name, the first one on top; 0 behind its end */
	struct secret_entry *entry;
};

/* Rows whose names agree in their first `skip` bytes, and whose words are the next ones. */
struct rows {
	struct row *items;
	size_t count;
	size_t skip;
};

static uint64_t word_of(const char *text)
{
	uint64_t word = 0;
	int shift = 64;

	while (*text && shift > 0) {
		shift -= 8;
		word |= (uint64_t)(unsigned char)*text++ << shift;
	}

	return word;
}

static void rows_read_words(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		rows->items[i].word = word_of(rows->items[i].entry->name + rows->skip);
}

static int row_order(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	return (a->word > b->word) - (a->word < b->word);
}

/* A name that ends within its word ends with a zero: then there is nothing more to tell apart. */
static bool word_ends_name(uint64_t word)
{
	return (word & 0xff) == 0;
}

static size_t rows_alike(const struct row rows[], size_t count)
{
	size_t alike = 1;

	while (alike < count && rows[alike].word == rows[0].word)
		alike++;
	return alike;
}

/* NOLINTNEXTLINE(misc-no-recursion): eight bytes deeper each time, and names have 255 at most */
static void rows_sort(const struct rows *rows)
{
	size_t alike;

	qsort(rows->items, rows->count, sizeof(rows->items[0]), row_order);
	for (size_t from = 0; from < rows->count; from += alike) {
		struct rows group = {.items = rows->items + from, .skip = rows->skip + WORD_BYTES};

		alike = rows_alike(group.items, rows->count - from);
		if (alike == 1 || word_ends_name(group.items[0].word))
			continue;
		group.count = alike;
		rows_read_words(&group);
		rows_sort(&group);
	}
}

static size_t common_prefix(struct secret_entry *const entries[], size_t count)
{
	size_t len = strlen(entries[0]->name);

	for (size_t i = 1; i < count; i++) {
		size_t same = 0;

		while (same < len && entries[i]->name[same] == entries[0]->name[same])
			same++;
		len = same;
	}

	return len;
}

/* A word in the middle of some of them. */
static uint64_t rows_middle(const struct rows *rows)
{
	struct row samples[SAMPLES];

	for (size_t i = 0; i < SAMPLES; i++)
		samples[i] = rows->items[rows->count / SAMPLES * i];
	qsort(samples, SAMPLES, sizeof(samples[0]), row_order);
	return samples[SAMPLES / 2].word;
}

/* Cuts off those below the middle, which come to lie in front. */
static struct rows rows_split(struct rows *rows)
{
	uint64_t middle = rows_middle(rows);
	struct rows lower = {.items = rows->items, .skip = rows->skip};

	for (size_t i = 0; i < rows->count; i++) {
		struct row row = rows->items[i];

		if (row.word >= middle)
			continue;
		rows->items[i] = rows->items[lower.count];
		rows->items[lower.count++] = row;
	}

	rows->items += lower.count;
	rows->count -= lower.count;
	return lower;
}

static void *rows_sort_run(void *rows)
{
	rows_sort(rows);
	return NULL;
}

/* On two processors, since a start waits for it. */
static void rows_sort_with_two_hands(struct rows *rows)
{
	struct rows lower = rows_split(rows);
	pthread_t thread;
	bool helped = pthread_create(&thread, NULL, rows_sort_run, &lower) == 0;

	if (!helped)
		rows_sort(&lower);
	rows_sort(rows);
	if (helped)
		(void)pthread_join(thread, NULL);
}

int entries_sort(struct secret_entry *entries[], size_t count)
{
	struct row *items = reallocarray(NULL, count + 1, sizeof(*items));
	struct rows rows = {.items = items, .count = count};

	if (!items)
		return -ENOMEM;

	for (size_t i = 0; i < count; i++)
		items[i].entry = entries[i];
	rows.skip = count > 0 ? common_prefix(entries, count) : 0;
	rows_read_words(&rows);
	if (count < TWO_HANDS_MIN)
		rows_sort(&rows);
	else
		rows_sort_with_two_hands(&rows);

	for (size_t i = 0; i < count; i++)
		entries[i] = items[i].entry;
	free(items);
	return 0;
}

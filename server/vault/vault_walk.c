/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "vault_private.h"

static int row_key_from(const uint8_t *bytes, size_t len, struct row_key *ret_key)
{
	if (len > ROW_KEY_MAX_BYTES)
		return -TACIT_E_CORRUPT;

	ret_key->len = len;
	memcpy(ret_key->bytes, bytes, len);
	return 0;
}

/* --- raw rows --------------------------------------------------------------------------------- */

struct raw_walk {
	int (*visit)(void *context, const struct row_key *key, const uint8_t *bytes, size_t len);
	void *context;
};

static int raw_step(
    void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
	const struct raw_walk *walk = context;
	struct row_key row;
	int r = row_key_from(key, key_len, &row);

	return r < 0 ? r : walk->visit(walk->context, &row, value, value_len);
}

int vault_each_raw(struct vault *vault, enum record_kind kind,
    int (*visit)(void *context, const struct row_key *key, const uint8_t *bytes, size_t len),
    void *context)
{
	struct raw_walk walk = {.visit = visit, .context = context};
	uint8_t prefix = (uint8_t)kind;

	return store_range(vault->store, &prefix, 1, INT32_MAX, raw_step, &walk);
}

/* --- records ---------------------------------------------------------------------------------- */

/* Rows on their way from the one who reads to the one who opens: key, length, bytes. */
#define BATCH_BYTES ((size_t)1 << 17)
#define QUEUE       8 /* batches that wait for the opener, so that he never waits for the reader */

struct batch {
	uint8_t *bytes;
	size_t len;
	size_t room;
	bool is_open; /* its records are no longer sealed */
};

struct batch_row {
	struct row_key key;
	size_t len;
};

static int batch_add(struct batch *batch, const struct batch_row *row, const uint8_t *bytes)
{
	size_t need = batch->len + sizeof(*row) + row->len;

	if (need > batch->room) {
		size_t room = need > BATCH_BYTES ? need : BATCH_BYTES;
		uint8_t *larger = realloc(batch->bytes, room);

		if (!larger)
			return -ENOMEM;
		batch->bytes = larger;
		batch->room = room;
	}

	memcpy(batch->bytes + batch->len, row, sizeof(*row));
	if (row->len > 0) /* an altered row may be empty, and then has no address */
		memcpy(batch->bytes + batch->len + sizeof(*row), bytes, row->len);
	batch->len = need;
	return 0;
}

static void batch_free(struct batch *batch)
{
	if (batch->bytes)
		sodium_memzero(batch->bytes, batch->room);
	free(batch->bytes);
}

/* What it takes to open one record after another, and to tell later whether they were all. */
struct hand {
	struct secret *ad;
	struct secret *record;
	struct row_set seen;
};

static int hand_new(struct hand *ret_hand)
{
	int r = secret_new(64, &ret_hand->ad);

	return r < 0 ? r : secret_new(256, &ret_hand->record);
}

static void hand_free(struct hand *hand)
{
	secret_free(hand->ad);
	secret_free(hand->record);
}

struct record_walk {
	struct vault *vault;
	int (*visit)(void *context, const struct row_key *key, const struct secret *record);
	void *context;
	struct batch filling; /* the reader's */
	struct hand reader, opener;

	/* The opener's thread, once there was more than one batch. */
	bool threaded;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct batch queue[QUEUE]; /* the first is the opener's as long as it is in here */
	size_t first, queued;
	bool ended;
	int result; /* of the opener: other than 0 ends the walk */
};

static int row_open(const struct record_walk *walk, const struct batch *batch,
    const struct batch_row *row, const uint8_t *bytes, struct hand *hand)
{
	if (batch->is_open) {
		secret_reset(hand->record);
		return secret_append(hand->record, bytes, row->len);
	}

	row_set_add(&hand->seen, walk->vault->keys, row->key.bytes, row->key.len, bytes, row->len);
	return record_open_into(walk->vault, &row->key, bytes, row->len, hand->ad, hand->record);
}

static int batch_visit(const struct record_walk *walk, const struct batch *batch, struct hand *hand)
{
	struct batch_row row;

	for (size_t at = 0; at < batch->len; at += sizeof(row) + row.len) {
		int r;

		memcpy(&row, batch->bytes + at, sizeof(row));
		r = row_open(walk, batch, &row, batch->bytes + at + sizeof(row), hand);
		if (r == 0)
			r = walk->visit(walk->context, &row.key, hand->record);
		if (r != 0)
			return r;
	}

	return 0;
}

/* Opens all records where they lie; they only get shorter. */
static int batch_open(const struct record_walk *walk, struct batch *batch, struct hand *hand)
{
	struct batch_row row;
	size_t to = 0;

	for (size_t at = 0, next; at < batch->len; at = next) {
		int r;

		memcpy(&row, batch->bytes + at, sizeof(row));
		next = at + sizeof(row) + row.len;
		r = row_open(walk, batch, &row, batch->bytes + at + sizeof(row), hand);
		if (r < 0)
			return r;

		row.len = secret_len(hand->record);
		memcpy(batch->bytes + to, &row, sizeof(row));
		if (row.len > 0)
			memcpy(
			    batch->bytes + to + sizeof(row), secret_bytes(hand->record), row.len);
		to += sizeof(row) + row.len;
	}

	batch->len = to;
	batch->is_open = true;
	return 0;
}

static void *opener_run(void *context)
{
	struct record_walk *walk = context;

	(void)pthread_mutex_lock(&walk->mutex);
	for (;;) {
		int r = walk->result;

		while (walk->queued == 0 && !walk->ended)
			(void)pthread_cond_wait(&walk->changed, &walk->mutex);
		if (walk->queued == 0)
			break;

		(void)pthread_mutex_unlock(&walk->mutex);
		if (r == 0)
			r = batch_visit(walk, &walk->queue[walk->first], &walk->opener);
		(void)pthread_mutex_lock(&walk->mutex);
		walk->result = r;
		walk->first = (walk->first + 1) % QUEUE;
		walk->queued--;
		(void)pthread_cond_signal(&walk->changed);
	}
	(void)pthread_mutex_unlock(&walk->mutex);
	return NULL;
}

/* Waits until no more than so many are queued; returns what has come of the others. */
static int opener_wait(struct record_walk *walk, size_t queued)
{
	while (walk->queued > queued)
		(void)pthread_cond_wait(&walk->changed, &walk->mutex);

	return walk->result;
}

static int opener_start(struct record_walk *walk)
{
	if (pthread_create(&walk->thread, NULL, opener_run, walk) != 0)
		return -EAGAIN;

	walk->threaded = true;
	return 0;
}

static bool opener_is_busy(struct record_walk *walk)
{
	bool busy;

	(void)pthread_mutex_lock(&walk->mutex);
	busy = walk->queued == QUEUE;
	(void)pthread_mutex_unlock(&walk->mutex);
	return busy;
}

/*
 * Hands the batch that is full over, and goes on with another one. Reading is the lesser half of
 * the work, so who would have to wait opens the records meanwhile.
 */
static int batch_hand_over(struct record_walk *walk)
{
	struct batch *place, full;
	int r = walk->threaded ? 0 : opener_start(walk);

	if (r == 0 && opener_is_busy(walk))
		r = batch_open(walk, &walk->filling, &walk->reader);
	if (r < 0)
		return r;

	full = walk->filling;
	(void)pthread_mutex_lock(&walk->mutex);
	r = opener_wait(walk, QUEUE - 1);
	place = &walk->queue[(walk->first + walk->queued) % QUEUE];
	walk->filling = *place;
	walk->filling.len = 0;
	walk->filling.is_open = false;
	*place = full;
	walk->queued++;
	(void)pthread_cond_signal(&walk->changed);
	(void)pthread_mutex_unlock(&walk->mutex);
	return r;
}

/* The last batch is opened here: mostly it is the only one. */
static int walk_finish(struct record_walk *walk, int r)
{
	if (walk->threaded) {
		int result;

		(void)pthread_mutex_lock(&walk->mutex);
		result = opener_wait(walk, 0);
		walk->ended = true;
		(void)pthread_cond_signal(&walk->changed);
		(void)pthread_mutex_unlock(&walk->mutex);
		(void)pthread_join(walk->thread, NULL);
		r = r ? r : result;
	}

	return r ? r : batch_visit(walk, &walk->filling, &walk->reader);
}

static int record_step(
    void *context, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
	struct record_walk *walk = context;
	struct batch_row row = {.len = value_len};
	int r = row_key_from(key, key_len, &row.key);

	if (r == 0)
		r = batch_add(&walk->filling, &row, value);
	if (r == 0 && walk->filling.len >= BATCH_BYTES)
		r = batch_hand_over(walk);

	return r;
}

static void walk_free(struct record_walk *walk)
{
	batch_free(&walk->filling);
	for (size_t i = 0; i < QUEUE; i++)
		batch_free(&walk->queue[i]);
	hand_free(&walk->reader);
	hand_free(&walk->opener);
	(void)pthread_mutex_destroy(&walk->mutex);
	(void)pthread_cond_destroy(&walk->changed);
}

int vault_each(struct vault *vault, enum record_kind kind,
    int (*visit)(void *context, const struct row_key *key, const struct secret *record),
    void *context)
{
	struct record_walk walk = {.vault = vault,
	    .visit = visit,
	    .context = context,
	    .mutex = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER};
	uint8_t prefix = (uint8_t)kind;
	int r = hand_new(&walk.reader);

	if (r == 0)
		r = hand_new(&walk.opener);
	if (r == 0) {
		r = store_range(vault->store, &prefix, 1, INT32_MAX, record_step, &walk);
		r = walk_finish(&walk, r);
	}
	if (r == 0) {
		vault->seen[kind - 'A'].whole = true;
		vault->seen[kind - 'A'].set = walk.reader.seen;
		row_set_join(&vault->seen[kind - 'A'].set, &walk.opener.seen);
	}
	walk_free(&walk);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW          1700000000
#define DAY          86400

static struct fixture fixture;
static struct tokens *tokens;

static int setup(void **state)
{
	(void)state;
	fixture_make(&fixture);
	fixture_open(&fixture);
	tokens = fixture.home.server.tokens;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&fixture);
	return 0;
}

static void reopen(void)
{
	fixture_close(&fixture);
	fixture_open(&fixture);
	tokens = fixture.home.server.tokens;
}

static struct token sample(void)
{
	struct token token = {
	    .client = "web",
	    .generation = 7,
	    .uses = 2,
	    .created = NOW,
	    .expires = NOW + 600,
	    .certificate_ttl_s = DAY,
	};

	return token;
}

static void commit(struct token_change *change)
{
	assert_int_equal(vault_commit(fixture.home.server.vault, &change->row, 1), 0);
	tokens_show(tokens, change);
	token_change_free(change);
}

/* Adds it and returns the id. */
static const char *add(const struct token *wanted)
{
	static char id[TOKEN_ID_BYTES];
	struct token_change change;

	assert_int_equal(tokens_prepare_add(tokens, wanted, &change), 0);
	memcpy(id, change.token.id, sizeof(id));
	commit(&change);
	return id;
}

static void use(const char *id, int64_t now)
{
	struct token_change change;

	assert_int_equal(tokens_prepare_use(tokens, tokens_find(tokens, id), now, &change), 0);
	commit(&change);
}

static void what_was_stored_is_loaded_again(void **state)
{
	struct token wanted = sample();
	char first[TOKEN_ID_BYTES];

	(void)state;
	memset(wanted.hash, 0xa5, sizeof(wanted.hash));
	assert_int_equal(cidr_parse("10.0.0.0/8", &wanted.from[0]), 0);
	assert_int_equal(cidr_parse("2001:db8::/32", &wanted.from[1]), 0);
	wanted.from_count = 2;
	memcpy(first, add(&wanted), sizeof(first));
	wanted.created++;
	(void)add(&wanted);
	use(first, NOW + 5);

	for (int i = 0; i < 2; i++) {
		const struct token *token = tokens_find(tokens, first);

		assert_int_equal(tokens_count(tokens), 2);
		assert_ptr_equal(tokens_at(tokens, 0), token);
		assert_string_equal(token->client, "web");
		assert_memory_equal(token->hash, wanted.hash, sizeof(wanted.hash));
		assert_int_equal(token->generation, 7);
		assert_int_equal(token->uses, 2);
		assert_int_equal(token->used, 1);
		assert_int_equal(token->created, NOW);
		assert_int_equal(token->expires, NOW + 600);
		assert_int_equal(token->last_used, NOW + 5);
		assert_int_equal(token->certificate_ttl_s, DAY);
		assert_false(token->revoked);
		assert_int_equal(token->from_count, 2);
		assert_memory_equal(token->from, wanted.from, sizeof(token->from));
		reopen();
	}
}

static void a_token_is_found_by_its_hash_alone(void **state)
{
	uint8_t secret[JOIN_TOKEN_SECRET_BYTES] = {1}, other[JOIN_TOKEN_SECRET_BYTES] = {2};
	uint8_t hash[TOKEN_HASH_BYTES];
	struct token wanted = sample();
	const char *id;

	(void)state;
	token_hash(secret, wanted.hash);
	id = add(&wanted);
	token_hash(secret, hash);
	assert_string_equal(tokens_find_hash(tokens, hash)->id, id);
	token_hash(other, hash);
	assert_null(tokens_find_hash(tokens, hash));
	assert_null(tokens_find(tokens, "000000000000"));
}

static void what_was_not_committed_is_not_there(void **state)
{
	struct token wanted = sample();
	struct token_change change;
	const char *id = add(&wanted);

	(void)state;
	assert_int_equal(tokens_prepare_use(tokens, tokens_find(tokens, id), NOW, &change), 0);
	token_change_free(&change);
	assert_int_equal(tokens_find(tokens, id)->used, 0);
	assert_int_equal(tokens_prepare_add(tokens, &wanted, &change), 0);
	token_change_free(&change);
	assert_int_equal(tokens_count(tokens), 1);
}

/* The token of the row, and what it is worth to its client at NOW. */
struct judge_row {
	const char *what;
	uint32_t used;
	int64_t expires;
	uint64_t client_generation; /* 0: no such client any more */
	const char *peer;
	int verdict;
	bool revoked;
	bool client_revoked;
};

static const struct judge_row judge_rows[] = {
    {"good", 0, NOW + 1, 7, "192.0.2.1:1", 0, false, false},
    {"good, asked from nowhere", 0, NOW + 1, 7, NULL, 0, false, false},
    {"one use left", 1, NOW + 1, 7, "192.0.2.1:1", 0, false, false},
    {"used up", 2, NOW + 1, 7, "192.0.2.1:1", -TACIT_E_TOKEN_USED, false, false},
    {"just expired", 0, NOW, 7, "192.0.2.1:1", -TACIT_E_TOKEN_EXPIRED, false, false},
    {"revoked", 0, NOW + 1, 7, "192.0.2.1:1", -TACIT_E_TOKEN_REVOKED, true, false},
    {"its client revoked", 0, NOW + 1, 7, "192.0.2.1:1", -TACIT_E_TOKEN_REVOKED, false, true},
    {"its client deleted", 0, NOW + 1, 0, "192.0.2.1:1", -TACIT_E_TOKEN_REVOKED, false, false},
    {"its client another one", 0, NOW + 1, 8, "192.0.2.1:1", -TACIT_E_TOKEN_REVOKED, false, false},
    {"from elsewhere", 0, NOW + 1, 7, "192.0.3.1:1", -TACIT_E_TOKEN_SOURCE, false, false},
    {"from no address", 0, NOW + 1, 7, "?:?", -TACIT_E_TOKEN_SOURCE, false, false},

    /* the alarm comes before everything else */
    {"used up, and all the rest", 2, NOW - 1, 0, "?:?", -TACIT_E_TOKEN_USED, true, true},
};

static void a_token_is_judged_by_all_that_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(judge_rows); i++) {
		const struct judge_row *row = &judge_rows[i];
		const struct client client = {
		    .generation = row->client_generation, .revoked = row->client_revoked};
		struct token token = sample();

		token.used = row->used;
		token.revoked = row->revoked;
		token.expires = row->expires;
		assert_int_equal(cidr_parse("192.0.2.0/24", &token.from[0]), 0);
		token.from_count = 1;
		if (token_judge(&token, row->client_generation ? &client : NULL, row->peer, NOW) !=
		    row->verdict)
			fail_msg("%s", row->what);
	}
}

static void an_unused_token_is_forgotten_a_day_after_it_expired(void **state)
{
	struct token token = sample();

	(void)state;
	assert_false(token_is_stale(&token, token.expires + DAY - 1));
	assert_true(token_is_stale(&token, token.expires + DAY));
	token.used = 1;
	assert_true(token_is_stale(&token, token.expires + DAY));
}

static void a_used_up_token_is_remembered_for_thirty_days(void **state)
{
	struct token token = sample();

	(void)state;
	token.used = token.uses;
	token.last_used = NOW;
	assert_false(token_is_stale(&token, NOW + 30 * DAY - 1));
	assert_true(token_is_stale(&token, NOW + 30 * DAY));
}

static void a_sweep_takes_what_is_stale_and_nothing_else(void **state)
{
	struct token fresh = sample(), old = sample();
	char kept[TOKEN_ID_BYTES];

	(void)state;
	old.expires = NOW - DAY;
	for (int i = 0; i < 40; i++)
		(void)add(&old);
	memcpy(kept, add(&fresh), sizeof(kept));
	for (int i = 0; i < 40; i++)
		(void)add(&old);
	for (int i = 0; i < 3; i++)
		assert_int_equal(tokens_sweep(tokens, NOW), 0);
	assert_int_equal(tokens_count(tokens), 1);
	assert_non_null(tokens_find(tokens, kept));
	reopen();
	assert_int_equal(tokens_count(tokens), 1);
	assert_non_null(tokens_find(tokens, kept));
}

static void a_revoked_token_stays_revoked(void **state)
{
	struct token wanted = sample();
	const char *id = add(&wanted);

	(void)state;
	assert_int_equal(tokens_revoke(tokens, "000000000000"), -TACIT_E_NOT_FOUND);
	assert_int_equal(tokens_revoke(tokens, id), 0);
	assert_true(tokens_find(tokens, id)->revoked);
	reopen();
	assert_true(tokens_find(tokens, id)->revoked);
}

/* Without a sweep nothing more goes in; with one, the oldest that are over make room. */
static void a_full_table_makes_room_from_what_is_over(void **state)
{
	struct token good = sample(), over = sample();
	struct token_change change;
	char oldest[TOKEN_ID_BYTES];

	(void)state;
	memcpy(oldest, add(&good), sizeof(oldest));
	over.expires = NOW - 1;
	for (int i = 0; i < 40; i++)
		(void)add(&over);
	while (tokens_count(tokens) < TOKENS_MAX)
		(void)add(&good);
	assert_int_equal(tokens_prepare_add(tokens, &good, &change), -TACIT_E_TOO_LARGE);
	assert_int_equal(tokens_sweep(tokens, NOW), 0);
	assert_in_range(tokens_count(tokens), TOKENS_MAX - 40, TOKENS_MAX - 1);
	assert_non_null(tokens_find(tokens, oldest));
	(void)add(&good);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_was_stored_is_loaded_again),
	    TEST(a_token_is_found_by_its_hash_alone),
	    TEST(what_was_not_committed_is_not_there),
	    cmocka_unit_test(a_token_is_judged_by_all_that_it_says),
	    cmocka_unit_test(an_unused_token_is_forgotten_a_day_after_it_expired),
	    cmocka_unit_test(a_used_up_token_is_remembered_for_thirty_days),
	    TEST(a_sweep_takes_what_is_stale_and_nothing_else),
	    TEST(a_revoked_token_stays_revoked),
	    TEST(a_full_table_makes_room_from_what_is_over),
	};

	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "handlers.h"
#include "tacit/fd.h"

#define LIMIT_MAX     1000
#define LIMIT_DEFAULT 250 /* a page of these holds the routes up for some 8 ms */

/*
 * How an instance stands to what its client is offered now. The order is that of the texts; a row
 * of a secret has one of these too.
 */
enum state {
	STATE_CURRENT,  /* has it */
	STATE_BEHIND,   /* is about to get it: it watches, and was heard of */
	STATE_SILENT,   /* watches, but was not heard of for longer than it may wait */
	STATE_OLD,      /* fetched once, and will not ask again until it is started anew */
	STATE_REPLACED, /* one of the last two, and by the look of it was started anew */
	STATE_REVOKED,  /* its client gets nothing more */
};

static const char *const state_texts[] = {
    "current", "behind", "silent", "old", "replaced", "revoked"};

static enum state state_of(const struct instance *instance, const struct client *client,
    const struct offer *offer, int64_t now_s)
{
	if (client->revoked)
		return STATE_REVOKED;
	if (instance->held && !strcmp(instance->held->etag, offer->etag))
		return STATE_CURRENT;
	if (instance->watches && now_s - instance->seen_s <= INSTANCE_SILENT_S)
		return STATE_BEHIND;
	if (instance->is_replaced)
		return STATE_REPLACED;

	return instance->watches ? STATE_SILENT : STATE_OLD;
}

/* Of an instance, CLIENT/INSTANCE/ID; a slash is in none of them. */
#define PLACE_MAX_BYTES (2 * CLIENT_NAME_MAX_BYTES + PROTO_INSTANCE_ID_MAX_BYTES + 3)

static void place_print(const struct instance *instance, char ret_place[static PLACE_MAX_BYTES])
{
	(void)snprintf(
	    ret_place, PLACE_MAX_BYTES, "%s/%s/%s", instance->client, instance->name, instance->id);
}

/* Whether the instance comes behind that place in the list. */
static bool is_behind_place(const struct instance *instance, const char *place)
{
	char text[PLACE_MAX_BYTES], *rest = text;
	const char *client, *name;

	(void)snprintf(text, sizeof(text), "%s", place);
	client = strsep(&rest, "/");
	name = rest ? strsep(&rest, "/") : "";
	return instance_compare(instance, client, name, rest ? rest : "") > 0;
}

/* What is asked for. */
struct question {
	const char *client; /* NULL: all */
	const char *secret; /* a pattern; NULL: all */
	const char *after;  /* the last one of the page before, see place_print(); NULL */
	size_t limit;
};

static int question_parse(struct exchange *exchange, struct question *ret_question)
{
	const struct request *request = exchange->request;
	uint64_t limit = LIMIT_DEFAULT;

	if (request->by_client && !name_is_client(request->by_client))
		return -TACIT_E_INVALID_NAME;
	if (request->of_secret && !name_is_pattern(request->of_secret))
		return -TACIT_E_INVALID_PATTERN;
	if (request->limit && (number_parse(request->limit, LIMIT_MAX, &limit) < 0 || limit == 0)) {
		exchange->detail = "limit is a number from 1 to 1000";
		return -TACIT_E_MALFORMED;
	}

	*ret_question = (struct question){.client = request->by_client,
	    .secret = request->of_secret,
	    .after = request->after,
	    .limit = (size_t)limit};
	return 0;
}

/* A page in the making; the offer is that of the client whose instances come just now. */
struct page {
	const struct server *server;
	const struct question *question;
	int64_t now_s;
	struct json *list; /* borrowed */
	const struct client *client;
	struct offer offer;
	char last[PLACE_MAX_BYTES];
};

static int page_turn_to(struct page *page, const char *client)
{
	const struct server *server = page->server;
	int r = 0;

	if (page->client && !strcmp(page->client->name, client))
		return 0;

	offer_free(&page->offer);
	page->client = clients_find(server->clients, client);
	if (page->client)
		r = offer_make(
		    server->secrets, vault_keys(server->vault), page->client, &page->offer);
	/* Whoever may read more than a bundle holds is offered nothing. */
	return r == -TACIT_E_TOO_LARGE ? 0 : r;
}

/* One secret of an instance; numbers that are 0 are left out. */
struct row {
	const char *name;
	uint32_t served, held, current;
};

static int row_add(struct json *rows, const struct row *row)
{
	const struct {
		const char *key;
		uint32_t number;
	} members[] = {{"served", row->served}, {"held", row->held}, {"current", row->current}};
	struct json *json = json_new_object();
	int r = json ? json_set_text(json, "name", row->name) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].number > 0)
			r = json_set_int(json, members[i].key, members[i].number);
	if (r < 0) {
		json_free(json);
		return r;
	}

	return json_append(rows, json);
}

/* Goes through what is offered now and what is held, both sorted, as through one list. */
struct merge {
	const struct offer *offer;
	const struct snapshot *held; /* NULL: nothing */
	size_t offer_at, held_at;
};

/* False at the end of both. */
static bool merge_next(struct merge *merge, struct row *ret_row)
{
	const struct secret_entry *entry =
	    merge->offer_at < merge->offer->count ? merge->offer->entries[merge->offer_at] : NULL;
	const struct snapshot_item *item = merge->held && merge->held_at < merge->held->count
	                                       ? &merge->held->items[merge->held_at]
	                                       : NULL;
	int order = entry && item ? strcmp(entry->name, item->name) : 0;

	*ret_row = (struct row){0};
	if (entry && order <= 0) {
		ret_row->name = entry->name;
		ret_row->current = entry->current;
		merge->offer_at++;
	}
	if (item && order >= 0) {
		ret_row->name = item->name;
		ret_row->held = item->version;
		merge->held_at++;
	}
	return entry || item;
}

static int rows_fill(const struct page *page, const struct instance *instance, struct json *rows)
{
	struct merge merge = {.offer = &page->offer, .held = instance->held};
	const char *pattern = page->question->secret;
	struct row row;
	int r = 0;

	while (r == 0 && merge_next(&merge, &row)) {
		row.served = snapshot_version(instance->served, row.name);
		if (!pattern || pattern_matches(pattern, row.name))
			r = row_add(rows, &row);
	}

	return r;
}

static int instance_describe(
    const struct page *page, const struct instance *instance, struct json *json)
{
	enum state state = state_of(instance, page->client, &page->offer, page->now_s);
	int r = json_set_text(json, "client", instance->client);

	if (r == 0)
		r = json_set_text(json, "instance", instance->name);
	if (r == 0 && instance->id[0])
		r = json_set_text(json, "id", instance->id);
	if (r == 0)
		r = json_set_text(json, "mode", instance->watches ? "watch" : "once");
	if (r == 0)
		r = json_set_text(json, "address", instance->address);
	if (r == 0)
		r = json_set_time(json, "seen", instance->seen_s);
	if (r == 0)
		r = json_set_int(json, "age_s", page->now_s - instance->seen_s);

	return r < 0 ? r : json_set_text(json, "state", state_texts[state]);
}

/* With a pattern, instances that have nothing to do with it are left out. */
static int page_add(struct page *page, const struct instance *instance)
{
	cleanup_json struct json *json = json_new_object();
	struct json *rows = json_new_array(), *entry;
	int r = json && rows ? instance_describe(page, instance, json) : -ENOMEM;

	if (r < 0)
		json_free(rows);
	else
		r = json_set(json, "secrets", rows);
	if (r == 0)
		r = rows_fill(page, instance, rows);
	if (r < 0 || (page->question->secret && json_count(rows) == 0))
		return r;

	entry = json;
	json = NULL;
	return json_append(page->list, entry);
}

static bool is_behind_page(const struct question *question, const struct instance *instance)
{
	return (!question->after || is_behind_place(instance, question->after)) &&
	       (!question->client || !strcmp(instance->client, question->client));
}

/* 1 when there is more. */
static int page_fill(struct page *page, const struct instance *const list[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r;

		if (!is_behind_page(page->question, list[i]))
			continue;
		if (json_count(page->list) == page->question->limit)
			return 1;
		r = page_turn_to(page, list[i]->client);
		if (r == 0 && page->client)
			r = page_add(page, list[i]);
		if (r < 0)
			return r;
		place_print(list[i], page->last);
	}

	return 0;
}

static int page_answer(struct exchange *exchange, const struct question *question)
{
	struct server *server = exchange->server;
	cleanup_json struct json *answer = json_new_object();
	cleanup_free const struct instance **list = NULL;
	struct page page = {
	    .server = server, .question = question, .now_s = time(NULL), .list = json_new_array()};
	size_t count;
	int r = answer ? json_set(answer, "instances", page.list) : -ENOMEM;

	if (!answer)
		json_free(page.list);
	if (r == 0)
		r = json_set_int(answer, "revision", (int64_t)vault_revision(server->vault));
	if (r == 0)
		r = json_set_time(answer, "since", instances_since(server->instances));
	if (r == 0)
		r = json_set_int(
		    answer, "pushed_out", (int64_t)instances_pushed_out(server->instances));
	if (r == 0)
		r = instances_list(server->instances, page.now_s, &list, &count);
	if (r == 0)
		r = page_fill(&page, list, count);
	if (r > 0)
		r = json_set_text(answer, "next", page.last);
	offer_free(&page.offer);

	return r < 0 ? r : exchange_answer_json(exchange, 200, answer);
}

static void describe(const struct question *question, char ret_text[static 512])
{
	(void)snprintf(ret_text, 512, "%s%s%s%s%s", question->client ? "client=" : "",
	    question->client ? question->client : "",
	    question->client && question->secret ? " " : "", question->secret ? "secret=" : "",
	    question->secret ? question->secret : "");
}

/*
 * Whoever shows the tag of the last answer waits for news. When the time is up he gets an answer
 * all the same, since states change with time too.
 */
int handle_status(struct exchange *exchange)
{
	const struct server *server = exchange->server;
	const char *known = exchange->request->if_none_match;
	char *etag = exchange->response->etag;
	struct question question;
	char subject[512];
	int r = question_parse(exchange, &question);

	if (r < 0)
		return r;
	describe(&question, subject);
	r = exchange_audit_reading(exchange, subject);
	if (r < 0)
		return r;

	(void)snprintf(etag, PROTO_ETAG_MAX_BYTES, "\"s%" PRIx64 "-%" PRIx64 "\"",
	    instances_changes(server->instances), vault_revision(server->vault));
	if (exchange->request->waiter && known && !strcmp(known, etag)) {
		exchange_wait(exchange, WAITER_STATUS);
		return 0;
	}

	return page_answer(exchange, &question);
}

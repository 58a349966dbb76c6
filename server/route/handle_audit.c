/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit_read.h"
#include "audit_verify.h"
#include "handlers.h"

#define PAGE_LINES_MAX   1000
#define PAGE_BYTES_MAX   ((uint64_t)4 * 1024 * 1024)
#define VERIFY_BYTES_MAX ((uint64_t)16 * 1024 * 1024)

struct reading {
	struct audit_query query;
	char since[AUDIT_TIME_BYTES];
};

static int reading_refuse(struct exchange *exchange, int err, const char *detail)
{
	exchange->detail = detail;
	return err;
}

static int reading_parse_numbers(struct exchange *exchange, struct audit_query *query)
{
	const struct request *request = exchange->request;
	uint64_t limit = PAGE_LINES_MAX;

	if (request->limit &&
	    (number_parse(request->limit, PAGE_LINES_MAX, &limit) < 0 || limit == 0))
		return reading_refuse(
		    exchange, -TACIT_E_MALFORMED, "limit is a number from 1 to 1000");
	if (request->after && number_parse(request->after, INT64_MAX, &query->after) < 0)
		return reading_refuse(
		    exchange, -TACIT_E_MALFORMED, "after is the number of a line");

	query->limit = (size_t)limit;
	return 0;
}

static int reading_parse(struct exchange *exchange, struct reading *ret_reading)
{
	const struct request *request = exchange->request;
	struct reading *reading = ret_reading;

	*reading = (struct reading){.query = {.client = request->by_client,
	                                .secret = request->of_secret,
	                                .max_bytes = PAGE_BYTES_MAX}};
	if (request->by_client && !name_is_client(request->by_client))
		return -TACIT_E_INVALID_NAME;
	if (request->of_secret && !name_is_pattern(request->of_secret))
		return -TACIT_E_INVALID_PATTERN;
	if (request->since && audit_time_parse(request->since, reading->since) < 0)
		return reading_refuse(exchange, -TACIT_E_MALFORMED,
		    "since is a time as 2026-11-24T06:10:08Z, or how long ago, as 10m or 3d");

	reading->query.since = request->since ? reading->since : NULL;
	return reading_parse_numbers(exchange, &reading->query);
}

#define READING_BYTES 512

/* "client=web since=10m"; "" for everything. */
static void reading_describe(const struct request *request, char ret_text[static READING_BYTES])
{
	const struct {
		const char *name, *value;
	} filters[] = {{"client", request->by_client}, {"secret", request->of_secret},
	    {"since", request->since}};
	size_t len = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (filters[i].value && len < READING_BYTES)
			len += (size_t)snprintf(ret_text + len, READING_BYTES - len, "%s%s=%s",
			    len ? " " : "", filters[i].name, filters[i].value);
}

static int page_answer(
    struct exchange *exchange, const struct audit_page *page, const struct audit_mark *position)
{
	cleanup_json struct json *answer = json_new_object();

	if (!answer) {
		json_free(page->entries);
		return -ENOMEM;
	}
	if (json_set(answer, "entries", page->entries) < 0 ||
	    json_set_int(answer, "next", (int64_t)page->next) < 0 ||
	    json_set_int(answer, "last", (int64_t)position->sequence) < 0 ||
	    json_set_bool(answer, "more", page->more) < 0 ||
	    json_set_int(answer, "damaged", (int64_t)page->damaged) < 0)
		return -ENOMEM;

	return exchange_answer_json(exchange, 200, answer);
}

/* Without the lock of the routes: nobody has to wait for a reader. */
static int read_unlocked(struct exchange *exchange)
{
	struct audit *audit = exchange->server->audit;
	struct audit_mark position;
	struct audit_page page;
	struct reading reading;
	int r = reading_parse(exchange, &reading);

	if (r < 0)
		return r;

	audit_position(audit, &position);
	r = audit_read(audit_directory(audit), &reading.query, &page);
	/* All that there was has been looked at, even where files are gone: do not ask again. */
	if (r == 0 && !page.more && page.next < position.sequence)
		page.next = position.sequence;
	return r < 0 ? r : page_answer(exchange, &page, &position);
}

/* Waits when the caller has every line; for one that he has not asked for, he asks once more. */
int handle_audit(struct exchange *exchange)
{
	char subject[READING_BYTES];
	struct audit_mark position;
	struct reading reading;
	int r = reading_parse(exchange, &reading);

	reading_describe(exchange->request, subject);
	if (r == 0)
		r = exchange_audit_reading(exchange, subject);
	if (r < 0)
		return r;

	audit_position(exchange->server->audit, &position);
	if (exchange->request->waiter && reading.query.after >= position.sequence)
		exchange_wait(exchange, WAITER_AUDIT);
	else
		exchange->finish = read_unlocked;
	return 0;
}

static int verdict_answer(struct exchange *exchange, const struct audit_findings *findings,
    const char *cursor, const struct fault *fault)
{
	cleanup_json struct json *answer = json_new_object();
	int r = answer ? json_set_bool(answer, "whole", fault->err == 0) : -ENOMEM;

	if (r == 0)
		r = json_set_int(answer, "lines", (int64_t)findings->lines);
	if (r == 0)
		r = json_set_int(answer, "gaps", (int64_t)findings->gaps);
	if (r == 0)
		r = json_set_int(answer, "files", (int64_t)findings->files);
	if (r == 0 && cursor[0] && fault->err == 0)
		r = json_set_text(answer, "cursor", cursor);
	if (r == 0 && fault->err)
		r = json_set_text(answer, "broken", fault->what);
	if (r == 0 && fault->err)
		r = json_set_text(answer, "why", fault->why[0] ? fault->why : err_text(fault->err));

	return r < 0 ? r : exchange_answer_json(exchange, 200, answer);
}

/* A log that cannot be read at all is not whole either. */
static int verify_unlocked(struct exchange *exchange)
{
	const struct server *server = exchange->server;
	const char *given = exchange->request->cursor;
	char cursor[AUDIT_CURSOR_BYTES] = "";
	struct audit_findings findings = {0};
	struct fault fault = {0};
	struct audit_mark position;
	int r;

	if (given && strlen(given) >= sizeof(cursor))
		return -TACIT_E_MALFORMED;
	(void)snprintf(cursor, sizeof(cursor), "%s", given ? given : "");
	audit_position(server->audit, &position);
	r = audit_verify_some(audit_directory(server->audit), vault_keys(server->vault), &position,
	    VERIFY_BYTES_MAX, cursor, &findings, &fault);
	if (r == -TACIT_E_MALFORMED || r == -TACIT_E_CONFLICT || r == -ENOMEM)
		return r;

	return verdict_answer(exchange, &findings, cursor, &fault);
}

/*
 * It shows nothing of the log but where it is broken, which is needed most when no line can be
 * written: then this is answered all the same.
 */
int handle_audit_verify(struct exchange *exchange)
{
	if (!exchange->request->cursor)
		(void)exchange_audit_subject(exchange, 200, NULL);

	exchange->finish = verify_unlocked;
	return 0;
}

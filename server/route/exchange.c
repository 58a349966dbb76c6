/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tacit/deadline.h"

bool exchange_allows(const struct exchange *exchange, enum action action, const char *name)
{
	const struct client *client = exchange->client;

	return client &&
	       grants_allow(client->role, client->grants, client->grants_count, action, name);
}

static struct audit_event event_of(
    const struct exchange *exchange, int status, const struct audit_secret *secrets, size_t count)
{
	const struct request *request = exchange->request;

	return (struct audit_event){
	    .event = exchange->event,
	    .client = request->identity ? request->identity->client : NULL,
	    .peer = request->peer,
	    .request = request->id,
	    .status = status,
	    .secrets = secrets,
	    .secrets_count = count,
	};
}

int exchange_audit(struct exchange *exchange, int status, const char *subject,
    const struct audit_secret *secrets, size_t count)
{
	struct audit_event event = event_of(exchange, status, secrets, count);
	int r;

	event.subject = subject;
	r = audit_write(exchange->server->audit, &event);
	metrics_count_audit(&exchange->server->metrics, r);
	return r;
}

int exchange_audit_values(
    struct exchange *exchange, int status, const struct audit_secret *secrets, size_t count)
{
	struct audit_event event = event_of(exchange, status, secrets, count);
	struct audit_ticket *ticket = exchange->request->ticket;
	int r;

	if (!ticket)
		return exchange_audit(exchange, status, NULL, secrets, count);

	exchange->request->defer(ticket);
	r = audit_submit(exchange->server->audit, &event, ticket);
	if (r < 0)
		ticket->release(ticket, r);
	return r;
}

int exchange_audit_name(struct exchange *exchange, int status, const char *name, uint32_t version)
{
	const struct audit_secret secret = {.name = name, .version = version};

	return exchange_audit(exchange, status, NULL, &secret, 1);
}

int exchange_audit_subject(struct exchange *exchange, int status, const char *subject)
{
	return exchange_audit(exchange, status, subject, NULL, 0);
}

int exchange_audit_reading(struct exchange *exchange, const char *subject)
{
	struct limiter *readings = exchange->server->readings;
	char key[640];
	int r;

	(void)snprintf(
	    key, sizeof(key), "%s %s %s", exchange->event, exchange->client->name, subject);
	if (!limiter_take(readings, key, deadline_in_ms(0)))
		return 0;

	r = exchange_audit_subject(exchange, 200, subject[0] ? subject : NULL);
	if (r < 0)
		limiter_forget(readings, key);
	return r;
}

void exchange_wait(struct exchange *exchange, const char *client)
{
	struct waiter *waiter = exchange->request->waiter;

	(void)snprintf(waiter->client, sizeof(waiter->client), "%s", client);
	exchange->response->waits = true;
	exchange->request->suspend(waiter);
	watch_add(&exchange->server->watch, waiter);
}

int number_parse(const char *text, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!text[0])
		return -TACIT_E_MALFORMED;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -TACIT_E_MALFORMED;
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > max)
			return -TACIT_E_MALFORMED;
	}

	*ret_number = number;
	return 0;
}

int exchange_parse_body(struct exchange *exchange, const char *const keys[], struct json **ret_json)
{
	const struct secret *body = exchange->request->body;
	cleanup_json struct json *json = NULL;
	const char *unknown;

	if (json_parse(secret_bytes(body), secret_len(body), &json, NULL) < 0 ||
	    !json_holds_object(json)) {
		exchange->detail = "the body is not a JSON object";
		return -TACIT_E_MALFORMED;
	}
	if (!json_only_keys(json, keys, &unknown)) {
		exchange->detail = "the body has a member that is not known here";
		return -TACIT_E_MALFORMED;
	}

	*ret_json = json;
	json = NULL;
	return 0;
}

int exchange_member_text(
    struct exchange *exchange, const struct json *json, const char *key, const char **ret_text)
{
	*ret_text = json_text_at(json, key);
	if (*ret_text || !json_has(json, key))
		return 0;

	exchange->detail = "a member of the body is not a text";
	return -TACIT_E_MALFORMED;
}

int exchange_answer_json(struct exchange *exchange, int status, const struct json *json)
{
	exchange->response->status = status;
	exchange->response->content_type = PROTO_TYPE_JSON;
	return json ? json_print(json, &exchange->response->body) : -ENOMEM;
}

int exchange_answer_empty(struct exchange *exchange)
{
	exchange->response->status = 204;
	return 0;
}

int json_set_time(struct json *json, const char *key, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm utc;
	char text[32];

	(void)gmtime_r(&when, &utc);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_set_text(json, key, text);
}

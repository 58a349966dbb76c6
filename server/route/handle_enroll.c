/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "handlers.h"
#include "tacit/deadline.h"

/* A certificate on its way: {"certificate","ca","not_after"}, and what comes on top. */
static int certificate_answer(struct exchange *exchange, int status, const char *pem,
    int64_t not_after, const char *new_client)
{
	const struct authority *authority = exchange->server->authority;
	cleanup_json struct json *json = json_new_object();

	if (!json || json_set_text(json, "certificate", pem) < 0 ||
	    json_set_text(json, "ca", authority_ca_pem(authority)) < 0 ||
	    json_set_time(json, "not_after", not_after) < 0)
		return -ENOMEM;
	if (new_client && (json_set_text(json, "server", authority_url(authority)) < 0 ||
	                      json_set_text(json, "client", new_client) < 0))
		return -ENOMEM;

	return exchange_answer_json(exchange, status, json);
}

/* The secret decides, and that the token is for this CA; where its URL leads is no matter here. */
static int token_recognize(
    const struct server *server, const char *text, const struct token **ret_token)
{
	cleanup_join_token struct join_token join = {0};
	uint8_t hash[TOKEN_HASH_BYTES], ca_hash[AUTHORITY_CA_HASH_BYTES];
	const struct token *token;
	int r = join_token_parse(text, strlen(text), &join);

	if (r == 0)
		r = authority_ca_hash(server->authority, ca_hash);
	if (r < 0)
		return r;

	token_hash(secret_bytes(join.secret), hash);
	token = tokens_find_hash(server->tokens, hash);
	if (!token || token_is_stale(token, time(NULL)) ||
	    sodium_memcmp(ca_hash, join.ca_hash, sizeof(ca_hash)) != 0)
		return -TACIT_E_TOKEN_UNKNOWN;

	*ret_token = token;
	return 0;
}

struct enrolment {
	const struct token *token;
	const struct client *client;
	int64_t not_after;
	char pem[CERTIFICATE_PEM_MAX_BYTES];
};

/* The use and the client's new date in one commit: of two that race for one use, one gets it. */
static int enrolment_commit(struct exchange *exchange, struct enrolment *enrolment)
{
	struct server *server = exchange->server;
	cleanup_client_change struct client_change client = {0};
	cleanup_token_change struct token_change token = {0};
	int r = clients_prepare_put(server->clients, enrolment->client->name,
	    enrolment->client->role, enrolment->not_after, &client);

	if (r == 0)
		r = tokens_prepare_use(server->tokens, enrolment->token, time(NULL), &token);
	if (r == 0) {
		const struct vault_change rows[] = {client.row, token.row};

		r = vault_commit(server->vault, rows, 2);
	}
	if (r < 0)
		return r;

	tokens_show(server->tokens, &token);
	clients_show(server->clients, &client);
	return 0;
}

static int enrolment_judge(
    struct exchange *exchange, const char *token_text, struct enrolment *enrolment)
{
	const struct server *server = exchange->server;
	int r = token_recognize(server, token_text, &enrolment->token);

	if (r < 0)
		return r;

	enrolment->client = clients_find(server->clients, enrolment->token->client);
	r = token_judge(enrolment->token, enrolment->client, exchange->request->peer, time(NULL));
	(void)snprintf(exchange->subject, sizeof(exchange->subject), "%s: token %s%s%s",
	    enrolment->token->client, enrolment->token->id, r < 0 ? ": " : "",
	    r < 0 ? err_code(r) : "");
	return r;
}

/* The certificate is made before the use is spent, so that a bad request spends none. */
static int enroll(
    struct exchange *exchange, const char *token_text, const char *csr, struct enrolment *enrolment)
{
	int r = enrolment_judge(exchange, token_text, enrolment);

	if (r < 0)
		return r;

	enrolment->not_after = time(NULL) + enrolment->token->certificate_ttl_s;
	r = authority_issue_client(exchange->server->authority, csr, strlen(csr),
	    enrolment->client->name, enrolment->client->generation, enrolment->not_after,
	    enrolment->pem);
	if (r == 0)
		r = exchange_audit_subject(exchange, 201, exchange->subject);
	if (r == 0)
		r = enrolment_commit(exchange, enrolment);
	return r;
}

/*
 * Only refusals are counted against a source: a good token passes at any time, so that nobody can
 * lock others out by asking often. There is nothing to guess; what is limited is how much an
 * outsider can make us write.
 */
static int refusal_limit(struct exchange *exchange, int err)
{
	struct server *server = exchange->server;
	int64_t now_ms = deadline_in_ms(0);
	char source[CIDR_TEXT_BYTES] = "";
	struct cidr range;

	if (cidr_of_peer(exchange->request->peer, 32, 64, &range) == 0)
		cidr_print(&range, source);
	if (limiter_take(server->refusals, source, now_ms) &&
	    limiter_take(server->all_refusals, "", now_ms))
		return err;

	(void)atomic_fetch_add(&server->counters.enrol_limited, 1);
	return -TACIT_E_TOO_MANY;
}

/* A used-up token that comes again is an alarm: two have it, and one of them should not. */
static int enroll_refuse(struct exchange *exchange, int err)
{
	struct counters *counters = &exchange->server->counters;

	if (err_http_status(err) >= 500)
		return err;

	if (!exchange->subject[0])
		(void)snprintf(exchange->subject, sizeof(exchange->subject), "%s", err_code(err));
	(void)atomic_fetch_add(&counters->enrol_refused, 1);
	if (err == -TACIT_E_TOKEN_USED) {
		(void)atomic_fetch_add(&counters->tokens_reused, 1);
		exchange->event = "token.reused";
	}
	return refusal_limit(exchange, err);
}

static int enroll_parse(
    struct exchange *exchange, struct json **ret_json, const char **ret_token, const char **ret_csr)
{
	static const char *const keys[] = {"token", "csr", NULL};
	int r = exchange_parse_body(exchange, keys, ret_json);

	if (r < 0)
		return r;

	*ret_token = json_text_at(*ret_json, "token");
	*ret_csr = json_text_at(*ret_json, "csr");
	if (*ret_token && *ret_csr)
		return 0;

	exchange->detail = "the body needs a token and a csr, both texts";
	return -TACIT_E_MALFORMED;
}

int handle_enroll(struct exchange *exchange)
{
	cleanup_json struct json *json = NULL;
	struct enrolment enrolment = {0};
	const char *token, *csr;
	int r = enroll_parse(exchange, &json, &token, &csr);

	if (r == 0)
		r = enroll(exchange, token, csr, &enrolment);
	if (r < 0)
		return enroll_refuse(exchange, r);

	(void)atomic_fetch_add(&exchange->server->counters.enrolled, 1);
	return certificate_answer(exchange, 201, enrolment.pem, enrolment.not_after,
	    enrolment.token->client); /* its own struct client is another one by now */
}

/* As long as the one that is shown was good for, less what it was dated back. */
static int64_t lifetime_of(const struct certificate_identity *identity)
{
	int64_t lifetime_s = identity->not_after - identity->not_before - AUTHORITY_TOLERANCE_S;

	return lifetime_s > 1 ? lifetime_s : 1;
}

static int renew(struct exchange *exchange, const char *csr)
{
	struct server *server = exchange->server;
	const struct client *client = exchange->client;
	int64_t not_after = time(NULL) + lifetime_of(exchange->request->identity);
	char pem[CERTIFICATE_PEM_MAX_BYTES];
	int r = authority_issue_client(
	    server->authority, csr, strlen(csr), client->name, client->generation, not_after, pem);

	if (r == 0)
		r = exchange_audit_subject(exchange, 200, NULL);
	if (r == 0)
		r = clients_put(server->clients, client->name, client->role, not_after);
	if (r < 0)
		return r;

	(void)atomic_fetch_add(&server->counters.renewed, 1);
	return certificate_answer(exchange, 200, pem, not_after, NULL);
}

int handle_renew(struct exchange *exchange)
{
	static const char *const keys[] = {"csr", NULL};
	struct server *server = exchange->server;
	cleanup_json struct json *json = NULL;
	const char *csr;
	int r;

	if (!limiter_take(server->renewals, exchange->client->name, deadline_in_ms(0))) {
		(void)atomic_fetch_add(&server->counters.renew_limited, 1);
		return -TACIT_E_TOO_MANY;
	}

	r = exchange_parse_body(exchange, keys, &json);
	if (r < 0)
		return r;
	csr = json_text_at(json, "csr");
	if (!csr) {
		exchange->detail = "the body needs a csr, a text";
		return -TACIT_E_MALFORMED;
	}

	return renew(exchange, csr);
}

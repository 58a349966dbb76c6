/* SPDX-License-Identifier: MIT */
#include "credential.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backoff.h"
#include "certificate.h"
#include "enrolment.h"
#include "handover.h"

#define RENEW_PATH     "/v1/renew"
#define BACKOFF_MAX_MS 60000

struct credential {
	struct identity *identity;
	char *path;                 /* owned: of its file; NULL if it never had one */
	bool is_of_file;            /* else it is in memory alone */
	int64_t due_ms;             /* by the wall clock, as certificates are */
	struct enrolment enrolment; /* with a token */
	struct backoff backoff;
	struct handover *handover; /* NULL unless there is a watcher to come */
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Takes `identity` over. Its life, as far as it matters here, begins at `born_ms`. */
static void identity_set(struct credential *credential, struct identity *identity, int64_t born_ms)
{
	int64_t life_ms = identity_not_after(identity) * 1000 - born_ms;

	identity_free(credential->identity);
	credential->identity = identity;
	credential->due_ms = born_ms + life_ms / 3 * 2;
	backoff_reset(&credential->backoff);
}

/* One out of a file may be of any age. */
static void identity_set_old(struct credential *credential, struct identity *identity)
{
	identity_set(credential, identity, identity_not_before(identity) * 1000);
	credential->is_of_file = true;
}

/* A fresh one, whose text is left for others. */
static void identity_set_new(
    struct credential *credential, struct identity *identity, const struct secret *pem)
{
	/* Servers date certificates back, for clocks that are behind: that is no part of its life.
	 */
	identity_set(credential, identity, now_ms());
	credential->is_of_file = false;
	if (credential->handover)
		handover_leave(credential->handover, pem);
}

/*
 * A token is for who has no identity yet. An identity that was pointed out goes before one in the
 * environment; the places where one may just happen to be, like that of the operator on a laptop,
 * do not.
 */
static bool has_token(const struct agent_options *options)
{
	const char *path = getenv("TACIT_IDENTITY");

	if (options->token_file)
		return true;

	return options->token && !(path && *path && access(path, F_OK) == 0);
}

static int token_open(
    struct credential *credential, const struct agent_options *options, struct fault *fault)
{
	if (options->token_file)
		return enrolment_of_file(options->token_file, &credential->enrolment, fault);

	enrolment_of_variable(options->token, &credential->enrolment);
	return 0;
}

static int credential_fill(
    struct credential *credential, const struct agent_options *options, struct fault *fault)
{
	struct identity *identity = NULL;
	int r;

	if (options->watch && (r = handover_new(&credential->handover)) < 0)
		return fault_set(fault, r, "identity");
	if (has_token(options))
		return token_open(credential, options, fault);

	r = identity_load(options->identity, &identity, fault);
	if (r < 0)
		return r;

	identity_set_old(credential, identity);
	credential->path = strdup(identity_path(identity));
	return credential->path ? 0 : fault_set(fault, -ENOMEM, "identity");
}

int credential_open(
    const struct agent_options *options, struct credential **ret_credential, struct fault *fault)
{
	struct credential *credential = calloc(1, sizeof(*credential));
	int r;

	if (!credential)
		return fault_set(fault, -ENOMEM, "identity");

	credential->enrolment = ENROLMENT_NONE;
	credential->backoff.limit_ms = BACKOFF_MAX_MS;
	r = credential_fill(credential, options, fault);
	if (r < 0) {
		credential_free(credential);
		return r;
	}

	*ret_credential = credential;
	return 0;
}

const struct identity *credential_identity(const struct credential *credential)
{
	return credential->identity;
}

bool credential_is_of_file(const struct credential *credential)
{
	return credential->is_of_file;
}

static void token_note(struct credential *credential, bool is_presented)
{
	if (credential->handover)
		handover_note_token(credential->handover, is_presented);
}

int credential_ensure(struct credential *credential, int64_t deadline_ms, struct fault *fault)
{
	cleanup_secret struct secret *pem = NULL;
	struct identity *identity = NULL;
	int r;

	if (credential->identity)
		return 0;

	/* Before, since we may die of it; taken back when it is still good. */
	token_note(credential, true);
	r = enrolment_make(&credential->enrolment, deadline_ms, &pem, &identity, fault);
	if (r < 0) {
		token_note(credential, credential->enrolment.end.err != 0);
		return r;
	}

	identity_set_new(credential, identity, pem);
	enrolment_free(&credential->enrolment);
	return 0;
}

int64_t credential_left_ms(const struct credential *credential)
{
	int64_t left_ms = credential->identity ? credential->due_ms - now_ms() : INT64_MAX;

	return left_ms > 0 ? left_ms : 0;
}

bool credential_reload(struct credential *credential)
{
	struct identity *identity = NULL;

	if (!credential->path || identity_load(credential->path, &identity, NULL) < 0)
		return false;
	if (identity_not_before(identity) <= identity_not_before(credential->identity)) {
		identity_free(identity);
		return false;
	}

	identity_set_old(credential, identity);
	return true;
}

static int certificate_renew(struct credential *credential, struct http_client *client,
    int64_t deadline_ms, struct fault *fault)
{
	struct certificate_order order = {
	    .path = RENEW_PATH, .server = identity_server(credential->identity)};
	cleanup_secret struct secret *pem = NULL;
	struct identity *identity = NULL;
	int r = identity_ca_hash(credential->identity, order.ca_hash);

	if (r < 0)
		return fault_set(fault, r, RENEW_PATH);

	(void)snprintf(
	    order.client, sizeof(order.client), "%s", identity_client(credential->identity));
	r = certificate_get(client, &order, deadline_ms, &pem, &identity, fault);
	if (r < 0)
		return r;

	identity_set_new(credential, identity, pem);
	return 0;
}

int credential_renew(struct credential *credential, struct http_client *client, int64_t deadline_ms,
    struct fault *fault)
{
	int r = 0;

	if (!credential_reload(credential))
		r = certificate_renew(credential, client, deadline_ms, fault);
	if (r < 0)
		credential->due_ms = now_ms() + backoff_step(&credential->backoff);

	return r;
}

bool credential_take_over(struct credential *credential)
{
	cleanup_secret struct secret *pem = NULL;
	struct identity *identity = NULL;
	int r = credential->handover ? handover_take(credential->handover, &pem) : -ENOENT;

	if (r == 0)
		r = identity_parse(pem, "identity", &identity, NULL);
	if (r == 0) {
		identity_set_new(credential, identity, pem);
		enrolment_free(&credential->enrolment);
	} else if (!credential->identity && handover_has_token(credential->handover)) {
		enrolment_give_up(&credential->enrolment,
		    "presented by a process that ended: the join token may be used up now");
	}

	return r == 0;
}

void credential_free(struct credential *credential)
{
	if (!credential)
		return;

	identity_free(credential->identity);
	enrolment_free(&credential->enrolment);
	handover_free(credential->handover);
	free(credential->path);
	free(credential);
}

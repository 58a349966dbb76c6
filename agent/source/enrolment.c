/* SPDX-License-Identifier: MIT */
#include "enrolment.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "certificate.h"
#include "patient.h"
#include "tacit/fd.h"
#include "tacit/http_client.h"
#include "tacit/join_token.h"

#define ENROL_PATH     "/v1/enroll"
#define FILE_MAX_BYTES (JOIN_TOKEN_TEXT_MAX_BYTES + 64) /* and some blanks */

_Static_assert(JOIN_TOKEN_CA_HASH_BYTES == IDENTITY_CA_HASH_BYTES, "one hash for both");

void enrolment_of_variable(const char *text, struct enrolment *ret_enrolment)
{
	*ret_enrolment = ENROLMENT_NONE;
	ret_enrolment->label = "TACIT_TOKEN";
	ret_enrolment->variable = text;
}

int enrolment_of_file(const char *path, struct enrolment *ret_enrolment, struct fault *fault)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return fault_set(fault, -errno, "%s", path);

	*ret_enrolment = ENROLMENT_NONE;
	ret_enrolment->label = path;
	ret_enrolment->fd = fd;
	return 0;
}

/* A file ends with a newline, and what was pasted may too. */
static int text_trim(const char *text, size_t len, struct secret **ret_text)
{
	for (; len > 0 && isspace((unsigned char)*text); len--)
		text++;
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;

	return secret_new_from(text, len, ret_text);
}

static int file_take(struct enrolment *enrolment, int64_t deadline_ms)
{
	cleanup_secret struct secret *text = NULL;
	int r = secret_new(FILE_MAX_BYTES + 1, &text);

	if (r == 0)
		r = patient_read(enrolment->fd, FILE_MAX_BYTES, deadline_ms, text);
	if (r < 0)
		return r == -TACIT_E_TOO_LARGE ? -TACIT_E_TOKEN : r;

	return text_trim((const char *)secret_bytes(text), secret_len(text), &enrolment->text);
}

static int text_take(struct enrolment *enrolment, int64_t deadline_ms)
{
	int r;

	if (enrolment->text)
		return 0;
	if (enrolment->variable)
		return text_trim(
		    enrolment->variable, strlen(enrolment->variable), &enrolment->text);

	r = file_take(enrolment, deadline_ms);
	fd_cleanup(&enrolment->fd);
	return r;
}

/* The server's verdicts on a token, in words for who has to do something about it. */
static const struct {
	int err;
	const char *why;
} refusals[] = {
    {-TACIT_E_TOKEN_UNKNOWN, "the server does not know this join token"},
    {-TACIT_E_TOKEN_USED, "the join token has been used up; create another one, "
                          "with --uses N if this is to start more than once"},
    {-TACIT_E_TOKEN_EXPIRED, "the join token has expired; create another one"},
    {-TACIT_E_TOKEN_REVOKED, "the join token has been revoked"},
    {-TACIT_E_TOKEN_SOURCE, "the join token may not be used from this address"},
};

static const char *refusal_why(int err)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].err == err)
			return refusals[i].why;

	return NULL;
}

/* What the server says before it has looked at a token. */
static bool is_postponed(int err)
{
	switch (-err) {
	case TACIT_E_SEALED:
	case TACIT_E_AUDIT_UNAVAILABLE:
	case TACIT_E_STORE_UNAVAILABLE:
	case TACIT_E_STORE_FULL:
	case TACIT_E_STORE_READ_ONLY:
	case TACIT_E_STORE_LOCKED:
	case TACIT_E_TOO_MANY:
		return true;
	default:
		return false;
	}
}

/* Sent, and no certificate came of it. Another try might do nothing but raise an alarm. */
static void fault_lost(struct fault *fault)
{
	char why[sizeof(fault->why)];

	(void)snprintf(why, sizeof(why),
	    "%.160s; the join token may be used up now: create another one",
	    fault->why[0] ? fault->why : err_text(fault->err));
	(void)snprintf(fault->why, sizeof(fault->why), "%s", why);
	fault->err = -TACIT_E_TOKEN;
}

/* For good. */
static int enrolment_end(struct enrolment *enrolment, const struct fault *fault)
{
	enrolment->end = *fault;
	secret_free(enrolment->text);
	enrolment->text = NULL;
	return fault->err;
}

static int token_present(struct enrolment *enrolment, const struct join_token *token,
    int64_t deadline_ms, struct secret **ret_pem, struct identity **ret_identity,
    struct fault *fault)
{
	cleanup_http_client struct http_client *client = NULL;
	struct certificate_order order = {.path = ENROL_PATH, .token = enrolment->text};
	int r = http_client_new_pinned(token->ca_hash, token->url, &client, fault);

	if (r < 0)
		return r;

	memcpy(order.ca_hash, token->ca_hash, sizeof(order.ca_hash));
	r = certificate_get(client, &order, deadline_ms, ret_pem, ret_identity, fault);
	if (r == 0)
		return 0;

	if (r == -TACIT_E_TLS_CA)
		return fault_set_why(fault, r,
		    "server certificate not signed by the CA that the join token names", "%s",
		    token->url);
	if (refusal_why(r))
		(void)fault_set_why(fault, r, refusal_why(r), "%s", enrolment->label);
	else if (http_client_has_sent(client) && !is_postponed(r))
		fault_lost(fault);
	else
		return r;

	return enrolment_end(enrolment, fault);
}

int enrolment_make(struct enrolment *enrolment, int64_t deadline_ms, struct secret **ret_pem,
    struct identity **ret_identity, struct fault *fault)
{
	cleanup_join_token struct join_token token = {0};
	int r;

	if (enrolment->end.err) {
		*fault = enrolment->end;
		return fault->err;
	}

	r = text_take(enrolment, deadline_ms);
	if (r == 0)
		r = join_token_parse(
		    secret_bytes(enrolment->text), secret_len(enrolment->text), &token);
	if (r < 0) {
		(void)fault_set(fault, r, "%s", enrolment->label);
		return enrolment_end(enrolment, fault);
	}

	return token_present(enrolment, &token, deadline_ms, ret_pem, ret_identity, fault);
}

void enrolment_give_up(struct enrolment *enrolment, const char *why)
{
	struct fault fault;

	(void)fault_set_why(&fault, -TACIT_E_TOKEN, why, "%s", enrolment->label);
	(void)enrolment_end(enrolment, &fault);
}

void enrolment_free(struct enrolment *enrolment)
{
	secret_free(enrolment->text);
	fd_cleanup(&enrolment->fd);
	*enrolment = ENROLMENT_NONE;
}

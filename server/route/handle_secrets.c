/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"

#define LIST_LIMIT_MAX 1000

static int set_mode(struct json *json, mode_t mode)
{
	char text[8];

	(void)snprintf(text, sizeof(text), "%04o", (unsigned)mode);
	return json_set_text(json, "mode", text);
}

static void set_etag(struct exchange *exchange, uint32_t version)
{
	(void)snprintf(
	    exchange->response->etag, sizeof(exchange->response->etag), "\"v%u\"", version);
}

/* Everything about a secret but its value. */
static struct json *entry_describe(const struct secret_entry *entry, uint32_t number)
{
	const struct secret_version *version = secret_entry_version(entry, number);
	struct json *json = json_new_object();

	if (json && json_set_text(json, "name", entry->name) == 0 &&
	    json_set_int(json, "version", number) == 0 &&
	    json_set_time(json, "created", version ? version->created : 0) == 0 &&
	    json_set_int(json, "size", version ? version->size : 0) == 0 &&
	    json_set_text(json, "file", entry->file) == 0 &&
	    json_set_text(json, "env", entry->env) == 0 && set_mode(json, entry->mode) == 0 &&
	    (entry->kept == 0 || json_set_int(json, "keep_versions", entry->kept) == 0))
		return json;

	json_free(json);
	return NULL;
}

/*
 * The version that a list shows: of deleted secrets the newest that there is a way back to. 0 for a
 * secret that is not for this list.
 */
static uint32_t list_version(const struct secret_entry *entry, bool deleted)
{
	if (entry->deleted != deleted)
		return 0;
	if (!deleted)
		return entry->current;

	for (size_t i = entry->versions_count; i > 0; i--)
		if (entry->versions[i - 1].state == VERSION_KEPT)
			return entry->versions[i - 1].number;

	return 0;
}

static int list_fill(
    struct exchange *exchange, struct json *list, struct json *answer, size_t limit)
{
	bool deleted = exchange->request->deleted != NULL;
	const struct secrets *secrets = exchange->server->secrets;
	const char *prefix = exchange->request->prefix ? exchange->request->prefix : "";
	const char *after = exchange->request->after;
	const char *start = after && strcmp(after, prefix) > 0 ? after : prefix;
	const char *last = NULL;

	for (size_t i = secrets_lower_bound(secrets, start); i < secrets_count(secrets); i++) {
		const struct secret_entry *entry = secrets_at(secrets, i);
		uint32_t number = list_version(entry, deleted);

		if (strncmp(entry->name, prefix, strlen(prefix)) != 0)
			break;
		if (number == 0 || (after && strcmp(entry->name, after) <= 0) ||
		    !exchange_allows(exchange, ACTION_LIST, entry->name))
			continue;
		if (json_count(list) == limit)
			return json_set_text(answer, "next", last);
		if (json_append(list, entry_describe(entry, number)) < 0)
			return -ENOMEM;
		last = entry->name;
	}

	return 0;
}

int handle_secret_list(struct exchange *exchange)
{
	cleanup_json struct json *answer = json_new_object();
	struct json *list = json_new_array();
	uint64_t limit = LIST_LIMIT_MAX;
	int r = 0;

	if (!answer || json_set(answer, "secrets", list) < 0)
		return -ENOMEM;
	if (exchange->request->limit)
		r = number_parse(exchange->request->limit, LIST_LIMIT_MAX, &limit);
	if (r < 0 || limit == 0) {
		exchange->detail = "limit is a number from 1 to 1000";
		return -TACIT_E_MALFORMED;
	}
	if (exchange->request->deleted && strcmp(exchange->request->deleted, "true") != 0) {
		exchange->detail = "deleted is true, or left out";
		return -TACIT_E_MALFORMED;
	}
	if (exchange->request->prefix && strlen(exchange->request->prefix) > NAME_MAX_BYTES) {
		exchange->detail = "prefix is longer than any name";
		return -TACIT_E_MALFORMED;
	}

	r = exchange_audit_subject(exchange, 200, exchange->request->prefix);
	if (r == 0)
		r = list_fill(exchange, list, answer, limit);

	return r < 0 ? r : exchange_answer_json(exchange, 200, answer);
}

static int secret_answer_json(struct exchange *exchange, const struct secret_entry *entry,
    uint32_t number, const struct secret *value)
{
	cleanup_json struct json *json = entry_describe(entry, number);
	cleanup_secret struct secret *head = NULL;
	struct secret *body;
	int r = json ? json_print(json, &head) : -ENOMEM;

	if (r < 0 || secret_new(secret_len(head) + secret_len(value) * 4 / 3 + 32, &body) < 0)
		return -ENOMEM;

	/* The value is spliced in behind the rest, so that it never goes through a JSON tree. */
	exchange->response->body = body;
	exchange->response->status = 200;
	exchange->response->content_type = PROTO_TYPE_JSON;
	if (secret_append(body, secret_bytes(head), secret_len(head) - 1) < 0 ||
	    secret_append_text(body, ",\"value\":\"") < 0 ||
	    secret_append_base64(body, secret_bytes(value), secret_len(value)) < 0)
		return -ENOMEM;

	return secret_append_text(body, "\"}");
}

static bool wants_json(const struct request *request)
{
	return request->accept &&
	       !strncmp(request->accept, PROTO_TYPE_JSON, strlen(PROTO_TYPE_JSON));
}

/* The version that was asked for, or else the current one. */
static int version_find(
    struct exchange *exchange, const struct secret_entry **ret_entry, uint32_t *ret_number)
{
	const struct secret_entry *entry =
	    secrets_find(exchange->server->secrets, exchange->name, false);
	const char *wanted = exchange->request->version;
	const struct secret_version *version;
	uint64_t number = 0;

	if (wanted && number_parse(wanted, UINT32_MAX, &number) < 0) {
		exchange->detail = "version is a number";
		return -TACIT_E_MALFORMED;
	}
	if (!entry)
		return -TACIT_E_NOT_FOUND;

	version = secret_entry_version(entry, number ? (uint32_t)number : entry->current);
	if (!version || version->state == VERSION_DESTROYED)
		return -TACIT_E_NOT_FOUND;

	*ret_entry = entry;
	*ret_number = version->number;
	return 0;
}

int handle_secret_get(struct exchange *exchange)
{
	cleanup_secret struct secret *value = NULL;
	const struct secret_entry *entry;
	uint32_t number;
	int r = version_find(exchange, &entry, &number);

	if (r == 0)
		r = exchange_audit_values(exchange, 200,
		    &(struct audit_secret){.name = entry->name, .version = number}, 1);
	if (r == 0)
		r = secrets_open_value(exchange->server->secrets, entry, number, &value);
	if (r < 0)
		return r;

	set_etag(exchange, number);
	if (wants_json(exchange->request))
		return secret_answer_json(exchange, entry, number, value);

	exchange->response->status = 200;
	exchange->response->content_type = PROTO_TYPE_BYTES;
	exchange->response->body = secret_take(&value);
	return 0;
}

/* `If-None-Match: *` means that it must not exist, `If-Match: "v4"` that it must be just so. */
static int put_check_conditions(const struct exchange *exchange, const struct secret_entry *entry)
{
	const struct request *request = exchange->request;
	char etag[32];

	if (request->if_none_match && strcmp(request->if_none_match, "*") != 0)
		return -TACIT_E_MALFORMED;
	if (request->if_none_match && entry)
		return -TACIT_E_PRECONDITION;
	if (!request->if_match)
		return 0;
	if (!entry)
		return -TACIT_E_PRECONDITION;
	if (!strcmp(request->if_match, "*"))
		return 0;

	(void)snprintf(etag, sizeof(etag), "\"v%u\"", entry->current);
	return strcmp(request->if_match, etag) != 0 ? -TACIT_E_PRECONDITION : 0;
}

int exchange_answer_version(struct exchange *exchange, int status, uint32_t version)
{
	cleanup_json struct json *json = json_new_object();

	if (!json || json_set_text(json, "name", exchange->name) < 0 ||
	    json_set_int(json, "version", version) < 0)
		return -ENOMEM;

	set_etag(exchange, version);
	return exchange_answer_json(exchange, status, json);
}

static int kept_is_no_number(struct exchange *exchange)
{
	exchange->detail = "keep_versions is a number from 1 to 256, or 0 for the server's";
	return -TACIT_E_MALFORMED;
}

/* NULL leaves it as it is. */
static int kept_of_query(struct exchange *exchange, uint16_t *number, const uint16_t **ret_kept)
{
	const char *text = exchange->request->keep_versions;
	uint64_t kept = 0;

	if (text && number_parse(text, SECRET_VERSIONS_MAX, &kept) < 0)
		return kept_is_no_number(exchange);

	*number = (uint16_t)kept;
	*ret_kept = text ? number : NULL;
	return 0;
}

static int kept_of_body(
    struct exchange *exchange, const struct json *json, uint16_t *number, const uint16_t **ret_kept)
{
	int64_t kept = 0;
	int r = json_int_at(json, "keep_versions", &kept);

	if (r == -TACIT_E_NOT_FOUND)
		return 0;
	if (r < 0 || kept < 0 || kept > SECRET_VERSIONS_MAX)
		return kept_is_no_number(exchange);

	*number = (uint16_t)kept;
	*ret_kept = number;
	return 0;
}

int handle_secret_put(struct exchange *exchange)
{
	struct secrets *secrets = exchange->server->secrets;
	const struct request *request = exchange->request;
	const struct secret_entry *entry = secrets_find(secrets, exchange->name, false);
	struct secret_metadata metadata = {
	    .file = request->file, .env = request->env, .mode = request->mode};
	uint16_t kept;
	int status = entry ? 200 : 201;
	int r = put_check_conditions(exchange, entry);

	if (r == 0)
		r = kept_of_query(exchange, &kept, &metadata.kept);
	if (r == 0)
		r = secret_metadata_check(&metadata);
	if (r == 0 && secret_len(request->body) > PROTO_VALUE_MAX_BYTES)
		r = -TACIT_E_TOO_LARGE;
	if (r == 0)
		r = exchange_audit_name(exchange, status, exchange->name, 0);
	if (r == 0)
		r = secrets_put(secrets, exchange->name, request->body, &metadata, &entry);

	if (r < 0)
		return r;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): secrets_put has set it */
	return exchange_answer_version(exchange, status, entry->current);
}

int handle_secret_delete(struct exchange *exchange)
{
	struct secrets *secrets = exchange->server->secrets;
	const struct secret_entry *entry = secrets_find(secrets, exchange->name, false);
	int r = entry ? put_check_conditions(exchange, entry) : -TACIT_E_NOT_FOUND;

	if (r == 0)
		r = exchange_audit_name(exchange, 204, exchange->name, 0);
	if (r == 0)
		r = secrets_delete(secrets, exchange->name);

	return r < 0 ? r : exchange_answer_empty(exchange);
}

static int answer_metadata(struct exchange *exchange, const struct secret_entry *entry)
{
	cleanup_json struct json *json = entry_describe(entry, entry->current);

	if (!json || json_set_bool(json, "deleted", entry->deleted) < 0)
		return -ENOMEM;

	set_etag(exchange, entry->current);
	return exchange_answer_json(exchange, 200, json);
}

int handle_metadata_get(struct exchange *exchange)
{
	const struct secret_entry *entry =
	    secrets_find(exchange->server->secrets, exchange->name, true);
	int r = entry ? exchange_audit_name(exchange, 200, exchange->name, 0) : -TACIT_E_NOT_FOUND;

	return r < 0 ? r : answer_metadata(exchange, entry);
}

int handle_metadata_put(struct exchange *exchange)
{
	static const char *const keys[] = {"file", "env", "mode", "keep_versions", NULL};
	struct secrets *secrets = exchange->server->secrets;
	cleanup_json struct json *json = NULL;
	struct secret_metadata metadata = {0};
	uint16_t kept;
	int r = exchange_parse_body(exchange, keys, &json);

	if (r == 0)
		r = exchange_member_text(exchange, json, "file", &metadata.file);
	if (r == 0)
		r = exchange_member_text(exchange, json, "env", &metadata.env);
	if (r == 0)
		r = exchange_member_text(exchange, json, "mode", &metadata.mode);
	if (r == 0)
		r = kept_of_body(exchange, json, &kept, &metadata.kept);
	if (r == 0 && !secrets_find(secrets, exchange->name, false))
		r = -TACIT_E_NOT_FOUND;
	if (r == 0)
		r = secret_metadata_check(&metadata);
	if (r == 0)
		r = exchange_audit_name(exchange, 200, exchange->name, 0);
	if (r == 0)
		r = secrets_set_metadata(secrets, exchange->name, &metadata);

	return r < 0 ? r : answer_metadata(exchange, secrets_find(secrets, exchange->name, true));
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "handlers.h"

/* The versions of a secret: which there are, going back to one, and destroying. */

static const char *version_state_text(
    const struct secret_entry *entry, const struct secret_version *version)
{
	if (version->state == VERSION_DESTROYED)
		return "destroyed";

	return version->number == entry->current && !entry->deleted ? "current" : "kept";
}

static struct json *version_describe(
    const struct secret_entry *entry, const struct secret_version *version)
{
	struct json *json = json_new_object();

	if (json && json_set_int(json, "version", version->number) == 0 &&
	    json_set_time(json, "created", version->created) == 0 &&
	    json_set_int(json, "size", version->size) == 0 &&
	    json_set_text(json, "state", version_state_text(entry, version)) == 0)
		return json;

	json_free(json);
	return NULL;
}

int handle_versions_get(struct exchange *exchange)
{
	/* Deleted secrets too: this is where one finds what can be rolled back to. */
	const struct secret_entry *entry =
	    secrets_find(exchange->server->secrets, exchange->name, true);
	cleanup_json struct json *answer = json_new_object();
	struct json *list = json_new_array();
	int r;

	if (!answer || json_set(answer, "versions", list) < 0 ||
	    json_set_text(answer, "name", exchange->name) < 0)
		return -ENOMEM;
	if (!entry)
		return -TACIT_E_NOT_FOUND;

	r = exchange_audit_name(exchange, 200, exchange->name, 0);
	for (size_t i = 0; r == 0 && i < entry->versions_count; i++)
		r = json_append(list, version_describe(entry, &entry->versions[i]));

	return r < 0 ? r : exchange_answer_json(exchange, 200, answer);
}

/* The member "version" of the body; 0 when there is no body, or no such member. */
static int body_version(struct exchange *exchange, uint32_t *ret_version)
{
	static const char *const keys[] = {"version", NULL};
	cleanup_json struct json *json = NULL;
	int64_t version = 0;
	int r;

	*ret_version = 0;
	if (secret_len(exchange->request->body) == 0)
		return 0;
	r = exchange_parse_body(exchange, keys, &json);
	if (r == 0)
		r = json_int_at(json, "version", &version);
	if (r == -TACIT_E_NOT_FOUND)
		return 0;
	if (r == 0 && (version < 1 || version > UINT32_MAX)) {
		exchange->detail = "version is a number from 1";
		r = -TACIT_E_MALFORMED;
	}
	if (r == 0)
		*ret_version = (uint32_t)version;
	return r;
}

int handle_rollback(struct exchange *exchange)
{
	uint32_t version;
	int r = body_version(exchange, &version);

	if (r == 0 && version == 0) {
		exchange->detail = "which version? {\"version\":N}";
		r = -TACIT_E_MALFORMED;
	}
	if (r == 0)
		r = exchange_audit_name(exchange, 200, exchange->name, version);
	if (r == 0)
		r = secrets_rollback(exchange->server->secrets, exchange->name, version);

	return r < 0 ? r : exchange_answer_version(exchange, 200, version);
}

int handle_destroy(struct exchange *exchange)
{
	uint32_t version;
	int r = body_version(exchange, &version);

	if (r == 0)
		r = exchange_audit_name(exchange, 204, exchange->name, version);
	if (r == 0)
		r = secrets_destroy(exchange->server->secrets, exchange->name, version);
	if (r == -TACIT_E_CONFLICT)
		exchange->detail = "this is the current version: put another one first, or delete";

	return r < 0 ? r : exchange_answer_empty(exchange);
}

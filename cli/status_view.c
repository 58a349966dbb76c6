/* SPDX-License-Identifier: MIT */
#include "status_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"
#include "tacit/fd.h"

#define WAIT_S 2 /* states change with time too */

const char *view_text(const struct json *json, const char *key)
{
	const char *text = json_text_at(json, key);

	return text ? text : "-";
}

void view_free(struct view *view)
{
	for (size_t i = 0; i < view->count; i++)
		json_free(view->pages[i]);
	free(view->pages);
	*view = (struct view){0};
}

static int path_fill(
    struct session *session, const char *after, char ret_path[static PROTO_PATH_MAX_BYTES])
{
	static const char *const filters[] = {"client", "secret"};
	int err = proto_path(ret_path, "/v1/status");

	for (size_t i = 0; err == 0 && i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *text = arguments_option(&session->arguments, filters[i]);

		if (text)
			err = query_add(ret_path, filters[i], text);
	}
	if (err == 0 && after)
		err = query_add(ret_path, "after", after);

	return err < 0 ? fault_set(&session->fault, err, "status") : 0;
}

/* A page; one that is known by `etag` is waited for. */
static int page_get(struct session *session, const char *after, const char *etag,
    char ret_etag[static PROTO_ETAG_MAX_BYTES], struct json **ret_page)
{
	cleanup_response struct http_response response = {0};
	char path[PROTO_PATH_MAX_BYTES], prefer[16];
	struct http_request request = {.method = "GET", .path = path, .accept = PROTO_TYPE_JSON};
	int err = path_fill(session, after, path);

	if (err < 0)
		return err;
	if (etag && *etag) {
		(void)snprintf(prefer, sizeof(prefer), "wait=%d", WAIT_S);
		request.prefer = prefer;
		request.if_none_match = etag;
	}

	err = connection_send(&session->connection, &request, "status", &response, &session->fault);
	if (err < 0)
		return err;
	if (json_parse(secret_bytes(response.body), secret_len(response.body), ret_page, NULL) < 0)
		return connection_bad_answer("status", &session->fault);

	memcpy(ret_etag, response.etag, PROTO_ETAG_MAX_BYTES);
	return 0;
}

static int view_add(struct session *session, struct view *view, struct json *page)
{
	struct json **pages = reallocarray(view->pages, view->count + 1, sizeof(struct json *));

	if (!pages) {
		json_free(page);
		return fault_set(&session->fault, -ENOMEM, "status");
	}

	view->pages = pages;
	pages[view->count++] = page;
	return json_array_at(page, "instances") ? 0
	                                        : connection_bad_answer("status", &session->fault);
}

static size_t view_count(const struct view *view)
{
	size_t count = 0;

	for (size_t i = 0; i < view->count; i++)
		count += json_count(json_array_at(view->pages[i], "instances"));
	return count;
}

/* All instances of a view as one list; NULL when there is no memory. */
static struct json **view_flatten(const struct view *view, size_t *ret_count)
{
	struct json **list = calloc(view_count(view) + 1, sizeof(struct json *));
	size_t count = 0;

	for (size_t i = 0; list && i < view->count; i++) {
		const struct json *page = json_array_at(view->pages[i], "instances");

		for (size_t j = 0; j < json_count(page); j++)
			/* Borrowed for reading from a page that is ours to write. */
			list[count++] = (struct json *)(uintptr_t)json_item(page, j);
	}

	*ret_count = count;
	return list;
}

static bool is_namesake(const struct json *left, const struct json *right)
{
	return !strcmp(view_text(left, "client"), view_text(right, "client")) &&
	       !strcmp(view_text(left, "instance"), view_text(right, "instance"));
}

static int add_id(struct json *instance)
{
	const char *id = json_text_at(instance, "id");
	char text[128];

	if (!id)
		return 0;

	(void)snprintf(text, sizeof(text), "%s#%s", view_text(instance, "instance"), id);
	return json_set_text(instance, "instance", text);
}

/* For people: those of one name, who stand side by side, get their ids behind it. */
static int view_tell_apart(struct session *session, const struct view *view)
{
	size_t count, next;
	cleanup_free struct json **list = view_flatten(view, &count);
	int err = list ? 0 : -ENOMEM;

	for (size_t i = 0; err == 0 && i < count; i = next) {
		for (next = i + 1; next < count && is_namesake(list[i], list[next]);)
			next++;
		for (size_t j = i; err == 0 && next - i > 1 && j < next; j++)
			err = add_id(list[j]);
	}

	return err < 0 ? fault_set(&session->fault, err, "status") : 0;
}

int view_get(struct session *session, struct view *view)
{
	struct view fresh = {0};
	char unused[PROTO_ETAG_MAX_BYTES];
	const char *after = NULL;
	int err;

	do {
		struct json *page = NULL;

		err = page_get(
		    session, after, after ? NULL : view->etag, after ? unused : fresh.etag, &page);
		if (err == 0)
			err = view_add(session, &fresh, page);
		after = err == 0 ? json_text_at(page, "next") : NULL;
	} while (after);

	if (err < 0) {
		view_free(&fresh);
		return err;
	}
	view_free(view);
	*view = fresh;
	return session_wants_json(session) ? 0 : view_tell_apart(session, view);
}

/* SPDX-License-Identifier: MIT */
#include "template.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "tacit/proto.h"

#define OPENING "{secret:"

/* One pass: what is left of the template, and what has come of it so far. */
struct renderer {
	const char *at;
	const char *end;
	const struct bundle *bundle;
	struct secret *content;
	struct template_spot spot;
};

static int append(struct renderer *renderer, const void *bytes, size_t len)
{
	if (secret_len(renderer->content) + len > PROTO_VALUE_MAX_BYTES)
		return -TACIT_E_TOO_LARGE;

	return secret_append(renderer->content, bytes, len);
}

/* Takes `len` bytes of the template as they are. */
static int copy(struct renderer *renderer, size_t len)
{
	int r = append(renderer, renderer->at, len);

	for (size_t i = 0; r == 0 && i < len; i++)
		if (renderer->at[i] == '\n')
			renderer->spot.line++;

	renderer->at += len;
	return r;
}

static bool starts_opening(const struct renderer *renderer)
{
	return (size_t)(renderer->end - renderer->at) >= strlen(OPENING) &&
	       memcmp(renderer->at, OPENING, strlen(OPENING)) == 0;
}

/* Takes the name and the brace behind it. */
static int name_take(struct renderer *renderer)
{
	char *name = renderer->spot.name;
	const char *from = renderer->at + strlen(OPENING);
	const char *brace = memchr(from, '}', (size_t)(renderer->end - from));
	size_t len = brace ? (size_t)(brace - from) : 0;

	if (len == 0 || len > NAME_MAX_BYTES)
		return -TACIT_E_MALFORMED;

	memcpy(name, from, len);
	name[len] = '\0';
	renderer->at = brace + 1;
	if (strlen(name) == len && name_is_secret(name))
		return 0;

	name[0] = '\0';
	return -TACIT_E_MALFORMED;
}

static int substitute(struct renderer *renderer)
{
	const struct bundle_item *item;
	int r = name_take(renderer);

	if (r < 0)
		return r;

	item = bundle_find(renderer->bundle, renderer->spot.name);
	if (!item)
		return -TACIT_E_NOT_FOUND;

	r = append(renderer, secret_bytes(item->value), secret_len(item->value));
	if (r == 0)
		renderer->spot.name[0] = '\0';
	return r;
}

/* A run of `$`, and what it makes of what stands behind it. */
static int dollars_take(struct renderer *renderer)
{
	const char *run = renderer->at;
	size_t len = 0;
	int r;

	while (run + len < renderer->end && run[len] == '$')
		len++;

	renderer->at += len;
	if (!starts_opening(renderer))
		return append(renderer, run, len);

	r = append(renderer, run, len / 2);
	if (r == 0)
		r = len % 2 ? substitute(renderer) : copy(renderer, strlen(OPENING));

	return r;
}

static int render(struct renderer *renderer)
{
	int r = 0;

	while (r == 0 && renderer->at < renderer->end) {
		size_t left = (size_t)(renderer->end - renderer->at);
		const char *dollar = memchr(renderer->at, '$', left);

		r = copy(renderer, dollar ? (size_t)(dollar - renderer->at) : left);
		if (r == 0 && dollar)
			r = dollars_take(renderer);
	}

	return r;
}

int template_render(const void *text, size_t len, const struct bundle *bundle,
    struct secret **ret_content, struct template_spot *ret_spot)
{
	cleanup_secret struct secret *content = NULL;
	struct renderer renderer = {
	    .at = text, .end = (const char *)text + len, .bundle = bundle, .spot = {.line = 1}};
	int r = secret_new(len, &content);

	renderer.content = content;
	if (r == 0 && len > 0)
		r = render(&renderer);
	if (r < 0) {
		if (ret_spot)
			*ret_spot = renderer.spot;
		return r;
	}

	*ret_content = secret_take(&content);
	return 0;
}

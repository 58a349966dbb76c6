/* SPDX-License-Identifier: MIT */
#include "templates.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tacit/fd.h"
#include "tacit/proto.h"
#include "template.h"

#define NAME_PREFIX "template " /* a blank: no secret's name has one */

int templates_add(struct templates *templates, const char *spec, struct fault *fault)
{
	const char *equals = strrchr(spec, '=');
	struct template item = {0};
	struct template *items;

	if (!equals || equals == spec)
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "must be SRC=DST", "--template %s", spec);
	if (!name_is_file(equals + 1))
		return fault_set_why(fault, -TACIT_E_INVALID_NAME,
		    "DST must be the name of a file, without a directory", "--template %s", spec);

	items = reallocarray(templates->items, templates->count + 1, sizeof(*items));
	if (items)
		templates->items = items;
	item.source = strndup(spec, (size_t)(equals - spec));
	if (!items || !item.source) {
		free(item.source);
		return fault_set(fault, -ENOMEM, "--template %s", spec);
	}

	(void)snprintf(item.file, sizeof(item.file), "%s", equals + 1);
	items[templates->count++] = item;
	return 0;
}

/* All questions go to the one descriptor: what was looked at is what is read. */
static int text_read(struct template *template)
{
	/* Without waiting for a writer, should SRC be a FIFO. */
	cleanup_fd int fd = open(template->source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;

	template->text = malloc(PROTO_VALUE_MAX_BYTES + 1);
	if (!template->text)
		return -ENOMEM;

	r = fd_read_full(fd, template->text, PROTO_VALUE_MAX_BYTES + 1, &template->len);
	if (r == 0 && template->len > PROTO_VALUE_MAX_BYTES)
		r = -TACIT_E_TOO_LARGE;

	return r;
}

/* What is not needed of the room goes back: a parent keeps it as long as the command runs. */
static void text_fit(struct template *template)
{
	char *fitting = realloc(template->text, template->len + 1);

	if (fitting)
		template->text = fitting;
}

int templates_load(struct templates *templates, struct fault *fault)
{
	for (size_t i = 0; i < templates->count; i++) {
		struct template *template = &templates->items[i];
		int r = text_read(template);

		if (r == -EINVAL)
			return fault_set_why(
			    fault, r, "not a regular file", "--template %s", template->source);
		if (r < 0)
			return fault_set(fault, r, "--template %s", template->source);
		text_fit(template);
	}

	return 0;
}

static int render_fault(
    struct fault *fault, int err, const struct template *template, const struct template_spot *spot)
{
	const char *name = spot->name;

	if (err == -TACIT_E_NOT_FOUND)
		return fault_set_why(fault, err, "no such secret is delivered", "%s line %u: %s",
		    template->source, spot->line, name);
	if (err == -TACIT_E_MALFORMED)
		return fault_set_why(fault, err,
		    "`${secret:` without the name of a secret and a `}`; `$${secret:` is the text",
		    "%s line %u", template->source, spot->line);

	return fault_set(
	    fault, err, "%s line %u%s%s", template->source, spot->line, name[0] ? ": " : "", name);
}

static int item_add(struct bundle *bundle, const struct template *template, struct secret *content)
{
	char name[NAME_MAX_BYTES + 1];
	struct bundle_item *item;
	int r;

	if (bundle->count >= BUNDLE_ITEMS_MAX) {
		secret_free(content);
		return -TACIT_E_TOO_LARGE;
	}

	(void)snprintf(name, sizeof(name), NAME_PREFIX "%s", template->file);
	r = bundle_add(bundle, name, content);
	if (r < 0)
		return r;

	item = &bundle->items[bundle->count - 1];
	(void)snprintf(item->file, sizeof(item->file), "%s", template->file);
	name_default_env(item->file, item->env);
	item->rendered = true;
	return 0;
}

int templates_apply(
    const struct templates *templates, bool may_lack, struct bundle *bundle, struct fault *fault)
{
	for (size_t i = 0; i < templates->count; i++) {
		const struct template *template = &templates->items[i];
		struct template_spot spot;
		struct secret *content;
		int r = template_render(template->text, template->len, bundle, &content, &spot);

		if (r == -TACIT_E_NOT_FOUND && may_lack)
			continue;
		if (r < 0)
			return render_fault(fault, r, template, &spot);
		r = item_add(bundle, template, content);
		if (r < 0)
			return fault_set(fault, r, "--template %s", template->source);
	}

	return 0;
}

bool templates_made(const char *name)
{
	return strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0;
}

void templates_free(struct templates *templates)
{
	for (size_t i = 0; i < templates->count; i++) {
		free(templates->items[i].source);
		free(templates->items[i].text);
	}
	free(templates->items);
	*templates = (struct templates){0};
}

/* SPDX-License-Identifier: MIT */
#include "second_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "rotation.h"
#include "tacit/fd.h"
#include "tacit/proto.h"

int second_start_note(struct second_start *start, const struct environment *environment)
{
	/* What was added comes last, and is added anew each time. */
	for (size_t i = 0; i < environment->count - environment->made_count; i++) {
		const char *text = environment->vars[i];

		if (text_list_add(&start->kept, text, strlen(text)) < 0)
			return -ENOMEM;
	}

	return 0;
}

static int value_read(int dir_fd, const char *file, struct secret **ret_value)
{
	cleanup_fd int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : secret_read(fd, PROTO_VALUE_MAX_BYTES, ret_value);
}

static int values_fill(const struct second_start *start, struct bundle *bundle, struct fault *fault)
{
	bool is_value_wanted = start->session->options.env == ENV_VALUE;

	for (size_t i = 0; i < bundle->count; i++) {
		struct bundle_item *item = &bundle->items[i];
		int r = is_value_wanted && !item->rendered
		            ? value_read(start->dir->fd, item->file, &item->value)
		            : secret_new(0, &item->value);

		if (r < 0)
			return fault_set(fault, r, "%s/%s", start->dir->path, item->file);
	}

	return 0;
}

/* The list as an array that ends with NULL. */
static char **kept_array(const struct text_list *kept)
{
	char **array = calloc(kept->count + 1, sizeof(*array));

	for (size_t i = 0; array && i < kept->count; i++)
		array[i] = kept->texts[i];

	return array;
}

int second_start_environment(const struct second_start *start, const struct bundle *known,
    struct environment *ret_environment, struct fault *fault)
{
	cleanup_bundle struct bundle bundle = {0};
	cleanup_free char **inherited = kept_array(&start->kept);
	const struct scrub_rules rules = {
	    .bundle = &bundle,
	    .dir = start->dir->path,
	    .mode = start->session->options.env,
	    .keep = &start->session->options.keep,
	    .home = start->session->home,
	};
	int r;

	if (!inherited || bundle_copy_names(known, &bundle) < 0)
		return fault_set(fault, -ENOMEM, "environment");

	r = values_fill(start, &bundle, fault);
	if (r < 0)
		return r;

	return scrub_environment(inherited, &rules, ret_environment, fault);
}

void second_start_free(struct second_start *start)
{
	text_list_free(&start->kept);
}

/* SPDX-License-Identifier: MIT */
#include "rotation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "install.h"
#include "tacit/fd.h"

_Static_assert(sizeof(struct note) <= PIPE_BUF, "a note is written in one piece");

int bundle_copy_names(const struct bundle *bundle, struct bundle *ret_names)
{
	struct bundle names = {.revision = bundle->revision};

	if (bundle->count > 0) {
		names.items = calloc(bundle->count, sizeof(*names.items));
		if (!names.items)
			return -ENOMEM;
	}
	for (; names.count < bundle->count; names.count++) {
		names.items[names.count] = bundle->items[names.count];
		names.items[names.count].value = NULL;
	}

	*ret_names = names;
	return 0;
}

static bool file_is(int dir_fd, const struct bundle_item *item)
{
	cleanup_fd int fd = openat(dir_fd, item->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_secret struct secret *content = NULL;
	size_t len = secret_len(item->value);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (st.st_mode & 07777) != item->mode || st.st_size != (off_t)len)
		return false;

	return secret_read(fd, len, &content) == 0 &&
	       secret_equals(content, secret_bytes(item->value), len);
}

/* Moves what differs from its file into `ret_changed`; the other values go at once. */
static int changed_take(int dir_fd, struct bundle *bundle, struct bundle *ret_changed)
{
	ret_changed->items = calloc(bundle->count + 1, sizeof(*ret_changed->items));
	if (!ret_changed->items)
		return -ENOMEM;

	for (size_t i = 0; i < bundle->count; i++) {
		struct bundle_item *item = &bundle->items[i];

		if (file_is(dir_fd, item)) {
			secret_cleanup(&item->value);
			continue;
		}
		ret_changed->items[ret_changed->count++] = *item;
		item->value = NULL;
	}

	return 0;
}

static bool is_same_item(const struct bundle_item *a, const struct bundle_item *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->file, b->file) && !strcmp(a->env, b->env);
}

static bool names_are_same(const struct bundle *a, const struct bundle *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!is_same_item(&a->items[i], &b->items[i]))
			return false;

	return true;
}

static int note_send(int fd, enum note_kind kind, const struct bundle_item *item)
{
	struct note note = {.kind = kind};

	if (item)
		note.item = *item;

	return fd_write_all(fd, &note, sizeof(note));
}

static int notes_begin(struct rotation *rotation, const struct bundle *names)
{
	int r = note_send(rotation->notes_fd, NOTE_BEGINS, NULL);

	rotation->is_due = true;
	for (size_t i = 0; r == 0 && i < names->count; i++)
		r = note_send(rotation->notes_fd, NOTE_ITEM, &names->items[i]);

	return r;
}

static int notes_end(struct rotation *rotation)
{
	int r = note_send(rotation->notes_fd, NOTE_DONE, NULL);

	if (r == 0)
		rotation->is_due = false;

	return r;
}

static bool holds_file(const struct bundle *names, const char *file)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->items[i].file, file))
			return true;

	return false;
}

static int gone_remove(
    const struct rotation *rotation, const struct bundle *names, struct text_list *gone)
{
	for (size_t i = 0; i < rotation->known.count; i++) {
		const struct bundle_item *item = &rotation->known.items[i];

		if (holds_file(names, item->file))
			continue;
		if (unlinkat(rotation->dir->fd, item->file, 0) < 0 && errno != ENOENT)
			return -errno;
		if (text_list_add(gone, item->name, strlen(item->name)) < 0)
			return -ENOMEM;
	}

	return 0;
}

static int rotate(struct rotation *rotation, const struct bundle *changed,
    const struct bundle *names, struct text_list *gone, struct fault *fault)
{
	int r = notes_begin(rotation, names);

	if (r < 0)
		return fault_set(fault, r, "notes");
	r = install_replace(rotation->dir, changed, fault);
	if (r < 0)
		return r;
	r = gone_remove(rotation, names, gone);
	if (r < 0)
		return fault_set(fault, r, "%s", rotation->dir->path);
	r = notes_end(rotation);
	return r < 0 ? fault_set(fault, r, "notes") : 0;
}

int rotation_make(
    struct rotation *rotation, struct bundle *bundle, struct text_list *gone, struct fault *fault)
{
	cleanup_bundle struct bundle changed = {0};
	cleanup_bundle struct bundle names = {0};
	struct bundle replaced = rotation->known;
	int r = bundle_copy_names(bundle, &names);

	if (r == 0)
		r = changed_take(rotation->dir->fd, bundle, &changed);
	if (r < 0)
		return fault_set(fault, r, "secrets");
	if (changed.count == 0 && !rotation->is_due && names_are_same(&names, &rotation->known))
		return 0;

	r = rotate(rotation, &changed, &names, gone, fault);
	if (r < 0)
		return r;

	rotation->known = names;
	names = replaced;
	return 1;
}

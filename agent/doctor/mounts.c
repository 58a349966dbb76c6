/* SPDX-License-Identifier: MIT */
#include "mounts.h"

#include <string.h>

/* mountinfo: ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG]... - TYPE SOURCE SUPER */
#define FIELDS_BEFORE_ROOT 3

bool part_is(struct part part, const char *text)
{
	return part.len == strlen(text) && !memcmp(part.text, text, part.len);
}

bool part_ends_with(struct part part, const char *end)
{
	size_t len = strlen(end);

	return part.len >= len && !memcmp(part.text + part.len - len, end, len);
}

bool part_lists(struct part part, const char *word)
{
	const char *end = part.text + part.len;

	for (const char *at = part.text; at < end; at++) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct part one = {at, (size_t)((comma ? comma : end) - at)};

		if (part_is(one, word))
			return true;
		at += one.len;
	}

	return false;
}

/* The next field of a line, empty at its end. */
static struct part field_next(const char **cursor)
{
	struct part field;

	*cursor += strspn(*cursor, " ");
	field = (struct part){*cursor, strcspn(*cursor, " \n")};
	*cursor += field.len;
	return field;
}

static bool line_parse(const char *line, struct mount *ret_mount)
{
	struct mount mount;
	struct part field;

	for (int i = 0; i < FIELDS_BEFORE_ROOT; i++)
		(void)field_next(&line);
	mount.root = field_next(&line);
	mount.point = field_next(&line);
	mount.options = field_next(&line);

	do
		field = field_next(&line);
	while (field.len > 0 && !part_is(field, "-"));

	mount.type = field_next(&line);
	(void)field_next(&line);
	mount.super = field_next(&line);
	*ret_mount = mount;
	return mount.super.len > 0;
}

bool mount_next(const char **cursor, struct mount *ret_mount)
{
	while (**cursor) {
		const char *line = *cursor;

		*cursor += strcspn(line, "\n");
		if (**cursor)
			(*cursor)++;
		if (line_parse(line, ret_mount))
			return true;
	}

	return false;
}

bool mount_find(const char *mountinfo, const char *point, struct mount *ret_mount)
{
	struct mount mount;
	bool is_found = false;

	while (mount_next(&mountinfo, &mount)) {
		if (!part_is(mount.point, point))
			continue;
		*ret_mount = mount;
		is_found = true;
	}

	return is_found;
}

static bool point_holds(struct part point, const char *path)
{
	return part_is(point, "/") || (!strncmp(path, point.text, point.len) &&
	                                  (path[point.len] == '/' || path[point.len] == '\0'));
}

bool mount_holding(const char *mountinfo, const char *path, struct mount *ret_mount)
{
	struct mount mount;
	size_t longest = 0;

	if (path[0] != '/')
		return false;

	while (mount_next(&mountinfo, &mount)) {
		if (!point_holds(mount.point, path) || mount.point.len < longest)
			continue;
		longest = mount.point.len;
		*ret_mount = mount;
	}

	return longest > 0;
}

bool mount_is_memory(const struct mount *mount)
{
	return part_is(mount->type, "tmpfs") || part_is(mount->type, "ramfs");
}

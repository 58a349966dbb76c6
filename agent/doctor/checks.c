/* SPDX-License-Identifier: MIT */
#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finding found(enum verdict verdict, const char *format, ...)
{
	struct finding finding = {.verdict = verdict};
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(finding.detail, sizeof(finding.detail), format, arguments);
	va_end(arguments);

	return finding;
}

struct finding found_unreadable(const char *path)
{
	return found(VERDICT_UNKNOWN, "%s does not say", path);
}

const char *line_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line;
	     line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, key, len))
			return line + len + strspn(line + len, " \t");

	return NULL;
}

bool status_number(const struct facts *facts, const char *key, int base, uint64_t *ret_number)
{
	const char *value = line_value(facts->texts[FACT_STATUS], key);
	char *end;

	if (!value)
		return false;

	*ret_number = strtoull(value, &end, base);
	return end != value;
}

bool numbers_read(const char *text, size_t count, unsigned long ret_numbers[])
{
	for (size_t i = 0; text && i < count; i++) {
		char *end;

		ret_numbers[i] = strtoul(text, &end, 10);
		text = end != text ? end : NULL;
	}

	return text != NULL;
}

bool mount_is_read_only(const struct mount *mount)
{
	return part_lists(mount->options, "ro") || part_lists(mount->super, "ro");
}

/* A wished directory may be inside a mount; the places that are used without a wish are mounts. */
const char *secrets_place(const struct facts *facts, struct mount *ret_mount)
{
	static const char *const places[] = {"/run/secrets", "/dev/shm"};
	const char *mountinfo = facts->texts[FACT_MOUNTINFO];

	if (facts->dir)
		return mount_holding(mountinfo, facts->dir, ret_mount) ? facts->dir : NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (mount_find(mountinfo, places[i], ret_mount))
			return places[i];

	return NULL;
}

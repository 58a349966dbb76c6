/* SPDX-License-Identifier: MIT */
#include "tacit/name.h"

#include <stdint.h>
#include <string.h>

#include "tacit/err.h"

/* Not <ctype.h>: the grammar is ASCII whatever the locale says. */
static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_segment_start(char c)
{
	return is_upper(c) || is_lower(c) || is_digit(c) || c == '_';
}

static bool is_segment_rest(char c)
{
	return is_segment_start(c) || c == '.' || c == '-';
}

static size_t segment_len(const char *text)
{
	return strcspn(text, "/");
}

/* `.` and `..` need no test of their own: a segment cannot start with a dot. */
static bool is_name_segment(const char *segment, size_t len)
{
	if (len == 0 || !is_segment_start(segment[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_segment_rest(segment[i]))
			return false;

	return true;
}

static bool is_pattern_segment(const char *segment, size_t len)
{
	if (len == 0)
		return false;
	if (len == 2 && segment[0] == '*' && segment[1] == '*')
		return true;
	if (segment[0] != '*' && !is_segment_start(segment[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_segment_rest(segment[i]) && segment[i] != '*')
			return false;

	/* `a**` would look as if it crossed segments. */
	return !memmem(segment, len, "**", 2);
}

static bool every_segment(const char *text, bool (*is_segment)(const char *, size_t))
{
	if (strnlen(text, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
		return false;

	for (;;) {
		size_t len = segment_len(text);

		if (!is_segment(text, len))
			return false;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

bool name_is_secret(const char *text)
{
	return every_segment(text, is_name_segment);
}

bool name_is_file(const char *text)
{
	return name_is_secret(text) && !strchr(text, '/');
}

bool name_is_client(const char *text)
{
	return name_is_file(text) && strlen(text) <= CLIENT_NAME_MAX_BYTES;
}

bool name_is_pattern(const char *text)
{
	return every_segment(text, is_pattern_segment);
}

bool name_is_env(const char *text)
{
	size_t len = strnlen(text, NAME_MAX_BYTES + 1);

	if (len == 0 || len > NAME_MAX_BYTES || is_digit(text[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_segment_start(text[i]))
			return false;

	/* The agent removes every TACIT_* from the command's environment. */
	return strncmp(text, "TACIT_", strlen("TACIT_")) != 0;
}

/*
 * Whether one pattern segment covers one name segment: the usual greedy match with a single point
 * to go back to, which is enough because a later `*` makes every earlier choice moot.
 */
static bool segment_matches(const char *pattern, size_t pattern_len, const char *name, size_t len)
{
	size_t p = 0, n = 0;
	size_t star = SIZE_MAX, star_n = 0;

	while (n < len) {
		if (p < pattern_len && pattern[p] == '*') {
			star = p++;
			star_n = n;
		} else if (p < pattern_len && pattern[p] == name[n]) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++star_n;
		} else {
			return false;
		}
	}
	while (p < pattern_len && pattern[p] == '*')
		p++;

	return p == pattern_len;
}

static bool is_double_star(const char *segment, size_t len)
{
	return len == 2 && segment[0] == '*' && segment[1] == '*';
}

/* The segment behind `text`'s first, or NULL behind the last one. */
static const char *segment_next(const char *text)
{
	text += segment_len(text);
	return *text == '/' ? text + 1 : NULL;
}

/* The same greedy walk one level up: `**` is to segments what `*` is to bytes. */
bool pattern_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *star_name = NULL;

	while (name) {
		if (pattern && is_double_star(pattern, segment_len(pattern))) {
			star = pattern;
			star_name = name;
			pattern = segment_next(pattern);
		} else if (pattern && segment_matches(
		                          pattern, segment_len(pattern), name, segment_len(name))) {
			pattern = segment_next(pattern);
			name = segment_next(name);
		} else if (star) {
			pattern = segment_next(star);
			star_name = segment_next(star_name);
			name = star_name;
		} else {
			return false;
		}
	}
	while (pattern && is_double_star(pattern, segment_len(pattern)))
		pattern = segment_next(pattern);

	return !pattern;
}

size_t pattern_literal_prefix(const char *pattern)
{
	size_t len = strcspn(pattern, "*");

	if (len > 0 && pattern[len - 1] == '/' &&
	    is_double_star(pattern + len, segment_len(pattern + len)))
		len--;

	return len;
}

const char *name_default_file(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

void name_default_env(const char *file, char ret_env[static NAME_MAX_BYTES + 6])
{
	size_t i = 0;

	for (; file[i] && i < NAME_MAX_BYTES; i++) {
		ret_env[i] = '_';
		if (is_lower(file[i]))
			ret_env[i] = (char)(file[i] - 'a' + 'A');
		else if (is_segment_start(file[i]))
			ret_env[i] = file[i];
	}
	memcpy(ret_env + i, "_FILE", sizeof("_FILE"));
}

void name_value_env(const char *env, char ret_env[static NAME_MAX_BYTES + 6])
{
	size_t len = strnlen(env, NAME_MAX_BYTES + 5);
	size_t suffix_len = strlen("_FILE");

	if (len > suffix_len && !memcmp(env + len - suffix_len, "_FILE", suffix_len))
		len -= suffix_len;
	memcpy(ret_env, env, len);
	ret_env[len] = '\0';
}

int name_parse_mode(const char *text, mode_t *ret_mode)
{
	if (!strcmp(text, "0400") || !strcmp(text, "400"))
		*ret_mode = 0400;
	else if (!strcmp(text, "0440") || !strcmp(text, "440"))
		*ret_mode = 0440;
	else
		return -TACIT_E_INVALID_MODE;

	return 0;
}

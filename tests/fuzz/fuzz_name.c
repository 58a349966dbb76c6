/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "../unit/pattern_oracle.h"
#include "must.h"
#include "tacit/err.h"
#include "tacit/name.h"

/* Two lines: a pattern and a name. Each is also handed to every grammar. */
static void split(const uint8_t *bytes, size_t len, char *ret_pattern, char *ret_name, size_t size)
{
	const uint8_t *end = len > 0 ? memchr(bytes, '\n', len) : NULL;
	size_t pattern_len = end ? (size_t)(end - bytes) : len;
	size_t name_len = end ? len - pattern_len - 1 : 0;

	(void)snprintf(ret_pattern, size, "%.*s", (int)pattern_len, (const char *)bytes);
	(void)snprintf(ret_name, size, "%.*s", (int)name_len, end ? (const char *)end + 1 : "");
}

static void check_grammars(const char *text)
{
	must(!name_is_client(text) || name_is_file(text));
	must(!name_is_file(text) || name_is_secret(text));
	must(!name_is_secret(text) || name_is_pattern(text));
	must(!name_is_pattern(text) || strlen(text) <= NAME_MAX_BYTES);
	must(!name_is_env(text) || name_is_file(text));
	if (!name_is_secret(text))
		return;

	must(text[0] != '/' && text[0] != '.' && !strstr(text, "/.") && !strstr(text, "//"));
	must(!strpbrk(text, "*\n\r\\ \"'"));
	must(pattern_matches(text, text) && pattern_matches("**", text));
	must(pattern_literal_prefix(text) == strlen(text));
}

static void check_defaults(const char *name)
{
	char env[NAME_MAX_BYTES + 6], value_env[NAME_MAX_BYTES + 6];
	const char *file = name_default_file(name);

	must(name_is_file(file));
	name_default_env(file, env);
	must(strlen(env) == strlen(file) + strlen("_FILE"));
	must(strspn(env, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(env));
	name_value_env(env, value_env);
	must(strlen(value_env) == strlen(file) && !strncmp(value_env, env, strlen(file)));
}

static size_t stars(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '*';
	return count;
}

static void check_match(const char *pattern, const char *name)
{
	bool covered = pattern_matches(pattern, name);

	if (covered)
		must(!strncmp(pattern, name, pattern_literal_prefix(pattern)));
	/* Beyond this the oracle would take too long. */
	if (stars(pattern) <= 6 && strlen(name) <= 40)
		must(covered == oracle_matches(pattern, name));
}

static void check_mode(const char *text)
{
	mode_t mode = 0;

	if (name_parse_mode(text, &mode) == 0)
		must(mode == 0400 || mode == 0440);
	else
		must(mode == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char pattern[512], name[512];

	split(bytes, len, pattern, name, sizeof(name));
	check_grammars(pattern);
	check_grammars(name);
	check_mode(pattern);
	if (name_is_secret(name))
		check_defaults(name);
	if (name_is_pattern(pattern) && name_is_secret(name))
		check_match(pattern, name);

	return 0;
}

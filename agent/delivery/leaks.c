/* SPDX-License-Identifier: MIT */
#include "leaks.h"

#include <ctype.h>
#include <string.h>

/* The longest name that is looked at; what is longer is no name that a person gave. */
#define NAME_LEN_MAX 127

/* A word of a name that makes it a secret's; words are what stands between _ - and the dots. */
static const char *const secret_words[] = {
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "pgpassword",
    "secret",
    "secrets",
    "token",
    "credential",
    "credentials",
    "apikey",
    "dbpassword",
};

/* Two words that do, where the last alone would not. */
static const char *const secret_pairs[] = {
    "api_key",
    "access_key",
    "private_key",
    "secret_key",
    "encryption_key",
    "signing_key",
    "master_key",
    "auth_key",
};

/* Last words that say: here is a place, or a number, and not the secret itself. */
static const char *const place_words[] = {
    "file", "path", "dir", "id", "ttl", "length", "name", "timeout"};

static const char *const plain_names[] = {"pwd", "oldpwd"};

static bool is_one_of(const char *text, const char *const words[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(text, words[i]))
			return true;

	return false;
}

#define IS_ONE_OF(text, words) is_one_of(text, words, sizeof(words) / sizeof((words)[0]))

/* Small letters, and `_` for whatever is between words. */
static void name_fold(const char *name, size_t len, char ret_folded[static NAME_LEN_MAX + 1])
{
	for (size_t i = 0; i < len; i++) {
		bool is_between = name[i] == '-' || name[i] == '.';

		ret_folded[i] = (char)(is_between ? '_' : tolower((unsigned char)name[i]));
	}
	ret_folded[len] = '\0';
}

static bool words_hold_secret(char *folded)
{
	const char *last = "";
	bool is_secret = false;
	char *rest = folded;

	for (size_t i = 0; i < sizeof(secret_pairs) / sizeof(secret_pairs[0]); i++)
		is_secret = is_secret || strstr(folded, secret_pairs[i]);

	for (char *word; (word = strsep(&rest, "_"));) {
		is_secret = is_secret || IS_ONE_OF(word, secret_words);
		last = word;
	}

	return is_secret && !IS_ONE_OF(last, place_words);
}

bool leak_in_name(const char *name, size_t len)
{
	char folded[NAME_LEN_MAX + 1];

	if (len > NAME_LEN_MAX)
		return false;

	name_fold(name, len, folded);
	return !IS_ONE_OF(folded, plain_names) && words_hold_secret(folded);
}

static bool holds_url_password(const char *value)
{
	for (const char *at = value; (at = strstr(at, "://"));) {
		size_t len = strcspn(at += 3, "/?# \t\n\"'");
		const char *end = memrchr(at, '@', len);
		const char *colon = end ? memchr(at, ':', (size_t)(end - at)) : NULL;

		if (colon && colon + 1 < end && colon[1] != '$')
			return true;
	}

	return false;
}

bool leak_in_value(const char *value)
{
	const char *begin = strstr(value, "-----BEGIN ");

	return holds_url_password(value) || (begin && strstr(begin, "PRIVATE KEY-----"));
}

bool leak_in_variable(const char *variable)
{
	size_t len = strcspn(variable, "=");

	if (!variable[len] || !variable[len + 1] || !strncmp(variable, "TACIT_", 6))
		return false;

	return leak_in_name(variable, len) || leak_in_value(variable + len + 1);
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static const char *name_begin(const char *text, const char *end)
{
	while (end > text && is_name_byte(end[-1]))
		end--;
	while (*end == '-')
		end++;

	return end;
}

/* `=$` takes it from a variable, which is looked at as one. */
static bool holds_assignment(const char *argument)
{
	for (const char *at = argument; (at = strchr(at, '=')); at++) {
		const char *name = name_begin(argument, at);
		const char *value = at + 1 + (at[1] == '"' || at[1] == '\'');

		if (name < at && !strchr(" $\"'=;", *value) &&
		    leak_in_name(name, (size_t)(at - name)))
			return true;
	}

	return false;
}

bool leak_in_argument(const char *argument, const char *next)
{
	size_t dashes = strspn(argument, "-");

	if (holds_assignment(argument) || leak_in_value(argument))
		return true;
	if (dashes != 2 || !next || next[0] == '-' || next[0] == '\0')
		return false;

	return leak_in_name(argument + dashes, strlen(argument + dashes));
}

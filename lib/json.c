/* SPDX-License-Identifier: MIT */
#include "tacit/json.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tacit/err.h"

#define NESTING_MAX 32

/* `struct json` is jansson's json_t under a name of our own; nobody else sees json_t. */
static struct json *json_wrap(json_t *value)
{
	return (struct json *)value;
}

static json_t *json_unwrap(const struct json *json)
{
	/* jansson takes no const pointers, not even to look. */
	return (json_t *)(uintptr_t)json;
}

static void free_wiped(void *memory)
{
	if (memory)
		sodium_memzero(memory, malloc_usable_size(memory));
	free(memory);
}

/*
 * jansson would seed its hash from /dev/urandom, which an empty container may lack; and what it
 * frees may have held a value.
 */
__attribute__((constructor)) static void json_setup(void)
{
	size_t seed = 1;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0 || seed == 0)
		seed = 1;
	json_object_seed(seed);
	json_set_alloc_funcs(malloc, free_wiped);
}

/*
 * Depth is judged on the text, since jansson's own limit of 2048 is compiled in. Brackets inside
 * strings do not count.
 */
static bool text_nests_too_deep(const char *text, size_t len)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '[' || c == '{') && ++depth > NESTING_MAX)
			return true;
		else if (!in_string && (c == ']' || c == '}') && depth > 0)
			depth--;
	}

	return false;
}

int json_parse(const void *bytes, size_t len, struct json **ret_json, unsigned *ret_line)
{
	json_error_t error; /* its text quotes the input: only the line is ever used */
	json_t *value;

	if (ret_line)
		*ret_line = 1;
	/* jansson skips a NUL behind a number or a word. */
	if (len == 0 || memchr(bytes, '\0', len) || text_nests_too_deep(bytes, len))
		return -TACIT_E_MALFORMED;

	value = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	if (!value && ret_line && error.line > 0)
		*ret_line = (unsigned)error.line;
	sodium_memzero(&error, sizeof(error));
	if (!value)
		return -TACIT_E_MALFORMED;

	*ret_json = json_wrap(value);
	return 0;
}

void json_free(struct json *json)
{
	json_decref(json_unwrap(json));
}

void json_cleanup(struct json **json)
{
	json_free(*json);
	*json = NULL;
}

struct json *json_new_object(void)
{
	return json_wrap(json_object());
}

struct json *json_new_array(void)
{
	return json_wrap(json_array());
}

static int json_set_value(struct json *json, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(json_unwrap(json), key, value) < 0 ? -ENOMEM : 0;
}

int json_set(struct json *json, const char *key, struct json *child)
{
	return json_set_value(json, key, json_unwrap(child));
}

int json_set_text(struct json *json, const char *key, const char *value)
{
	return json_set_value(json, key, json_string(value));
}

int json_set_int(struct json *json, const char *key, int64_t value)
{
	return json_set_value(json, key, json_integer(value));
}

int json_set_bool(struct json *json, const char *key, bool value)
{
	return json_set_value(json, key, json_boolean(value));
}

int json_append(struct json *array, struct json *child)
{
	return json_array_append_new(json_unwrap(array), json_unwrap(child)) < 0 ? -ENOMEM : 0;
}

int json_append_text(struct json *array, const char *value)
{
	return json_append(array, json_wrap(json_string(value)));
}

static int append_to_secret(const char *text, size_t len, void *secret)
{
	return secret_append(secret, text, len);
}

int json_print(const struct json *json, struct secret **ret_text)
{
	cleanup_secret struct secret *text = NULL;

	if (secret_new(256, &text) < 0)
		return -ENOMEM;
	if (json_dump_callback(json_unwrap(json), append_to_secret, text, JSON_COMPACT) < 0)
		return -ENOMEM;

	*ret_text = secret_take(&text);
	return 0;
}

static json_t *member(const struct json *json, const char *key)
{
	return json_object_get(json_unwrap(json), key);
}

const struct json *json_object_at(const struct json *json, const char *key)
{
	json_t *value = member(json, key);

	return json_is_object(value) ? json_wrap(value) : NULL;
}

const struct json *json_array_at(const struct json *json, const char *key)
{
	json_t *value = member(json, key);

	return json_is_array(value) ? json_wrap(value) : NULL;
}

const char *json_text_at(const struct json *json, const char *key)
{
	return json_string_value(member(json, key));
}

bool json_has(const struct json *json, const char *key)
{
	return member(json, key) != NULL;
}

int json_int_at(const struct json *json, const char *key, int64_t *ret_value)
{
	json_t *value = member(json, key);

	if (!value)
		return -TACIT_E_NOT_FOUND;
	if (!json_is_integer(value))
		return -TACIT_E_MALFORMED;

	*ret_value = json_integer_value(value);
	return 0;
}

int json_bool_at(const struct json *json, const char *key, bool *ret_value)
{
	json_t *value = member(json, key);

	if (!value)
		return -TACIT_E_NOT_FOUND;
	if (!json_is_boolean(value))
		return -TACIT_E_MALFORMED;

	*ret_value = json_is_true(value);
	return 0;
}

bool json_holds_object(const struct json *json)
{
	return json_is_object(json_unwrap(json));
}

bool json_holds_array(const struct json *json)
{
	return json_is_array(json_unwrap(json));
}

size_t json_count(const struct json *array)
{
	return json_array_size(json_unwrap(array));
}

const struct json *json_item(const struct json *array, size_t index)
{
	return json_wrap(json_array_get(json_unwrap(array), index));
}

const char *json_text(const struct json *json)
{
	return json_string_value(json_unwrap(json));
}

static bool key_is_listed(const char *key, const char *const keys[])
{
	for (size_t i = 0; keys[i]; i++)
		if (!strcmp(keys[i], key))
			return true;

	return false;
}

bool json_only_keys(const struct json *json, const char *const keys[], const char **ret_unknown)
{
	const char *key;
	json_t *value;

	*ret_unknown = "";
	if (!json_holds_object(json))
		return false;

	json_object_foreach(json_unwrap(json), key, value)
	{
		if (!key_is_listed(key, keys)) {
			*ret_unknown = key;
			return false;
		}
	}

	return true;
}

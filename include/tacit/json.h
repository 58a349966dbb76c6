/* SPDX-License-Identifier: MIT */
#ifndef TACIT_JSON_H
#define TACIT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tacit/secret.h"

/*
 * Strict JSON (RFC 8259) on jansson, whose only includer lib/json.c is. Duplicate keys, trailing
 * bytes, NUL in strings, invalid UTF-8 and nesting over 32 are refused. Memory that held a
 * document is wiped when it is freed, since a document may carry a value. No error quotes input.
 */
struct json;

/* Parses an object or array. -TACIT_E_MALFORMED; the line of the error in *ret_line if wanted. */
int json_parse(const void *bytes, size_t len, struct json **ret_json, unsigned *ret_line);

void json_free(struct json *json);
void json_cleanup(struct json **json);
#define cleanup_json __attribute__((cleanup(json_cleanup)))

/* New containers; NULL when there is no memory. */
struct json *json_new_object(void);
struct json *json_new_array(void);

/*
 * Setters give `json` the new member and return 0 or -ENOMEM. json_set and json_append take
 * `child` over in any case; a NULL child is -ENOMEM, so that constructors can be nested.
 */
int json_set(struct json *json, const char *key, struct json *child);
int json_set_text(struct json *json, const char *key, const char *value);
int json_set_int(struct json *json, const char *key, int64_t value);
int json_set_bool(struct json *json, const char *key, bool value);
int json_append(struct json *array, struct json *child);
int json_append_text(struct json *array, const char *value);

/* Serialises, compact, into a secret (not NUL-terminated). 0 or -ENOMEM. */
int json_print(const struct json *json, struct secret **ret_text);

/* Borrowed views, alive as long as `json`. NULL when absent or of another type. */
const struct json *json_object_at(const struct json *json, const char *key);
const struct json *json_array_at(const struct json *json, const char *key);
const char *json_text_at(const struct json *json, const char *key);

bool json_has(const struct json *json, const char *key);
/* -TACIT_E_NOT_FOUND when absent, -TACIT_E_MALFORMED when of another type. */
int json_int_at(const struct json *json, const char *key, int64_t *ret_value);
int json_bool_at(const struct json *json, const char *key, bool *ret_value);

bool json_holds_object(const struct json *json);
bool json_holds_array(const struct json *json);
/* The members of an array; 0 for NULL. */
size_t json_count(const struct json *array);
const struct json *json_item(const struct json *array, size_t index);
/* The text of a string value itself; NULL when it is none. */
const char *json_text(const struct json *json);

/*
 * Whether `json` is an object and every key of it one of `keys` (NULL-terminated); the first that
 * is not, in *ret_unknown (borrowed; "" where there is none).
 */
bool json_only_keys(const struct json *json, const char *const keys[], const char **ret_unknown);

#endif

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "must.h"
#include "tacit/err.h"
#include "tacit/json.h"

static struct json *parse_again(const struct secret *text)
{
	struct json *json = NULL;

	must(json_parse(secret_bytes(text), secret_len(text), &json, NULL) == 0);
	return json;
}

/* What was printed once is printed the same for ever. */
static void check_print(const struct json *json)
{
	cleanup_secret struct secret *first = NULL;
	cleanup_secret struct secret *second = NULL;
	cleanup_json struct json *back = NULL;

	must(json_print(json, &first) == 0);
	must(!memchr(secret_bytes(first), '\0', secret_len(first)));
	must(!memchr(secret_bytes(first), '\n', secret_len(first)));
	back = parse_again(first);
	must(json_print(back, &second) == 0);
	must(secret_equals(second, secret_bytes(first), secret_len(first)));
}

static void check_looks(const struct json *json)
{
	static const char *const keys[] = {"a", NULL};
	const char *unknown = NULL;
	int64_t number;
	bool yes;

	must(json_holds_object(json) != json_holds_array(json));
	must(!json_has(json, "a") || json_holds_object(json));
	if (!json_only_keys(json, keys, &unknown))
		must(unknown[0] == '\0' || json_has(json, unknown));
	(void)json_text_at(json, "a");
	(void)json_int_at(json, "a", &number);
	(void)json_bool_at(json, "a", &yes);
	for (size_t i = 0; i < json_count(json); i++)
		must(json_item(json, i) != NULL);
	must(json_item(json, json_count(json)) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_json struct json *json = NULL;
	unsigned line = 0;

	if (json_parse(bytes, len, &json, &line) < 0) {
		must(!json && line >= 1);
		return 0;
	}

	must(!memchr(bytes, '\0', len));
	check_print(json);
	check_looks(json);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "scrub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TACIT_PREFIX "TACIT_"

static const char *const pristine_names[] = {"PATH", "HOME", "TERM", "TZ", "LANG"};

/* One inherited string, taken apart. Without a `=` it is all value and has no name. */
struct variable {
	const char *text;
	size_t name_len;
	const char *value;
};

enum verdict {
	KEEP,
	REPLACE, /* gives way to what is exported, or to --pristine: nothing to tell */
	REMOVE,  /* holds, or may hold, a secret: is told */
};

static struct variable variable_split(const char *text)
{
	const char *equals = strchr(text, '=');

	return (struct variable){
	    .text = text,
	    .name_len = equals ? (size_t)(equals - text) : 0,
	    .value = equals ? equals + 1 : text,
	};
}

static bool is_named(const struct variable *variable, const char *name)
{
	return strlen(name) == variable->name_len &&
	       memcmp(variable->text, name, variable->name_len) == 0;
}

static bool is_listed(const struct variable *variable, const struct text_list *list)
{
	for (size_t i = 0; list && i < list->count; i++)
		if (is_named(variable, list->texts[i]))
			return true;

	return false;
}

static bool is_pristine(const struct variable *variable)
{
	for (size_t i = 0; i < sizeof(pristine_names) / sizeof(pristine_names[0]); i++)
		if (is_named(variable, pristine_names[i]))
			return true;

	return false;
}

/* Whether the variable is one that `item` sets or clears, and which of the two. */
static enum verdict verdict_of_item(
    const struct variable *variable, const struct bundle_item *item, enum env_mode mode)
{
	char value_env[sizeof(item->env)];
	bool is_path = is_named(variable, item->env);
	bool is_value;

	/* It replaces no variable, and in every mode but `none` it is told where its file is. */
	if (item->rendered)
		return is_path && mode != ENV_NONE ? REPLACE : KEEP;

	name_value_env(item->env, value_env);
	is_value = is_named(variable, value_env);
	if ((mode == ENV_FILE && is_path) || (mode == ENV_VALUE && is_value))
		return REPLACE;

	/* An entrypoint that finds both X and X_FILE refuses to start, so never leave both. */
	return is_value || (mode == ENV_VALUE && is_path) ? REMOVE : KEEP;
}

static enum verdict verdict_of_names(
    const struct variable *variable, const struct scrub_rules *rules)
{
	enum verdict verdict = KEEP;

	for (size_t i = 0; i < rules->bundle->count; i++) {
		enum verdict next =
		    verdict_of_item(variable, &rules->bundle->items[i], rules->mode);

		if (next == REPLACE)
			return REPLACE;
		if (next == REMOVE)
			verdict = REMOVE;
	}
	if (rules->home && is_named(variable, "HOME"))
		return REPLACE;

	return verdict;
}

static bool holds_secret(const struct variable *variable, const struct bundle *bundle)
{
	size_t value_len = strlen(variable->value);

	for (size_t i = 0; i < bundle->count; i++) {
		const struct secret *secret = bundle->items[i].value;

		if (bundle->items[i].rendered)
			continue;
		if (secret_len(secret) >= SCRUB_MIN_BYTES &&
		    secret_occurs_in(secret, variable->value, value_len))
			return true;
	}

	return false;
}

static enum verdict verdict_of(const struct variable *variable, const struct scrub_rules *rules)
{
	enum verdict verdict = verdict_of_names(variable, rules);

	if (verdict == REPLACE)
		return REPLACE;
	if (is_listed(variable, rules->keep))
		return KEEP;
	if (verdict == REMOVE || is_listed(variable, rules->sources) ||
	    !strncmp(variable->text, TACIT_PREFIX, strlen(TACIT_PREFIX)) ||
	    holds_secret(variable, rules->bundle))
		return REMOVE;

	return rules->pristine && !is_pristine(variable) ? REPLACE : KEEP;
}

static int string_check(
    const struct scrub_rules *rules, const struct bundle_item *item, struct fault *fault)
{
	const struct secret *value = item->value;

	if (rules->mode != ENV_VALUE || item->rendered)
		return 0;
	if (secret_len(value) > 0 && memchr(secret_bytes(value), '\0', secret_len(value)))
		return fault_set_why(fault, -TACIT_E_MALFORMED,
		    "has a NUL byte, which no variable can hold; use --env file", "%s", item->name);
	if (strlen(item->env) + 1 + secret_len(value) > ENVIRONMENT_STRING_MAX_BYTES)
		return fault_set_why(fault, -E2BIG, "longer than a variable can be; use --env file",
		    "%s", item->name);

	return 0;
}

static int append_value(struct secret *string, const struct bundle_item *item)
{
	char name[sizeof(item->env)];

	name_value_env(item->env, name);
	if (secret_append_text(string, name) < 0 || secret_append_text(string, "=") < 0)
		return -ENOMEM;

	return secret_append(string, secret_bytes(item->value), secret_len(item->value));
}

static int append_path(struct secret *string, const struct bundle_item *item, const char *dir)
{
	const char *const parts[] = {item->env, "=", dir, "/", item->file};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (secret_append_text(string, parts[i]) < 0)
			return -ENOMEM;

	return 0;
}

/* Takes `string` over, whole but for its NUL. */
static int environment_add(struct environment *environment, struct secret **string)
{
	size_t len = secret_len(*string);
	char *end;

	if (secret_append(*string, "", 1) < 0)
		return -ENOMEM;

	/* execve(2) wants char *, though it changes nothing. */
	end = (char *)secret_space(*string, 0);
	environment->vars[environment->count++] = end - len - 1;
	environment->made[environment->made_count++] = secret_take(string);
	return 0;
}

static int export_item(struct environment *environment, const struct scrub_rules *rules,
    const struct bundle_item *item)
{
	cleanup_secret struct secret *string = NULL;
	bool is_value = rules->mode == ENV_VALUE && !item->rendered;
	int r = secret_new(0, &string);

	if (r == 0)
		r = is_value ? append_value(string, item) : append_path(string, item, rules->dir);
	if (r == 0)
		r = environment_add(environment, &string);

	return r;
}

static int export_home(struct environment *environment, const char *home)
{
	cleanup_secret struct secret *string = NULL;

	if (secret_new(0, &string) < 0 || secret_append_text(string, "HOME=") < 0 ||
	    secret_append_text(string, home) < 0)
		return -ENOMEM;

	return environment_add(environment, &string);
}

static int export_all(struct environment *environment, const struct scrub_rules *rules)
{
	int r = rules->home ? export_home(environment, rules->home) : 0;

	for (size_t i = 0; r == 0 && rules->mode != ENV_NONE && i < rules->bundle->count; i++)
		r = export_item(environment, rules, &rules->bundle->items[i]);

	return r;
}

static void inherit(
    struct environment *environment, char *const inherited[], const struct scrub_rules *rules)
{
	for (; *inherited; inherited++) {
		struct variable variable = variable_split(*inherited);
		enum verdict verdict = verdict_of(&variable, rules);

		if (verdict == KEEP)
			environment->vars[environment->count++] = *inherited;
		else if (verdict == REMOVE)
			environment->removed[environment->removed_count++] = *inherited;
	}
}

static size_t array_count(char *const array[])
{
	size_t count = 0;

	while (array[count])
		count++;

	return count;
}

int scrub_environment(char *const inherited[], const struct scrub_rules *rules,
    struct environment *ret_environment, struct fault *fault)
{
	cleanup_environment struct environment environment = {0};
	size_t inherited_count = array_count(inherited);
	size_t made_max = rules->bundle->count + 1; /* HOME too */

	for (size_t i = 0; i < rules->bundle->count; i++) {
		int r = string_check(rules, &rules->bundle->items[i], fault);

		if (r < 0)
			return r;
	}

	environment.vars = calloc(inherited_count + made_max + 1, sizeof(*environment.vars));
	environment.removed = calloc(inherited_count + 1, sizeof(*environment.removed));
	environment.made = calloc(made_max, sizeof(struct secret *));
	if (!environment.vars || !environment.removed || !environment.made)
		return fault_set(fault, -ENOMEM, "environment");

	inherit(&environment, inherited, rules);
	if (export_all(&environment, rules) < 0)
		return fault_set(fault, -ENOMEM, "environment");

	*ret_environment = environment;
	environment = (struct environment){0};
	return 0;
}

static void print_name(FILE *stream, const char *text)
{
	size_t name_len = strcspn(text, "=");

	if (text[name_len] != '=') {
		(void)fputs("(a string without a name)", stream);
		return;
	}
	for (size_t i = 0; i < name_len; i++) {
		unsigned char byte = (unsigned char)text[i];

		(void)fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, stream);
	}
}

char *environment_removed_text(const struct environment *environment)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;

	for (size_t i = 0; i < environment->removed_count; i++) {
		if (i > 0)
			(void)fputs(", ", stream);
		print_name(stream, environment->removed[i]);
	}
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}

	return text;
}

void environment_free(struct environment *environment)
{
	for (size_t i = 0; i < environment->made_count; i++)
		secret_free(environment->made[i]);
	free(environment->made);
	free(environment->removed);
	free(environment->vars);
	*environment = (struct environment){0};
}

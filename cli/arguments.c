/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void arguments_shape(const char *shape, int *ret_min, int *ret_max)
{
	int min = 0;
	int max = 0;

	for (const char *at = shape; *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		max++;
		if (*at != '[')
			min++;
	}

	*ret_min = min;
	*ret_max = max;
}

int arguments_read(const struct command *command, int argc, char *argv[],
    struct arguments *ret_arguments, struct fault *fault)
{
	struct arguments arguments = {.command = command};
	struct option_cursor cursor = {.command = command, .argc = argc, .argv = argv};
	int option;

	while ((option = option_next(&cursor, fault)) > 0) {
		const char *value = cursor.value ? cursor.value : "";

		assert(option <= ARGUMENT_OPTIONS_MAX);
		if (arguments.given_count == ARGUMENT_GIVEN_MAX)
			return fault_set_why(
			    fault, -TACIT_E_USAGE, "too many options", "%s", command->name);
		arguments.options[option - 1] = value;
		arguments.given[arguments.given_count].row = option - 1;
		arguments.given[arguments.given_count++].value = value;
	}
	if (option < 0)
		return option;

	arguments.items = argv + cursor.next;
	arguments.count = argc - cursor.next;
	*ret_arguments = arguments;

	return 0;
}

int arguments_check(const struct arguments *arguments, struct fault *fault)
{
	const struct command *command = arguments->command;
	char why[sizeof(fault->why)];
	int min, max;

	arguments_shape(command->arguments, &min, &max);
	if (arguments->count >= min && arguments->count <= max)
		return 0;

	(void)snprintf(why, sizeof(why), "%s arguments; usage: tacit %s [OPTIONS]%s%s",
	    arguments->count < min ? "too few" : "too many", command->name, max > 0 ? " " : "",
	    command->arguments);

	return fault_set_why(fault, -TACIT_E_USAGE, why, "%s", command->name);
}

const char *arguments_option(const struct arguments *arguments, const char *name)
{
	const struct option_row *rows = arguments->command->options;

	for (size_t i = 0; rows[i].name; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return arguments->options[i];
	}

	return NULL;
}

const char *arguments_nth(const struct arguments *arguments, const char *name, int index)
{
	const struct option_row *rows = arguments->command->options;

	for (int i = 0; i < arguments->given_count; i++) {
		if (strcmp(rows[arguments->given[i].row].name, name) == 0 && index-- == 0)
			return arguments->given[i].value;
	}

	return NULL;
}

const char *arguments_item(const struct arguments *arguments, int index)
{
	return index < arguments->count ? arguments->items[index] : NULL;
}

static bool read_digits(const char *text, uint32_t max, uint32_t *ret_value)
{
	uint64_t value = 0;

	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9')
			return false;

		value = value * 10 + (uint64_t)(*at - '0');
		if (value > max)
			return false;
	}

	*ret_value = (uint32_t)value;

	return *text != '\0';
}

int number_read(const char *text, const char *what, uint32_t min, uint32_t max, uint32_t *ret_value,
    struct fault *fault)
{
	char why[sizeof(fault->why)];
	uint32_t value = 0;

	if (read_digits(text, max, &value) && value >= min) {
		*ret_value = value;

		return 0;
	}

	(void)snprintf(why, sizeof(why), "not a whole number from %u to %u", min, max);

	return fault_set_why(fault, -TACIT_E_USAGE, why, "%s", what);
}

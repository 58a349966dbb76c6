/* SPDX-License-Identifier: MIT */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tacit/fd.h"
#include "tacit/json.h"

#define FILE_MAX_BYTES 65536
#define OPTIONS_MAX    64

struct config_file {
	const char *path; /* borrowed */
	struct json *json;
	char numbers[OPTIONS_MAX][24]; /* as text, by the option's row */
};

/* Whoever may write it decides which store is served, and where. */
static int file_check(int fd, const char *path, struct fault *fault)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fault_set(fault, -errno, "%s", path);
	if ((status.st_mode & 022) != 0)
		return fault_set_why(
		    fault, -TACIT_E_INSECURE_DIR, "others may write it; chmod go-w it", "%s", path);

	return 0;
}

static int file_parse(int fd, const char *path, struct json **ret_json, struct fault *fault)
{
	cleanup_secret struct secret *text = NULL;
	unsigned line = 0;
	int r = secret_read(fd, FILE_MAX_BYTES, &text);

	if (r < 0)
		return fault_set(fault, r, "%s", path);

	r = json_parse(secret_bytes(text), secret_len(text), ret_json, &line);
	return r < 0 ? fault_set_why(fault, -TACIT_E_USAGE, "not JSON", "%s line %u", path, line)
	             : 0;
}

static int member_fault(
    const struct config_file *file, const char *name, const char *why, struct fault *fault)
{
	return fault_set_why(fault, -TACIT_E_USAGE, why, "%s: \"%.64s\"", file->path, name);
}

static int members_check(
    const struct config_file *file, const struct command *command, struct fault *fault)
{
	const char *names[OPTIONS_MAX + 1] = {0};
	const char *unknown;

	for (size_t i = 0; i < OPTIONS_MAX && command->options[i].name; i++)
		names[i] = command->options[i].name;
	if (json_only_keys(file->json, names, &unknown) && !json_has(file->json, "config"))
		return 0;
	if (!json_holds_object(file->json))
		return fault_set_why(fault, -TACIT_E_USAGE, "not a JSON object", "%s", file->path);

	return member_fault(file, json_has(file->json, "config") ? "config" : unknown,
	    "no such option in a file", fault);
}

/* NULL, and 0, for a switch that is off. */
static int member_value(struct config_file *file, size_t index, const struct option_row *row,
    const char **ret_value, struct fault *fault)
{
	int64_t number;
	bool on;

	*ret_value = NULL;
	if (!row->argument) {
		if (json_bool_at(file->json, row->name, &on) < 0)
			return member_fault(file, row->name, "want true or false", fault);
		*ret_value = on ? "" : NULL;
		return 0;
	}

	*ret_value = json_text_at(file->json, row->name);
	if (*ret_value)
		return 0;
	if (json_int_at(file->json, row->name, &number) < 0)
		return member_fault(file, row->name, "want a text or a whole number", fault);

	(void)snprintf(
	    file->numbers[index], sizeof(file->numbers[index]), "%lld", (long long)number);
	*ret_value = file->numbers[index];
	return 0;
}

static int members_set(struct config_file *file, const struct command *command,
    int (*set)(void *context, const char *name, const char *value), void *context,
    struct fault *fault)
{
	for (size_t i = 0; i < OPTIONS_MAX && command->options[i].name; i++) {
		const struct option_row *row = &command->options[i];
		const char *value;
		int r;

		if (!json_has(file->json, row->name))
			continue;
		r = member_value(file, i, row, &value, fault);
		if (r < 0)
			return r;
		if (value && set(context, row->name, value) < 0)
			return member_fault(file, row->name, "not a usable value", fault);
	}

	return 0;
}

int config_file_read(const char *path, const struct command *command,
    int (*set)(void *context, const char *name, const char *value), void *context,
    struct config_file **ret_file, struct fault *fault)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct config_file *file;
	int r;

	if (fd < 0)
		return fault_set(fault, -errno, "%s", path);
	file = calloc(1, sizeof(*file));
	if (!file)
		return fault_set(fault, -ENOMEM, "%s", path);

	file->path = path;
	r = file_check(fd, path, fault);
	if (r == 0)
		r = file_parse(fd, path, &file->json, fault);
	if (r == 0)
		r = members_check(file, command, fault);
	if (r == 0)
		r = members_set(file, command, set, context, fault);
	if (r < 0) {
		config_file_free(file);
		return r;
	}

	*ret_file = file;
	return 0;
}

void config_file_free(struct config_file *file)
{
	if (!file)
		return;

	json_free(file->json);
	free(file);
}

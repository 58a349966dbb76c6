/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "launch.h"
#include "tacit/fd.h"
#include "tacit/json.h"

#define EXIT_NOT_HARDENED 1

static const struct {
	const char *word, *colour;
} verdicts[VERDICT_COUNT] = {
    [VERDICT_PASS] = {"pass", "\033[32m"},
    [VERDICT_WARN] = {"warn", "\033[33m"},
    [VERDICT_FAIL] = {"fail", "\033[31m"},
    [VERDICT_UNKNOWN] = {"unknown", "\033[33m"},
};

const struct option_row doctor_option_rows[] = {
    {"strict", NULL, "exit 1 unless every check passes; only the packages' age may stay unknown"},
    {"json", NULL, "print JSON, not a table"},
    {NULL, NULL, NULL},
};

struct doctor_options {
	bool is_strict;
	bool is_json;
};

void doctor_examine(const struct facts *facts, struct diagnosis *ret_diagnosis)
{
	*ret_diagnosis = (struct diagnosis){0};
	for (size_t i = 0; doctor_checks[i].name; i++)
		ret_diagnosis->findings[i] = doctor_checks[i].look(facts);
}

static bool finding_is_good(const struct check *check, enum verdict verdict, bool is_strict)
{
	switch (verdict) {
	case VERDICT_PASS:
		return true;
	case VERDICT_WARN:
		return !is_strict;
	case VERDICT_UNKNOWN:
		return check->may_be_unknown;
	case VERDICT_FAIL:
	case VERDICT_COUNT:
		break;
	}

	return false;
}

bool diagnosis_is_good(const struct diagnosis *diagnosis, bool is_strict, size_t *ret_first)
{
	for (size_t i = 0; doctor_checks[i].name; i++) {
		if (finding_is_good(&doctor_checks[i], diagnosis->findings[i].verdict, is_strict))
			continue;
		if (ret_first)
			*ret_first = i;
		return false;
	}

	return true;
}

static void examine_here(const char *dir, struct diagnosis *ret_diagnosis)
{
	cleanup_facts struct facts facts;

	facts_read("", environ, &facts);
	facts.dir = dir;
	doctor_examine(&facts, ret_diagnosis);
}

int doctor_require_hardened(const char *dir, struct fault *fault)
{
	struct diagnosis diagnosis;
	char why[sizeof(fault->why)];
	size_t first;

	examine_here(dir, &diagnosis);
	if (diagnosis_is_good(&diagnosis, false, &first))
		return 0;

	(void)snprintf(why, sizeof(why), "%s; remedy: %s", diagnosis.findings[first].detail,
	    doctor_checks[first].remedy);
	return fault_set_why(
	    fault, -EPERM, why, "--require-hardened: %s", doctor_checks[first].name);
}

static void print_table(const struct diagnosis *diagnosis)
{
	const char *no_color = getenv("NO_COLOR");
	bool is_coloured = isatty(STDOUT_FILENO) && !(no_color && *no_color);

	for (size_t i = 0; doctor_checks[i].name; i++) {
		const struct finding *finding = &diagnosis->findings[i];

		(void)printf("%s%-7s%s  %-17s  %s\n",
		    is_coloured ? verdicts[finding->verdict].colour : "",
		    verdicts[finding->verdict].word, is_coloured ? "\033[0m" : "",
		    doctor_checks[i].name, finding->detail);
		if (finding->verdict != VERDICT_PASS)
			(void)printf("%-28s  remedy: %s\n", "", doctor_checks[i].remedy);
	}
}

static struct json *finding_to_json(const struct check *check, const struct finding *finding)
{
	cleanup_json struct json *json = json_new_object();
	struct json *ret_json = json;

	if (!json || json_set_text(json, "name", check->name) < 0 ||
	    json_set_text(json, "verdict", verdicts[finding->verdict].word) < 0 ||
	    json_set_text(json, "detail", finding->detail) < 0 ||
	    json_set_text(json, "remedy", check->remedy) < 0)
		return NULL;

	json = NULL;
	return ret_json;
}

static int print_json(const struct diagnosis *diagnosis)
{
	cleanup_json struct json *json = json_new_object();
	cleanup_secret struct secret *text = NULL;
	struct json *checks = json_new_array();
	int r = json && checks ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && doctor_checks[i].name; i++)
		r = json_append(
		    checks, finding_to_json(&doctor_checks[i], &diagnosis->findings[i]));
	if (r < 0) {
		json_free(checks);
		return r;
	}

	r = json_set_bool(json, "hardened", diagnosis_is_good(diagnosis, true, NULL));
	if (json_set(json, "checks", checks) < 0 || r < 0)
		return -ENOMEM;
	r = json_print(json, &text);
	if (r == 0)
		r = secret_append_text(text, "\n");

	return r < 0 ? r : fd_write_all(STDOUT_FILENO, secret_bytes(text), secret_len(text));
}

static int options_parse(const struct command *command, int argc, char *argv[],
    struct doctor_options *ret_options, struct fault *fault)
{
	struct option_cursor cursor = {.command = command, .argc = argc, .argv = argv};
	int r;

	*ret_options = (struct doctor_options){0};
	while ((r = option_next(&cursor, fault)) > 0) {
		const char *name = command->options[r - 1].name;

		ret_options->is_strict = ret_options->is_strict || !strcmp(name, "strict");
		ret_options->is_json = ret_options->is_json || !strcmp(name, "json");
	}
	if (r == 0 && cursor.next < argc)
		r = fault_set_why(
		    fault, -TACIT_E_USAGE, "takes no arguments; see --help", "doctor");

	return r;
}

static int print(const struct diagnosis *diagnosis, bool is_json, struct fault *fault)
{
	int r = 0;

	if (is_json)
		r = print_json(diagnosis);
	else
		print_table(diagnosis);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = -EIO;

	return r < 0 ? fault_set(fault, r, "standard output") : 0;
}

int command_doctor(const struct command *command, int argc, char *argv[])
{
	struct doctor_options options;
	struct diagnosis diagnosis;
	struct fault fault = {0};
	const char *dir = getenv("TACIT_DIR");
	int r = options_parse(command, argc, argv, &options, &fault);

	if (r == 0) {
		examine_here(dir && *dir ? dir : NULL, &diagnosis);
		r = print(&diagnosis, options.is_json, &fault);
	}
	if (r < 0) {
		fault_report(AGENT_NAME, &fault);
		return EXIT_AGENT_FAILED;
	}

	return options.is_strict && !diagnosis_is_good(&diagnosis, true, NULL) ? EXIT_NOT_HARDENED
	                                                                       : 0;
}

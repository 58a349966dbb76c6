/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit_print.h"
#include "commands.h"
#include "query.h"
#include "session.h"
#include "tacit/deadline.h"
#include "tacit/progress.h"

#define WAIT_S       50
#define FOLLOW_LINES 10 /* that --follow shows of what was there, as tail does */
#define RETRY_S      2

const struct option_row audit_options[] = {
    {"follow", NULL, "go on with new lines as they come"},
    {"since", "T", "from then on: 2026-11-24T06:00:00Z, or ago: 10m, 2h, 3d"},
    {"client", "C", "what this client did, or what was done to it"},
    {"secret", "S", "what was done with this secret, or with what this pattern covers"},
    {"verify", NULL, "have the server check that no line was changed or is missing"},
    {"json", NULL, "print JSON, one object a line, as in the log itself"},
    COMMON_OPTIONS,
};

static bool is_given(struct session *session, const char *name)
{
	return arguments_option(&session->arguments, name) != NULL;
}

static int number_at(
    struct session *session, const struct json *answer, const char *key, int64_t *ret_number)
{
	if (json_int_at(answer, key, ret_number) == 0)
		return 0;

	return connection_bad_answer("audit", &session->fault);
}

/* ---- reading ---- */

/* How far one has read. */
struct reading {
	struct audit_printer printer;
	int64_t after; /* number of the last line; -1: none yet */
	bool more;
	int64_t damaged;
};

static int path_fill(struct session *session, int64_t after, const char *limit,
    char ret_path[static PROTO_PATH_MAX_BYTES])
{
	static const char *const filters[] = {"since", "client", "secret"};
	char number[24];
	int err = proto_path(ret_path, "/v1/audit");

	for (size_t i = 0; err == 0 && i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *text = arguments_option(&session->arguments, filters[i]);

		if (text)
			err = query_add(ret_path, filters[i], text);
	}
	if (err == 0 && limit)
		err = query_add(ret_path, "limit", limit);
	if (err == 0 && after >= 0) {
		(void)snprintf(number, sizeof(number), "%" PRId64, after);
		err = query_add(ret_path, "after", number);
	}

	return err < 0 ? fault_set(&session->fault, err, "audit") : 0;
}

static int ask(struct session *session, const char *path, bool waits, struct json **ret_answer)
{
	struct connection *connection = &session->connection;
	char prefer[16];
	const struct http_request request = {.method = "GET",
	    .path = path,
	    .accept = PROTO_TYPE_JSON,
	    .prefer = waits ? prefer : NULL};
	int64_t timeout_ms = connection->timeout_ms;
	int err;

	(void)snprintf(prefer, sizeof(prefer), "wait=%d", WAIT_S);
	connection->timeout_ms += waits ? WAIT_S * 1000 : 0;
	err = connection_exchange(connection, &request, NULL, "audit", ret_answer, &session->fault);
	connection->timeout_ms = timeout_ms;

	return err;
}

static int page_print(struct session *session, struct reading *reading, const struct json *answer)
{
	const struct json *entries = json_array_at(answer, "entries");
	int64_t damaged = 0;
	int err;

	if (!entries || json_bool_at(answer, "more", &reading->more) < 0)
		return connection_bad_answer("audit", &session->fault);

	err = number_at(session, answer, "next", &reading->after);
	if (err < 0)
		return err;
	if (json_int_at(answer, "damaged", &damaged) == 0)
		reading->damaged += damaged;

	err = audit_print(&reading->printer, entries);
	return err < 0 ? fault_set(&session->fault, err, "stdout") : 0;
}

static int page_get(struct session *session, struct reading *reading, bool waits)
{
	cleanup_json struct json *answer = NULL;
	char path[PROTO_PATH_MAX_BYTES];
	int err = path_fill(session, reading->after, NULL, path);

	if (err == 0)
		err = ask(session, path, waits, &answer);

	return err < 0 ? err : page_print(session, reading, answer);
}

static int read_all(struct session *session, struct reading *reading)
{
	int err;

	do
		err = page_get(session, reading, false);
	while (err == 0 && reading->more);

	if (err == 0 && reading->damaged > 0)
		(void)fprintf(stderr,
		    "tacit: audit: %" PRId64 " lines cannot be read; see tacit audit --verify\n",
		    reading->damaged);
	return err;
}

/* ---- following ---- */

static int find_end(struct session *session, struct reading *reading)
{
	cleanup_json struct json *answer = NULL;
	char path[PROTO_PATH_MAX_BYTES];
	int64_t last;
	int err = path_fill(session, INT64_MAX, "1", path);

	if (err == 0)
		err = ask(session, path, false, &answer);
	if (err == 0)
		err = number_at(session, answer, "last", &last);
	if (err == 0)
		reading->after = last > FOLLOW_LINES ? last - FOLLOW_LINES : 0;

	return err;
}

/* A server that is being started anew, or whose disk is full, is no reason to stop looking. */
static bool is_passing(int err)
{
	switch (-err) {
	case TACIT_E_UNREACHABLE:
	case TACIT_E_CUT_OFF:
	case TACIT_E_TIMEOUT:
	case TACIT_E_AUDIT_UNAVAILABLE:
	case TACIT_E_SEALED:
		return true;
	default:
		return false;
	}
}

static int follow(struct session *session, struct reading *reading)
{
	bool was_said = false;
	int err = is_given(session, "since") ? 0 : find_end(session, reading);

	while (err == 0) {
		err = page_get(session, reading, !reading->more && reading->after >= 0);
		if (err == 0) {
			was_said = false;
		} else if (is_passing(err)) {
			if (!was_said)
				fault_report("tacit", &session->fault);
			session->fault = (struct fault){0};
			was_said = true;
			err = 0;
			(void)sleep(RETRY_S);
		}
	}

	return err;
}

/* ---- verifying ---- */

struct verdict {
	bool whole;
	int64_t lines, gaps, files;
	char cursor[512];
};

static int verdict_add(struct session *session, const struct json *answer, struct verdict *verdict)
{
	const char *cursor = json_text_at(answer, "cursor");
	int64_t lines, gaps, files;

	if (json_bool_at(answer, "whole", &verdict->whole) < 0 ||
	    json_int_at(answer, "lines", &lines) < 0 || json_int_at(answer, "gaps", &gaps) < 0 ||
	    json_int_at(answer, "files", &files) < 0 ||
	    (cursor && strlen(cursor) >= sizeof(verdict->cursor)))
		return connection_bad_answer("audit", &session->fault);

	verdict->lines += lines;
	verdict->gaps += gaps;
	verdict->files += files;
	(void)snprintf(verdict->cursor, sizeof(verdict->cursor), "%s", cursor ? cursor : "");
	return 0;
}

static int verdict_print_json(
    struct session *session, const struct verdict *verdict, const struct json *answer)
{
	cleanup_json struct json *json = json_new_object();
	const char *broken = json_text_at(answer, "broken"), *why = json_text_at(answer, "why");

	if (!json || json_set_bool(json, "whole", verdict->whole) < 0 ||
	    json_set_int(json, "lines", verdict->lines) < 0 ||
	    json_set_int(json, "gaps", verdict->gaps) < 0 ||
	    json_set_int(json, "files", verdict->files) < 0 ||
	    (broken && json_set_text(json, "broken", broken) < 0) ||
	    (why && json_set_text(json, "why", why) < 0))
		return fault_set(&session->fault, -ENOMEM, "audit");

	return session_print_json(session, json);
}

/* What is broken is the error that the command ends with. */
static int verdict_tell(
    struct session *session, const struct verdict *verdict, const struct json *answer)
{
	const char *broken = json_text_at(answer, "broken"), *why = json_text_at(answer, "why");
	int err = 0;

	if (session_wants_json(session))
		err = verdict_print_json(session, verdict, answer);
	if (err == 0 && !verdict->whole)
		return fault_set_why(&session->fault, -TACIT_E_CORRUPT, why ? why : "", "%s",
		    broken ? broken : "audit");
	if (err < 0 || session_wants_json(session))
		return err;

	(void)printf("whole: %" PRId64 " lines in %" PRId64 " %s\n", verdict->lines, verdict->files,
	    verdict->files == 1 ? "file" : "files");
	if (verdict->gaps > 0)
		(void)printf("note: lines of the log were lost; %" PRId64 " times a line "
		             "audit.restarted says which\n",
		    verdict->gaps);
	return session_flush(session);
}

static int verify_step(struct session *session, struct verdict *verdict, struct json **ret_answer)
{
	char path[PROTO_PATH_MAX_BYTES];
	int err = proto_path(path, "/v1/audit/verify");

	if (err == 0 && verdict->cursor[0])
		err = query_add(path, "cursor", verdict->cursor);
	if (err < 0)
		return fault_set(&session->fault, err, "audit");

	err = connection_get(&session->connection, path, "audit", ret_answer, &session->fault);
	return err < 0 ? err : verdict_add(session, *ret_answer, verdict);
}

static int verify(struct session *session)
{
	struct progress progress = {.program = "tacit", .what = "lines"};
	struct verdict verdict = {0};

	for (;;) {
		cleanup_json struct json *answer = NULL;
		int err = verify_step(session, &verdict, &answer);

		if (err == 0 && verdict.cursor[0]) {
			progress_show(&progress, (uint64_t)verdict.lines, 0);
			continue;
		}
		progress_end(&progress);
		return err < 0 ? err : verdict_tell(session, &verdict, answer);
	}
}

static int audit(struct session *session)
{
	static const char *const others[] = {"follow", "since", "client", "secret"};
	struct reading reading = {.after = -1};
	int err;

	for (size_t i = 0; is_given(session, "verify") && i < sizeof(others) / sizeof(others[0]);
	     i++)
		if (is_given(session, others[i]))
			return fault_set_why(&session->fault, -TACIT_E_USAGE,
			    "the whole log is verified, or none", "--verify with --%s", others[i]);

	err = session_connect(session);
	if (err < 0)
		return err;
	if (is_given(session, "verify"))
		return verify(session);

	reading.printer.wants_json = session_wants_json(session);
	return is_given(session, "follow") ? follow(session, &reading)
	                                   : read_all(session, &reading);
}

int audit_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, audit);
}

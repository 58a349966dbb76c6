/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit.h"
#include "audit_verify.h"
#include "fixture.h"
#include "tacit/fd.h"
#include "tacit/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINES        8

static struct fixture fixture;
static struct keys *keys;
static const struct audit_mark no_mark;

static void write_event(struct audit *audit, const char *name)
{
	const struct audit_secret secret = {.name = name, .version = 7};
	const struct audit_event event = {
	    .event = "secret.read",
	    .client = "web",
	    .peer = "192.0.2.1:4000",
	    .request = "0123456789abcdef",
	    .status = 200,
	    .secrets = &secret,
	    .secrets_count = 1,
	};

	assert_int_equal(audit_write(audit, &event), 0);
}

/* A log of LINES lines, closed. */
static int setup(void **state)
{
	static const char *const names[] = {"a", "b/c", "d", "e", "f", "g", "h"};
	struct audit *audit;

	(void)state;
	fixture_make_dir(&fixture);
	assert_int_equal(keys_create(fixture.dirfd, &(struct key_source){0}, &keys, NULL), 0);
	assert_int_equal(audit_create(fixture.dirfd, keys, &audit, NULL), 0);
	for (size_t i = 0; i < LINES - 1; i++)
		write_event(audit, names[i]);
	audit_close(audit);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keys_free(keys);
	fixture_remove(&fixture);
	return 0;
}

static char *log_read(size_t *ret_len)
{
	char *text = (char *)file_read(fixture_path(&fixture, AUDIT_FILE), ret_len);

	text[*ret_len] = '\0';
	return text;
}

static void log_write(const char *text, size_t len)
{
	file_write(fixture_path(&fixture, AUDIT_FILE), text, len);
}

/* The line's start; lines count from 1. */
static char *line_at(char *text, size_t number)
{
	for (; number > 1; number--)
		text = strchr(text, '\n') + 1;

	return text;
}

static int verify(struct audit_findings *ret_findings, struct fault *fault)
{
	return audit_verify(fixture.dirfd, keys, &no_mark, ret_findings, fault);
}

static void assert_whole(uint64_t lines)
{
	struct audit_findings findings;
	struct fault fault = {0};

	if (verify(&findings, &fault) < 0)
		fail_msg("%s: %s", fault.what, fault.why);
	assert_int_equal(findings.lines, lines);
}

static void assert_breaks_at(size_t line)
{
	struct audit_findings findings;
	struct fault fault = {0};
	char expected[64];

	assert_int_equal(verify(&findings, &fault), -TACIT_E_CORRUPT);
	(void)snprintf(expected, sizeof(expected), "audit.log line %zu", line);
	assert_string_equal(fault.what, expected);
}

/* That line says `text`; lines count from 1. */
static void assert_said(size_t number, const char *text)
{
	size_t len;
	cleanup_free char *log = log_read(&len);
	char *line = line_at(log, number);

	line[strcspn(line, "\n")] = '\0';
	if (!strstr(line, text))
		fail_msg("line %zu does not say %s: %s", number, text, line);
}

static struct audit *reopen_at(const struct audit_mark *mark, struct audit_state *ret_state)
{
	struct audit *audit = NULL;
	struct fault fault = {0};

	if (audit_open(fixture.dirfd, keys, mark, &audit, ret_state, &fault) < 0)
		fail_msg("%s: %s", fault.what, err_text(fault.err));
	return audit;
}

static struct audit *reopen(void)
{
	struct audit_state found;

	return reopen_at(&no_mark, &found);
}

static void a_log_is_whole_and_goes_on(void **state)
{
	struct audit *audit;

	(void)state;
	assert_whole(LINES);
	audit = reopen();
	write_event(audit, "x");
	assert_whole(LINES + 1);
	audit_close(audit);
	assert_whole(LINES + 1);
}

static void a_line_is_json_and_says_who_and_what(void **state)
{
	size_t len;
	cleanup_free char *text = log_read(&len);
	char *line = line_at(text, 3);
	cleanup_json struct json *json = NULL;
	int64_t number;

	(void)state;
	assert_int_equal(json_parse(line, strcspn(line, "\n"), &json, NULL), 0);
	assert_int_equal(json_int_at(json, "seq", &number), 0);
	assert_int_equal(number, 3);
	assert_string_equal(json_text_at(json, "event"), "secret.read");
	assert_string_equal(json_text_at(json, "client"), "web");
	assert_string_equal(json_text_at(json, "peer"), "192.0.2.1:4000");
	assert_int_equal(json_int_at(json, "status", &number), 0);
	assert_int_equal(number, 200);
	assert_string_equal(
	    json_text_at(json_item(json_array_at(json, "secrets"), 0), "name"), "b/c");
	assert_non_null(json_text_at(json, "mac"));
}

/* What a peer claims can neither break a line nor fake another member. */
static void hostile_texts_stay_inside_their_member(void **state)
{
	static const char *const texts[] = {"\"", "\\", "a\nb", "\",\"status\":200,\"x\":\"",
	    "\xff\xfe", "\x01\x7f", "{\"seq\":9}\n", "\xe2\x80\xa8"};
	struct audit *audit = reopen();
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		const struct audit_event event = {
		    .event = "x", .subject = texts[i], .client = texts[i], .peer = texts[i]};
		cleanup_free char *text = NULL;
		cleanup_json struct json *json = NULL;
		char *line;

		assert_int_equal(audit_write(audit, &event), 0);
		text = log_read(&len);
		line = line_at(text, LINES + 1 + i);
		assert_int_equal(json_parse(line, strcspn(line, "\n"), &json, NULL), 0);
		assert_false(json_has(json, "status"));
	}
	assert_whole(LINES + COUNT(texts));
	audit_close(audit);
}

static void a_line_that_is_too_long_is_refused_whole(void **state)
{
	static char subject[9000];
	const struct audit_event event = {.event = "x", .request = "0", .subject = subject};
	struct audit *audit = reopen();

	(void)state;
	memset(subject, 'x', sizeof(subject) - 1);
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	write_event(audit, "x");
	audit_close(audit);
	assert_whole(LINES + 2); /* one says that a request was refused */
}

/* Sixteen names of 255 bytes are the most that a line has to take. */
static void the_longest_line_fits(void **state)
{
	static char name[256];
	struct audit_secret secrets[AUDIT_SECRETS_MAX];
	const struct audit_event event = {.event = "bundle.read",
	    .client = "0123456789012345678901234567890123456789012345678901234567890123",
	    .peer = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
	    .request = "0123456789abcdef",
	    .status = 200,
	    .secrets = secrets,
	    .secrets_count = AUDIT_SECRETS_MAX};
	struct audit *audit = reopen();

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	for (size_t i = 0; i < AUDIT_SECRETS_MAX; i++)
		secrets[i] = (struct audit_secret){.name = name, .version = UINT32_MAX};
	assert_int_equal(audit_write(audit, &event), 0);
	assert_int_equal(audit_write(audit, &event), 0);
	audit_close(audit);
	audit = reopen(); /* reads two of them back */
	write_event(audit, "x");
	audit_close(audit);
	assert_whole(LINES + 3);
}

static void any_altered_byte_breaks_the_chain_at_its_line(void **state)
{
	size_t len, line = 1;
	cleanup_free char *text = log_read(&len);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		char saved = text[i];

		text[i] = (char)(saved ^ 1);
		log_write(text, len);
		/* A changed newline joins two lines: the first of them is the broken one. At the
		 * very end it makes a torn line, which is the business of audit_open. */
		if (i + 1 < len)
			assert_breaks_at(line);
		text[i] = saved;
		line += saved == '\n';
	}
	log_write(text, len);
	assert_whole(LINES);
}

static void a_dropped_line_breaks_the_chain(void **state)
{
	size_t len;
	cleanup_free char *text = log_read(&len);

	(void)state;
	for (size_t number = 1; number < LINES; number++) {
		cleanup_free char *changed = strdup(text);
		char *line = line_at(changed, number), *next = line_at(changed, number + 1);

		memmove(line, next, strlen(next) + 1);
		log_write(changed, strlen(changed));
		assert_breaks_at(number);
	}
}

static void a_doubled_line_breaks_the_chain(void **state)
{
	size_t len;
	cleanup_free char *text = log_read(&len);

	(void)state;
	for (size_t number = 1; number <= LINES; number++) {
		const char *line = line_at(text, number);
		size_t line_len = strcspn(line, "\n") + 1;
		size_t before = (size_t)(line - text) + line_len;
		cleanup_free char *changed = NULL;

		assert_true(asprintf(&changed, "%.*s%.*s%s", (int)before, text, (int)line_len, line,
		                text + before) > 0);
		log_write(changed, strlen(changed));
		assert_breaks_at(number + 1);
	}
}

static void swapped_lines_break_the_chain(void **state)
{
	size_t len;
	cleanup_free char *text = log_read(&len);

	(void)state;
	for (size_t number = 1; number < LINES; number++) {
		const char *first = line_at(text, number), *second = line_at(text, number + 1);
		size_t second_len = strcspn(second, "\n") + 1;
		cleanup_free char *changed = NULL;

		assert_true(
		    asprintf(&changed, "%.*s%.*s%.*s%s", (int)(first - text), text, (int)second_len,
		        second, (int)(second - first), first, second + second_len) > 0);
		log_write(changed, strlen(changed));
		assert_breaks_at(number);
	}
}

/* The log goes two ways from one line: a line of the one does not fit into the other. */
static void a_line_of_another_continuation_breaks_the_chain(void **state)
{
	size_t len, other_len;
	cleanup_free char *text = log_read(&len);
	cleanup_free char *one = NULL, *other = NULL, *spliced = NULL;
	struct audit *audit;

	(void)state;
	audit = reopen();
	write_event(audit, "one way");
	audit_close(audit);
	one = log_read(&other_len);
	log_write(text, len);
	audit = reopen();
	write_event(audit, "the other");
	write_event(audit, "and on");
	audit_close(audit);
	other = log_read(&other_len);

	assert_true(asprintf(&spliced, "%s%s", one, line_at(other, LINES + 2)) > 0);
	log_write(spliced, strlen(spliced));
	assert_breaks_at(LINES + 2);
}

static void another_key_verifies_nothing(void **state)
{
	struct audit_findings findings;
	struct keys *saved = keys;

	(void)state;
	(void)unlink(fixture_path(&fixture, SEAL_FILE));
	assert_int_equal(keys_create(fixture.dirfd, &(struct key_source){0}, &keys, NULL), 0);
	assert_int_equal(verify(&findings, NULL), -TACIT_E_CORRUPT);
	keys_free(keys);
	keys = saved;
}

static void a_torn_last_line_is_removed_and_the_chain_goes_on(void **state)
{
	size_t len;
	cleanup_free char *text = log_read(&len);
	size_t last = (size_t)(line_at(text, LINES) - text);

	(void)state;
	for (size_t keep = last + 1; keep < len; keep++) {
		struct audit_state found;
		struct audit *audit;

		log_write(text, keep);
		assert_whole(LINES - 1); /* a line in the making is no break */
		audit = reopen_at(&no_mark, &found);
		assert_int_equal(found.torn_bytes, keep - last);
		assert_int_equal(found.missing_from, 0);
		write_event(audit, "after");
		audit_close(audit);
		assert_whole(LINES);
	}
}

static void an_altered_last_line_is_not_continued(void **state)
{
	size_t len;
	cleanup_free char *text = log_read(&len);
	struct audit_state found;
	struct audit *audit = NULL;
	struct fault fault = {0};

	(void)state;
	line_at(text, LINES)[40] ^= 1;
	log_write(text, len);
	assert_int_equal(
	    audit_open(fixture.dirfd, keys, &no_mark, &audit, &found, &fault), -TACIT_E_CORRUPT);
	assert_string_equal(fault.what, "last line of audit.log");
	assert_null(audit);
}

static void mark_now(struct audit_mark *ret_mark)
{
	struct audit *audit = reopen();

	assert_int_equal(audit_get_mark(audit, ret_mark), 0);
	audit_close(audit);
	assert_int_equal(ret_mark->sequence, LINES);
}

/* Cut at its end, emptied or deleted: the chain alone would not tell, the mark does. */
static void missing_lines_are_found_and_said(void **state)
{
	static const size_t kept_lines[] = {LINES - 1, 3, 1, 0};
	struct audit_mark mark;
	size_t len;
	cleanup_free char *text = log_read(&len);

	(void)state;
	mark_now(&mark);
	for (size_t i = 0; i <= COUNT(kept_lines); i++) {
		size_t kept = i < COUNT(kept_lines) ? kept_lines[i] : 0;
		struct audit_findings findings = {0};
		struct audit_state found;
		struct fault fault = {0};
		cleanup_free char *after = NULL;
		char expected[64];
		struct audit *audit;

		log_write(text, (size_t)(line_at(text, kept + 1) - text));
		if (i == COUNT(kept_lines))
			(void)unlink(fixture_path(&fixture, AUDIT_FILE));
		assert_true(audit_verify(fixture.dirfd, keys, &mark, &findings, &fault) < 0);

		audit = reopen_at(&mark, &found);
		assert_int_equal(found.missing_from, kept + 1);
		assert_int_equal(found.missing_to, LINES);
		audit_close(audit);
		after = log_read(&len);
		(void)snprintf(
		    expected, sizeof(expected), "lines %zu to %d are missing", kept + 1, LINES);
		assert_non_null(strstr(line_at(after, kept + 1), "\"audit.restarted\""));
		assert_non_null(strstr(line_at(after, kept + 1), expected));
		assert_int_equal(verify(&findings, NULL), 0);
		assert_int_equal(findings.lines, kept + 1);
		assert_int_equal(findings.gaps, 1);
	}
}

static void a_marked_line_that_is_another_is_found(void **state)
{
	struct audit_mark mark;
	struct audit_findings findings;
	struct fault fault = {0};

	(void)state;
	mark_now(&mark);
	assert_int_equal(audit_verify(fixture.dirfd, keys, &mark, &findings, &fault), 0);
	assert_int_equal(findings.gaps, 0);
	mark.sequence--; /* a chain that was written anew has other macs */
	assert_int_equal(
	    audit_verify(fixture.dirfd, keys, &mark, &findings, &fault), -TACIT_E_CORRUPT);
	assert_string_equal(fault.what, "audit.log line 7");
}

static void size_limit(rlim_t bytes)
{
	const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that fills up in the middle of a line, and has room again later. */
static void what_does_not_fit_is_refused_and_leaves_no_half_line(void **state)
{
	static const struct audit_event event = {
	    .event = "x", .request = "0", .subject = "does not fit"};
	struct audit *audit = reopen();
	size_t len;

	(void)state;
	free(log_read(&len));
	for (rlim_t room = 0; room < 100; room += 9) {
		int r;
		size_t now;

		size_limit(len + room);
		r = audit_write(audit, &event);
		size_limit(RLIM_INFINITY);
		assert_int_equal(r, -TACIT_E_AUDIT_UNAVAILABLE);
		free(log_read(&now));
		assert_int_equal(now, len);
	}
	write_event(audit, "there is room again");
	audit_close(audit);
	assert_whole(LINES + 2);
	assert_said(LINES + 1, "\"audit.resumed\",\"subject\":\"requests refused meanwhile: 12\"");
}

static void a_deleted_log_is_noticed_at_once(void **state)
{
	static const struct audit_event event = {.event = "x"};
	struct audit *audit = reopen();

	(void)state;
	(void)unlink(fixture_path(&fixture, AUDIT_FILE));
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	audit_close(audit);
}

static void a_log_that_was_changed_under_us_is_noticed_at_once(void **state)
{
	static const struct audit_event event = {.event = "x"};
	struct audit *audit = reopen();
	size_t len;
	cleanup_free char *text = log_read(&len);

	(void)state;
	assert_int_equal(truncate(fixture_path(&fixture, AUDIT_FILE), (off_t)len - 10), 0);
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	log_write(text, len);
	assert_int_equal(audit_write(audit, &event), 0);
	audit_close(audit);
}

static void a_link_is_not_followed(void **state)
{
	struct audit_state found;
	struct audit *audit = NULL;

	(void)state;
	assert_int_equal(renameat(fixture.dirfd, AUDIT_FILE, fixture.dirfd, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", fixture.dirfd, AUDIT_FILE), 0);
	assert_int_equal(audit_open(fixture.dirfd, keys, &no_mark, &audit, &found, NULL), -ELOOP);
	assert_int_equal(audit_create(fixture.dirfd, keys, &audit, NULL), -EEXIST);
	assert_null(audit);
}

static void the_log_is_for_its_owner_alone(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(stat(fixture_path(&fixture, AUDIT_FILE), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_log_is_whole_and_goes_on),
	    TEST(a_line_is_json_and_says_who_and_what),
	    TEST(hostile_texts_stay_inside_their_member),
	    TEST(a_line_that_is_too_long_is_refused_whole),
	    TEST(the_longest_line_fits),
	    TEST(any_altered_byte_breaks_the_chain_at_its_line),
	    TEST(a_dropped_line_breaks_the_chain),
	    TEST(a_doubled_line_breaks_the_chain),
	    TEST(swapped_lines_break_the_chain),
	    TEST(a_line_of_another_continuation_breaks_the_chain),
	    TEST(another_key_verifies_nothing),
	    TEST(a_torn_last_line_is_removed_and_the_chain_goes_on),
	    TEST(an_altered_last_line_is_not_continued),
	    TEST(missing_lines_are_found_and_said),
	    TEST(a_marked_line_that_is_another_is_found),
	    TEST(what_does_not_fit_is_refused_and_leaves_no_half_line),
	    TEST(a_deleted_log_is_noticed_at_once),
	    TEST(a_log_that_was_changed_under_us_is_noticed_at_once),
	    TEST(a_link_is_not_followed),
	    TEST(the_log_is_for_its_owner_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

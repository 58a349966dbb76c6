/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit.h"
#include "audit_copy.h"
#include "audit_verify.h"
#include "fixture.h"
#include "tacit/fd.h"

/* The audit log while it is being served: on threads, over several files, on a disk that hangs. */

static struct fixture fixture;
static struct keys *keys;
static struct audit *audit;
static const struct audit_mark no_mark;
static const struct audit_event event = {.event = "x", .client = "web", .request = "0011"};

static atomic_bool disk_hangs;
static atomic_int writes_hanging;
static atomic_int syncs;
static atomic_int write_error; /* of the next write; 0: none */
static atomic_int writes;

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
	(void)atomic_fetch_add(&writes, 1);
	(void)atomic_fetch_add(&writes_hanging, 1);
	while (atomic_load(&disk_hangs))
		(void)usleep(1000);
	(void)atomic_fetch_sub(&writes_hanging, 1);
	errno = atomic_exchange(&write_error, 0);
	if (errno)
		return -1;
	return __real_write(fd, bytes, len);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	(void)atomic_fetch_add(&syncs, 1);
	return __real_fdatasync(fd);
}

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(&fixture);
	assert_int_equal(keys_create(fixture.dirfd, &(struct key_source){0}, &keys, NULL), 0);
	assert_int_equal(audit_create(fixture.dirfd, keys, &audit, NULL), 0);
	assert_int_equal(audit_start(audit, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	audit_close(audit);
	keys_free(keys);
	fixture_remove(&fixture);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void write_events(int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(audit_write(audit, &event), 0);
}

static void assert_whole(uint64_t lines, uint64_t files)
{
	struct audit_findings findings = {0};
	struct fault fault = {0};

	if (audit_verify(fixture.dirfd, keys, &no_mark, &findings, &fault) < 0)
		fail_msg("%s: %s", fault.what, fault.why);
	assert_int_equal(findings.lines, lines);
	assert_int_equal(findings.files, files);
}

static void assert_breaks(const char *what)
{
	struct audit_findings findings;
	struct fault fault = {0};

	assert_int_equal(
	    audit_verify(fixture.dirfd, keys, &no_mark, &findings, &fault), -TACIT_E_CORRUPT);
	assert_string_equal(fault.what, what);
}

static int count_in(const char *file, const char *text)
{
	size_t len;
	cleanup_free char *bytes = (char *)file_read(fixture_path(&fixture, file), &len);
	int count = 0;

	bytes[len] = '\0';
	for (const char *at = bytes; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static void move(const char *from, const char *to)
{
	assert_int_equal(renameat(fixture.dirfd, from, fixture.dirfd, to), 0);
}

/* audit.log, moved away as `name` with `lines` lines in it, and gone on from. */
static void rotate(const char *name)
{
	move(AUDIT_FILE, name);
	assert_int_equal(audit_reopen(audit), 0);
}

static void a_line_that_hangs_is_refused_in_time_and_the_next_at_once(void **state)
{
	int64_t begun_ms;

	(void)state;
	atomic_store(&disk_hangs, true);
	begun_ms = now_ms();
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	assert_in_range(now_ms() - begun_ms, AUDIT_WAIT_MS - 50, 2000);
	assert_int_equal(audit_trouble(audit), -ETIMEDOUT);

	begun_ms = now_ms();
	for (int i = 0; i < 100; i++)
		assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	audit_tick(audit);
	assert_in_range(now_ms() - begun_ms, 0, AUDIT_WAIT_MS - 1);
	atomic_store(&disk_hangs, false);
}

static void wait_for_the_writer(void)
{
	for (int i = 0; i < 5000 && atomic_load(&writes_hanging) > 0; i++)
		(void)usleep(1000);
	(void)usleep(20000);
}

/* Its request was refused, but the line is in the file: another one has to say so. */
static void what_was_written_too_late_is_said(void **state)
{
	(void)state;
	atomic_store(&disk_hangs, true);
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	atomic_store(&disk_hangs, false);
	wait_for_the_writer();

	write_events(1);
	assert_int_equal(
	    count_in(AUDIT_FILE, "\"audit.late\",\"request\":\"0011\",\"subject\":\"refused: "
	                         "lines 2 to 2 were written too late\",\"status\":503"),
	    1);
	assert_int_equal(
	    count_in(AUDIT_FILE, "\"audit.resumed\",\"subject\":\"requests refused meanwhile: 2\""),
	    1);
	assert_whole(5, 1);
}

static void a_log_that_can_be_written_again_says_so_by_itself(void **state)
{
	(void)state;
	atomic_store(&disk_hangs, true);
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	atomic_store(&disk_hangs, false);
	wait_for_the_writer();
	audit_tick(audit);
	assert_int_equal(audit_trouble(audit), 0);
	assert_int_equal(count_in(AUDIT_FILE, "audit.resumed"), 1);
	audit_tick(audit);
	assert_whole(4, 1);
}

/* A network file system has errors of these names too, which say nothing of our waiting. */
static void an_error_of_the_disk_is_not_taken_for_a_late_line(void **state)
{
	static const int errors[] = {ETIMEDOUT, EBUSY, ENOSPC};
	static const int troubles[] = {-EIO, -EBUSY, -ENOSPC};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		atomic_store(&write_error, errors[i]);
		assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
		assert_int_equal(audit_trouble(audit), troubles[i]);
		write_events(1);
	}
	assert_int_equal(count_in(AUDIT_FILE, "audit.late"), 0);
	assert_whole(7, 1);
}

/* Those who do not wait. */

struct somebody {
	struct audit_ticket ticket; /* first, so that a ticket is somebody */
	int told;
	int err;
};

static void tell(struct audit_ticket *ticket, int err)
{
	struct somebody *somebody = (struct somebody *)(void *)ticket;

	somebody->told++;
	somebody->err = err;
}

#define PEOPLE 6
static struct somebody people[PEOPLE];

/* The first one's write hangs, and then the others come. */
static void submit_all_to_a_disk_that_hangs(void)
{
	atomic_store(&disk_hangs, true);
	for (size_t i = 0; i < PEOPLE; i++) {
		people[i] = (struct somebody){.ticket = {.release = tell}};
		assert_int_equal(audit_submit(audit, &event, &people[i].ticket), 0);
		for (int j = 0; j < 5000 && atomic_load(&writes_hanging) == 0; j++)
			(void)usleep(1000);
	}
}

static void assert_all_told(int err)
{
	for (size_t i = 0; i < PEOPLE; i++) {
		assert_int_equal(people[i].told, 1);
		assert_int_equal(people[i].err, err);
	}
}

static void who_comes_while_a_line_is_written_goes_out_with_the_next_write(void **state)
{
	int before = atomic_load(&writes);

	(void)state;
	submit_all_to_a_disk_that_hangs();
	for (size_t i = 0; i < PEOPLE; i++)
		assert_int_equal(people[i].told, 0);
	atomic_store(&disk_hangs, false);
	write_events(1);
	assert_all_told(0);
	assert_in_range(atomic_load(&writes) - before, 2, 3);
	assert_whole(1 + PEOPLE + 1, 1);
}

static void when_a_line_cannot_be_written_neither_can_those_behind_it(void **state)
{
	(void)state;
	atomic_store(&write_error, ENOSPC);
	submit_all_to_a_disk_that_hangs();
	atomic_store(&disk_hangs, false);
	wait_for_the_writer();
	write_events(1);
	assert_all_told(-TACIT_E_AUDIT_UNAVAILABLE);
	assert_int_equal(
	    count_in(AUDIT_FILE, "\"audit.resumed\",\"subject\":\"requests refused meanwhile: 6\""),
	    1);
	assert_whole(3, 1);
}

static void who_does_not_wait_is_told_when_it_takes_too_long(void **state)
{
	struct somebody late = {.ticket = {.release = tell}};

	(void)state;
	submit_all_to_a_disk_that_hangs();
	(void)usleep((AUDIT_WAIT_MS + 50) * 1000);
	audit_tick(audit);
	assert_all_told(-TACIT_E_AUDIT_UNAVAILABLE);
	assert_int_equal(audit_submit(audit, &event, &late.ticket), -TACIT_E_AUDIT_UNAVAILABLE);
	assert_int_equal(late.told, 0);

	/* Only the first line has been on its way to the disk. */
	atomic_store(&disk_hangs, false);
	wait_for_the_writer();
	write_events(1);
	assert_all_told(-TACIT_E_AUDIT_UNAVAILABLE);
	assert_int_equal(count_in(AUDIT_FILE, "refused: lines 2 to 2 were written too late"), 1);
	assert_int_equal(count_in(AUDIT_FILE, "requests refused meanwhile: 7"), 1);
	assert_whole(5, 1);
}

static void what_was_submitted_goes_to_the_file_that_was_moved_away(void **state)
{
	(void)state;
	submit_all_to_a_disk_that_hangs();
	move(AUDIT_FILE, "audit.log.1");
	atomic_store(&disk_hangs, false);
	assert_int_equal(audit_reopen(audit), 0);
	assert_all_told(0);
	write_events(1);
	assert_int_equal(count_in("audit.log.1", "\n"), 1 + PEOPLE);
	assert_whole(1 + PEOPLE + 2, 2);
}

static void what_was_written_is_synced_and_nothing_else(void **state)
{
	(void)state;
	atomic_store(&syncs, 0);
	write_events(3);
	for (int i = 0; i < 100 && atomic_load(&syncs) == 0; i++) {
		audit_tick(audit);
		(void)usleep(20000);
	}
	assert_int_equal(atomic_load(&syncs), 1);
	audit_tick(audit);
	(void)usleep(20000);
	for (int i = 0; i < 60; i++) {
		audit_tick(audit);
		(void)usleep(20000);
	}
	assert_int_equal(atomic_load(&syncs), 1);
}

static void a_file_that_was_moved_away_is_gone_on_from(void **state)
{
	struct stat status;

	(void)state;
	write_events(3);
	move(AUDIT_FILE, "audit.log.1");
	write_events(1); /* until it is told, it goes on there */
	assert_int_equal(audit_reopen(audit), 0);
	write_events(2);
	assert_int_equal(count_in("audit.log.1", "\n"), 5);
	assert_int_equal(count_in(AUDIT_FILE, "\n"), 3);
	assert_int_equal(count_in(AUDIT_FILE, "\"audit.continued\",\"previous\":\""), 1);
	assert_int_equal(stat(fixture_path(&fixture, AUDIT_FILE), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_whole(8, 2);
}

static void nothing_happens_when_it_was_not(void **state)
{
	(void)state;
	write_events(1);
	assert_int_equal(audit_reopen(audit), 0);
	assert_whole(2, 1);
}

/* logrotate's, and its dateext's; the order is that of the lines. */
static void old_files_may_have_any_name_and_the_oldest_may_go(void **state)
{
	(void)state;
	write_events(1);
	rotate("audit.log-20261124");
	write_events(1);
	rotate("audit.log.1");
	write_events(1);
	assert_whole(6, 3);
	assert_int_equal(unlinkat(fixture.dirfd, "audit.log-20261124", 0), 0);
	assert_whole(4, 2);
}

static void a_break_is_named_by_its_file_and_line(void **state)
{
	size_t len;
	cleanup_free char *text = NULL;

	(void)state;
	write_events(3);
	rotate("audit.log.2");
	write_events(2);
	rotate("audit.log.1");
	text = (char *)file_read(fixture_path(&fixture, "audit.log.1"), &len);
	text[40] ^= 1;
	file_write(fixture_path(&fixture, "audit.log.1"), text, len);
	assert_breaks("audit.log.1 line 1");
	text[40] ^= 1;
	file_write(fixture_path(&fixture, "audit.log.1"), text, len - 5);
	assert_breaks("audit.log.1 line 3");
	file_write(fixture_path(&fixture, "audit.log.1"), text, len);
	assert_whole(8, 3);
}

static void a_file_that_is_missing_between_others_breaks_the_chain(void **state)
{
	(void)state;
	write_events(1);
	rotate("audit.log.2");
	write_events(1);
	rotate("audit.log.1");
	assert_int_equal(unlinkat(fixture.dirfd, "audit.log.1", 0), 0);
	assert_breaks("audit.log line 1");
}

static void a_deleted_log_is_gone_on_from_when_told_and_says_what_is_missing(void **state)
{
	struct audit_findings findings = {0};

	(void)state;
	write_events(2);
	assert_int_equal(unlinkat(fixture.dirfd, AUDIT_FILE, 0), 0);
	assert_int_equal(audit_write(audit, &event), -TACIT_E_AUDIT_UNAVAILABLE);
	assert_int_equal(audit_trouble(audit), -ENOENT);
	assert_int_equal(audit_reopen(audit), 0);
	write_events(1);
	assert_int_equal(audit_trouble(audit), 0);
	assert_int_equal(count_in(AUDIT_FILE, "lines 1 to 3 are missing"), 1);
	assert_int_equal(audit_verify(fixture.dirfd, keys, &no_mark, &findings, NULL), 0);
	assert_int_equal(findings.gaps, 1);
}

/* Reopened by a start instead of a signal. */
static void a_log_that_was_moved_away_before_a_start_is_gone_on_from(void **state)
{
	struct audit_mark mark;
	struct audit_state found;

	(void)state;
	write_events(2);
	assert_int_equal(audit_get_mark(audit, &mark), 0);
	audit_close(audit);
	move(AUDIT_FILE, "audit.log.1");
	assert_int_equal(audit_open(fixture.dirfd, keys, &mark, &audit, &found, NULL), 0);
	assert_int_equal(found.missing_from, 0);
	assert_int_equal(count_in(AUDIT_FILE, "audit.continued"), 1);
	assert_whole(4, 2);
}

static void a_file_that_is_in_the_way_is_left_alone(void **state)
{
	(void)state;
	write_events(1);
	move(AUDIT_FILE, "audit.log.1");
	file_write(fixture_path(&fixture, AUDIT_FILE), "x\n", 2);
	assert_int_equal(audit_reopen(audit), -EEXIST);
	assert_int_equal(unlinkat(fixture.dirfd, AUDIT_FILE, 0), 0);
	audit_tick(audit); /* tries again */
	assert_int_equal(count_in(AUDIT_FILE, "audit.continued"), 1);
	assert_whole(3, 2);
}

static void verifying_in_pieces_finds_the_same(void **state)
{
	char cursor[AUDIT_CURSOR_BYTES] = "";
	uint64_t lines = 0, pieces = 0;

	(void)state;
	write_events(20);
	rotate("audit.log.1");
	write_events(10);
	do {
		struct audit_findings findings = {0};
		struct fault fault = {0};

		if (audit_verify_some(
		        fixture.dirfd, keys, &no_mark, 500, cursor, &findings, &fault) < 0)
			fail_msg("%s: %s", fault.what, fault.why);
		lines += findings.lines;
		pieces++;
	} while (cursor[0]);
	assert_int_equal(lines, 32);
	assert_true(pieces > 5);
}

static void a_cursor_that_is_none_is_refused(void **state)
{
	static const char *const texts[] = {
	    "x", "1", "1.2.3.4.5", "1.0.99999999999999999999.1.00", "-1.0.0.0.00", "1.0.0.0.0g"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char cursor[AUDIT_CURSOR_BYTES];
		struct audit_findings findings;

		(void)snprintf(cursor, sizeof(cursor), "%s", texts[i]);
		assert_int_equal(
		    audit_verify_some(fixture.dirfd, keys, &no_mark, 500, cursor, &findings, NULL),
		    -TACIT_E_MALFORMED);
	}
}

/* The other side of a copy. */

static int syslog_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(
	    address.sun_path, sizeof(address.sun_path), "%s", fixture_path(&fixture, "syslog"));
	(void)unlink(address.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void assert_received(int fd, const char *text)
{
	char bytes[9000];
	ssize_t len = recv(fd, bytes, sizeof(bytes) - 1, 0);

	if (len < 0)
		fail_msg("nothing came: %s", text);
	bytes[len] = '\0';
	assert_non_null(strstr(bytes, text));
	assert_memory_equal(bytes, "<86>tacit-server[", 17); /* authpriv.info */
	assert_int_equal(bytes[len - 1], '}');
}

static struct audit_copy *copy_new(void)
{
	static char path[128];
	struct audit_copy *copy = NULL;

	(void)snprintf(path, sizeof(path), "%s", fixture_path(&fixture, "syslog"));
	assert_int_equal(audit_copy_new(path, &copy, NULL), 0);
	return copy;
}

static void each_line_is_copied_to_syslog(void **state)
{
	cleanup_fd int fd = syslog_open();
	struct audit_copy *copy = copy_new();

	(void)state;
	audit_copy_send(copy, "{\"seq\":1}\n{\"seq\":2}\n", 20);
	assert_received(fd, "{\"seq\":1}");
	assert_received(fd, "{\"seq\":2}");
	assert_int_equal(audit_copy_lost(copy), 0);
	audit_copy_free(copy);
}

static void what_syslog_does_not_take_is_counted_and_said(void **state)
{
	cleanup_fd int fd = syslog_open();
	struct audit_copy *copy = copy_new();

	(void)state;
	fd_cleanup(&fd);
	audit_copy_send(copy, "{\"seq\":1}\n", 10);
	audit_copy_send(copy, "{\"seq\":2}\n", 10);
	assert_int_equal(audit_copy_lost(copy), 2);
	fd = syslog_open();
	audit_copy_send(copy, "{\"seq\":3}\n", 10);
	assert_received(fd, "{\"event\":\"audit.copy_lost\",\"lines\":2}");
	assert_received(fd, "{\"seq\":3}");
	audit_copy_free(copy);
}

static void a_syslog_that_was_started_anew_loses_nothing(void **state)
{
	cleanup_fd int fd = syslog_open();
	struct audit_copy *copy = copy_new();

	(void)state;
	fd_cleanup(&fd);
	fd = syslog_open();
	audit_copy_send(copy, "{\"seq\":1}\n", 10);
	assert_received(fd, "{\"seq\":1}");
	assert_int_equal(audit_copy_lost(copy), 0);
	audit_copy_free(copy);
}

/* A syslog that reads nothing: its buffer fills up, and we go on. */
static void a_syslog_that_hangs_holds_nothing_up(void **state)
{
	cleanup_fd int fd = syslog_open();
	struct audit_copy *copy = copy_new();
	int64_t begun_ms = now_ms();

	(void)state;
	for (int i = 0; i < 2000; i++)
		audit_copy_send(copy, "{\"seq\":1}\n", 10);
	assert_true(audit_copy_lost(copy) > 0);
	assert_in_range(now_ms() - begun_ms, 0, 2000);
	audit_copy_free(copy);
}

static void a_syslog_that_is_not_there_is_an_error_at_the_start(void **state)
{
	struct audit_copy *copy = NULL;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(audit_copy_new("/nowhere/log", &copy, &fault), -ENOENT);
	assert_string_equal(fault.what, "/nowhere/log");
	assert_null(copy);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_line_that_hangs_is_refused_in_time_and_the_next_at_once),
	    TEST(what_was_written_too_late_is_said),
	    TEST(a_log_that_can_be_written_again_says_so_by_itself),
	    TEST(an_error_of_the_disk_is_not_taken_for_a_late_line),
	    TEST(who_comes_while_a_line_is_written_goes_out_with_the_next_write),
	    TEST(when_a_line_cannot_be_written_neither_can_those_behind_it),
	    TEST(who_does_not_wait_is_told_when_it_takes_too_long),
	    TEST(what_was_submitted_goes_to_the_file_that_was_moved_away),
	    TEST(what_was_written_is_synced_and_nothing_else),
	    TEST(a_file_that_was_moved_away_is_gone_on_from),
	    TEST(nothing_happens_when_it_was_not),
	    TEST(old_files_may_have_any_name_and_the_oldest_may_go),
	    TEST(a_break_is_named_by_its_file_and_line),
	    TEST(a_file_that_is_missing_between_others_breaks_the_chain),
	    TEST(a_deleted_log_is_gone_on_from_when_told_and_says_what_is_missing),
	    TEST(a_log_that_was_moved_away_before_a_start_is_gone_on_from),
	    TEST(a_file_that_is_in_the_way_is_left_alone),
	    TEST(verifying_in_pieces_finds_the_same),
	    TEST(a_cursor_that_is_none_is_refused),
	    TEST(each_line_is_copied_to_syslog),
	    TEST(what_syslog_does_not_take_is_counted_and_said),
	    TEST(a_syslog_that_was_started_anew_loses_nothing),
	    TEST(a_syslog_that_hangs_holds_nothing_up),
	    TEST(a_syslog_that_is_not_there_is_an_error_at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "install.h"
#include "rotation.h"
#include "scratch.h"
#include "signals.h"
#include "tacit/fd.h"

#define ROTATIONS 5000
#define VALUE_MAX 70000

struct setting {
	struct secrets_dir dir;
	struct rotation rotation;
	int notes_fd;
};

static int base_make(void **state)
{
	static struct setting setting;
	const struct secrets_dir_wish wish = {.path = scratch};
	int ends[2];

	scratch_make();
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	setting = (struct setting){.notes_fd = ends[0]};
	assert_int_equal(secrets_dir_find(&wish, &setting.dir, NULL), 0);
	setting.rotation = (struct rotation){.dir = &setting.dir, .notes_fd = ends[1]};
	*state = &setting;
	return 0;
}

static int base_remove(void **state)
{
	struct setting *setting = *state;

	bundle_free(&setting->rotation.known);
	secrets_dir_close(&setting->dir);
	(void)close(setting->notes_fd);
	(void)close(setting->rotation.notes_fd);
	scratch_remove();
	return 0;
}

static void item_add(struct bundle *bundle, const char *name, const void *bytes, size_t len)
{
	struct secret *secret;

	assert_int_equal(secret_new_from(bytes, len, &secret), 0);
	assert_int_equal(bundle_add(bundle, name, secret), 0);
}

/* A bundle of texts: name, value, name, value ... NULL. */
static int rotate(struct setting *setting, struct text_list *gone, const char *const texts[])
{
	cleanup_bundle struct bundle bundle = {0};

	for (; *texts; texts += 2)
		item_add(&bundle, texts[0], texts[1], strlen(texts[1]));

	return rotation_make(&setting->rotation, &bundle, gone, NULL);
}

/* The notes that have come, as letters: b, i for each item, d. */
static void assert_notes(struct setting *setting, const char *expected)
{
	static const char letters[] = {[NOTE_BEGINS] = 'b', [NOTE_ITEM] = 'i', [NOTE_DONE] = 'd'};
	char text[16] = "";
	struct note note;

	for (size_t i = 0; read(setting->notes_fd, &note, sizeof(note)) == sizeof(note); i++) {
		assert_null(note.item.value);
		text[i] = letters[note.kind];
	}
	assert_string_equal(text, expected);
}

static void assert_file(const char *path, const char *expected)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_secret struct secret *content = NULL;

	assert_true(fd >= 0);
	assert_int_equal(secret_read(fd, 4096, &content), 0);
	assert_true(secret_equals(content, expected, strlen(expected)));
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void rotation_replaces_only_what_has_changed(void **state)
{
	struct setting *setting = *state;
	cleanup_text_list struct text_list gone = {0};
	ino_t same;
	ino_t changed;

	assert_int_equal(rotate(setting, &gone, (const char *[]){"a", "1", "b", "2", NULL}), 1);
	assert_notes(setting, "biid");
	same = inode_of(in_scratch("a"));
	changed = inode_of(in_scratch("b"));

	assert_int_equal(rotate(setting, &gone, (const char *[]){"a", "1", "b", "3", NULL}), 1);
	assert_notes(setting, "biid");
	assert_true(inode_of(in_scratch("a")) == same);
	assert_true(inode_of(in_scratch("b")) != changed);
	assert_file(in_scratch("b"), "3");
	assert_int_equal(gone.count, 0);
}

static void rotation_is_silent_without_news(void **state)
{
	struct setting *setting = *state;

	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "1", NULL}), 1);
	assert_notes(setting, "bid");
	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "1", NULL}), 0);
	assert_notes(setting, "");
}

static void rotation_that_is_due_is_told_without_news(void **state)
{
	struct setting *setting = *state;

	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "1", NULL}), 1);
	assert_notes(setting, "bid");
	setting->rotation.is_due = true;
	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "1", NULL}), 1);
	assert_notes(setting, "bid");
	assert_false(setting->rotation.is_due);
}

static void rotation_removes_what_is_gone(void **state)
{
	struct setting *setting = *state;
	cleanup_text_list struct text_list gone = {0};

	assert_int_equal(rotate(setting, &gone, (const char *[]){"x/a", "1", "b", "2", NULL}), 1);
	assert_int_equal(rotate(setting, &gone, (const char *[]){"b", "2", NULL}), 1);
	assert_int_equal(access(in_scratch("a"), F_OK), -1);
	assert_file(in_scratch("b"), "2");
	assert_int_equal(gone.count, 1);
	assert_string_equal(gone.texts[0], "x/a");
	assert_int_equal(rotate(setting, &gone, (const char *[]){NULL}), 1);
	assert_int_equal(access(in_scratch("b"), F_OK), -1);
}

static void rotation_mends_a_file_that_another_has_changed(void **state)
{
	struct setting *setting = *state;

	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "1", NULL}), 1);
	assert_int_equal(chmod(in_scratch("a"), 0444), 0);
	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "1", NULL}), 1);
	assert_int_equal(unlink(in_scratch("a")), 0);
	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "1", NULL}), 1);
	assert_file(in_scratch("a"), "1");
}

/* One target cannot be replaced, so none is; what was there stays, and the rotation stays due. */
static void rotation_that_fails_keeps_the_old_files(void **state)
{
	struct setting *setting = *state;

	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "1", NULL}), 1);
	assert_notes(setting, "bid");
	assert_int_equal(mkdir(in_scratch("b"), 0700), 0);
	assert_int_equal(
	    rotate(setting, NULL, (const char *[]){"a", "2", "b", "2", NULL}), -EISDIR);
	assert_notes(setting, "bii");
	assert_true(setting->rotation.is_due);
	assert_file(in_scratch("a"), "1");
	assert_int_equal(rmdir(in_scratch("b")), 0);
	assert_int_equal(rotate(setting, NULL, (const char *[]){"a", "2", "b", "2", NULL}), 1);
	assert_file(in_scratch("a"), "2");
}

static void unstage_removes_what_a_dead_process_left(void **state)
{
	struct setting *setting = *state;

	assert_int_equal(
	    close(open(in_scratch(".staged-77-3"), O_CREAT | O_WRONLY | O_CLOEXEC, 0400)), 0);
	assert_int_equal(
	    close(open(in_scratch(".staged-78-0"), O_CREAT | O_WRONLY | O_CLOEXEC, 0400)), 0);
	install_unstage(&setting->dir, 77);
	assert_int_equal(access(in_scratch(".staged-77-3"), F_OK), -1);
	assert_int_equal(access(in_scratch(".staged-78-0"), F_OK), 0);
}

/* Each value is one byte many times over, and its length follows from the byte. */
static size_t value_len(uint8_t byte)
{
	return byte == 'a' ? VALUE_MAX : 1000 + 100 * (size_t)byte;
}

static bool file_is_whole(const char *path, uint8_t bytes[static VALUE_MAX + 1], int *ret_byte)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0 || fd_read_full(fd, bytes, VALUE_MAX + 1, &len) < 0 || len < 2)
		return false;

	*ret_byte = bytes[0];
	return len == value_len(bytes[0]) && memcmp(bytes, bytes + 1, len - 1) == 0;
}

static volatile sig_atomic_t reader_ends;

static void reader_end(int signal_number)
{
	(void)signal_number;
	reader_ends = 1;
}

/* Ends with 0 if every look found a whole value, and enough of them differed. */
static _Noreturn void reader_run(void)
{
	static uint8_t bytes[VALUE_MAX + 1];
	unsigned changes = 0;
	int last = -1;

	(void)signal(SIGTERM, reader_end);
	while (!reader_ends) {
		int byte;

		if (!file_is_whole(in_scratch("value"), bytes, &byte))
			_exit(1);
		changes += byte != last ? 1 : 0;
		last = byte;
	}
	_exit(changes >= 100 ? 0 : 2);
}

static void rotate_to(struct setting *setting, unsigned number)
{
	static uint8_t bytes[VALUE_MAX];
	cleanup_bundle struct bundle bundle = {0};
	uint8_t byte = (uint8_t)('a' + number % 26);
	struct note note;

	memset(bytes, byte, sizeof(bytes));
	item_add(&bundle, "value", bytes, value_len(byte));
	assert_int_equal(rotation_make(&setting->rotation, &bundle, NULL, NULL), 1);
	while (read(setting->notes_fd, &note, sizeof(note)) > 0)
		continue;
}

static void reader_never_sees_anything_but_a_whole_value(void **state)
{
	struct setting *setting = *state;
	pid_t reader;
	int status;

	rotate_to(setting, 0);
	reader = fork();
	if (reader == 0)
		reader_run();
	for (unsigned i = 1; i <= ROTATIONS; i++)
		rotate_to(setting, i);

	assert_int_equal(kill(reader, SIGTERM), 0);
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void signal_is_parsed(void **state)
{
	static const struct {
		const char *text;
		int number;
	} cases[] = {{"HUP", SIGHUP}, {"SIGHUP", SIGHUP}, {"sigusr1", SIGUSR1}, {"15", SIGTERM},
	    {"64", 64}, {"65", 0}, {"0", 0}, {"-1", 0}, {"", 0}, {"SIG", 0}, {"HUPP", 0},
	    {"1x", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(signal_parse(cases[i].text), cases[i].number);
}

#define WITH_BASE(test) cmocka_unit_test_setup_teardown(test, base_make, base_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_BASE(rotation_replaces_only_what_has_changed),
	    WITH_BASE(rotation_is_silent_without_news),
	    WITH_BASE(rotation_that_is_due_is_told_without_news),
	    WITH_BASE(rotation_removes_what_is_gone),
	    WITH_BASE(rotation_mends_a_file_that_another_has_changed),
	    WITH_BASE(rotation_that_fails_keeps_the_old_files),
	    WITH_BASE(unstage_removes_what_a_dead_process_left),
	    WITH_BASE(reader_never_sees_anything_but_a_whole_value),
	    cmocka_unit_test(signal_is_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

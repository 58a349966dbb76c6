/* SPDX-License-Identifier: MIT */
#include "tacit/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "tacit/err.h"
#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * The library's calls of these end here: so that munmap can look at what is given back, mlock can
 * be made to fail, and mlock works under the address sanitizer, which makes it do nothing.
 */
static bool mlock_fails;
static size_t unmapped_bytes;
static size_t unmapped_dirty_bytes;

int mlock(const void *address, size_t len)
{
	if (mlock_fails) {
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_mlock, address, len);
}

int munmap(void *address, size_t len)
{
	const uint8_t *bytes = address;

	for (size_t i = 0; i < len; i++)
		unmapped_dirty_bytes += bytes[i] != 0;
	unmapped_bytes += len;
	return (int)syscall(SYS_munmap, address, len);
}

static struct secret *new_filled(size_t len, int byte)
{
	struct secret *secret = NULL;
	uint8_t *space;

	assert_int_equal(secret_new(len, &secret), 0);
	space = secret_space(secret, len);
	assert_non_null(space);
	memset(space, byte, len);
	secret_grew(secret, len);
	return secret;
}

/* A free block holds the pointer to the next one in front, and nothing else. */
static void assert_block_is_wiped(const uint8_t *block, size_t len)
{
	for (size_t i = 0; i < len && i < sizeof(void *); i++)
		if (i > 2 && block[i] == 0xa5 && block[i - 1] == 0xa5 && block[i - 2] == 0xa5)
			fail_msg("the first bytes of %zu are there", len);
	for (size_t i = sizeof(void *); i < len; i++)
		if (block[i] != 0)
			fail_msg("byte %zu of %zu is there", i, len);
}

static const size_t lens[] = {
    1, 8, 63, 64, 65, 128, 1000, 4096, 8191, 8192, 8193, 65536, 512000, 5 << 20};

/* The arena's slabs stay mapped, so its blocks can be looked at after they were freed. */
#define BLOCK_MAX_BYTES 8192

static void free_wipes_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lens) && lens[i] <= BLOCK_MAX_BYTES; i++) {
		struct secret *secret = new_filled(lens[i], 0xa5);
		const uint8_t *block = secret_bytes(secret);

		assert_int_equal(block[lens[i] - 1], 0xa5);
		secret_free(secret);
		assert_block_is_wiped(block, lens[i]);
	}
}

static void free_wipes_mappings_before_it_gives_them_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lens); i++) {
		struct secret *secret = new_filled(lens[i], 0xa5);

		unmapped_bytes = unmapped_dirty_bytes = 0;
		secret_free(secret);
		assert_int_equal(unmapped_dirty_bytes, 0);
		if (lens[i] > BLOCK_MAX_BYTES)
			assert_in_range(unmapped_bytes, lens[i], lens[i] + 4096);
		else
			assert_int_equal(unmapped_bytes, 0);
	}
}

/* What lies behind the content counts too: a decoder may have failed half way. */
static void free_wipes_what_never_became_content(void **state)
{
	struct secret *secret = NULL;
	uint8_t *space;

	(void)state;
	assert_int_equal(secret_new(1000, &secret), 0);
	space = secret_space(secret, 1000);
	memset(space, 0xa5, 1000);
	assert_int_equal(secret_len(secret), 0);
	secret_free(secret);
	assert_block_is_wiped(space, 1000);
}

static void growth_wipes_the_old_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lens) && lens[i] <= BLOCK_MAX_BYTES; i++) {
		cleanup_secret struct secret *secret = new_filled(lens[i], 0xa5);
		const uint8_t *old = secret_bytes(secret);
		static const uint8_t more[BLOCK_MAX_BYTES] = {0};

		assert_int_equal(secret_append(secret, more, sizeof(more)), 0);
		assert_ptr_not_equal(secret_bytes(secret), old);
		assert_block_is_wiped(old, lens[i]);
		for (size_t b = 0; b < lens[i]; b++)
			assert_int_equal(secret_bytes(secret)[b], 0xa5);
		assert_memory_equal(secret_bytes(secret) + lens[i], more, sizeof(more));
	}
}

static void growth_wipes_the_old_mapping(void **state)
{
	cleanup_secret struct secret *secret = new_filled(20000, 0xa5);

	(void)state;
	unmapped_bytes = unmapped_dirty_bytes = 0;
	assert_non_null(secret_space(secret, 100000));
	assert_in_range(unmapped_bytes, 20000, 24576);
	assert_int_equal(unmapped_dirty_bytes, 0);
	assert_int_equal(secret_len(secret), 20000);
	assert_int_equal(secret_bytes(secret)[19999], 0xa5);
}

static void reset_wipes_and_keeps_the_room(void **state)
{
	cleanup_secret struct secret *secret = new_filled(100, 0xa5);
	const uint8_t *block = secret_bytes(secret);

	(void)state;
	secret_reset(secret);
	assert_int_equal(secret_len(secret), 0);
	assert_ptr_equal(secret_bytes(secret), block);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(block[i], 0);
	assert_ptr_equal(secret_space(secret, 100), block);
}

static void a_free_block_is_used_again(void **state)
{
	struct secret *first = new_filled(500, 1);
	const uint8_t *block = secret_bytes(first);
	cleanup_secret struct secret *second = NULL;

	(void)state;
	secret_free(first);
	second = new_filled(400, 2);
	assert_ptr_equal(secret_bytes(second), block);
}

static void an_empty_secret_is_a_secret(void **state)
{
	cleanup_secret struct secret *secret = NULL;
	cleanup_secret struct secret *copy = NULL;

	(void)state;
	assert_int_equal(secret_new(0, &secret), 0);
	assert_int_equal(secret_len(secret), 0);
	assert_non_null(secret_bytes(secret));
	assert_non_null(secret_space(secret, 0));
	assert_int_equal(secret_append(secret, NULL, 0), 0);
	assert_int_equal(secret_append_text(secret, ""), 0);
	assert_int_equal(secret_append_base64(secret, NULL, 0), 0);
	assert_int_equal(secret_len(secret), 0);
	secret_reset(secret);
	assert_int_equal(secret_new_from(NULL, 0, &copy), 0);
	assert_true(secret_equals(copy, "", 0));
	assert_int_equal(secret_append_text(copy, "x"), 0);
	assert_true(secret_equals(copy, "x", 1));
}

static void freeing_nothing_does_nothing(void **state)
{
	struct secret *secret = NULL;

	(void)state;
	secret_free(NULL);
	secret_cleanup(&secret);
	assert_null(secret);
}

static void what_was_taken_is_left_as_null(void **state)
{
	struct secret *secret = new_filled(3, 1);
	cleanup_secret struct secret *taken = NULL;
	const struct secret *before = secret;

	(void)state;
	taken = secret_take(&secret);
	assert_ptr_equal(taken, before);
	assert_null(secret);
}

static const size_t impossible_lens[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4095, SIZE_MAX - 8192,
    SIZE_MAX / 2 + 1, SIZE_MAX / 2, SIZE_MAX / 2 - 4095, SIZE_MAX / 4 + 1, SIZE_MAX / 4,
    (size_t)1 << 60};

static void sizes_that_cannot_be_are_no_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(impossible_lens); i++) {
		struct secret *secret = NULL;

		assert_int_equal(secret_new(impossible_lens[i], &secret), -ENOMEM);
		assert_null(secret);
	}
}

static void growth_that_cannot_be_changes_nothing(void **state)
{
	cleanup_secret struct secret *secret = new_filled(100, 7);
	const uint8_t *bytes = secret_bytes(secret);

	(void)state;
	for (size_t i = 0; i < COUNT(impossible_lens); i++) {
		assert_null(secret_space(secret, impossible_lens[i]));
		assert_int_equal(secret_append(secret, "x", impossible_lens[i]), -ENOMEM);
	}
	assert_int_equal(secret_len(secret), 100);
	assert_ptr_equal(secret_bytes(secret), bytes);
	assert_int_equal(bytes[99], 7);
}

static void appending_keeps_every_byte(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(0, &secret), 0);
	for (size_t i = 0; i < 70000; i++) {
		const uint8_t byte = (uint8_t)(i * 11);

		assert_int_equal(secret_append(secret, &byte, 1), 0);
	}
	assert_int_equal(secret_len(secret), 70000);
	for (size_t i = 0; i < 70000; i++)
		if (secret_bytes(secret)[i] != (uint8_t)(i * 11))
			fail_msg("byte %zu", i);
}

/* Every two live secrets lie apart, whatever their sizes and the order of freeing. */
static void live_secrets_never_overlap(void **state)
{
	static struct secret *live[600];
	uint32_t random = 12345;

	(void)state;
	for (unsigned round = 0; round < 6000; round++) {
		size_t at;

		random = random * 1103515245 + 12345;
		at = (random >> 16) % COUNT(live);
		if (live[at]) {
			const uint8_t *bytes = secret_bytes(live[at]);

			for (size_t i = 0; i < secret_len(live[at]); i++)
				if (bytes[i] != (uint8_t)at)
					fail_msg("round %u, byte %zu", round, i);
		}
		secret_free(live[at]);
		live[at] = new_filled((random >> 8) % 9000 % ((random >> 24) * 40 + 1), (int)at);
	}
	for (size_t i = 0; i < COUNT(live); i++)
		secret_cleanup(&live[i]);
}

#define THREADS 4

static void *thread_run(void *argument)
{
	const int *byte = argument;

	for (size_t round = 0; round < 3000; round++) {
		struct secret *secret = NULL;
		size_t len = round * 37 % 300 + 1;

		if (secret_new(len, &secret) < 0)
			return argument;
		memset(secret_space(secret, len), *byte, len);
		secret_grew(secret, len);
		for (size_t i = 0; i < len; i++)
			if (secret_bytes(secret)[i] != *byte)
				return argument;
		secret_free(secret);
	}
	return NULL;
}

static void threads_share_the_arena(void **state)
{
	static int bytes[THREADS] = {1, 2, 3, 4};
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_run, &bytes[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *failed = threads;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

/* "VmLck:     64 kB" */
static size_t locked_bytes(void)
{
	cleanup_file FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	size_t kib = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "VmLck:", 6))
			kib = strtoul(line + 6, NULL, 10);
	return kib * 1024;
}

static void secrets_lie_in_locked_memory(void **state)
{
	size_t before = locked_bytes();
	struct secret *large = new_filled(200000, 1);
	size_t during = locked_bytes();

	(void)state;
	assert_true(secret_memory_locked());
	assert_in_range(during - before, 200000, 204800);
	secret_free(large);
	assert_int_equal(locked_bytes(), before);
}

/* Older hosts give a container 64 KiB of it. */
static void hundreds_of_values_fit_under_a_small_limit(void **state)
{
	size_t before = locked_bytes();
	struct secret *values[500];

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		values[i] = new_filled(64, 1);
	assert_in_range(locked_bytes() - before, 0, 48 * 1024);
	for (size_t i = 0; i < COUNT(values); i++)
		secret_free(values[i]);
}

/* Reads the flags of the mapping that holds `address`: "VmFlags: rd wr mr mw me lo ac dd". */
static void mapping_flags(const void *address, char *ret_flags, size_t size)
{
	cleanup_file FILE *file = fopen("/proc/self/smaps", "re");
	bool inside = false;
	char line[512];

	assert_non_null(file);
	ret_flags[0] = '\0';
	while (fgets(line, sizeof(line), file)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)address >= from && (uintptr_t)address < to;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			(void)snprintf(ret_flags, size, "%s", line + 8);
	}
}

static void secrets_stay_out_of_core_dumps(void **state)
{
	static const size_t some_lens[] = {10, 3000, 100000};

	(void)state;
	for (size_t i = 0; i < COUNT(some_lens); i++) {
		cleanup_secret struct secret *secret = new_filled(some_lens[i], 1);
		char flags[256];

		mapping_flags(secret_bytes(secret), flags, sizeof(flags));
		assert_non_null(strstr(flags, " dd"));
		assert_non_null(strstr(flags, " lo"));
	}
}

/* Must run last: the answer stays no. */
static void a_failed_lock_is_told_for_ever(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_true(secret_memory_locked());
	mlock_fails = true;
	secret = new_filled(100000, 1);
	mlock_fails = false;
	assert_false(secret_memory_locked());
	secret_cleanup(&secret);
	assert_false(secret_memory_locked());
}

/* A file in memory, to be read from its start. */
static int file_of(size_t len)
{
	int fd = memfd_create("tacit-test", MFD_CLOEXEC);
	cleanup_free uint8_t *bytes = malloc(len + 1);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 13);
	assert_int_equal(fd_write_all(fd, bytes, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void read_takes_everything(void **state)
{
	static const size_t file_lens[] = {0, 1, 4095, 4096, 4097, 8192, 12289, 512000};

	(void)state;
	for (size_t f = 0; f < COUNT(file_lens); f++) {
		cleanup_secret struct secret *secret = NULL;
		cleanup_fd int fd = file_of(file_lens[f]);

		assert_int_equal(secret_read(fd, file_lens[f], &secret), 0);
		assert_int_equal(secret_len(secret), file_lens[f]);
		for (size_t i = 0; i < file_lens[f]; i++)
			if (secret_bytes(secret)[i] != (uint8_t)(i * 13))
				fail_msg("byte %zu of %zu", i, file_lens[f]);
	}
}

struct limit_row {
	size_t len;
	size_t max_bytes;
};

static const struct limit_row limit_rows[] = {
    {1, 0}, {2, 1}, {4096, 4095}, {4097, 4096}, {8193, 8192}, {512001, 512000}, {3 << 20, 512000}};

static void read_refuses_one_byte_too_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(limit_rows); i++) {
		struct secret *secret = NULL;
		cleanup_fd int fd = file_of(limit_rows[i].len);

		assert_int_equal(
		    secret_read(fd, limit_rows[i].max_bytes, &secret), -TACIT_E_TOO_LARGE);
		assert_null(secret);
	}
}

static void read_puts_pieces_together(void **state)
{
	cleanup_secret struct secret *secret = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	if (fork() == 0) {
		for (size_t i = 0; i < 50; i++) {
			(void)fd_write_all(ends[1], "piece ", 6);
			(void)usleep(1000);
		}
		_exit(0);
	}
	(void)close(ends[1]);
	assert_int_equal(secret_read(ends[0], 1000, &secret), 0);
	assert_int_equal(secret_len(secret), 300);
	(void)close(ends[0]);
}

static void read_reports_errors(void **state)
{
	struct secret *secret = NULL;
	cleanup_fd int directory_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(secret_read(-1, 10, &secret), -EBADF);
	assert_int_equal(secret_read(directory_fd, 10, &secret), -EISDIR);
	assert_null(secret);
}

struct base64_row {
	const char *bytes;
	const char *text;
};

/* RFC 4648, section 10, and the two digits that tell the alphabets apart. */
static const struct base64_row base64_rows[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/"},
    {"\xff", "/w=="},
};

static void base64_is_that_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(base64_rows); i++) {
		const struct base64_row *row = &base64_rows[i];
		cleanup_secret struct secret *text = NULL;
		cleanup_secret struct secret *bytes = NULL;

		assert_int_equal(secret_new(0, &text), 0);
		assert_int_equal(secret_append_text(text, ">"), 0);
		assert_int_equal(secret_append_base64(text, row->bytes, strlen(row->bytes)), 0);
		assert_int_equal(secret_bytes(text)[0], '>');
		assert_int_equal(secret_len(text), 1 + strlen(row->text));
		assert_memory_equal(secret_bytes(text) + 1, row->text, strlen(row->text));

		assert_int_equal(secret_from_base64(row->text, strlen(row->text), &bytes), 0);
		assert_true(secret_equals(bytes, row->bytes, strlen(row->bytes)));
	}
}

static void base64_comes_back_at_every_length(void **state)
{
	uint8_t bytes[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 73 + i / 256);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		cleanup_secret struct secret *text = NULL;
		cleanup_secret struct secret *back = NULL;

		assert_int_equal(secret_new(0, &text), 0);
		assert_int_equal(secret_append_base64(text, bytes, len), 0);
		assert_int_equal(secret_len(text), (len + 2) / 3 * 4);
		assert_int_equal(
		    secret_from_base64((const char *)secret_bytes(text), secret_len(text), &back),
		    0);
		assert_true(secret_equals(back, bytes, len));
	}
}

static const char *const bad_base64[] = {"A", "AA", "AAA", "AA=", "A=", "A==", "A===", "=",
    "==", "===", "====", "AAAA=", "AAAA==", "AAAA====", "AAAAA", "AA==AAAA", "AA=A", "A=AA", "=AAA",
    "AB==", "AAB=", "Zh==", "Zm9=", "Zm9v ", " Zm9v", "Zm 9v", "Zm9v\n", "Zm9v\r\n", "Zm9v\nZm9v",
    "Z\tg==", "Zg==\n", "Zg= =", "-_-_", "Zm9-", "Zm9_", "Zm9.", "Zm9,", "Zm\xc3\xb6",
    "\xff\xff\xff\xff"};

static void base64_takes_one_text_for_each_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_base64); i++) {
		struct secret *secret = NULL;

		if (secret_from_base64(bad_base64[i], strlen(bad_base64[i]), &secret) !=
		    -TACIT_E_MALFORMED)
			fail_msg("\"%s\" is taken", bad_base64[i]);
		assert_null(secret);
	}
}

/* At each place in a group of four: the 64 digits, and no other of the 256 bytes. */
static void base64_takes_its_digits_and_no_other_byte(void **state)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	for (size_t at = 0; at < 4; at++)
		for (int c = 0; c < 256; c++) {
			cleanup_secret struct secret *secret = NULL;
			char text[] = "AAAAAAAA";
			bool good = c != 0 && strchr(digits, c);
			int r;

			text[at] = (char)c;
			r = secret_from_base64(text, 8, &secret);
			if (r != (good ? 0 : -TACIT_E_MALFORMED))
				fail_msg("byte %02x at %zu gives %d", (unsigned)c, at, r);
		}
}

struct occurs_row {
	const char *secret;
	const char *text;
	bool occurs;
};

static const struct occurs_row occurs_rows[] = {
    {"hunter2", "hunter2", true},
    {"hunter2", "postgres://u:hunter2@db/", true},
    {"hunter2", "xhunter2", true},
    {"hunter2", "hunter2x", true},
    {"hunter2", "hunter", false},
    {"hunter2", "Hunter2", false},
    {"hunter2", "hunterhunter", false},
    {"hunter2", "hunthunter2", true},
    {"hunter2", "", false},
    {"x", "", false},
    {"", "", false},
    {"", "anything", false},
};

static void a_secret_occurs_only_as_a_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(occurs_rows); i++) {
		const struct occurs_row *row = &occurs_rows[i];
		cleanup_secret struct secret *secret = NULL;

		assert_int_equal(secret_new_from(row->secret, strlen(row->secret), &secret), 0);
		if (secret_occurs_in(secret, row->text, strlen(row->text)) != row->occurs)
			fail_msg("\"%s\" in \"%s\"", row->secret, row->text);
	}
}

static void equality_takes_every_byte_and_the_length(void **state)
{
	cleanup_secret struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new_from("a\0b", 3, &secret), 0);
	assert_true(secret_equals(secret, "a\0b", 3));
	assert_false(secret_equals(secret, "a\0c", 3));
	assert_false(secret_equals(secret, "b\0b", 3));
	assert_false(secret_equals(secret, "a\0b", 2));
	assert_false(secret_equals(secret, "a\0bx", 4));
	assert_false(secret_equals(secret, "", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(free_wipes_blocks),
	    cmocka_unit_test(free_wipes_mappings_before_it_gives_them_back),
	    cmocka_unit_test(free_wipes_what_never_became_content),
	    cmocka_unit_test(growth_wipes_the_old_block),
	    cmocka_unit_test(growth_wipes_the_old_mapping),
	    cmocka_unit_test(reset_wipes_and_keeps_the_room),
	    cmocka_unit_test(a_free_block_is_used_again),
	    cmocka_unit_test(an_empty_secret_is_a_secret),
	    cmocka_unit_test(freeing_nothing_does_nothing),
	    cmocka_unit_test(what_was_taken_is_left_as_null),
	    cmocka_unit_test(sizes_that_cannot_be_are_no_memory),
	    cmocka_unit_test(growth_that_cannot_be_changes_nothing),
	    cmocka_unit_test(appending_keeps_every_byte),
	    cmocka_unit_test(live_secrets_never_overlap),
	    cmocka_unit_test(threads_share_the_arena),
	    cmocka_unit_test(secrets_lie_in_locked_memory),
	    cmocka_unit_test(hundreds_of_values_fit_under_a_small_limit),
	    cmocka_unit_test(secrets_stay_out_of_core_dumps),
	    cmocka_unit_test(read_takes_everything),
	    cmocka_unit_test(read_refuses_one_byte_too_many),
	    cmocka_unit_test(read_puts_pieces_together),
	    cmocka_unit_test(read_reports_errors),
	    cmocka_unit_test(base64_is_that_of_the_rfc),
	    cmocka_unit_test(base64_comes_back_at_every_length),
	    cmocka_unit_test(base64_takes_one_text_for_each_value),
	    cmocka_unit_test(base64_takes_its_digits_and_no_other_byte),
	    cmocka_unit_test(a_secret_occurs_only_as_a_whole),
	    cmocka_unit_test(equality_takes_every_byte_and_the_length),
	    cmocka_unit_test(a_failed_lock_is_told_for_ever),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}

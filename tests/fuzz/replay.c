/* SPDX-License-Identifier: MIT */
/*
 * Runs a harness without a fuzzer: `replay_NAME DIRECTORY` feeds every file of the directory, and
 * around each the inputs that are nearest to it: all its beginnings, and every flip of one bit.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "must.h"
#include "tacit/fd.h"

#define SEED_MAX_BYTES 65536
#define FLIP_MAX_BYTES 1024 /* of a longer seed only the first ones are flipped and cut */

/* A copy of exactly this length, so that the sanitizer sees every read behind it. */
static void feed(const uint8_t *bytes, size_t len)
{
	cleanup_free uint8_t *copy = malloc(len ? len : 1);

	must(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
}

static void feed_neighbours(uint8_t *bytes, size_t len)
{
	size_t edge = len < FLIP_MAX_BYTES ? len : FLIP_MAX_BYTES;

	for (size_t cut = 0; cut < edge; cut++)
		feed(bytes, cut);
	for (size_t bit = 0; bit < 8 * edge; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		feed(bytes, len);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void feed_file(int dirfd, const char *name)
{
	static uint8_t bytes[SEED_MAX_BYTES];
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	size_t len;

	must(fd >= 0 && fd_read_full(fd, bytes, sizeof(bytes), &len) == 0);
	must(len < sizeof(bytes));
	feed(bytes, len);
	feed_neighbours(bytes, len);
}

int main(int argc, char *argv[])
{
	DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	int count = 0;

	if (!directory) {
		(void)fprintf(stderr, "usage: replay DIRECTORY\n");
		return 2;
	}

	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		/* Before it runs: when it crashes, the last line names the seed. */
		(void)printf("# %s\n", entry->d_name);
		(void)fflush(stdout);
		feed_file(dirfd(directory), entry->d_name);
		(void)printf("ok %d - %s\n", ++count, entry->d_name);
	}
	(void)closedir(directory);
	(void)printf("1..%d\n", count);
	return count > 0 ? 0 : 1;
}

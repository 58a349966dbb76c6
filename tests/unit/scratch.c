/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATHS 4

char scratch[32];

void scratch_make(void)
{
	(void)snprintf(scratch, sizeof(scratch), "/dev/shm/tacit-test-XXXXXX");
	assert_non_null(mkdtemp(scratch));
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void scratch_remove(void)
{
	assert_int_equal(nftw(scratch, entry_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
}

const char *in_scratch(const char *name)
{
	static char paths[PATHS][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % PATHS];

	(void)snprintf(path, PATH_MAX, "%s/%s", scratch, name);
	return path;
}

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_FUZZ_MUST_H
#define TACIT_FUZZ_MUST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What a harness promises about its input; a broken promise is a crash that the fuzzer keeps. */
static inline void must(bool condition)
{
	if (!condition)
		abort();
}

#endif

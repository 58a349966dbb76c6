/* SPDX-License-Identifier: MIT */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include <stdint.h>

#include "tacit/err.h"
#include "tacit/secret.h"

/* Where a new value comes from. Each gives at most PROTO_VALUE_MAX_BYTES, exact, or a fault. */

/* What BYTES of --generate may be: 64 bits at least, and what fits a value when it is encoded. */
#define VALUE_GENERATE_MIN_BYTES 8
#define VALUE_GENERATE_MAX_BYTES 384000

/* stdin to its end; where that is a terminal a person is asked. `name` is for the faults. */
int value_from_stdin(const char *name, struct secret **ret_value, struct fault *fault);

int value_from_file(const char *path, struct secret **ret_value, struct fault *fault);

/*
 * `bytes` random bytes in base64url without padding (RFC 4648, section 5), so that the value can be
 * typed, put into a URL and into a line of a .pgpass.
 */
int value_generate(uint32_t bytes, struct secret **ret_value);

/* Reads a whole file of at most `max_bytes`. */
int value_read_file(
    const char *path, size_t max_bytes, struct secret **ret_text, struct fault *fault);

#endif

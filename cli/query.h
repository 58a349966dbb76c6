/* SPDX-License-Identifier: MIT */
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include <stdint.h>

#include "tacit/proto.h"

/*
 * Adds `?key=value`, or `&key=value` behind the first, to a path; the value is percent-encoded.
 * -TACIT_E_TOO_LARGE when it does not fit; the path is then as before.
 */
int query_add(char path[static PROTO_PATH_MAX_BYTES], const char *key, const char *value);
int query_add_number(char path[static PROTO_PATH_MAX_BYTES], const char *key, uint32_t value);

#endif

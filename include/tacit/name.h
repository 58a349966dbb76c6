/* SPDX-License-Identifier: MIT */
#ifndef TACIT_NAME_H
#define TACIT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The grammar of names and patterns. Pure: bytes in, verdict out.
 *
 *   secret name   segments `[A-Za-z0-9_][A-Za-z0-9._-]*` joined by `/`, 255 bytes at most
 *   client name   one such segment, 64 bytes at most (RFC 5280, ub-common-name)
 *   file name     one such segment, 255 bytes at most
 *   pattern       a secret name in which `*` stands for any run of bytes within a segment and a
 *                 segment `**` for any number of segments, none included
 *   variable      `[A-Za-z_][A-Za-z0-9_]*`, 255 bytes at most, and not one of Tacit's own
 */
#define NAME_MAX_BYTES        255
#define CLIENT_NAME_MAX_BYTES 64

/* Each returns whether the NUL-terminated text is one. */
bool name_is_secret(const char *text);
bool name_is_client(const char *text);
bool name_is_file(const char *text);
bool name_is_pattern(const char *text);
bool name_is_env(const char *text);

/* Whether `pattern` covers `name`; both valid. Time is linear in their product at worst. */
bool pattern_matches(const char *pattern, const char *name);

/*
 * Length of the part of `pattern` before its first wildcard: every name that it covers starts
 * with those bytes. (`web/` + `**` covers `web` itself too, so there the `/` does not count.)
 */
size_t pattern_literal_prefix(const char *pattern);

/* The file that `name` is delivered as: its last segment, inside `name`. */
const char *name_default_file(const char *name);

/*
 * The variable that holds the path of `file`: capitals, every other character `_`, and `_FILE`.
 * A leading digit is kept, as the contract says.
 */
void name_default_env(const char *file, char ret_env[static NAME_MAX_BYTES + 6]);

/*
 * The variable that `env` replaces: `env` without a trailing `_FILE`, or `env` itself where it
 * does not end so (`PGPASSFILE`).
 */
void name_value_env(const char *env, char ret_env[static NAME_MAX_BYTES + 6]);

/*
 * Parses an octal file mode. Only reading by owner and group can be asked for (0400, 0440);
 * anything else is -TACIT_E_INVALID_MODE.
 */
int name_parse_mode(const char *text, mode_t *ret_mode);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_ENV_FILE_H
#define TACIT_ENV_FILE_H

#include "tacit/bundle.h"
#include "tacit/secret.h"

/*
 * .env files, as docker compose and dotenv read them:
 *
 *   # comment                      whole lines, blank lines are skipped
 *   export NAME=value              `export` is optional, blanks around `=` are allowed
 *   NAME=bare value  # comment     trimmed; ` #` starts a comment, `a#b` does not; never an escape
 *   NAME='literal'                 every byte as it stands, over several lines too
 *   NAME="text"                    \n \r \t \" \\ \$ are escapes, any other `\` stands for itself
 *
 * Behind a closing quote only blanks and a comment may follow. Line ends may be CRLF: the CR does
 * not become part of a value, inside quotes neither (write \r in double quotes to get one).
 *
 * Nothing is ever interpolated: `$NAME` and `${NAME}` are bytes of the value, since a password
 * with a `$` must survive. (dotenv does the same; docker compose would interpolate.)
 *
 * A name without `=` is an error and not, as for docker, a look at the environment: what is not
 * in the file is not delivered.
 */

/*
 * Parses a whole file. Each variable becomes an item that is named as the variable, with
 * bundle_add()'s defaults; of several with one name the last wins, at the place of the first.
 *
 * Gives -TACIT_E_MALFORMED (no `=`, an unclosed quote, bytes behind one, a NUL),
 * -TACIT_E_INVALID_ENV (a name that is not name_is_env(), with and without `_FILE` behind it),
 * -TACIT_E_TOO_LARGE (a value over PROTO_VALUE_MAX_BYTES, or over BUNDLE_ITEMS_MAX variables) or
 * -ENOMEM; then *ret_line, which may be NULL, is the line where the entry at fault starts, counted
 * from 1. Of its content nothing gets out. `ret_bundle` is untouched on failure.
 */
int env_file_parse(const struct secret *text, struct bundle *ret_bundle, unsigned *ret_line);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_LEAKS_H
#define TACIT_AGENT_LEAKS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What looks like a secret in places that others can read. Pure, and a guess: by names, by a
 * password in a URL, and by the head of a private key.
 */

/* Whether `name` names a secret: DB_PASSWORD, api-key, GITHUB_TOKEN; not DB_PASSWORD_FILE. */
bool leak_in_name(const char *name, size_t len);

/* Whether a text holds scheme://user:password@ or a private key in PEM. */
bool leak_in_value(const char *value);

/* Whether a variable, NAME=VALUE, looks like one; Tacit's own are not looked at. */
bool leak_in_variable(const char *variable);

/*
 * Whether an argument looks like one: NAME=VALUE anywhere inside it, so that the script of a
 * `sh -c` is looked at too, or a value that does. `next` is the argument behind it, or NULL.
 */
bool leak_in_argument(const char *argument, const char *next);

#endif

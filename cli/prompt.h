/* SPDX-License-Identifier: MIT */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * The longest line that a terminal hands over whole; a longer one arrives cut, without a word
 * (termios(3), "Canonical and noncanonical mode").
 */
#define PROMPT_MAX_BYTES 4094

/*
 * Asks on the terminal that is stdin, without echo, for the value of `name`, and once more; the
 * two must be equal. The terminal is put back on every way out, a signal included.
 * -TACIT_E_MALFORMED when they differ, are empty or too long; -TACIT_E_USAGE, -errno.
 */
int prompt_value(const char *name, struct secret **ret_value, struct fault *fault);

#endif

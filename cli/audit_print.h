/* SPDX-License-Identifier: MIT */
#ifndef CLI_AUDIT_PRINT_H
#define CLI_AUDIT_PRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "tacit/json.h"

/*
 * Lines of the audit log as they come, which may be for hours: so the columns are as wide as what
 * has come so far. Zeroed it is ready for use.
 */
#define AUDIT_COLUMNS 6

struct audit_printer {
	bool wants_json; /* one object a line, as in the log itself */
	bool began;
	size_t widths[AUDIT_COLUMNS];
};

/* Prints the entries of one page to stdout, and flushes it. 0 or -errno. */
int audit_print(struct audit_printer *printer, const struct json *entries);

#endif

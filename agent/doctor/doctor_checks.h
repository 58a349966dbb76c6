/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_DOCTOR_CHECKS_H
#define TACIT_AGENT_DOCTOR_CHECKS_H

#include <stdbool.h>

#include "facts.h"

enum verdict {
	VERDICT_PASS,
	VERDICT_WARN,
	VERDICT_FAIL,
	VERDICT_UNKNOWN, /* what the check reads is not there */
	VERDICT_COUNT,
};

#define FINDING_DETAIL_BYTES 160

struct finding {
	enum verdict verdict;
	char detail[FINDING_DETAIL_BYTES]; /* what was seen: names and numbers, never a value */
};

/*
 * The hardening checklist: one row a check, in the order in which they are shown. The checks are
 * pure, and in checks_*.c.
 */
typedef struct finding check_function(const struct facts *facts);

struct check {
	const char *name; /* "root file system" */
	check_function *look;
	const char *remedy;  /* one line, with the flag of `docker run` where there is one */
	bool may_be_unknown; /* an image need not tell; whatever else is unknown is no pass */
};

extern const struct check doctor_checks[]; /* ends with a row whose name is NULL */

#define DOCTOR_CHECKS_MAX 32

#endif

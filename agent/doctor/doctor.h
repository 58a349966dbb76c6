/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_DOCTOR_H
#define TACIT_AGENT_DOCTOR_H

#include "doctor_checks.h"
#include "tacit/err.h"
#include "tacit/options.h"

/* All findings, in the order of doctor_checks. */
struct diagnosis {
	struct finding findings[DOCTOR_CHECKS_MAX];
};

void doctor_examine(const struct facts *facts, struct diagnosis *ret_diagnosis);

/*
 * Whether nothing is wrong: no check failed or could not look (but for those that may), and, when
 * `is_strict`, none warned. `ret_first` is the index of the first that was, if wanted.
 */
bool diagnosis_is_good(const struct diagnosis *diagnosis, bool is_strict, size_t *ret_first);

/*
 * For `run --require-hardened`: 0, or -EPERM with the first thing that is wrong, and what to do
 * about it, in `fault`. `dir` is where the secrets are to go, NULL for the default.
 */
int doctor_require_hardened(const char *dir, struct fault *fault);

extern const struct option_row doctor_option_rows[];

#endif

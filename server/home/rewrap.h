/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_REWRAP_H
#define TACIT_SERVER_REWRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "secrets.h"
#include "vault.h"

/*
 * A new term of the keyring is in use as soon as it is there; data keys that are sealed under an
 * old one are brought over in steps, a few rows in one commit each, while everything goes on. When
 * none is left the old term is destroyed. Nothing has to be remembered across a crash: as long as
 * there is an old term, whoever serves the store walks over its rows.
 */
struct rewrap {
	uint32_t term; /* brought to this one; another one in use: from the start */
	char
	    name[NAME_MAX_BYTES + 1]; /* done up to here, in the order of names; "": at the start */
	uint64_t rows;                /* that were sealed again, for people */
};

#define REWRAP_STEP_ROWS  32
#define REWRAP_STEP_BYTES ((size_t)1 << 20)

/* Whether there is an old term. */
bool rewrap_is_due(const struct vault *vault);

/*
 * One step; `rewrap` is all zeros at the start of each walk. 1 when there is more to do, 0 when the
 * old term is gone. The errors of vault.h; a row that does not authenticate stays under its old
 * term, which then is never destroyed: -TACIT_E_CORRUPT, with its name in `fault`.
 */
int rewrap_step(
    struct rewrap *rewrap, struct vault *vault, const struct secrets *secrets, struct fault *fault);

#endif

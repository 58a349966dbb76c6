/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SEALING_H
#define TACIT_SERVER_SEALING_H

#include "handlers.h"
#include "tacit/sealed_bundle.h"

/*
 * The other form of a bundle: sealed to a key of the client's and signed by us, to be kept
 * (sealed_bundle.h). Who asks for no such thing pays nothing for it.
 */

/*
 * Seals `text`, the caller's bundle as of `revision`, to `recipient` and answers with it.
 * -TACIT_E_MALFORMED for a key that is none.
 */
int sealing_answer(
    struct exchange *exchange, const char *recipient, uint64_t revision, const struct secret *text);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_TEMPLATE_H
#define TACIT_AGENT_TEMPLATE_H

#include <stddef.h>

#include "tacit/bundle.h"
#include "tacit/secret.h"

/*
 * A template is any bytes at all in which `${secret:NAME}` stands for the value of a secret, byte
 * for byte. There are no conditions, no loops and no filters.
 *
 * In a run of `$` before `{secret:` each pair stands for one `$`, so `$${secret:NAME}` gives the
 * text `${secret:NAME}`, and `$$${secret:NAME}` a `$` and then the value. A `$` anywhere else is
 * just that.
 */
struct template_spot {
	unsigned line;                 /* from 1 */
	char name[NAME_MAX_BYTES + 1]; /* the secret that is named there; "" where there is none */
};

/*
 * Renders a template. Pure. -TACIT_E_NOT_FOUND for a name that `bundle` does not have,
 * -TACIT_E_MALFORMED for a `${secret:` without a valid name and a `}`, -TACIT_E_TOO_LARGE for a
 * result over PROTO_VALUE_MAX_BYTES, -ENOMEM; then *ret_spot, which may be NULL, is where.
 */
int template_render(const void *text, size_t len, const struct bundle *bundle,
    struct secret **ret_content, struct template_spot *ret_spot);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_TEMPLATES_H
#define TACIT_AGENT_TEMPLATES_H

#include <stdbool.h>
#include <stddef.h>

#include "tacit/bundle.h"
#include "tacit/err.h"
#include "tacit/name.h"

/*
 * The templates of `--template SRC=DST`. Each is read once, at the start, so that what a file is
 * renewed from is what it was made from; what comes of it joins the bundle as an item that is
 * `rendered`, and is delivered, replaced and removed in one sweep with the secrets.
 */
struct template
{
	char *source; /* SRC as it was given; owned, like `text` */
	char file[NAME_MAX_BYTES + 1];
	char *text; /* NULL until it is loaded */
	size_t len;
};

struct templates {
	struct template *items; /* owned, `count` of them */
	size_t count;
};

/* Adds `SRC=DST`, split at the last `=`. -TACIT_E_USAGE, -TACIT_E_INVALID_NAME, -ENOMEM. */
int templates_add(struct templates *templates, const char *spec, struct fault *fault);

/*
 * Reads every SRC. -TACIT_E_TOO_LARGE over PROTO_VALUE_MAX_BYTES, -EINVAL for what is no regular
 * file, -errno; the path in `fault`.
 */
int templates_load(struct templates *templates, struct fault *fault);

/*
 * Renders all of them with the secrets of `bundle` and adds them to it. The errors of
 * template_render(), with SRC, its line and the secret in `fault`. A template that names a secret
 * which is not there is left out where `may_lack` is set: then its file goes with the secret's.
 */
int templates_apply(
    const struct templates *templates, bool may_lack, struct bundle *bundle, struct fault *fault);

/* Whether the name of an item is one that templates_apply() gave: no secret can have it. */
bool templates_made(const char *name);

void templates_free(struct templates *templates);

#endif

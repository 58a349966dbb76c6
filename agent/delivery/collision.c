/* SPDX-License-Identifier: MIT */
#include "collision.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/fd.h"
#include "templates.h"

struct claim {
	char what[NAME_MAX_BYTES + 6]; /* the file or variable that is claimed */
	const char *name;              /* by this secret; borrowed */
};

static void claim_file(struct claim *claim, const struct bundle_item *item)
{
	(void)snprintf(claim->what, sizeof(claim->what), "%s", item->file);
}

static void claim_path_env(struct claim *claim, const struct bundle_item *item)
{
	(void)snprintf(claim->what, sizeof(claim->what), "%s", item->env);
}

static void claim_value_env(struct claim *claim, const struct bundle_item *item)
{
	if (item->rendered)
		claim_path_env(claim, item);
	else
		name_value_env(item->env, claim->what);
}

/* Equal claims are put in the order of the secrets' names, so that the message never varies. */
static int claims_compare(const void *left_claim, const void *right_claim)
{
	const struct claim *left = left_claim;
	const struct claim *right = right_claim;
	int order = strcmp(left->what, right->what);

	return order ? order : strcmp(left->name, right->name);
}

static int claims_check(const struct bundle *bundle, const char *kind,
    void (*claim)(struct claim *, const struct bundle_item *), struct fault *fault)
{
	cleanup_free struct claim *claims = calloc(bundle->count + 1, sizeof(*claims));
	char why[sizeof(fault->why)];

	if (!claims)
		return fault_set(fault, -ENOMEM, "secrets");

	for (size_t i = 0; i < bundle->count; i++) {
		claims[i].name = bundle->items[i].name;
		claim(&claims[i], &bundle->items[i]);
	}
	qsort(claims, bundle->count, sizeof(*claims), claims_compare);

	for (size_t i = 1; i < bundle->count; i++) {
		if (strcmp(claims[i - 1].what, claims[i].what) != 0)
			continue;
		(void)snprintf(why, sizeof(why), "%s have the same %s, %s",
		    templates_made(claims[i].name) || templates_made(claims[i - 1].name)
		        ? "two files"
		        : "two secrets",
		    kind, claims[i].what);
		return fault_set_why(fault, -TACIT_E_FILE_COLLISION, why, "%s and %s",
		    claims[i - 1].name, claims[i].name);
	}

	return 0;
}

int collision_check(const struct bundle *bundle, enum env_mode mode, struct fault *fault)
{
	int r = claims_check(bundle, "file name", claim_file, fault);

	if (r < 0 || mode == ENV_NONE)
		return r;

	return claims_check(
	    bundle, "variable", mode == ENV_VALUE ? claim_value_env : claim_path_env, fault);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"
#include "tacit/fd.h"
#include "tacit/proto.h"
#include "tacit/secret.h"

struct source_environ {
	struct source source;
	const struct text_list *names; /* of the options, which outlive us */
};

static int variable_add(struct bundle *bundle, const char *name, struct fault *fault)
{
	const char *text = getenv(name);
	struct secret *value;

	if (!text)
		return fault_set_why(
		    fault, -TACIT_E_NOT_FOUND, "not set in the environment", "%s", name);
	if (strlen(text) > PROTO_VALUE_MAX_BYTES)
		return fault_set(fault, -TACIT_E_TOO_LARGE, "%s", name);
	if (secret_new_from(text, strlen(text), &value) < 0 || bundle_add(bundle, name, value) < 0)
		return fault_set(fault, -ENOMEM, "%s", name);

	return 0;
}

static int environ_fetch(
    struct source *base, int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault)
{
	const struct text_list *names = ((struct source_environ *)base)->names;
	cleanup_bundle struct bundle bundle = {0};

	(void)deadline_ms;
	for (size_t i = 0; i < names->count; i++) {
		int r = variable_add(&bundle, names->texts[i], fault);

		if (r < 0)
			return r;
	}

	*ret_bundle = bundle;
	bundle = (struct bundle){0};
	return 0;
}

static void environ_free(struct source *base)
{
	free(base);
}

static const struct source_ops environ_ops = {.fetch = environ_fetch, .free = environ_free};

int source_environ_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault)
{
	struct source_environ *source = calloc(1, sizeof(*source));

	if (!source)
		return fault_set(fault, -ENOMEM, "environment");

	source->source.ops = &environ_ops;
	source->names = &options->from_env;
	*ret_source = &source->source;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "delivery.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "collision.h"
#include "install.h"
#include "signals.h"

/*
 * What comes from variables, or from a file that people load into variables, may stand in our own
 * environment under the same names, whatever --secret makes of them.
 */
static int sources_note(
    const struct agent_options *options, struct delivery *delivery, struct fault *fault)
{
	if (!options->env_file && options->from_env.count == 0)
		return 0;

	for (size_t i = 0; i < delivery->bundle.count; i++) {
		const char *name = delivery->bundle.items[i].name;

		if (text_list_add(&delivery->sources, name, strlen(name)) < 0)
			return fault_set(fault, -ENOMEM, "%s", name);
	}

	return 0;
}

static int values_get(const struct agent_options *options, struct source *source,
    int64_t deadline_ms, struct delivery *delivery, struct fault *fault)
{
	int r = source_fetch(source, deadline_ms, &delivery->bundle, fault);

	if (r == 0)
		r = sources_note(options, delivery, fault);
	if (r == 0)
		r = selection_apply(&options->selection, &delivery->bundle, fault);
	if (r == 0)
		r = templates_apply(&options->templates, false, &delivery->bundle, fault);
	if (r == 0)
		r = collision_check(&delivery->bundle, options->env, fault);

	return r;
}

int delivery_make(const struct agent_options *options, struct source *source, int64_t deadline_ms,
    bool outlives_us, struct delivery *delivery, struct fault *fault)
{
	const struct secrets_dir_wish wish = {.path = options->dir, .outlives_us = outlives_us};
	int r = values_get(options, source, deadline_ms, delivery, fault);

	if (r < 0)
		return r;

	signals_block();
	r = secrets_dir_find(&wish, &delivery->dir, fault);
	if (r == 0)
		r = install_bundle(&delivery->dir, &delivery->bundle, &delivery->files, fault);
	if (r < 0)
		secrets_dir_remove(&delivery->dir);

	return r;
}

int delivery_scrub(struct delivery *delivery, const struct agent_options *options, const char *home,
    struct fault *fault)
{
	const struct scrub_rules rules = {
	    .bundle = &delivery->bundle,
	    .dir = delivery->dir.path,
	    .mode = options->env,
	    .keep = &options->keep,
	    .sources = &delivery->sources,
	    .pristine = options->pristine,
	    .home = home,
	};

	return scrub_environment(environ, &rules, &delivery->environment, fault);
}

void delivery_forget(struct delivery *delivery)
{
	bundle_free(&delivery->bundle);
	environment_free(&delivery->environment);
}

void delivery_undo(struct delivery *delivery)
{
	if (delivery->dir.fd >= 0)
		install_remove(&delivery->dir, &delivery->files);
	secrets_dir_remove(&delivery->dir);
}

void delivery_free(struct delivery *delivery)
{
	delivery_forget(delivery);
	text_list_free(&delivery->sources);
	text_list_free(&delivery->files);
	secrets_dir_close(&delivery->dir);
}

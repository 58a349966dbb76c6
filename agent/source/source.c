/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <stddef.h>

int source_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault)
{
	if (options->env_file)
		return source_env_file_open(options, ret_source, fault);
	if (options->from_env.count > 0)
		return source_environ_open(options, ret_source, fault);

	return source_server_open(options, ret_source, fault);
}

int source_fetch(
    struct source *source, int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault)
{
	return source->ops->fetch(source, deadline_ms, ret_bundle, fault);
}

int source_wait(struct source *source, int wait_s, struct bundle *ret_bundle, struct fault *fault)
{
	return source->ops->wait(source, wait_s, ret_bundle, fault);
}

void source_ask_anew(struct source *source)
{
	source->ops->ask_anew(source);
}

void source_disconnect(struct source *source)
{
	source->ops->disconnect(source);
}

int source_renew(struct source *source, struct fault *fault)
{
	return source->ops->renew(source, fault);
}

int64_t source_valid_until(struct source *source)
{
	return source->ops->valid_until(source);
}

void source_take_over(struct source *source)
{
	source->ops->take_over(source);
}

void source_leave(struct source *source)
{
	if (source->ops->leave)
		source->ops->leave(source);
}

void source_free(struct source *source)
{
	if (source)
		source->ops->free(source);
}

void source_cleanup(struct source **source)
{
	source_free(*source);
	*source = NULL;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "patient.h"
#include "source.h"
#include "tacit/env_file.h"
#include "tacit/fd.h"
#include "tacit/secret.h"

#define ENV_FILE_MAX_BYTES 8388608UL

struct source_env_file {
	struct source source;
	const char *path;
	int fd;
};

/* The place is told, never the content. */
static int parse_fault(struct fault *fault, int err, const char *path, unsigned line)
{
	if (err == -TACIT_E_MALFORMED)
		return fault_set_why(fault, err,
		    "not NAME=value, a quote that is not closed, or text behind one", "%s line %u",
		    path, line);

	return fault_set(fault, err, "%s line %u", path, line);
}

static int env_file_fetch(
    struct source *base, int64_t deadline_ms, struct bundle *ret_bundle, struct fault *fault)
{
	struct source_env_file *source = (struct source_env_file *)base;
	cleanup_secret struct secret *text = NULL;
	unsigned line = 0;
	int r = secret_new(0, &text);

	if (r == 0)
		r = patient_read(source->fd, ENV_FILE_MAX_BYTES, deadline_ms, text);
	if (r < 0)
		return fault_set(fault, r, "%s", source->path);

	r = env_file_parse(text, ret_bundle, &line);
	return r < 0 ? parse_fault(fault, r, source->path, line) : 0;
}

static void env_file_free(struct source *base)
{
	struct source_env_file *source = (struct source_env_file *)base;

	fd_cleanup(&source->fd);
	free(source);
}

static const struct source_ops env_file_ops = {.fetch = env_file_fetch, .free = env_file_free};

int source_env_file_open(
    const struct agent_options *options, struct source **ret_source, struct fault *fault)
{
	struct source_env_file *source = calloc(1, sizeof(*source));

	if (!source)
		return fault_set(fault, -ENOMEM, "%s", options->env_file);

	source->source.ops = &env_file_ops;
	source->path = options->env_file;
	source->fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (source->fd < 0) {
		int r = fault_set(fault, -errno, "%s", source->path);

		env_file_free(&source->source);
		return r;
	}

	*ret_source = &source->source;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_INSTALL_H
#define TACIT_AGENT_INSTALL_H

#include <sys/types.h>

#include "secrets_dir.h"
#include "tacit/bundle.h"
#include "tacit/err.h"
#include "text_list.h"

/*
 * Writes the file of every item into the directory: all of them, or none. Each is staged under a
 * dot name with its exact mode and content first; only when all are there are they renamed into
 * place, in one sweep. A reader of an existing file therefore sees the old bytes or the new ones,
 * and nothing between.
 *
 * (O_TMPFILE would save nothing: linkat(2) cannot replace a file, so a dot name would be needed
 * all the same, and /proc besides.)
 *
 * The names of the files are added to `files`. -ENOSPC, -EROFS and other -errno with the path in
 * `fault`; everything that was made is then gone again.
 */
int install_bundle(const struct secrets_dir *dir, const struct bundle *bundle,
    struct text_list *files, struct fault *fault);

/*
 * The same for files that a command reads already: what was there stays there when it fails, since
 * an old value is better than none. The caller has listed the files.
 */
int install_replace(
    const struct secrets_dir *dir, const struct bundle *bundle, struct fault *fault);

/* Removes what the process `pid`, which is gone, had staged and not renamed. */
void install_unstage(const struct secrets_dir *dir, pid_t pid);

/* Removes those files; what cannot be removed stays. */
void install_remove(const struct secrets_dir *dir, const struct text_list *files);

#endif

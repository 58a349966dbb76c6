/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_PRIVATE_MOUNTS_H
#define TACIT_AGENT_PRIVATE_MOUNTS_H

#include "tacit/err.h"

/*
 * Mounts a ramfs, mode 0700, over `path`, in a mount namespace of our own. Where `path` is a
 * directory in /run that does not exist, /run is built anew: each of its entries is bound into a
 * tmpfs that has one more. -errno, the path in `fault`.
 */
int private_mount(const char *path, struct fault *fault);

#endif

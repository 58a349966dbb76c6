/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_PATIENT_H
#define TACIT_AGENT_PATIENT_H

#include <stddef.h>
#include <stdint.h>

#include "tacit/secret.h"

/*
 * Reads `fd` to its end, behind what `text` holds: in steps and by poll, since it may be a pipe
 * (`<(sops -d x.env)`) whose writer takes too long. -TACIT_E_TIMEOUT, -TACIT_E_TOO_LARGE when
 * `text` grows over `max_bytes`, -ENOMEM, -errno.
 */
int patient_read(int fd, size_t max_bytes, int64_t deadline_ms, struct secret *text);

#endif

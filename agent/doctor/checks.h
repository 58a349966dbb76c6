/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_CHECKS_H
#define TACIT_AGENT_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doctor_checks.h"
#include "mounts.h"

/*
 * The checks behind the rows of doctor_checks.c, one group to a file, and what they have in common.
 * All of it is pure.
 */
check_function check_user, check_capabilities, check_new_privileges, check_seccomp;
check_function check_core_dumps;
check_function check_root, check_privileged, check_engine_socket;
check_function check_pid_namespace, check_net_namespace, check_ipc_namespace;
check_function check_memory, check_cpu, check_pids, check_swap;
check_function check_variables, check_arguments, check_packages, check_secrets_dir;

/* What was found; the text is cut to FINDING_DETAIL_BYTES. */
struct finding found(enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* That what should be in `path` is not. */
struct finding found_unreadable(const char *path);

/*
 * The value behind `key` in a text of lines `Key:\tvalue`, up to the end of the text; NULL when it
 * is not there. `text` may be NULL.
 */
const char *line_value(const char *text, const char *key);

/* One of the numbers in /proc/self/status; false when it is not there. */
bool status_number(const struct facts *facts, const char *key, int base, uint64_t *ret_number);

/* Reads `count` decimal numbers with white space between them; false when they are not there. */
bool numbers_read(const char *text, size_t count, unsigned long ret_numbers[]);

bool mount_is_read_only(const struct mount *mount);

/*
 * Where secrets would be delivered, by the mounts that there are: the wished directory, or the
 * first of the default places, and the mount that it is on. NULL when there is none. The mounts
 * must have been readable.
 */
const char *secrets_place(const struct facts *facts, struct mount *ret_mount);

#endif
